#include "proto/any_types.h"

#include "proto/ledger.h"

namespace meshlib::proto {

using ::google::protobuf::Descriptor;
using ::google::protobuf::Message;
using ::google::protobuf::MessageFactory;

const Message* AnyTypes::Prototype(const std::string& url) {
  const auto it = known_.find(url);
  if (it != known_.end()) return it->second;
  const Descriptor* descriptor = FindMessageTypeByUrl(url);
  if (descriptor == nullptr) return nullptr;
  const Message* prototype =
      MessageFactory::generated_factory()->GetPrototype(descriptor);
  // Other spellings of a URL are not remembered: a peer could fill the memory
  // with them.
  if (url == TypeUrl(*descriptor)) known_.emplace(url, prototype);
  return prototype;
}

}  // namespace meshlib::proto

#ifndef MESHLIB_XDS_ANY_RESOLVER_H_
#define MESHLIB_XDS_ANY_RESOLVER_H_

#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/message.h"

namespace meshlib::xds {

// What a type URL in a configuration file stands for.
struct ResolvedType {
  enum class Kind {
    kKnown,    // we have the message
    kUnknown,  // an extension that we do not have: kept, not understood
    kInvalid,  // no type URL, a slip of the pen or a rare type of the v2 API
  };
  Kind kind = Kind::kInvalid;
  const google::protobuf::Message* prototype = nullptr;  // kKnown
  std::string problem;  // kInvalid, kUnknown; of kKnown: a warning, or empty
  std::string url;      // kKnown: of today's type, if another was written
};

// Finds the messages behind type URLs and remembers them. Not thread-safe.
class AnyResolver {
 public:
  // The result is valid until the next call.
  const ResolvedType& Resolve(std::string_view type_url);

 private:
  ResolvedType Find(const std::string& type_url);

  int suggestions_ = 0;  // that were looked for
  absl::flat_hash_map<std::string, ResolvedType> known_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_ANY_RESOLVER_H_

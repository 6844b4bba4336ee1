// Resources as a control plane sends them: parse, ledger, rules, conversion.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "meshlib/xds/envoy/service/discovery/v3/discovery.pb.h"
#include "test/fuzz/decoder_input.h"
#include "xds/resource_decoder.h"

namespace meshlib::xds {
namespace {

using envoy::service::discovery::v3::Resource;

void Require(bool holds) {
  if (!holds) abort();
}

void Look(const DecodedResource& decoded) {
  for (const FieldProblem& problem : decoded.problems) {
    Require(!problem.message.empty());
  }
  Require(decoded.ok() == decoded.ErrorText().empty());
  Require(!decoded.ok() || decoded.heartbeat || decoded.message != nullptr);
  const bool has_model = std::visit(
      [](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>,
                                     std::monostate>) {
          return false;
        } else {
          return value != nullptr;
        }
      },
      decoded.value);
  Require(decoded.ok() || !has_model);
  if (decoded.message != nullptr) {
    const std::unique_ptr<::google::protobuf::Message> copy(
        decoded.message->New());
    Require(copy->ParseFromString(decoded.message->SerializeAsString()));
  }
}

// The same resource in a delta response has the same problems.
void CompareWithDelta(const std::string& url, std::string_view bytes,
                      const DecodedResource& plain) {
  Resource envelope;
  envelope.mutable_resource()->set_type_url(url);
  envelope.mutable_resource()->set_value(std::string(bytes));
  ResourceDecoder decoder;
  const DecodedResource delta =
      decoder.DecodeDelta(url, envelope.SerializeAsString());
  Look(delta);
  Require(delta.ErrorText() == plain.ErrorText());
  Require(delta.name == plain.name);
}

}  // namespace
}  // namespace meshlib::xds

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace meshlib::xds;
  if (size == 0) return 0;
  const std::string url = FuzzedUrl(data[0]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1,
                               size - 1);
  ResourceDecoder decoder;
  const DecodedResource decoded = decoder.Decode(url, bytes);
  Look(decoded);
  if (url != FuzzedUrl(std::size(kFuzzedTypes) - 1)) {
    CompareWithDelta(url, bytes, decoded);
  }
  return 0;
}

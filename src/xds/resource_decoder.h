#ifndef MESHLIB_XDS_RESOURCE_DECODER_H_
#define MESHLIB_XDS_RESOURCE_DECODER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"
#include "proto/any_types.h"
#include "proto/unknown_fields.h"
#include "proto/validate_rules.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"
#include "xds/convert_resource.h"

namespace meshlib::xds {

// What became of one resource of a control plane.
struct DecodedResource {
  // Its name as the resource itself says it, of the delta form as the envelope
  // says it; empty where the bytes do not tell.
  std::string name;
  std::string version;  // delta form only

  // A delta resource without content: only its lifetime begins anew.
  bool heartbeat = false;

  // The message; null if the bytes are none.
  std::unique_ptr<::google::protobuf::Message> message;
  ModelResource value;  // as ConvertResource() gives it

  // Everything that is wrong (a NACK lists it) and everything that is passed
  // over, with paths relative to the resource.
  std::vector<FieldProblem> problems;
  DeferredChecks deferred;

  bool ok() const;  // no problem is an error
  // The errors, a line for each: "path: message".
  std::string ErrorText() const;
};

// Makes resources of the bytes that control planes send: parse, look for fields
// that the ledger does not call used, check the original protos'
// validate.rules, convert. Nothing stops at the first problem. Bytes may be
// anything: they cost at most a fixed multiple of their length.
//
// Remembers types, so keep one for a stream. Not thread-safe.
class ResourceDecoder {
 public:
  explicit ResourceDecoder(ConvertOptions options = {}) : options_(options) {}

  // A resource of a state-of-the-world response, as it stands in its Any. It
  // may be wrapped in an envoy.service.discovery.v3.Resource.
  DecodedResource Decode(const std::string& type_url, std::string_view bytes);

  // A serialized envoy.service.discovery.v3.Resource of a delta response for
  // resources of `type_url`.
  DecodedResource DecodeDelta(const std::string& type_url,
                              std::string_view bytes);

 private:
  void Fill(const std::string& type_url, std::string_view bytes,
            DecodedResource& out);
  void FillWrapped(const std::string& type_url, std::string_view bytes,
                   DecodedResource& out);
  void CheckFields(DecodedResource& out);
  void CheckRules(DecodedResource& out);
  void Convert(DecodedResource& out);

  ConvertOptions options_;
  proto::AnyTypes types_;
  proto::RuleChecker rules_;
  proto::UnsupportedFieldFinder fields_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_RESOURCE_DECODER_H_

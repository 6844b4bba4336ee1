#include "meshlib/pick.h"

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/metadata.h"
#include "model/metadata_json.h"

namespace meshlib {

std::string_view PickFailureName(PickFailure failure) {
  switch (failure) {
    case PickFailure::kNone:
      return "none";
    case PickFailure::kNotReady:
      return "no configuration yet";
    case PickFailure::kShutdown:
      return "the mesh is shut down";
    case PickFailure::kForked:
      return "the process was forked: the mesh is its parent's "
             "(Mesh::RestartAfterFork() makes another)";
    case PickFailure::kNoRoute:
      return "no route matches";
    case PickFailure::kNotForwarded:
      return "the route does not forward requests";
    case PickFailure::kUnknownCluster:
      return "unknown cluster";
    case PickFailure::kNoHosts:
      return "the cluster has no hosts";
    case PickFailure::kNoHealthyHost:
      return "no healthy host";
    case PickFailure::kPanic:
      return "too few healthy hosts (fail_traffic_on_panic)";
    case PickFailure::kDropped:
      return "dropped (drop_overloads)";
    case PickFailure::kOverflow:
      return "circuit breaker max_requests is open";
    case PickFailure::kTlsRequired:
      return "the virtual host demands https (require_tls)";
    case PickFailure::kUnsupportedCluster:
      return "clusters of this type have no hosts yet (ORIGINAL_DST, "
             "aggregate)";
    case PickFailure::kDelayed:
      return "delayed by fault injection";
    case PickFailure::kFaultAbort:
      return "aborted by fault injection";
  }
  return "unknown";
}

absl::Status PickResult::status() const {
  const std::string text = absl::StrCat(
      cluster.empty()
          ? ""
          : absl::StrCat("cluster \"", base::ToAbsl(cluster), "\": "),
      base::ToAbsl(PickFailureName(failure)));
  switch (failure) {
    case PickFailure::kNone:
      return absl::OkStatus();
    case PickFailure::kShutdown:
    case PickFailure::kForked:
      return absl::FailedPreconditionError(text);
    case PickFailure::kNoRoute:
    case PickFailure::kNotForwarded:
    case PickFailure::kTlsRequired:
      return absl::NotFoundError(text);
    case PickFailure::kOverflow:
    case PickFailure::kDropped:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

std::optional<std::string_view> EndpointMetadata::GetString(
    std::string_view filter, std::string_view key) const {
  if (metadata_ == nullptr) return std::nullopt;
  const model::Value* value =
      static_cast<const model::Metadata*>(metadata_)->Find(filter, {key});
  if (value == nullptr || value->kind != model::Value::Kind::kString) {
    return std::nullopt;
  }
  return value->string;
}

std::string EndpointMetadata::ToJson() const {
  if (metadata_ == nullptr) return "{}";
  return model::MetadataJson(*static_cast<const model::Metadata*>(metadata_));
}

}  // namespace meshlib

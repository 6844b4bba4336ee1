#ifndef MESHLIB_MODEL_ENDPOINTS_H_
#define MESHLIB_MODEL_ENDPOINTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/locality.h"
#include "model/metadata.h"

namespace meshlib::model {

// Priorities go from 0 to 128 (ClusterLoadAssignment's validation).
inline constexpr size_t kMaxPriorities = 129;

// envoy.config.core.v3.HealthStatus, with its numbers.
enum class HealthStatus : uint8_t {
  kUnknown = 0,
  kHealthy = 1,
  kUnhealthy = 2,
  kDraining = 3,
  kTimeout = 4,
  kDegraded = 5,
};

const char* HealthStatusName(HealthStatus status);  // "HEALTHY"

// One endpoint of a ClusterLoadAssignment. A value.
struct Endpoint {
  std::string address;  // "10.0.0.1:80", "[::1]:80", "unix:/path"
  std::string hostname;
  // Of the same host, for Happy Eyeballs; `address` is the first to try.
  std::vector<std::string> additional_addresses;
  // What the host is known by where its address may change (LOGICAL_DNS);
  // empty: its address.
  std::string logical_name;
  uint32_t weight = 1;
  HealthStatus health = HealthStatus::kUnknown;
  std::shared_ptr<const Metadata> metadata;  // may be null

  friend bool operator==(const Endpoint& a, const Endpoint& b);
};

struct LocalityEndpoints {
  Locality locality;
  uint32_t priority = 0;
  // Unset and 0 both mean that locality-weighted balancing sends nothing.
  std::optional<uint32_t> weight;
  std::vector<Endpoint> endpoints;
  // Of the endpoints, in their order, by AddFingerprints(), or none: with
  // them an update of many endpoints is compared quickly. Derived, so not a
  // part of the value; who changes an endpoint must add them anew.
  std::vector<uint64_t> fingerprints;

  bool has_fingerprints() const {
    return fingerprints.size() == endpoints.size();
  }

  friend bool operator==(const LocalityEndpoints& a,
                         const LocalityEndpoints& b);
};

// Sets the fingerprints: hashes of all fields but the metadata, which is
// larger than the rest together and mostly shared.
void AddFingerprints(LocalityEndpoints& locality);
// Whether the endpoint has metadata, to be compared besides.
inline bool FingerprintHasMetadata(uint64_t fingerprint) {
  return (fingerprint & 1) != 0;
}

struct DropOverload {
  std::string category;
  uint32_t parts_per_million = 0;

  friend bool operator==(const DropOverload& a, const DropOverload& b) {
    return a.category == b.category &&
           a.parts_per_million == b.parts_per_million;
  }
};

// A ClusterLoadAssignment: the endpoints of one cluster. Immutable once it
// is shared.
struct Endpoints {
  std::string cluster_name;
  std::vector<LocalityEndpoints> localities;
  std::vector<DropOverload> drops;
  uint32_t overprovisioning_factor = 140;  // percent
  bool weighted_priority_health = false;

  friend bool operator==(const Endpoints& a, const Endpoints& b);
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_ENDPOINTS_H_

#include "model/endpoints.h"

#include <tuple>

#include "base/hash.h"

namespace meshlib::model {

const char* HealthStatusName(HealthStatus status) {
  switch (status) {
    case HealthStatus::kUnknown:
      return "UNKNOWN";
    case HealthStatus::kHealthy:
      return "HEALTHY";
    case HealthStatus::kUnhealthy:
      return "UNHEALTHY";
    case HealthStatus::kDraining:
      return "DRAINING";
    case HealthStatus::kTimeout:
      return "TIMEOUT";
    case HealthStatus::kDegraded:
      return "DEGRADED";
  }
  return "UNKNOWN";
}

bool operator==(const Endpoint& a, const Endpoint& b) {
  if (std::tie(a.address, a.hostname, a.additional_addresses, a.logical_name,
               a.weight, a.health) !=
      std::tie(b.address, b.hostname, b.additional_addresses, b.logical_name,
               b.weight, b.health)) {
    return false;
  }
  if (a.metadata == b.metadata) return true;
  return a.metadata && b.metadata && *a.metadata == *b.metadata;
}

void AddFingerprints(LocalityEndpoints& locality) {
  locality.fingerprints.clear();
  locality.fingerprints.reserve(locality.endpoints.size());
  for (const Endpoint& endpoint : locality.endpoints) {
    uint64_t hash =
        uint64_t{endpoint.weight} << 8 | static_cast<uint64_t>(endpoint.health);
    hash = base::XxHash64(endpoint.address, hash);
    hash = base::XxHash64(endpoint.hostname, hash);
    for (const std::string& address : endpoint.additional_addresses) {
      hash = base::XxHash64(address, hash);
    }
    if (!endpoint.logical_name.empty()) {
      hash = base::XxHash64(endpoint.logical_name, hash);
    }
    const uint64_t has_metadata = endpoint.metadata != nullptr ? 1 : 0;
    locality.fingerprints.push_back((hash & ~uint64_t{1}) | has_metadata);
  }
}

bool operator==(const LocalityEndpoints& a, const LocalityEndpoints& b) {
  return std::tie(a.locality, a.priority, a.weight, a.endpoints) ==
         std::tie(b.locality, b.priority, b.weight, b.endpoints);
}

bool operator==(const Endpoints& a, const Endpoints& b) {
  return std::tie(a.cluster_name, a.localities, a.drops,
                  a.overprovisioning_factor, a.weighted_priority_health) ==
         std::tie(b.cluster_name, b.localities, b.drops,
                  b.overprovisioning_factor, b.weighted_priority_health);
}

}  // namespace meshlib::model

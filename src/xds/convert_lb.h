#ifndef MESHLIB_XDS_CONVERT_LB_H_
#define MESHLIB_XDS_CONVERT_LB_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "model/cluster.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// The load balancing of a cluster of `type`: lb_policy with its legacy
// configurations, or load_balancing_policy, of whose list the first supported
// policy wins (custom load balancing of gRFC A52, as Envoy does it too).
model::LoadBalancing ConvertLoadBalancing(
    const envoy::config::cluster::v3::Cluster& in, model::DiscoveryType type,
    FieldErrors& errors, absl::Span<const std::string> custom_policies = {});

// A size that Envoy accepts for a Maglev table.
bool IsPrime(uint64_t number);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_LB_H_

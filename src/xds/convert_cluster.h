#ifndef MESHLIB_XDS_CONVERT_CLUSTER_H_
#define MESHLIB_XDS_CONVERT_CLUSTER_H_

#include <memory>
#include <string>

#include "absl/types/span.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "model/cluster.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// A Cluster that proto/validate_rules.h has found good, as a value. Adds to
// `errors` everything that Envoy's own code would refuse, and notes for what
// meshlib passes over. Null if there was an error. A pure function.
// What depends on other resources goes to `deferred`, if it is not null.
// `custom_policies` are the names of the application's own load balancing
// policies, by which load_balancing_policy may ask for them (as the name of
// the extension or of its typed_config's type).
std::shared_ptr<const model::Cluster> ConvertCluster(
    const envoy::config::cluster::v3::Cluster& in, FieldErrors& errors,
    DeferredChecks* deferred = nullptr,
    absl::Span<const std::string> custom_policies = {});

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_CLUSTER_H_

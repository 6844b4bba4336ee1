#ifndef MESHLIB_XDS_CONVERT_DNS_H_
#define MESHLIB_XDS_CONVERT_DNS_H_

#include <optional>

#include "base/dns.h"
#include "meshlib/xds/envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "model/cluster.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// How a cluster's names are looked up: by its cluster_type if that is a
// DnsCluster, else by the cluster's own fields, which are checked for clusters
// of every type. Nothing if `type` has no names.
std::optional<model::DnsDiscovery> ConvertDns(
    const envoy::config::cluster::v3::Cluster& in, model::DiscoveryType type,
    FieldErrors& errors);

// The resolver of clusters that name none.
base::DnsResolverOptions ConvertDefaultDnsResolver(
    const envoy::config::bootstrap::v3::Bootstrap& in, FieldErrors& errors);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_DNS_H_

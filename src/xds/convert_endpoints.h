#ifndef MESHLIB_XDS_CONVERT_ENDPOINTS_H_
#define MESHLIB_XDS_CONVERT_ENDPOINTS_H_

#include <memory>
#include <string>

#include "meshlib/xds/envoy/config/core/v3/address.pb.h"
#include "meshlib/xds/envoy/config/endpoint/v3/endpoint.pb.h"
#include "model/cluster.h"
#include "model/endpoints.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

enum class AddressUse {
  kEndpoint,       // an IP address or a Unix-domain socket
  kNamedEndpoint,  // the same or a host name
  kListener,       // as kEndpoint
};

// An address as Envoy prints it: "10.0.0.1:80", "[2001:db8::1]:80" (the
// canonical text of IPv6), and "unix:/path". Empty: refused, with an error.
std::string ConvertAddress(const envoy::config::core::v3::Address& address,
                           AddressUse use, FieldErrors& errors);

// The canonical text of an IP address, IPv6 in brackets; empty for anything
// else. Numbers with leading zeros are refused, as Envoy does.
std::string CanonicalIp(const std::string& text);

// A ClusterLoadAssignment, from EDS or inline in a cluster of `type`; what is
// allowed depends on the type. Null if it has errors.
std::shared_ptr<const model::Endpoints> ConvertEndpoints(
    const envoy::config::endpoint::v3::ClusterLoadAssignment& assignment,
    FieldErrors& errors,
    model::DiscoveryType type = model::DiscoveryType::kEds);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_ENDPOINTS_H_

#include "xds/convert_endpoints.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/config/endpoint/v3/endpoint_components.pb.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
namespace endpoint = envoy::config::endpoint::v3;

constexpr size_t kMaxPipePath = 107;  // sockaddr_un::sun_path, with its NUL

std::string ConvertSocketAddress(const core::SocketAddress& address,
                                 AddressUse use, FieldErrors& errors) {
  ScopedField scope(errors, "socket_address");
  const std::string& text = address.address();
  std::string host = CanonicalIp(text);
  if (host.empty() && use == AddressUse::kNamedEndpoint &&
      text.find('\0') == std::string::npos) {
    host = text;
  }
  if (host.empty()) {
    errors.ErrorAt(
        "address",
        absl::StrCat("malformed IP address: ", Quoted(text),
                     use == AddressUse::kEndpoint
                         ? "; host names need cluster type STRICT_DNS or "
                           "LOGICAL_DNS"
                         : ""));
    return "";
  }
  return absl::StrCat(host, ":", address.port_value());
}

std::string ConvertPipe(const core::Pipe& pipe, FieldErrors& errors) {
  ScopedField scope(errors, "pipe");
  // An abstract address ("@name") is not ended by a NUL.
  const bool abstract = !pipe.path().empty() && pipe.path()[0] == '@';
  const size_t limit = abstract ? kMaxPipePath + 1 : kMaxPipePath;
  if (pipe.path().size() > limit) {
    errors.ErrorAt("path", absl::StrCat("is ", pipe.path().size(),
                                        " bytes long, want at most ", limit));
    return "";
  }
  return absl::StrCat("unix:", pipe.path());
}

AddressUse UseOf(model::DiscoveryType type) {
  return type == model::DiscoveryType::kStrictDns ||
                 type == model::DiscoveryType::kLogicalDns
             ? AddressUse::kNamedEndpoint
             : AddressUse::kEndpoint;
}

void ConvertAdditionalAddresses(const endpoint::Endpoint& in, AddressUse use,
                                FieldErrors& errors, model::Endpoint& out) {
  for (int i = 0; i < in.additional_addresses_size(); ++i) {
    ScopedField scope(errors, "additional_addresses", i);
    ScopedField field(errors, "address");
    std::string address =
        ConvertAddress(in.additional_addresses(i).address(), use, errors);
    if (!address.empty()) {
      out.additional_addresses.push_back(std::move(address));
    }
  }
}

model::Endpoint ConvertEndpoint(const endpoint::LbEndpoint& in,
                                model::DiscoveryType type,
                                FieldErrors& errors) {
  model::Endpoint out;
  if (!in.endpoint_name().empty()) {
    errors.ErrorAt("endpoint_name",
                   "named endpoints are not supported, want endpoint.address");
    return out;
  }
  ScopedField scope(errors, "endpoint");
  if (!in.endpoint().has_address()) {
    errors.ErrorAt("address", "is required");
    return out;
  }
  const AddressUse use = UseOf(type);
  {
    ScopedField field(errors, "address");
    out.address = ConvertAddress(in.endpoint().address(), use, errors);
  }
  out.hostname = in.endpoint().hostname();
  // What a DNS cluster resolves is what its hosts are called.
  if (use == AddressUse::kNamedEndpoint && out.hostname.empty()) {
    out.hostname = in.endpoint().address().socket_address().address();
  }
  ConvertAdditionalAddresses(in.endpoint(), use, errors, out);
  out.weight =
      ValueOr(in.has_load_balancing_weight(), in.load_balancing_weight(), 1u);
  out.health = static_cast<model::HealthStatus>(in.health_status());
  if (in.has_metadata()) out.metadata = ConvertMetadata(in.metadata());
  return out;
}

model::LocalityEndpoints ConvertLocalityEndpoints(
    const endpoint::LocalityLbEndpoints& in, model::DiscoveryType type,
    FieldErrors& errors) {
  model::LocalityEndpoints out;
  out.locality = ConvertLocality(in.locality());
  out.priority = in.priority();
  if (in.has_load_balancing_weight()) {
    out.weight = in.load_balancing_weight().value();
  }
  const bool listed = in.has_load_balancer_endpoints();
  const auto& endpoints =
      listed ? in.load_balancer_endpoints().lb_endpoints() : in.lb_endpoints();
  std::optional<ScopedField> list;
  if (listed) list.emplace(errors, "load_balancer_endpoints");
  out.endpoints.reserve(static_cast<size_t>(endpoints.size()));
  uint64_t weights = 0;
  for (int i = 0; i < endpoints.size(); ++i) {
    ScopedField scope(errors, "lb_endpoints", i);
    out.endpoints.push_back(ConvertEndpoint(endpoints[i], type, errors));
    weights += out.endpoints.back().weight;
  }
  model::AddFingerprints(out);
  if (weights > UINT32_MAX) {
    errors.ErrorAt("lb_endpoints", absl::StrCat("the weights sum to ", weights,
                                                " > ", UINT32_MAX));
  }
  return out;
}

std::optional<uint32_t> PartsPerMillion(
    const envoy::type::v3::FractionalPercent& percent) {
  using Percent = envoy::type::v3::FractionalPercent;
  uint64_t denominator = 100;
  if (percent.denominator() == Percent::TEN_THOUSAND) denominator = 10000;
  if (percent.denominator() == Percent::MILLION) denominator = 1000000;
  if (percent.numerator() > denominator) return std::nullopt;
  return static_cast<uint32_t>(percent.numerator() * (1000000 / denominator));
}

void ConvertPolicy(const endpoint::ClusterLoadAssignment::Policy& in,
                   FieldErrors& errors, model::Endpoints& out) {
  ScopedField scope(errors, "policy");
  out.overprovisioning_factor = ValueOr(in.has_overprovisioning_factor(),
                                        in.overprovisioning_factor(), 140u);
  out.weighted_priority_health = in.weighted_priority_health();
  for (int i = 0; i < in.drop_overloads_size(); ++i) {
    ScopedField drop(errors, "drop_overloads", i);
    const auto parts = PartsPerMillion(in.drop_overloads(i).drop_percentage());
    if (!parts) {
      errors.ErrorAt("drop_percentage", "is more than all requests");
      continue;
    }
    out.drops.push_back({in.drop_overloads(i).category(), *parts});
  }
  if (in.drop_overloads_size() > 1) {
    errors.ErrorAt("drop_overloads",
                   absl::StrCat("has ", in.drop_overloads_size(),
                                " categories, want one at most"));
  }
  if (in.has_endpoint_stale_after()) {
    errors.UnsupportedAt("endpoint_stale_after",
                         "endpoints do not expire; this is not supported");
  }
}

// As the API asks: the weights of the localities of one priority fit 32 bits.
void CheckLocalityWeights(const model::Endpoints& endpoints,
                          FieldErrors& errors) {
  std::map<uint32_t, uint64_t> sums;
  for (const model::LocalityEndpoints& l : endpoints.localities) {
    sums[l.priority] += l.weight.value_or(0);
  }
  for (const auto& [priority, sum] : sums) {
    if (sum > UINT32_MAX) {
      errors.ErrorAt("endpoints",
                     absl::StrCat("the locality weights of priority ", priority,
                                  " sum to ", sum, " > ", UINT32_MAX));
    }
  }
}

}  // namespace

std::string CanonicalIp(const std::string& text) {
  // inet_pton stops at a NUL.
  if (text.find('\0') != std::string::npos) return "";
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return text;
  const size_t percent = text.find('%');
  const std::string plain = text.substr(0, percent);
  const std::string scope =
      percent == std::string::npos ? "" : text.substr(percent);
  if (scope == "%") return "";
  in6_addr v6;
  char buffer[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET6, plain.c_str(), &v6) != 1 ||
      inet_ntop(AF_INET6, &v6, buffer, sizeof(buffer)) == nullptr) {
    return "";
  }
  return absl::StrCat("[", buffer, scope, "]");
}

std::string ConvertAddress(const core::Address& address, AddressUse use,
                           FieldErrors& errors) {
  switch (address.address_case()) {
    case core::Address::kSocketAddress:
      return ConvertSocketAddress(address.socket_address(), use, errors);
    case core::Address::kPipe:
      return ConvertPipe(address.pipe(), errors);
    case core::Address::kEnvoyInternalAddress:
      errors.ErrorAt("envoy_internal_address",
                     "internal listeners are not supported; the endpoint "
                     "could not be reached");
      return "";
    case core::Address::ADDRESS_NOT_SET:
      errors.Error("is required");
      return "";
  }
  return "";
}

std::shared_ptr<const model::Endpoints> ConvertEndpoints(
    const endpoint::ClusterLoadAssignment& assignment, FieldErrors& errors,
    model::DiscoveryType type) {
  const size_t errors_before = errors.error_count();
  auto out = std::make_shared<model::Endpoints>();
  out->cluster_name = assignment.cluster_name();
  out->localities.reserve(static_cast<size_t>(assignment.endpoints_size()));
  for (int i = 0; i < assignment.endpoints_size(); ++i) {
    ScopedField scope(errors, "endpoints", i);
    out->localities.push_back(
        ConvertLocalityEndpoints(assignment.endpoints(i), type, errors));
  }
  CheckLocalityWeights(*out, errors);
  if (assignment.has_policy()) {
    ConvertPolicy(assignment.policy(), errors, *out);
  }
  if (errors.error_count() != errors_before) return nullptr;
  return out;
}

}  // namespace meshlib::xds

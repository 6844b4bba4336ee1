#include "xds/convert_dns.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "meshlib/xds/envoy/extensions/clusters/dns/v3/dns_cluster.pb.h"
#include "meshlib/xds/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "xds/convert_endpoints.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::clusters::dns::v3::DnsCluster;
using envoy::extensions::network::dns_resolver::cares::v3::
    CaresDnsResolverConfig;
using Family = base::DnsLookupFamily;

constexpr uint64_t kMostTimeoutSeconds = 3600;

template <typename Addresses>
std::vector<std::string> ConvertResolvers(const Addresses& in,
                                          FieldErrors& errors) {
  std::vector<std::string> out;
  for (int i = 0; i < in.size(); ++i) {
    ScopedField scope(errors, "resolvers", i);
    if (in[i].has_pipe()) {
      errors.ErrorAt("pipe", "a DNS resolver needs an IP address");
      continue;
    }
    std::string address = ConvertAddress(in[i], AddressUse::kListener, errors);
    if (address.empty()) continue;
    if (in[i].socket_address().port_value() == 0) {
      address.replace(address.rfind(':'), std::string::npos, ":53");
    }
    out.push_back(std::move(address));
  }
  return out;
}

void ConvertOptions(const core::DnsResolverOptions& in,
                    base::DnsResolverOptions& out) {
  out.use_tcp_for_dns_lookups = in.use_tcp_for_dns_lookups();
  out.no_default_search_domain = in.no_default_search_domain();
}

base::DnsResolverOptions ConvertCares(const CaresDnsResolverConfig& in,
                                      FieldErrors& errors) {
  base::DnsResolverOptions out;
  out.resolvers = ConvertResolvers(in.resolvers(), errors);
  out.use_resolvers_as_fallback = in.use_resolvers_as_fallback();
  out.rotate_nameservers = in.rotate_nameservers();
  ConvertOptions(in.dns_resolver_options(), out);
  if (in.has_query_timeout_seconds()) {
    out.query_timeout = absl::Seconds(static_cast<int64_t>(
        std::min(in.query_timeout_seconds().value(), kMostTimeoutSeconds)));
  }
  if (in.has_query_tries()) out.query_tries = in.query_tries().value();
  return out;
}

base::DnsResolverOptions ConvertTyped(const core::TypedExtensionConfig& in,
                                      FieldErrors& errors) {
  ScopedField scope(errors, "typed_dns_resolver_config");
  ScopedField config_scope(errors, "typed_config");
  CaresDnsResolverConfig config;
  if (!HoldsA<CaresDnsResolverConfig>(in.typed_config())) {
    errors.Unsupported(UnknownExtension(in.typed_config()));  // c-ares it is
  } else if (UnpackInto(in.typed_config(), config, errors)) {
    return ConvertCares(config, errors);
  }
  return {};
}

// The fields that Cluster and Bootstrap share, the newer first.
template <typename Message>
std::optional<base::DnsResolverOptions> ConvertResolver(const Message& in,
                                                        FieldErrors& errors) {
  if (in.has_typed_dns_resolver_config()) {
    return ConvertTyped(in.typed_dns_resolver_config(), errors);
  }
  base::DnsResolverOptions out;
  if (in.has_dns_resolution_config()) {
    ScopedField scope(errors, "dns_resolution_config");
    const auto& config = in.dns_resolution_config();
    out.resolvers = ConvertResolvers(config.resolvers(), errors);
    ConvertOptions(config.dns_resolver_options(), out);
    return out;
  }
  out.use_tcp_for_dns_lookups = in.use_tcp_for_dns_lookups();
  if (!out.use_tcp_for_dns_lookups) return std::nullopt;
  return out;
}

std::optional<base::DnsResolverOptions> ConvertClusterResolver(
    const Cluster& in, FieldErrors& errors) {
  auto out = ConvertResolver(in, errors);
  if (in.dns_resolvers_size() == 0 || in.has_typed_dns_resolver_config() ||
      in.has_dns_resolution_config()) {
    return out;
  }
  if (!out) out.emplace();
  ScopedField scope(errors, "dns_resolvers");
  out->resolvers = ConvertResolvers(in.dns_resolvers(), errors);
  return out;
}

// The fields that Cluster and DnsCluster share.
template <typename Message>
model::DnsDiscovery ConvertRates(const Message& in, FieldErrors& errors) {
  model::DnsDiscovery out;
  out.refresh_rate =
      ConvertOptionalDuration(in.has_dns_refresh_rate(), in.dns_refresh_rate(),
                              "dns_refresh_rate", errors)
          .value_or(out.refresh_rate);
  out.jitter = ConvertOptionalDuration(in.has_dns_jitter(), in.dns_jitter(),
                                       "dns_jitter", errors)
                   .value_or(out.jitter);
  out.respect_dns_ttl = in.respect_dns_ttl();
  if (!in.has_dns_failure_refresh_rate()) return out;
  ScopedField scope(errors, "dns_failure_refresh_rate");
  const auto& rate = in.dns_failure_refresh_rate();
  out.failure_base_interval = ConvertOptionalDuration(
      rate.has_base_interval(), rate.base_interval(), "base_interval", errors);
  out.failure_max_interval = ConvertOptionalDuration(
      rate.has_max_interval(), rate.max_interval(), "max_interval", errors);
  if (out.failure_base_interval && out.failure_max_interval &&
      *out.failure_max_interval < *out.failure_base_interval) {
    errors.ErrorAt("max_interval", "max_interval < base_interval");
  }
  return out;
}

Family ConvertFamily(Cluster::DnsLookupFamily in) {
  switch (in) {
    case Cluster::V4_ONLY:
      return Family::kV4Only;
    case Cluster::V6_ONLY:
      return Family::kV6Only;
    case Cluster::V4_PREFERRED:
      return Family::kV4Preferred;
    case Cluster::ALL:
      return Family::kAll;
    default:
      return Family::kAuto;
  }
}

Family ConvertFamily(
    envoy::extensions::clusters::common::dns::v3::DnsLookupFamily in) {
  namespace dns = envoy::extensions::clusters::common::dns::v3;
  switch (in) {
    case dns::V4_ONLY:
      return Family::kV4Only;
    case dns::V6_ONLY:
      return Family::kV6Only;
    case dns::V4_PREFERRED:
      return Family::kV4Preferred;
    case dns::ALL:
      return Family::kAll;
    default:
      return Family::kAuto;
  }
}

model::DnsDiscovery ConvertDnsCluster(const DnsCluster& in,
                                      FieldErrors& errors) {
  ScopedField scope(errors, "cluster_type");
  ScopedField config_scope(errors, "typed_config");
  model::DnsDiscovery out = ConvertRates(in, errors);
  out.lookup_family = ConvertFamily(in.dns_lookup_family());
  if (in.has_typed_dns_resolver_config()) {
    out.resolver = ConvertTyped(in.typed_dns_resolver_config(), errors);
  }
  return out;
}

}  // namespace

std::optional<model::DnsDiscovery> ConvertDns(const Cluster& in,
                                              model::DiscoveryType type,
                                              FieldErrors& errors) {
  model::DnsDiscovery out = ConvertRates(in, errors);
  out.lookup_family = ConvertFamily(in.dns_lookup_family());
  out.resolver = ConvertClusterResolver(in, errors);
  const auto& custom = in.cluster_type().typed_config();
  if (HoldsA<DnsCluster>(custom)) {
    DnsCluster config;
    FieldErrors told;  // where the cluster's type was read
    if (UnpackInto(custom, config, told)) {
      out = ConvertDnsCluster(config, errors);
    }
  }
  if (in.has_wait_for_warm_on_init()) {
    out.wait_for_warm_on_init = in.wait_for_warm_on_init().value();
  }
  if (type != model::DiscoveryType::kStrictDns &&
      type != model::DiscoveryType::kLogicalDns) {
    return std::nullopt;
  }
  return out;
}

base::DnsResolverOptions ConvertDefaultDnsResolver(
    const envoy::config::bootstrap::v3::Bootstrap& in, FieldErrors& errors) {
  return ConvertResolver(in, errors).value_or(base::DnsResolverOptions());
}

}  // namespace meshlib::xds

#include "model/cluster.h"

#include <tuple>

namespace meshlib::model {
namespace {

auto Fields(const ZoneAwareLb& z) {
  return std::tie(z.routing_enabled_percent, z.min_cluster_size,
                  z.fail_traffic_on_panic, z.force_locality_direct_routing,
                  z.force_local_zone_min_size, z.locality_basis);
}

auto Fields(const LoadReportWeights& w) {
  return std::tie(w.blackout_period, w.weight_expiration_period,
                  w.weight_update_period, w.error_utilization_penalty,
                  w.metric_names);
}

auto Fields(const LoadBalancing& l) {
  return std::tie(
      l.policy, l.custom_name, l.custom_config, l.locality_weighted,
      l.zone_aware, l.healthy_panic_threshold, l.slow_start, l.choice_count,
      l.active_request_bias, l.active_request_bias_explicit, l.selection,
      l.hash_function, l.minimum_ring_size, l.maximum_ring_size,
      l.maglev_table_size, l.use_hostname_for_hashing, l.hash_balance_factor,
      l.load_report_weights, l.random_subset_size, l.random_subset_by_locality,
      l.ignore_new_hosts_until_first_hc, l.update_merge_window);
}

auto Fields(const CircuitBreakerThresholds& t) {
  return std::tie(t.max_connections, t.max_pending_requests, t.max_requests,
                  t.max_retries, t.max_connection_pools, t.track_remaining,
                  t.retry_budget);
}

auto Fields(const OutlierDetection& o) {
  return std::tie(
      o.interval, o.base_ejection_time, o.max_ejection_time,
      o.max_ejection_time_jitter, o.max_ejection_percent,
      o.always_eject_one_host, o.split_external_local_origin_errors,
      o.successful_active_health_check_uneject_host, o.consecutive_5xx,
      o.enforcing_consecutive_5xx, o.consecutive_gateway_failure,
      o.enforcing_consecutive_gateway_failure,
      o.consecutive_local_origin_failure,
      o.enforcing_consecutive_local_origin_failure,
      o.success_rate_minimum_hosts, o.success_rate_request_volume,
      o.success_rate_stdev_factor, o.enforcing_success_rate,
      o.enforcing_local_origin_success_rate, o.failure_percentage_threshold,
      o.failure_percentage_minimum_hosts, o.failure_percentage_request_volume,
      o.enforcing_failure_percentage,
      o.enforcing_failure_percentage_local_origin);
}

}  // namespace

const char* LbPolicyName(LbPolicy policy) {
  switch (policy) {
    case LbPolicy::kRoundRobin:
      return "ROUND_ROBIN";
    case LbPolicy::kLeastRequest:
      return "LEAST_REQUEST";
    case LbPolicy::kRandom:
      return "RANDOM";
    case LbPolicy::kRingHash:
      return "RING_HASH";
    case LbPolicy::kMaglev:
      return "MAGLEV";
    case LbPolicy::kClientSideWeightedRoundRobin:
      return "CLIENT_SIDE_WEIGHTED_ROUND_ROBIN";
    case LbPolicy::kCustom:
      return "CUSTOM";
  }
  return "ROUND_ROBIN";
}

const char* DiscoveryTypeName(DiscoveryType type) {
  switch (type) {
    case DiscoveryType::kStatic:
      return "STATIC";
    case DiscoveryType::kStrictDns:
      return "STRICT_DNS";
    case DiscoveryType::kLogicalDns:
      return "LOGICAL_DNS";
    case DiscoveryType::kEds:
      return "EDS";
    case DiscoveryType::kOriginalDst:
      return "ORIGINAL_DST";
    case DiscoveryType::kAggregate:
      return "AGGREGATE";
  }
  return "STATIC";
}

bool operator==(const ZoneAwareLb& a, const ZoneAwareLb& b) {
  return Fields(a) == Fields(b);
}
bool operator==(const LoadReportWeights& a, const LoadReportWeights& b) {
  return Fields(a) == Fields(b);
}
bool operator==(const LoadBalancing& a, const LoadBalancing& b) {
  return Fields(a) == Fields(b);
}
bool operator==(const CircuitBreakerThresholds& a,
                const CircuitBreakerThresholds& b) {
  return Fields(a) == Fields(b);
}
bool operator==(const OutlierDetection& a, const OutlierDetection& b) {
  return Fields(a) == Fields(b);
}

bool operator==(const UpstreamHttp& a, const UpstreamHttp& b) {
  const auto all = [](const UpstreamHttp& h) {
    return std::tie(h.protocol, h.idle_timeout, h.max_connection_duration,
                    h.max_stream_duration, h.max_requests_per_connection,
                    h.max_response_headers_kb, h.max_headers_count, h.auto_sni,
                    h.auto_san_validation, h.override_auto_sni_header,
                    h.hpack_table_size, h.max_concurrent_streams,
                    h.initial_stream_window_size,
                    h.initial_connection_window_size, h.keepalive_interval,
                    h.keepalive_timeout);
  };
  return all(a) == all(b);
}

bool operator==(const DnsDiscovery& a, const DnsDiscovery& b) {
  return std::tie(a.refresh_rate, a.jitter, a.failure_base_interval,
                  a.failure_max_interval, a.respect_dns_ttl, a.lookup_family,
                  a.wait_for_warm_on_init, a.resolver) ==
         std::tie(b.refresh_rate, b.jitter, b.failure_base_interval,
                  b.failure_max_interval, b.respect_dns_ttl, b.lookup_family,
                  b.wait_for_warm_on_init, b.resolver);
}

bool operator==(const Cluster& a, const Cluster& b) {
  const auto same = [](const auto& x, const auto& y) {
    return x == y || (x && y && *x == *y);
  };
  return std::tie(a.name, a.type, a.eds_service_name, a.aggregate,
                  a.connect_timeout, a.lb, a.circuit_breakers,
                  a.outlier_detection, a.transport_socket_matches,
                  a.expected_identities, a.dns,
                  a.per_connection_buffer_limit_bytes, a.http, a.connections) ==
             std::tie(b.name, b.type, b.eds_service_name, b.aggregate,
                      b.connect_timeout, b.lb, b.circuit_breakers,
                      b.outlier_detection, b.transport_socket_matches,
                      b.expected_identities, b.dns,
                      b.per_connection_buffer_limit_bytes, b.http,
                      b.connections) &&
         same(a.tls, b.tls) && same(a.endpoints, b.endpoints) &&
         same(a.metadata, b.metadata);
}

std::shared_ptr<const Cluster> WithSecrets(
    std::shared_ptr<const Cluster> cluster,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets) {
  auto tls = WithSecrets(cluster->tls, secrets);
  bool changed = tls != cluster->tls;
  auto matches = cluster->transport_socket_matches;
  for (TransportSocketMatch& entry : matches) {
    auto resolved = WithSecrets(entry.tls, secrets);
    changed = changed || resolved != entry.tls;
    entry.tls = std::move(resolved);
  }
  if (!changed) return cluster;
  auto out = std::make_shared<Cluster>(*cluster);
  out->tls = std::move(tls);
  out->transport_socket_matches = std::move(matches);
  return out;
}

const std::shared_ptr<const UpstreamTls>& TlsFor(const Cluster& cluster,
                                                 const Metadata* host) {
  for (const TransportSocketMatch& entry : cluster.transport_socket_matches) {
    if (entry.Matches(host)) return entry.tls;
  }
  return cluster.tls;
}

}  // namespace meshlib::model

#ifndef MESHLIB_MODEL_CLUSTER_H_
#define MESHLIB_MODEL_CLUSTER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/dns.h"
#include "model/endpoints.h"
#include "model/metadata.h"
#include "model/tls.h"

namespace meshlib::model {

// Names and defaults of this file are those of Envoy's cluster.proto and
// extensions/load_balancing_policies.

// A host that became available ramps up over `window`.
struct SlowStart {
  absl::Duration window = absl::ZeroDuration();  // 0: off
  double aggression = 1.0;
  double min_weight_percent = 10.0;

  friend bool operator==(const SlowStart& a, const SlowStart& b) {
    return a.window == b.window && a.aggression == b.aggression &&
           a.min_weight_percent == b.min_weight_percent;
  }
};

enum class LbPolicy {
  kRoundRobin,
  kLeastRequest,
  kRandom,
  kRingHash,
  kMaglev,
  kClientSideWeightedRoundRobin,  // by the hosts' load reports
  kCustom,  // an application's own, found by `custom_name`
};
const char* LbPolicyName(LbPolicy policy);  // "ROUND_ROBIN"

enum class RingHashFunction { kXxHash, kMurmurHash2 };
enum class LeastRequestSelection { kNChoices, kFullScan };
enum class LocalityBasis { kHealthyHostsNum, kHealthyHostsWeight };

struct ZoneAwareLb {
  double routing_enabled_percent = 100.0;
  uint64_t min_cluster_size = 6;
  bool fail_traffic_on_panic = false;
  bool force_locality_direct_routing = false;
  std::optional<uint32_t> force_local_zone_min_size;  // set: force_local_zone
  LocalityBasis locality_basis = LocalityBasis::kHealthyHostsNum;

  friend bool operator==(const ZoneAwareLb& a, const ZoneAwareLb& b);
};

// How load reports become weights in client_side_weighted_round_robin (gRFC
// A58; the names: A114).
struct LoadReportWeights {
  // How long a host must have reported before its weight counts.
  absl::Duration blackout_period = absl::Seconds(10);
  // When the last report is that old, it no longer counts.
  absl::Duration weight_expiration_period = absl::Minutes(3);
  absl::Duration weight_update_period = absl::Seconds(1);  // at least 100 ms
  double error_utilization_penalty = 1.0;
  // What stands for the utilization if the host does not report that of the
  // application: the greatest of these.
  std::vector<std::string> metric_names;

  friend bool operator==(const LoadReportWeights& a,
                         const LoadReportWeights& b);
};

// What load balancing of one cluster is configured to be.
struct LoadBalancing {
  LbPolicy policy = LbPolicy::kRoundRobin;
  std::string custom_name;
  std::string custom_config;  // the policy's own configuration, as JSON

  // Both may be absent; locality weights win where both are set.
  bool locality_weighted = false;
  std::optional<ZoneAwareLb> zone_aware;

  double healthy_panic_threshold = 50.0;  // percent; Envoy truncates it
  SlowStart slow_start;                   // both round robins and least request

  uint32_t choice_count = 2;  // least request
  double active_request_bias = 1.0;
  bool active_request_bias_explicit = false;
  LeastRequestSelection selection = LeastRequestSelection::kNChoices;

  RingHashFunction hash_function = RingHashFunction::kXxHash;
  uint64_t minimum_ring_size = 1024;
  uint64_t maximum_ring_size = 8 * 1024 * 1024;
  uint64_t maglev_table_size = 65537;
  bool use_hostname_for_hashing = false;
  uint32_t hash_balance_factor = 0;  // 0: off; else percent, at least 100

  LoadReportWeights load_report_weights;  // client-side weighted round robin

  // random_subsetting (gRFC A68): how many hosts of each priority, or of each
  // locality of it, get traffic at all. 0: off.
  uint32_t random_subset_size = 0;
  bool random_subset_by_locality = false;

  // Hosts that are excluded until their first health check, as Envoy's
  // ignore_new_hosts_until_first_hc.
  bool ignore_new_hosts_until_first_hc = false;
  // Which EDS health statuses may be overridden to; reserved for
  // override_host.
  absl::Duration update_merge_window = absl::Seconds(1);

  friend bool operator==(const LoadBalancing& a, const LoadBalancing& b);
};

enum class RoutingPriority : uint8_t { kDefault = 0, kHigh = 1 };

struct RetryBudget {
  double budget_percent = 20.0;
  uint32_t min_retry_concurrency = 3;

  friend bool operator==(const RetryBudget& a, const RetryBudget& b) {
    return a.budget_percent == b.budget_percent &&
           a.min_retry_concurrency == b.min_retry_concurrency;
  }
};

struct CircuitBreakerThresholds {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
  uint32_t max_connection_pools = UINT32_MAX;
  bool track_remaining = false;
  std::optional<RetryBudget> retry_budget;  // set: max_retries is ignored

  friend bool operator==(const CircuitBreakerThresholds& a,
                         const CircuitBreakerThresholds& b);
};

struct CircuitBreakers {
  // By RoutingPriority.
  std::array<CircuitBreakerThresholds, 2> thresholds;
  uint32_t per_host_max_connections = UINT32_MAX;

  friend bool operator==(const CircuitBreakers& a, const CircuitBreakers& b) {
    return a.thresholds == b.thresholds &&
           a.per_host_max_connections == b.per_host_max_connections;
  }
};

struct OutlierDetection {
  absl::Duration interval = absl::Seconds(10);
  absl::Duration base_ejection_time = absl::Seconds(30);
  absl::Duration max_ejection_time = absl::Seconds(300);
  absl::Duration max_ejection_time_jitter = absl::ZeroDuration();
  uint32_t max_ejection_percent = 10;
  bool always_eject_one_host = false;
  bool split_external_local_origin_errors = false;
  bool successful_active_health_check_uneject_host = true;

  uint32_t consecutive_5xx = 5;
  uint32_t enforcing_consecutive_5xx = 100;
  uint32_t consecutive_gateway_failure = 5;
  uint32_t enforcing_consecutive_gateway_failure = 0;
  uint32_t consecutive_local_origin_failure = 5;
  uint32_t enforcing_consecutive_local_origin_failure = 100;

  uint32_t success_rate_minimum_hosts = 5;
  uint32_t success_rate_request_volume = 100;
  uint32_t success_rate_stdev_factor = 1900;  // thousandths
  uint32_t enforcing_success_rate = 100;
  uint32_t enforcing_local_origin_success_rate = 100;

  uint32_t failure_percentage_threshold = 85;
  uint32_t failure_percentage_minimum_hosts = 5;
  uint32_t failure_percentage_request_volume = 50;
  uint32_t enforcing_failure_percentage = 0;
  uint32_t enforcing_failure_percentage_local_origin = 0;

  friend bool operator==(const OutlierDetection& a, const OutlierDetection& b);
};

enum class DiscoveryType {
  kStatic,
  kStrictDns,
  kLogicalDns,
  kEds,
  kOriginalDst,
  kAggregate,
};
const char* DiscoveryTypeName(DiscoveryType type);  // "STRICT_DNS"

enum class UpstreamProtocol : uint8_t {
  kHttp1,
  kHttp2,
  kAlpn,    // auto_config: what the TLS handshake agrees on
  kCaller,  // use_downstream_protocol_config: HTTP/2 for gRPC, else HTTP/1.1
};

// HttpProtocolOptions of a cluster, and what older fields say of it.
struct UpstreamHttp {
  UpstreamProtocol protocol = UpstreamProtocol::kHttp1;
  std::optional<absl::Duration> idle_timeout;  // unset: an hour; 0: none
  std::optional<absl::Duration> max_connection_duration;
  std::optional<absl::Duration> max_stream_duration;
  uint32_t max_requests_per_connection = 0;  // 0: any number
  uint32_t max_response_headers_kb = 60;
  uint32_t max_headers_count = 100;

  // UpstreamHttpProtocolOptions: the request's authority, or the first value
  // of that header, is the SNI, and what the certificate must be for.
  bool auto_sni = false;
  bool auto_san_validation = false;
  std::string override_auto_sni_header;  // lower case

  // Of Http2ProtocolOptions; unset: ours.
  std::optional<uint32_t> hpack_table_size;
  std::optional<uint32_t> max_concurrent_streams;
  std::optional<uint32_t> initial_stream_window_size;
  std::optional<uint32_t> initial_connection_window_size;
  std::optional<absl::Duration> keepalive_interval;
  absl::Duration keepalive_timeout = absl::Seconds(20);

  friend bool operator==(const UpstreamHttp& a, const UpstreamHttp& b);
};

// TcpKeepalive. Unset: what the system does.
struct TcpKeepalive {
  std::optional<uint32_t> probes;
  std::optional<uint32_t> time_s;      // before the first probe
  std::optional<uint32_t> interval_s;  // between them

  friend bool operator==(const TcpKeepalive& a, const TcpKeepalive& b) {
    return a.probes == b.probes && a.time_s == b.time_s &&
           a.interval_s == b.interval_s;
  }
};

// UpstreamConnectionOptions.
struct UpstreamConnections {
  enum class Family : uint8_t { kOfFirst, kV4, kV6 };
  // happy_eyeballs_config: the order of the addresses of one host.
  Family first_address_family = Family::kOfFirst;
  uint32_t first_address_family_count = 1;
  std::optional<TcpKeepalive> tcp_keepalive;

  friend bool operator==(const UpstreamConnections& a,
                         const UpstreamConnections& b) {
    return a.first_address_family == b.first_address_family &&
           a.first_address_family_count == b.first_address_family_count &&
           a.tcp_keepalive == b.tcp_keepalive;
  }
};

// How the names of a STRICT_DNS or LOGICAL_DNS cluster are looked up: Envoy's
// dns_* fields of Cluster and DnsCluster.
struct DnsDiscovery {
  absl::Duration refresh_rate = absl::Seconds(5);
  // After a success up to this (exclusive) is added.
  absl::Duration jitter = absl::ZeroDuration();
  // dns_failure_refresh_rate; unset: refresh_rate, and 10 times the base.
  std::optional<absl::Duration> failure_base_interval;
  std::optional<absl::Duration> failure_max_interval;
  bool respect_dns_ttl = false;
  base::DnsLookupFamily lookup_family = base::DnsLookupFamily::kAuto;
  // Whether picks before the first answer say "not ready", else "no hosts".
  bool wait_for_warm_on_init = true;
  std::optional<base::DnsResolverOptions> resolver;  // unset: Config's

  friend bool operator==(const DnsDiscovery& a, const DnsDiscovery& b);
};

// One cluster as configured. Immutable once it is shared.
struct Cluster {
  std::string name;
  DiscoveryType type = DiscoveryType::kStatic;
  std::string eds_service_name;        // as asked from EDS; the name if not set
  std::vector<std::string> aggregate;  // names of the member clusters
  absl::Duration connect_timeout = absl::Seconds(5);
  LoadBalancing lb;
  CircuitBreakers circuit_breakers;
  std::optional<OutlierDetection> outlier_detection;
  // The first that matches says how a host is connected to; without one its
  // transport_socket. Null: plaintext.
  std::vector<TransportSocketMatch> transport_socket_matches;
  std::shared_ptr<const UpstreamTls> tls;
  // The exact names (URI, DNS) of the SAN matchers: who the hosts must be. Of
  // the transport_socket if that is TLS, else of the entry of
  // transport_socket_matches that Istio's `tlsMode: istio` selects.
  std::vector<std::string> expected_identities;
  std::optional<DnsDiscovery> dns;  // DNS clusters, unset: the defaults
  // Inline endpoints: static and DNS clusters. Null for EDS.
  std::shared_ptr<const Endpoints> endpoints;
  std::shared_ptr<const Metadata> metadata;
  uint32_t per_connection_buffer_limit_bytes = 1024 * 1024;
  UpstreamHttp http;
  UpstreamConnections connections;

  friend bool operator==(const Cluster& a, const Cluster& b);
};

// How to connect to a host with this metadata (its own, may be null); null:
// plaintext. Points into the cluster.
const std::shared_ptr<const UpstreamTls>& TlsFor(const Cluster& cluster,
                                                 const Metadata* host);

// The cluster with what static secrets hold in the place of their names; the
// same object if it names none of them.
std::shared_ptr<const Cluster> WithSecrets(
    std::shared_ptr<const Cluster> cluster,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets);

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_CLUSTER_H_

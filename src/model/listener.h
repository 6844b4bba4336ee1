#ifndef MESHLIB_MODEL_LISTENER_H_
#define MESHLIB_MODEL_LISTENER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "model/fault.h"
#include "model/route.h"
#include "model/tls.h"

namespace meshlib::model {

// How a connection manager changes the authority, the path and the scheme of a
// request before it is routed.
struct RequestNormalization {
  // What to do with "%2F" and "%5C" in a path.
  enum class EscapedSlashes : uint8_t { kKeep, kReject, kRedirect, kForward };

  bool strip_any_host_port = false;
  bool strip_matching_host_port = false;  // that of the listener
  uint32_t listener_port = 0;             // 0: none
  bool strip_trailing_host_dot = false;
  bool normalize_path = false;
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::kKeep;
  // scheme_header_transformation.scheme_to_overwrite: what :scheme and
  // x-forwarded-proto become; empty: they stay.
  std::string scheme;

  bool active() const {
    return strip_any_host_port || strip_matching_host_port ||
           strip_trailing_host_dot || normalize_path || merge_slashes ||
           escaped_slashes != EscapedSlashes::kKeep || !scheme.empty();
  }
};

// What a connection manager says of every stream, for routes that do not.
struct StreamLimits {
  absl::Duration idle_timeout = absl::Minutes(5);  // 0: none
  absl::Duration max_stream_duration;              // 0: none
};

// An HTTP connection manager, as far as a client needs it.
struct HttpConnectionManager {
  std::string stat_prefix;
  // Exactly one: the routes inline, or the name to ask RDS for.
  std::shared_ptr<const RouteConfig> route_config;
  std::string rds_route_config_name;
  StreamLimits stream_limits;
  std::vector<std::string> http_filters;  // names, in order
  std::vector<FaultFilter> faults;        // those of them that inject, in order
  RequestNormalization normalization;
};

struct TcpProxy {
  std::string stat_prefix;
  std::variant<std::string, WeightedClusters> cluster;
  // The same as one route for every connection: its clusters, hash policy,
  // idle_timeout, max_stream_duration (max_downstream_connection_duration), and
  // a retry policy whose num_retries is max_connect_attempts less one and whose
  // base_interval, if it is not 0, is that of backoff_options. Not null.
  std::shared_ptr<const RouteConfig> routes;
};

struct FilterChain {
  std::string name;
  // What the chain's filters do with a connection; neither: something that
  // this library does not act on.
  std::optional<HttpConnectionManager> http;
  std::optional<TcpProxy> tcp;
  std::shared_ptr<const DownstreamTls> tls;  // null: plaintext
};

enum class TrafficDirection : uint8_t { kUnspecified, kInbound, kOutbound };

// One listener: a gRPC-style API listener (`api_listener`), or a socket
// listener whose filter chains say what its port would do.
struct Listener {
  std::string name;
  std::string address;  // "0.0.0.0:8080"; empty for an API listener
  std::optional<uint32_t> port;
  TrafficDirection traffic_direction = TrafficDirection::kUnspecified;
  bool bind_to_port = true;
  std::optional<HttpConnectionManager> api_listener;
  std::vector<FilterChain> filter_chains;  // the default chain last
};

// With what static secrets hold in the place of their names. The same object
// if there is nothing to do.
std::shared_ptr<const Listener> WithSecrets(
    std::shared_ptr<const Listener> listener,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets);

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_LISTENER_H_

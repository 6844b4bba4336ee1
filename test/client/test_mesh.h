#ifndef MESHLIB_TEST_CLIENT_TEST_MESH_H_
#define MESHLIB_TEST_CLIENT_TEST_MESH_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "meshlib/http.h"
#include "meshlib/mesh.h"
#include "meshlib/testing/backend.h"

namespace meshlib::client {

// What a test's mesh is made of: one listener, one route to one cluster of
// backends.
struct MeshText {
  bool http2 = false;
  std::vector<std::string> addresses;  // each may be "first,additional,..."
  // Of the one route's action, "cluster" aside.
  std::string action = "timeout: 10s";
  std::string connection_manager;  // more fields
  std::string more_routes;         // before it, each "- {...}"
  std::string filters;             // before the router, each "- {...}"
  std::string virtual_host;
  std::string cluster;  // more fields
  std::string thresholds =
      "max_retries: 1024, max_requests: 10000, "
      "max_connections: 10000, max_pending_requests: 10000";
  std::string per_host;       // of per_host_thresholds
  std::string http2_options;  // of http2_protocol_options
  std::string http_options;   // of HttpProtocolOptions, "name: {...}, "
  std::string more_clusters;  // after it, each "  - {...}"

  static std::string SocketAddress(const std::string& address) {
    const size_t colon = address.rfind(':');
    return absl::StrCat(
        "address: {socket_address: {address: ", address.substr(0, colon),
        ", port_value: ", address.substr(colon + 1), "}}");
  }

  std::string ToString() const {
    std::string endpoints;
    for (const std::string& of_host : addresses) {
      std::vector<std::string> all = absl::StrSplit(of_host, ',');
      for (std::string& one : all) one = SocketAddress(one);
      absl::StrAppend(&endpoints, "        - endpoint: {", all.front());
      all.erase(all.begin());
      for (std::string& one : all) one = "{" + one + "}";
      absl::StrAppend(&endpoints, ", additional_addresses: [",
                      absl::StrJoin(all, ", "), "]}\n");
    }
    return absl::StrCat(R"(static_resources:
  listeners:
  - name: l
    address: {socket_address: {address: 0.0.0.0, port_value: 80}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: x
          )",
                        connection_manager, R"(
          http_filters:
          )",
                        filters, R"(
          - name: envoy.filters.http.router
            typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            name: r
            virtual_hosts:
            - name: v
              domains: ['*']
              )",
                        virtual_host, R"(
              routes:
)",
                        more_routes, R"(
              - match: {prefix: /}
                route: {cluster: c, )",
                        action, R"(}
  clusters:
  - name: c
    type: STATIC
    connect_timeout: 1s
    circuit_breakers: {thresholds: [{)",
                        thresholds, "}]",
                        per_host.empty() ? "" : ", per_host_thresholds: [{",
                        per_host, per_host.empty() ? "" : "}]", R"(}
)",
                        cluster.empty() ? "" : "    ", cluster, R"(
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        )",
                        http_options.empty() ? "" : http_options + "\n        ",
                        "explicit_http_config: {",
                        http2 ? "http2_protocol_options: {" + http2_options
                              : "http_protocol_options: {",
                        R"(}}
    load_assignment:
      cluster_name: c
      endpoints:
      - lb_endpoints:
)",
                        endpoints, more_clusters);
  }
};

// Null, with a failure of the test, where the text is refused.
inline std::unique_ptr<Mesh> MeshOf(const MeshText& text) {
  MeshOptions options;
  options.config_text = text.ToString();
  auto mesh = Mesh::Create(std::move(options));
  EXPECT_TRUE(mesh.ok()) << mesh.status();
  return mesh.ok() ? *std::move(mesh) : nullptr;
}

// A counter of its cluster; UINT64_MAX: there is none.
inline uint64_t CountedIn(Mesh& mesh, std::string_view name) {
  const auto totals = mesh.Totals("c");
  for (const Counter& counter : totals.value().upstream) {
    if (counter.name == name) return counter.value;
  }
  return UINT64_MAX;
}

// Istio's default policy, with `reset`.
inline constexpr char kRetries[] =
    "retry_policy: {retry_on: 'connect-failure,refused-stream,unavailable,"
    "cancelled,retriable-status-codes,reset', retriable_status_codes: [503], "
    "num_retries: 2, retry_back_off: {base_interval: 0.001s}, "
    "retry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts, "
    "typed_config: {'@type': "
    "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3."
    "PreviousHostsPredicate}}], host_selection_retry_max_attempts: 5}";

}  // namespace meshlib::client

#endif  // MESHLIB_TEST_CLIENT_TEST_MESH_H_

#ifndef MESHLIB_EXPLAIN_H_
#define MESHLIB_EXPLAIN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "meshlib/export.h"

namespace meshlib {

// Why a request goes where it goes: what Target::Explain found, as data. A
// value; made by the same code that picks.
struct MESHLIB_EXPORT Explanation {
  // A route that was passed over, and why, in the order in which it was
  // looked at.
  struct Rejected {
    std::string virtual_host;
    std::string route;  // its name, or "#4" for a nameless fifth
    std::string reason;
  };
  // One entry a priority level, in order.
  struct Priority {
    uint32_t priority = 0;
    uint32_t healthy_load = 0;   // percent of requests
    uint32_t degraded_load = 0;  // percent of requests
    bool panic = false;
  };
  // One entry a locality of a priority.
  struct Locality {
    std::string region;
    std::string zone;
    std::string sub_zone;
    uint32_t priority = 0;
    // What its part of the priority's requests goes by. With locality weights:
    // weight * min(1, overprovisioning * available), as Envoy computes it (in
    // panic it is not used). Routed by zone: the part itself, in percent.
    // Else the sum of the weights of the hosts that may be picked once the
    // priority is chosen.
    double effective_weight = 0;
  };
  struct Host {
    std::string address;
    uint32_t priority = 0;
    std::string region;
    std::string zone;
    std::string sub_zone;
    uint32_t weight = 1;
    // Client-side weighted round robin: what the host's load reports are worth
    // now; 0: nothing that counts (yet, or any more).
    double reported_weight = 0;
    // EDS: "HEALTHY", "DRAINING", ... Without a status (UNKNOWN, or a host of
    // the file) it is "HEALTHY", as Envoy's admin pages have it.
    std::string health;
    bool ejected = false;  // by outlier detection
    // Its last connect failed: picks pass it over while there is another host.
    bool connect_backoff = false;
    bool available = false;  // a pick may choose it now
  };
  struct HeaderValue {
    std::string name;
    std::string value;
  };
  // How the request differs that goes to the host: what the connection
  // manager normalizes, and what route, virtual host, route configuration and
  // weighted cluster rewrite. A header whose value changes is both removed and
  // added.
  struct Rewrite {
    std::optional<std::string> authority;  // unset: it stays
    std::optional<std::string> path;       // with the query; unset: it stays
    std::vector<HeaderValue> headers_added;
    std::vector<HeaderValue> headers_removed;
  };
  // What a proxy answers by itself where the configuration has a redirect, a
  // direct_response, require_tls, a path that it refuses, or a route to a
  // cluster that does not exist. A pick gives no host then.
  struct Response {
    uint32_t status = 0;
    std::string location;  // of a redirect
    std::string body;      // of a direct_response
  };
  // What a fault filter of the connection manager does to such requests.
  struct Fault {
    std::string filter;
    absl::Duration delay = absl::ZeroDuration();
    double delay_probability = 0;  // 0 to 1
    uint32_t http_status = 0;
    std::optional<uint32_t> grpc_status;
    double abort_probability = 0;  // 0 to 1; of those that it delays, too
  };

  std::string listener;  // empty: the target names a cluster outright
  std::string route_config;
  std::string virtual_host;
  std::string route;
  std::string cluster;
  std::string policy;  // "ROUND_ROBIN"
  std::vector<Rejected> rejected;
  std::optional<Response> response;  // unset: the request is forwarded
  std::optional<Rewrite> rewrite;    // unset: it stays as it is
  std::vector<Fault> faults;         // only those that do something
  std::vector<Priority> priorities;
  std::vector<Locality> localities;
  // Without those that random_subsetting leaves out.
  std::vector<Host> hosts;
  // The part of the requests that drop_overloads drops, 0 to 1.
  double drop_probability = 0;
  // The address that this pick would take if it is not dropped by chance.
  std::optional<std::string> pick;
  std::string failure;  // why there is none
};

}  // namespace meshlib

#endif  // MESHLIB_EXPLAIN_H_

#ifndef MESHLIB_CLUSTER_TOTALS_H_
#define MESHLIB_CLUSTER_TOTALS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "meshlib/counter.h"

namespace meshlib {

// What a mesh has counted for one cluster since it was first used, by
// whatever its requests came (http::Client, pick/report). A value. Counts of
// requests that end meanwhile may be there in part.
struct ClusterTotals {
  struct Host {
    std::string address;
    // Results of attempts as outlier detection counts them: a response that
    // breaks off counts twice, what was cancelled does not.
    uint32_t ended = 0;
    uint32_t failed = 0;  // of these
    uint32_t in_flight = 0;
    bool ejected = false;
  };

  uint64_t attempts = 0;  // that were given a host
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t cancelled = 0;
  uint64_t retries = 0;          // that were granted
  uint64_t retries_refused = 0;  // max_retries or the retry budget
  uint64_t refused = 0;          // max_requests
  uint64_t without_host = 0;
  uint64_t ejections = 0;
  std::vector<Host> hosts;  // those that there are now, in order
  // What went wrong between the clients (meshlib/http.h) and the hosts, in a
  // fixed order.
  std::vector<Counter> upstream;
};

}  // namespace meshlib

#endif  // MESHLIB_CLUSTER_TOTALS_H_

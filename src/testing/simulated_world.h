#ifndef MESHLIB_TESTING_SIMULATED_WORLD_H_
#define MESHLIB_TESTING_SIMULATED_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "event/stream.h"
#include "testing/simulated_links.h"
#include "testing/simulated_loop.h"

namespace meshlib::testing {

class SimulatedConnection;

// A value.
struct SimulatedNetworkOptions {
  uint64_t seed = 1;
  // Bytes of one segment, at most.
  size_t segment = 1460;
  // What a connection holds in one direction, from Write() to Read().
  size_t buffer = size_t{256} << 10;
  // For data, added to a round trip; a connect begins with a second. It doubles
  // up to the longest.
  absl::Duration retransmit_timeout = absl::Milliseconds(200);
  absl::Duration longest_retransmit_timeout = absl::Minutes(2);
  // After so long without getting through a connection fails.
  absl::Duration user_timeout = absl::Minutes(15);
  // Further connects fail with ResourceExhausted.
  size_t max_connections = size_t{1} << 20;
};

// What the parts of a simulated network share; lives as long as any of them.
struct SimulatedWorld {
  struct Listening {
    uint64_t id;
    event::Network::Accept accept;
  };

  SimulatedWorld(SimulatedLoop* the_loop,
                 const SimulatedNetworkOptions& the_options)
      : loop(the_loop), options(the_options), links(the_options.seed) {}

  SimulatedLoop* const loop;
  const SimulatedNetworkOptions options;

  // Also guards what each connection holds, so that other threads may use
  // streams. Nothing is called with it held but the loop.
  base::Mutex mutex;
  SimulatedLinks links MESHLIB_GUARDED_BY(mutex);
  // In the order in which they were begun.
  std::map<uint64_t, SimulatedConnection*> connections
      MESHLIB_GUARDED_BY(mutex);
  std::map<std::string, std::shared_ptr<Listening>, std::less<>> listeners
      MESHLIB_GUARDED_BY(mutex);
  uint64_t next_id MESHLIB_GUARDED_BY(mutex) = 1;
  uint64_t next_port MESHLIB_GUARDED_BY(mutex) = 1;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_SIMULATED_WORLD_H_

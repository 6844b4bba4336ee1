#ifndef MESHLIB_TESTING_SIMULATED_NETWORK_H_
#define MESHLIB_TESTING_SIMULATED_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "event/stream.h"
#include "testing/simulated_links.h"
#include "testing/simulated_loop.h"
#include "testing/simulated_world.h"

namespace meshlib::testing {

// TCP between endpoints of one process on virtual time, with the faults that a
// test asks for. One seed gives one run, to the nanosecond, if one thread does
// everything.
//
// An address is "ENDPOINT:PORT", or a name of any form, which is an endpoint
// itself; what follows "unix:" is one name. Port 0 is replaced when listening.
// Links join pairs of endpoints; those between them that were not set are the
// default link.
//
// What is as in TCP: a connect takes a round trip, an accept comes one latency
// later; bytes come in order; a lost segment is sent again after the
// retransmission timeout, which doubles each time, and holds up those behind
// it; what is said to an end that is gone is answered by a reset; a stream that
// is destroyed with unread bytes resets, else it ends. What is not: there is no
// slow start, no congestion window and no segments of acknowledgements.
//
// Belongs to its loop, as all networks do; streams may be used by other threads
// as event::Stream says, at the price of the same order in each run. May be
// destroyed before its streams.
class SimulatedNetwork final : public event::Network {
 public:
  using Options = SimulatedNetworkOptions;

  // `loop` is borrowed. Connect() and Listen() of the network itself are those
  // of the endpoint "client".
  explicit SimulatedNetwork(SimulatedLoop* loop)
      : SimulatedNetwork(loop, Options()) {}
  SimulatedNetwork(SimulatedLoop* loop, const Options& options);
  ~SimulatedNetwork() override;

  std::unique_ptr<event::Stream> Connect(
      std::string_view address, absl::Duration timeout,
      event::StreamHandler* handler) override;
  // At any endpoint. Unavailable if somebody listens there.
  absl::StatusOr<std::unique_ptr<event::Listener>> Listen(
      std::string_view address, Accept accept) override;
  // The network as an endpoint sees it: connects come from there. Borrowed.
  event::Network& At(std::string_view endpoint);

  // From now on, also for connections that stand. Both directions.
  void SetDefaultLink(const SimulatedLink& link);
  void SetLink(std::string_view a, std::string_view b,
               const SimulatedLink& link);
  // While it is cut, packets of the link vanish.
  void SetCut(std::string_view a, std::string_view b, bool cut);
  // The same for all links of an endpoint.
  void SetIsolated(std::string_view endpoint, bool isolated);

  // Resets the connections between two endpoints, or all of one, at once and at
  // both ends. Gives their number.
  size_t ResetConnections(std::string_view a, std::string_view b);
  size_t ResetConnections(std::string_view endpoint);
  // As if the endpoint's process had died: its streams fail, its listeners are
  // gone, its peers are sent resets. It may listen again.
  void Kill(std::string_view endpoint);

  // Of what `from` has sent to `to`.
  SimulatedLinkStats stats(std::string_view from, std::string_view to) const;
  // Of all links.
  SimulatedLinkStats stats() const;
  // Those that one end, at the least, has not forgotten.
  size_t connections() const;

 private:
  class Endpoint;

  // Shared with connections and listeners.
  const std::shared_ptr<SimulatedWorld> world_;
  std::map<std::string, std::unique_ptr<Endpoint>, std::less<>> endpoints_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_SIMULATED_NETWORK_H_

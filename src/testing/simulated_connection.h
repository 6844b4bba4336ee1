#ifndef MESHLIB_TESTING_SIMULATED_CONNECTION_H_
#define MESHLIB_TESTING_SIMULATED_CONNECTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "event/io_loop.h"
#include "event/stream.h"
#include "testing/simulated_world.h"

namespace meshlib::testing {

// Both ends of one simulated connection and what is on its way between them.
// Lives until both streams are gone and nothing is under way.
class SimulatedConnection final
    : public std::enable_shared_from_this<SimulatedConnection> {
 public:
  static constexpr size_t kClient = 0;
  static constexpr size_t kServer = 1;

  // On the loop. `from` is an endpoint.
  static std::unique_ptr<event::Stream> Connect(
      const std::shared_ptr<SimulatedWorld>& world, std::string_view from,
      std::string_view address, absl::Duration timeout,
      event::StreamHandler* handler);
  ~SimulatedConnection();

  // For the streams; `end` is kClient or kServer.
  event::IoResult Read(size_t end, absl::Span<char> into);
  event::IoResult Write(size_t end, absl::Span<const std::string_view> pieces);
  void WantRead(size_t end, bool want);
  void WantWrite(size_t end, bool want);
  void CloseWrite(size_t end);
  void ResetByOwner(size_t end);
  absl::Status ErrorOf(size_t end) const;
  void SetHandler(size_t end, event::StreamHandler* handler);
  std::string AddressOf(size_t end) const;
  void Destroy(size_t end);

  // For the network, on the loop. The endpoints of both ends.
  const std::string& EndpointOf(size_t end) const;
  // Both ends are reset now.
  void ResetBoth();
  // The owner of the end has died.
  void Kill(size_t end);

 private:
  enum class State : uint8_t {
    kConnecting,  // the server's: not accepted yet
    kOpen,
    kOver,  // never connected, or reset by its owner: the owner is left alone
    kGone,  // the stream is destroyed
  };
  struct Segment {
    std::string bytes;
    bool end = false;
    bool arrived = false;
    absl::Duration timeout;  // of the next retransmission
    absl::Time first_sent;
    absl::Time last_sent;
  };
  struct Room {
    absl::Time when;
    size_t bytes;
  };
  struct End {
    std::string address;
    SimulatedLinks::Way* way = nullptr;  // to the other end
    State state = State::kConnecting;
    absl::Status error;
    event::StreamHandler* handler = nullptr;
    event::Interest wanted;
    bool touched = false;

    // Sending.
    std::string unsent;
    bool end_wanted = false;
    bool end_sent = false;
    bool aborted = false;   // sends no more, nor again
    size_t held = 0;        // bytes that were written, and not read yet
    std::deque<Room> room;  // to be taken off `held`, once it is known of
    uint64_t first = 0;     // number of the first segment in flight
    std::deque<Segment> flight;
    absl::Time last_arrival = absl::InfinitePast();
    std::optional<event::Loop::TimerId> room_timer;

    // Receiving.
    std::string received;
    size_t read = 0;  // of `received`
    bool ended = false;
  };
  // One try to connect.
  struct Try {
    int number = 1;
    absl::Duration timeout = absl::Seconds(1);
    absl::Time sent;
  };

  SimulatedConnection(std::shared_ptr<SimulatedWorld> world,
                      std::string_view from, std::string_view address,
                      event::StreamHandler* handler);

  absl::Time Now() const { return world_->loop->Now(); }
  template <typename F>
  event::Loop::TimerId At(absl::Time when, F&& run);

  // Connecting, on the loop.
  void Begin(absl::Duration timeout, absl::Status refused);
  void SendSyn(Try attempt);
  void RetrySyn(const Try& attempt);
  void ReceiveSyn(const Try& attempt);
  void ReceiveSynAck(const Try& attempt, bool refused);
  void SendAck(Try attempt);
  void ReceiveAck(const Try& attempt);
  void FinishLater(absl::Status status);
  void Finish(absl::Status status);

  void Touch(size_t end) MESHLIB_REQUIRES(world_->mutex);
  void RunTouched(size_t end);
  event::Interest ReadyOf(End& end) MESHLIB_REQUIRES(world_->mutex);
  size_t RoomOf(End& end) MESHLIB_REQUIRES(world_->mutex);
  void ArmRoomTimer(size_t at) MESHLIB_REQUIRES(world_->mutex);
  void Pump(size_t at) MESHLIB_REQUIRES(world_->mutex);
  static Segment* Find(End& end, uint64_t number);
  void SendSegment(size_t at, uint64_t number) MESHLIB_REQUIRES(world_->mutex);
  void RetrySegment(size_t at, uint64_t number) MESHLIB_REQUIRES(world_->mutex);
  void ReceiveSegment(size_t at, uint64_t number, bool reset)
      MESHLIB_REQUIRES(world_->mutex);
  void Deliver(size_t at) MESHLIB_REQUIRES(world_->mutex);
  void SendReset(size_t at) MESHLIB_REQUIRES(world_->mutex);
  void FailEnd(size_t at, absl::Status status) MESHLIB_REQUIRES(world_->mutex);
  static void Abort(End& end);

  const std::shared_ptr<SimulatedWorld> world_;
  uint64_t id_ = 0;
  std::array<End, 2> ends_ MESHLIB_GUARDED_BY(world_->mutex);
  std::optional<event::Loop::TimerId> connect_timer_;  // on the loop only
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_SIMULATED_CONNECTION_H_

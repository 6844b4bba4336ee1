#ifndef MESHLIB_NET_CLIENT_CONNECTION_H_
#define MESHLIB_NET_CLIENT_CONNECTION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "event/io_loop.h"
#include "event/stream.h"
#include "net/client_codec.h"
#include "net/client_exchange.h"

namespace meshlib::net {

// What becomes of a connection. On its loop, without locks.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // An exchange ended, or the peer allows more of them: there may be room.
  virtual void OnRoom(ClientConnection& connection) = 0;
  // It takes no more exchanges; those that are under way go on.
  virtual void OnDraining(ClientConnection& connection) = 0;
  // Nothing of it is left. Last.
  virtual void OnClosed(ClientConnection& connection) = 0;
};

// One established client connection: a stream, a codec, and the threads that
// use them.
//
// Whoever starts an exchange writes it, and whoever is writing also writes
// what others add meanwhile. The loop reads; but a thread that blocks for its
// answer, on a connection whose other exchanges block as well, reads in its
// stead (it leads) until it has that answer. Then it hands over to another
// waiting thread, and the loop takes the connection back when it has not been
// used for a while. That saves each call a change of threads.
//
// Made on the loop; destroyed there, or after the loop has stopped. All else is
// thread-safe.
class ClientConnection final
    : private event::StreamHandler,
      public std::enable_shared_from_this<ClientConnection> {
 public:
  using CodecFactory =
      absl::AnyInvocable<std::unique_ptr<ClientCodec>(ChangedExchanges*)>;

  struct Limits {
    uint64_t max_requests = 0;  // of all its life; 0: any number
    absl::Duration idle_timeout = absl::InfiniteDuration();
    // Drained then.
    absl::Duration max_duration = absl::InfiniteDuration();
    // The stream may hold back bytes that it has read: TLS.
    bool read_until_blocked = false;
  };

  // `stream` is connected. `loop` and `owner` are borrowed.
  static std::shared_ptr<ClientConnection> Create(
      event::IoLoop* loop, std::unique_ptr<event::Stream> stream,
      CodecFactory codec, const Limits& limits, ConnectionOwner* owner);
  ~ClientConnection() override;

  // OK: the exchange runs. Else nothing was begun: ResourceExhausted (no room
  // now), Unavailable (it takes no more), InvalidArgument (the request cannot
  // be sent by this protocol).
  absl::Status Start(ClientExchange& exchange);

  // Whether Start() would probably succeed.
  bool HasRoom() const { return room_.load(std::memory_order_seq_cst); }
  // Whether the owner wants OnRoom(), which costs the loop a turn. Look at
  // HasRoom() once more after saying so.
  void SetOwnerWaits(bool waits) {
    owner_waits_.store(waits, std::memory_order_seq_cst);
  }

  // Lets the exchanges that are there end, then closes.
  void Drain();
  // On the loop. Closes now; exchanges fail with kConnectionLost. The owner is
  // not called any more.
  void Close(const absl::Status& reason);

  // For ClientExchange. WaitFor() blocks until one of `events` may be there;
  // false: the deadline passed.
  bool WaitFor(ClientExchange& exchange, uint32_t events, absl::Time deadline);
  size_t Write(ClientExchange& exchange, std::string_view bytes, bool end);
  absl::Status WriteTrailers(ClientExchange& exchange,
                             absl::Span<const Header> trailers);
  void Consume(ClientExchange& exchange, size_t bytes);
  void Cancel(ClientExchange& exchange);

  event::IoLoop& loop() { return *loop_; }

 private:
  // Who reads.
  enum class Reader : uint8_t { kLoop, kLeader, kNobody };
  enum class Drive : uint8_t { kMore, kStop };

  ClientConnection(event::IoLoop* loop, std::unique_ptr<event::Stream> stream,
                   const Limits& limits, ConnectionOwner* owner);

  void OnConnect(absl::Status status) override {}
  void OnReadable() override;
  void OnWritable() override;

  void Flush() MESHLIB_REQUIRES(mutex_);
  void FlushNow() MESHLIB_REQUIRES(mutex_);
  void FlushBatch();
  bool WritePending() MESHLIB_REQUIRES(mutex_);
  // Waits as long for something to come, if that is worth while.
  Drive ReadOnce(absl::Duration wait = absl::ZeroDuration())
      MESHLIB_REQUIRES(mutex_);
  void Lead(ClientExchange& exchange, uint32_t events, absl::Time deadline)
      MESHLIB_REQUIRES(mutex_);
  Drive LeadOnce(const ClientExchange& leader, absl::Duration longest)
      MESHLIB_REQUIRES(mutex_);
  bool PollOnce(absl::Duration longest);
  void Follow(ClientExchange& exchange, uint32_t events, absl::Time deadline)
      MESHLIB_REQUIRES(mutex_);
  void HandOver() MESHLIB_REQUIRES(mutex_);
  void GiveToLoop() MESHLIB_REQUIRES(mutex_);
  void WakeLeader() MESHLIB_REQUIRES(mutex_);
  void Fail(const absl::Status& reason) MESHLIB_REQUIRES(mutex_);
  bool Delivered() const MESHLIB_REQUIRES(mutex_);  // as ClientCodec has it
  // To be called after everything that may change what the owner and the
  // loop have to know.
  void Settle() MESHLIB_REQUIRES(mutex_);
  bool UpdateRoom() MESHLIB_REQUIRES(mutex_);
  void PostWork() MESHLIB_REQUIRES(mutex_);
  // On the loop.
  void RunWork();
  void OnTimer();
  void Trim() MESHLIB_REQUIRES(mutex_);
  void ArmTimer(absl::Time when);
  absl::Time NextTimer() MESHLIB_REQUIRES(mutex_);

  event::IoLoop* const loop_;
  const Limits limits_;
  const absl::Time expires_;
  const bool pollable_;
  std::atomic<bool> room_{true};
  std::atomic<bool> owner_waits_{false};

  // On the loop only.
  ConnectionOwner* owner_;
  std::optional<event::Loop::TimerId> timer_;
  absl::Time timer_at_ = absl::InfiniteFuture();

  base::Mutex mutex_;
  std::unique_ptr<event::Stream> stream_;  // calls as its contract says
  std::unique_ptr<ClientCodec> codec_ MESHLIB_GUARDED_BY(mutex_);
  ChangedExchanges changed_ MESHLIB_GUARDED_BY(mutex_);
  uint64_t started_ MESHLIB_GUARDED_BY(mutex_) = 0;
  absl::Time last_used_ MESHLIB_GUARDED_BY(mutex_);
  bool drain_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool closed_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool told_draining_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool work_posted_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool sweeping_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool trimmed_ MESHLIB_GUARDED_BY(mutex_) = false;

  // Writing. While `writing_`, its thread alone uses out_.
  bool writing_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool blocked_ MESHLIB_GUARDED_BY(mutex_) = false;  // waits for OnWritable()
  bool write_failed_ MESHLIB_GUARDED_BY(mutex_) = false;
  ClientExchange::Place::Writes writes_ MESHLIB_GUARDED_BY(mutex_);
  // The thread that works through what it has read, and flushes at its end.
  std::thread::id batch_thread_ MESHLIB_GUARDED_BY(mutex_);
  std::string out_;
  size_t out_at_ = 0;

  Reader reader_ MESHLIB_GUARDED_BY(mutex_) = Reader::kLoop;
  bool reading_ MESHLIB_GUARDED_BY(mutex_) = false;
  ClientExchange* leader_ MESHLIB_GUARDED_BY(mutex_) = nullptr;
  bool read_waits_ MESHLIB_GUARDED_BY(mutex_) = false;
  std::vector<ClientExchange*> followers_ MESHLIB_GUARDED_BY(mutex_);
  // An eventfd; made by the first who polls, written under the lock.
  int wake_ = -1;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_CLIENT_CONNECTION_H_

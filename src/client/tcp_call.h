#ifndef MESHLIB_CLIENT_TCP_CALL_H_
#define MESHLIB_CLIENT_TCP_CALL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/backoff.h"
#include "base/mutex.h"
#include "cluster/attempt.h"
#include "cluster/call.h"
#include "event/stream.h"
#include "mesh/core.h"
#include "mesh/transport.h"
#include "meshlib/tcp.h"
#include "net/dialer.h"
#include "net/host_pool.h"

namespace meshlib::client {

// One connection of tcp::Connect(): chooses hosts and connects to them by
// cluster::Call and net::Dialer, on one loop; then bytes go between the
// application's threads and the stream directly. A thread that blocks in
// reading polls the descriptor itself, which saves a change of threads.
class TcpCall final : public std::enable_shared_from_this<TcpCall>,
                      public net::IoUser,
                      public mesh::PendingCall,
                      private event::StreamHandler,
                      private cluster::Attempt {
 public:
  // Without an observer threads block. In the child of a fork() it is not
  // destroyed: another thread may have been in it.
  static std::shared_ptr<TcpCall> Make(
      const Target& target, mesh::Transport* transport,
      const tcp::ConnectOptions& options,
      std::shared_ptr<tcp::StreamObserver> observer);
  ~TcpCall() override;

  static tcp::Stream StreamOf(std::shared_ptr<TcpCall> call);
  static tcp::AsyncStream AsyncStreamOf(std::shared_ptr<TcpCall> call);

  // --- Any thread; needs a shared_ptr ---

  // Where the mesh takes no more calls, it is over at once.
  void Begin();
  void Cancel();
  bool Write(std::string_view bytes);
  void CloseWrite();
  tcp::AsyncStream::ReadResult Read(std::string& bytes);
  tcp::Peer peer() const;
  tcp::Counts counts() const;

  // They block.
  absl::Status WaitConnected();
  absl::Status WriteAll(std::string_view bytes, absl::Time deadline);
  absl::StatusOr<bool> ReadSome(std::string& bytes, absl::Time deadline);

 private:
  TcpCall(const Target& target, mesh::Transport* transport,
          const tcp::ConnectOptions& options,
          std::shared_ptr<tcp::StreamObserver> observer, uint32_t stripe);

  std::shared_ptr<mesh::PendingCall> Hold() override {
    return weak_from_this().lock();
  }
  void OnAbort() override;

  // For another thread. Statuses share their text by a count in Abseil, which
  // ThreadSanitizer does not see in Debian's build.
  static absl::Status OwnCopy(const absl::Status& status) {
    return absl::Status(status.code(), status.message());
  }

  enum class Reading : uint8_t { kData, kNothing, kEnd, kFailed };

  // On the loop, all of these.
  void OnIoShutdown(const absl::Status& reason) override;
  void Start(const cluster::AttemptPlan& plan) override;
  void Fail(PickFailure reason) override { refused_ = reason; }
  void OnConnect(absl::Status status) override {}
  void OnReadable() override;
  void OnWritable() override;
  void Pick();
  void Dial();
  void OnDialled(absl::StatusOr<net::Dialer::Connection> made);
  void OnOverflow(std::string_view limit);
  void OnAttemptFailed(Outcome::Kind kind, absl::Status status);
  void Establish(net::Dialer::Connection made);
  void TellConnected();
  void TellWritable();
  void Watch();  // for the timeouts of a connection
  void FinishIfEnded();
  void Finish(absl::Status status);
  void Release();
  void RunOnLoop(void (TcpCall::*what)());

  absl::Time Now() const;
  void Touch();
  // Where it gives kNothing: with `descriptor` the caller has to Poll() that,
  // unless it stays -1, else OnReadable() follows.
  Reading ReadNow(std::string& bytes, int* descriptor = nullptr);
  // False: the deadline passed.
  bool Poll(int descriptor, absl::Time deadline);
  // Sees to it that nobody polls the stream, nor will.
  void EndPolling();
  // What has been buffered goes out, as far as it does.
  void Flush() MESHLIB_REQUIRES(write_mutex_);
  void FailLater(absl::Status status);
  bool forked() const { return core_->gate().forked(); }
  // False: the deadline passed.
  bool Wait(absl::Time deadline) MESHLIB_REQUIRES(mutex_);

  const std::shared_ptr<mesh::Core> core_;
  const Target target_;
  mesh::Transport* const transport_;  // the core's
  const tcp::ConnectOptions options_;
  const uint32_t stripe_;
  net::ClientIo* const io_;

  // On the loop only.
  std::shared_ptr<tcp::StreamObserver> observer_;
  cluster::Call call_ = cluster::Call::ForConnection();
  const model::Host* host_ = nullptr;         // pinned by call_
  net::HostPool* pool_ = nullptr;             // of host_; null: there is none
  PickFailure refused_ = PickFailure::kNone;  // then
  std::shared_ptr<const net::UpstreamOptions> upstream_;
  std::shared_ptr<net::PoolBreakers> breakers_;  // held, if not null
  std::shared_ptr<net::Dialer> dialer_;          // counts as waiting meanwhile
  absl::Status failure_;                         // of the last attempt
  uint32_t max_attempts_ = 1;
  std::optional<base::JitteredExponentialBackoff> backoff_;
  absl::Duration idle_timeout_ = absl::InfiniteDuration();
  absl::Duration max_duration_ = absl::InfiniteDuration();
  absl::Time ends_ = absl::InfiniteFuture();
  bool connected_ = false;
  bool over_ = false;
  std::optional<event::Loop::TimerId> deadline_timer_;
  std::optional<event::Loop::TimerId> timer_;  // back-off, then Watch()

  std::atomic<int64_t> touched_ns_{0};  // when bytes went last
  std::atomic<uint64_t> bytes_read_{0};
  std::atomic<uint64_t> bytes_written_{0};

  // The stream is changed with both locks held.
  base::Mutex read_mutex_;
  std::unique_ptr<event::Stream> stream_;
  bool wants_read_ MESHLIB_GUARDED_BY(read_mutex_) = false;
  bool read_ended_ MESHLIB_GUARDED_BY(read_mutex_) = false;
  bool polling_ MESHLIB_GUARDED_BY(read_mutex_) = false;  // a blocked reader is
  bool may_poll_ MESHLIB_GUARDED_BY(read_mutex_) = true;
  base::CondVar polled_;  // it is not any more
  int wake_ = -1;         // eventfd; made by the first one, with the lock

  base::Mutex write_mutex_;
  std::string out_ MESHLIB_GUARDED_BY(write_mutex_);
  size_t out_at_ MESHLIB_GUARDED_BY(write_mutex_) = 0;
  // A writer is held back while this much waits.
  size_t room_ MESHLIB_GUARDED_BY(write_mutex_) = size_t{64} << 10;
  bool wants_room_ MESHLIB_GUARDED_BY(write_mutex_) = false;
  bool write_closed_ MESHLIB_GUARDED_BY(write_mutex_) = false;
  bool write_ended_ MESHLIB_GUARDED_BY(write_mutex_) = false;
  bool write_over_ MESHLIB_GUARDED_BY(write_mutex_) = false;  // failed, done

  mutable base::Mutex mutex_;  // the last one to be taken
  base::CondVar changed_;
  tcp::Peer peer_ MESHLIB_GUARDED_BY(mutex_);
  bool is_connected_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool readable_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool writable_ MESHLIB_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> done_ MESHLIB_GUARDED_BY(mutex_);
};

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_TCP_CALL_H_

#ifndef MESHLIB_CLIENT_CALL_RUNNER_H_
#define MESHLIB_CLIENT_CALL_RUNNER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/block_cache.h"
#include "client/call_filters.h"
#include "client/callbacks.h"
#include "client/wire_headers.h"
#include "cluster/attempt.h"
#include "cluster/call.h"
#include "event/timer_wheel.h"
#include "mesh/core.h"
#include "mesh/pending_calls.h"
#include "mesh/transport.h"
#include "meshlib/http.h"
#include "meshlib/target.h"
#include "net/client_exchange.h"

namespace meshlib::client {

// What all calls of one client share.
struct CallEnvironment {
  std::shared_ptr<mesh::Core> core;
  mesh::Transport* transport = nullptr;                    // the core's
  std::vector<std::shared_ptr<event::TimerWheel>> wheels;  // by loop
  // Of calls that do not block; by loop.
  std::vector<std::shared_ptr<base::BlockCache>> call_memory;
  http::ClientOptions options;
  // Sends a copy of a request; what becomes of it is nobody's business.
  std::function<void(http::Request request)> shadow;
};

inline absl::Status MayBlock(const CallEnvironment& environment) {
  return MayBlock(*environment.core, *environment.transport);
}

// One HTTP request on its way through the mesh: cluster::Call decides, this
// carries out the attempts. What becomes of the bodies is for those who
// inherit. A call is driven either by one thread that blocks, in Step(), or by
// Poke(); its functions run one at a time, without locks.
class CallRunner : public event::WheelTimer,
                   public net::ExchangeSink,
                   public mesh::PendingCall,
                   private cluster::Attempt {
 public:
  ~CallRunner() override;

  // Thread-safe.
  void Cancel();

 protected:
  enum class Phase : uint8_t { kPick, kAwait, kBackoff, kDone };
  // Where a Poke() comes from: only the loop calls the application.
  enum class Origin : uint8_t { kLoop, kElsewhere };

  // `path` is of request.url. With `streams` the application gets a response
  // as it comes, so that nothing follows once it is committed.
  CallRunner(std::shared_ptr<const CallEnvironment> environment, Target target,
             http::Request request, std::string_view path, bool streams);

  // --- What inheritors do ---

  // Fills in wire.body and wire.end for the next attempt.
  virtual void FillBody(net::WireRequest& wire,
                        net::ClientExchange::Options& options) = 0;
  // Whether all of the body that has been sent could be sent once more. Not
  // more than `limit` bytes are to be kept for that.
  virtual bool CanRepeat(size_t limit) const = 0;
  // The response's headers will not be followed by another attempt.
  virtual void OnCommitted() {}
  // Something may have happened to the exchange, which goes on.
  virtual void OnProgress() {}
  // One of these ends the call.
  virtual void OnWhole() = 0;  // take it out of the exchange
  virtual void OnAnswered(http::Response response) = 0;  // by the mesh
  virtual void OnFailed(absl::Status status) = 0;
  // After every Poke(): tells the application what has happened. Once it knows
  // all, Conclude() follows.
  virtual void Tell(Origin origin) = 0;

  // --- For them ---

  // To be called first; an error ends the call. With `whole` all of the
  // request is there.
  absl::Status Prepare(bool whole);
  // The mesh waits for this call, until Conclude() or the destructor. False:
  // it takes no more calls, gate().Check() says why.
  bool Enlist();
  void Conclude();
  // Prepare(), Enlist() and the first Poke(). Where the mesh takes no more
  // calls, it tells so before it returns: nobody else may be there to do it.
  void Launch(bool whole);
  // Now it is: the timeouts of the response count from here.
  void EndRequest(absl::Time now);
  // Goes on as far as it can without waiting.
  void Step();
  // Lets the call, which a shared_ptr holds, go on; one thread at a time does.
  void Poke(Origin origin);
  // Until when the present phase may wait.
  absl::Time WaitUntil() const;
  // The idle timeout begins anew.
  void SetIdleDeadline();
  // The application's filters hear how the call has ended; once.
  void EndFilters(const absl::Status& status, http::Headers& trailers) {
    if (filters_ != nullptr) TellFilters(status, trailers);
  }
  void Finish();
  void FinishFailed(Outcome::Kind kind);
  bool forked() const { return environment_->core->gate().forked(); }
  absl::Time Now() const;
  // Status, headers and whence they come, as the route rewrites them.
  void FillHead(http::ResponseHead& head);
  size_t repeat_limit() const;
  event::Loop& loop() const;

  const std::shared_ptr<const CallEnvironment> environment_;
  http::Request request_;
  Phase phase_ = Phase::kPick;
  // Of the present attempt; null between attempts.
  std::shared_ptr<net::ClientExchange> exchange_;

 private:
  void Start(const cluster::AttemptPlan& plan) override;
  void Fail(PickFailure reason) override;
  void NotForwarded(const routing::CompiledRoute& route,
                    const Request& request) override;
  void Delayed(absl::Duration delay) override;
  void Aborted(const resilience::FaultAnswer& answer,
               const Request& request) override;

  std::shared_ptr<mesh::PendingCall> Hold() override {
    return std::static_pointer_cast<CallRunner>(weak_from_this().lock());
  }
  void OnAbort() override;
  void OnTimer() override { Poke(Origin::kLoop); }
  void OnExchange(net::ClientExchange& exchange) override {
    Poke(Origin::kLoop);
  }

  // False: they have ended the call.
  bool PassFilters();
  void TellFilters(const absl::Status& status, http::Headers& trailers);
  // By the mesh itself.
  void Answer(http::Response response);
  void Pick();
  void ChooseShadows(const Request& request);
  void SendShadows();
  void BeginAttempt();
  absl::Status FillHeaders();
  bool MayGoAgain(const RetryDecision& decision);
  bool CheckAttempt();  // false: nothing to do yet
  bool CheckTimeouts();
  void EndLongStream();
  std::string ServerName() const;
  bool OnHeaders();
  void OnComplete();
  void OnFailure();
  // Reports and decides: true if another attempt follows.
  bool Report(Outcome outcome);
  void FinishWith(absl::Status status);
  void FinishAborted();
  void DropExchange();
  std::optional<int> GrpcStatus(absl::Span<const Header> headers) const;

  static constexpr std::string_view kAttemptCount = "x-envoy-attempt-count";

  const bool streams_;
  const Target target_;
  std::string path_;
  WireHeaders headers_;                   // of request_
  std::unique_ptr<CallFilters> filters_;  // null: none
  bool grpc_ = false;
  meshlib::Request routed_;  // what the engine looks at

  cluster::Call call_;
  absl::Time started_;
  absl::Time request_ended_ = absl::InfiniteFuture();
  absl::Time deadline_ = absl::InfiniteFuture();
  absl::Time idle_deadline_ = absl::InfiniteFuture();
  absl::Duration timeout_ = absl::InfiniteDuration();  // the route's
  absl::Duration idle_timeout_ = absl::InfiniteDuration();

  // Of the present attempt.
  const model::Host* host_ = nullptr;  // pinned by call_
  const routing::CompiledRoute* route_ = nullptr;
  int weighted_index_ = -1;
  std::string cluster_;
  net::HostPool* pool_ = nullptr;
  std::shared_ptr<const net::UpstreamOptions> upstream_;
  bool rewrites_ = false;  // else rewritten_ has no headers
  routing::RewrittenRequest rewritten_;
  WireHeaders rewritten_headers_;
  net::WireRequest wire_;
  absl::Time attempt_started_;
  absl::Duration per_try_timeout_ = absl::InfiniteDuration();
  absl::Time per_try_deadline_ = absl::InfiniteFuture();
  // The cluster's max_stream_duration.
  absl::Time stream_deadline_ = absl::InfiniteFuture();
  absl::Duration per_try_idle_timeout_ = absl::InfiniteDuration();
  absl::Time per_try_idle_deadline_ = absl::InfiniteFuture();
  bool reported_ = false;   // call_.End() was called for it
  bool committed_ = false;  // OnCommitted() was

  // Where request_mirror_policies send copies, and under which authority.
  struct Shadow {
    std::string cluster;
    std::string authority;
  };
  std::vector<Shadow> shadows_;

  absl::Time retry_at_;
  int resends_ = 0;        // see MayGoAgain()
  bool answered_ = false;  // by NotForwarded() or Aborted()
  bool delayed_ = false;   // by a fault filter

  bool timer_unset_ = false;
  bool concluded_ = false;
  size_t io_ = 0;
  std::atomic<bool> cancelled_{false};
  std::atomic<uint32_t> pokes_{0};
};

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_CALL_RUNNER_H_

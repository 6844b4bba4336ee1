#ifndef MESHLIB_CLIENT_HTTP_CALL_H_
#define MESHLIB_CLIENT_HTTP_CALL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/wire_headers.h"
#include "cluster/attempt.h"
#include "cluster/call.h"
#include "event/timer_wheel.h"
#include "mesh/core.h"
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
  http::ClientOptions options;
};

// One HTTP request on its way through the mesh: cluster::Call decides, this
// carries out the attempts. Either Run() on the calling thread, or Start()
// and the loops. One use.
class HttpCall final : public event::WheelTimer,
                       public net::ExchangeSink,
                       private cluster::Attempt {
 public:
  // `path` is of request.url.
  HttpCall(std::shared_ptr<const CallEnvironment> environment, Target target,
           http::Request request, std::string_view path);
  ~HttpCall() override;

  // Blocks.
  absl::StatusOr<http::Response> Run();

  // `done` is called once. The call must be held by a shared_ptr.
  void Start(http::Client::Callback done);
  // Thread-safe.
  void Cancel();

 private:
  enum class Phase : uint8_t { kPick, kAwait, kBackoff, kDone };

  void Start(const cluster::AttemptPlan& plan) override;
  void Fail(PickFailure reason) override;
  void NotForwarded(const routing::CompiledRoute& route,
                    const Request& request) override;

  void OnTimer() override { Poke(); }
  void OnExchange(net::ClientExchange& exchange) override { Poke(); }
  // Lets the call go on; one thread at a time does.
  void Poke();
  void Deliver();

  absl::Status Prepare();
  // Goes on as far as it can without waiting.
  void Step();
  void Pick();
  void BeginAttempt();
  bool CheckAttempt();  // false: nothing to do yet
  bool OnHeaders();
  void OnComplete();
  void OnFailure();
  // Reports and decides: true if another attempt follows.
  bool Report(Outcome outcome);
  void Finish(absl::StatusOr<http::Response> result);
  void FinishFailed(Outcome::Kind kind);

  // Until when the present phase may wait.
  absl::Time WaitUntil() const;
  uint32_t AwaitedEvents() const;
  absl::Time Now() const;
  std::optional<int> GrpcStatus(absl::Span<const Header> headers) const;
  http::Response TakeResponse();
  void RewriteResponse(http::Response& response);

  const std::shared_ptr<const CallEnvironment> environment_;
  const Target target_;
  http::Request request_;
  std::string path_;
  WireHeaders headers_;  // of request_
  bool grpc_ = false;
  meshlib::Request routed_;  // what the engine looks at

  cluster::Call call_;
  Phase phase_ = Phase::kPick;
  absl::Time started_;
  absl::Time deadline_ = absl::InfiniteFuture();

  // Of the present attempt.
  const model::Host* host_ = nullptr;  // pinned by call_
  const routing::CompiledRoute* route_ = nullptr;
  int weighted_index_ = -1;
  std::string cluster_;
  net::HttpProtocol protocol_ = net::HttpProtocol::kHttp1;
  net::HostPool* pool_ = nullptr;
  std::shared_ptr<const net::UpstreamOptions> upstream_;
  routing::RewrittenRequest rewritten_;
  WireHeaders rewritten_headers_;
  net::WireRequest wire_;
  std::shared_ptr<net::ClientExchange> exchange_;
  absl::Time attempt_started_;
  absl::Time per_try_deadline_ = absl::InfiniteFuture();
  bool reported_ = false;  // call_.End() was called for it

  absl::Time retry_at_;
  std::optional<absl::StatusOr<http::Response>> result_;

  // Of Start().
  http::Client::Callback done_;
  size_t io_ = 0;
  bool blocking_ = true;
  bool starting_ = true;  // the first Poke() is not over
  bool delivered_ = false;
  std::atomic<bool> cancelled_{false};
  std::atomic<uint32_t> pokes_{0};
};

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_HTTP_CALL_H_

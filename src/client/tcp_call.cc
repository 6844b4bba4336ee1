#include "client/tcp_call.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/strings.h"
#include "client/callbacks.h"
#include "mesh/target_state.h"
#include "mesh/upstream.h"

namespace meshlib::client {
namespace {

using event::IoResult;
using ReadResult = tcp::AsyncStream::ReadResult;

constexpr size_t kReadBytes = size_t{16} << 10;

}  // namespace

std::shared_ptr<TcpCall> TcpCall::Make(
    const Target& target, mesh::Transport* transport,
    const tcp::ConnectOptions& options,
    std::shared_ptr<tcp::StreamObserver> observer) {
  cluster::Engine& engine = mesh::TargetAccess::CoreOf(target)->engine();
  return std::shared_ptr<TcpCall>(
      new TcpCall(target, transport, options, std::move(observer),
                  engine.slots().Current().stripe.index),
      [](TcpCall* call) {
        if (!call->forked()) delete call;
      });
}

TcpCall::TcpCall(const Target& target, mesh::Transport* transport,
                 const tcp::ConnectOptions& options,
                 std::shared_ptr<tcp::StreamObserver> observer, uint32_t stripe)
    : core_(mesh::TargetAccess::CoreOf(target)),
      target_(target),
      transport_(transport),
      options_(options),
      stripe_(stripe),
      io_(&transport->io(stripe % transport->size())),
      observer_(std::move(observer)) {}

TcpCall::~TcpCall() {
  if (wake_ >= 0) close(wake_);
}

tcp::Stream TcpCall::StreamOf(std::shared_ptr<TcpCall> call) {
  return tcp::Stream(std::move(call));
}

tcp::AsyncStream TcpCall::AsyncStreamOf(std::shared_ptr<TcpCall> call) {
  return tcp::AsyncStream(std::move(call));
}

absl::Time TcpCall::Now() const { return core_->engine().clock().Now(); }

void TcpCall::RunOnLoop(void (TcpCall::*what)()) {
  io_->loop().Post([self = shared_from_this(), what] { ((*self).*what)(); });
}

void TcpCall::Begin() {
  const auto self = shared_from_this();
  // There may be no loop left to do it.
  if (!core_->calls().Add(stripe_, *this) || !io_->Enter(self)) {
    return Finish(core_->gate().Check());
  }
  io_->loop().Post([self] {
    if (self->over_) return;
    if (self->options_.timeout != absl::InfiniteDuration()) {
      self->deadline_timer_ =
          self->io_->loop().RunAt(self->Now() + self->options_.timeout, [self] {
            self->deadline_timer_.reset();
            self->Finish(absl::DeadlineExceededError(
                absl::StrCat("target \"", self->target_.authority(),
                             "\": no connection within ",
                             absl::FormatDuration(self->options_.timeout),
                             self->failure_.ok() ? "" : "; the last failure: ",
                             self->failure_.message())));
          });
    }
    self->Pick();
  });
}

void TcpCall::Cancel() {
  if (!forked()) FailLater(absl::CancelledError("was cancelled"));
}

void TcpCall::OnAbort() { FailLater(core_->gate().Check()); }

void TcpCall::OnIoShutdown(const absl::Status& reason) {
  Finish(core_->gate().Check());
}

void TcpCall::FailLater(absl::Status status) {
  io_->loop().Post(
      [self = shared_from_this(), status = std::move(status)]() mutable {
        self->Finish(std::move(status));
      });
}

// --- Connecting ---

void TcpCall::Pick() {
  if (over_) return;
  pool_ = nullptr;
  refused_ = PickFailure::kNone;
  Request request;
  request.hash = options_.hash;
  call_.Next(core_->engine(), mesh::TargetAccess::IdOf(target_), request,
             mesh::TargetAccess::HostOf(target_), *this);
  if (pool_ != nullptr) return Dial();
  PickResult result;
  result.failure = refused_;
  const absl::Status status = result.status();
  Finish(absl::Status(
      status.code(),
      absl::StrCat(
          "target \"", target_.authority(), "\": ", status.message(),
          failure_.ok() ? "" : "; the last failure: ", failure_.message())));
}

void TcpCall::Start(const cluster::AttemptPlan& plan) {
  const auto& upstream =
      static_cast<const mesh::Upstream&>(*plan.cluster->attachment());
  host_ = plan.host;
  upstream_ = upstream.options(*plan.host, false);
  pool_ = &transport_->PoolOf(*plan.host, upstream);
  base::MutexLock lock(mutex_);
  peer_.host = std::string(plan.host->address_view());
  peer_.cluster = plan.cluster->runtime().name();
  peer_.attempts = plan.number;
  if (plan.number > 1) return;
  const model::RetryPolicy* const policy =
      plan.route == nullptr ? nullptr : plan.route->retry_policy();
  if (policy != nullptr) {
    max_attempts_ = policy->num_retries + 1;
    if (policy->base_interval > absl::ZeroDuration()) {
      const absl::Duration base =
          std::max(policy->base_interval, absl::Milliseconds(1));
      backoff_.emplace(
          base, std::max(base, policy->max_interval.value_or(10 * base)));
    }
  }
  max_attempts_ = std::max(
      options_.max_connect_attempts.value_or(max_attempts_), uint32_t{1});
  idle_timeout_ = plan.IdleTimeout();
  max_duration_ = plan.MaxStreamDuration();
}

void TcpCall::Dial() {
  net::PoolBreakers& breakers = *pool_->breakers();
  if (!breakers.TryConnect(false)) return OnOverflow("max_connections");
  if (!breakers.TryWait()) {
    breakers.Disconnected();
    return OnOverflow("max_pending_requests");
  }
  breakers_ = pool_->breakers();
  auto endpoint = std::make_shared<const net::DialEndpoint>(
      net::DialEndpoint::Of(*host_, upstream_->happy_eyeballs, ""));
  dialer_ = net::Dialer::Begin(&io_->loop(), &io_->network(), upstream_,
                               std::move(endpoint), {},
                               [self = shared_from_this()](auto made) {
                                 self->OnDialled(std::move(made));
                               });
}

void TcpCall::OnDialled(absl::StatusOr<net::Dialer::Connection> made) {
  dialer_ = nullptr;
  breakers_->StoppedWaiting();
  if (made.ok()) return Establish(*std::move(made));
  std::exchange(breakers_, nullptr)->Disconnected();
  OnAttemptFailed(absl::IsDeadlineExceeded(made.status())
                      ? Outcome::Kind::kConnectTimeout
                      : Outcome::Kind::kConnectFailure,
                  made.status());
}

void TcpCall::OnOverflow(std::string_view limit) {
  OnAttemptFailed(Outcome::Kind::kOverflow,
                  absl::ResourceExhaustedError(absl::StrCat(
                      "circuit breaker ", base::ToAbsl(limit), " is open")));
}

void TcpCall::OnAttemptFailed(Outcome::Kind kind, absl::Status status) {
  call_.End(Outcome::Failure(kind));
  {
    base::MutexLock lock(mutex_);
    failure_ = absl::Status(
        status.code(),
        absl::StrCat("cluster \"", peer_.cluster, "\", host ", peer_.host, ": ",
                     status.message(), " (attempt ", peer_.attempts, ")"));
  }
  if (call_.attempts() >= max_attempts_) return Finish(failure_);
  if (!backoff_.has_value()) return RunOnLoop(&TcpCall::Pick);
  const uint64_t random = core_->engine().slots().Current().random.Next();
  timer_ = io_->loop().RunAt(Now() + backoff_->Next(random),
                             [self = shared_from_this()] {
                               self->timer_.reset();
                               self->Pick();
                             });
}

void TcpCall::Establish(net::Dialer::Connection made) {
  if (deadline_timer_.has_value()) {
    io_->loop().Cancel(*std::exchange(deadline_timer_, std::nullopt));
  }
  connected_ = true;
  call_.Connected();
  made.stream->SetHandler(this);
  {
    base::MutexLock reading(read_mutex_);
    base::MutexLock writing(write_mutex_);
    stream_ = std::move(made.stream);
    room_ = std::max(upstream_->buffer_limit, 1u);
    stream_->WantRead(wants_read_);
    stream_->WantWrite(!out_.empty() || write_closed_);
  }
  Touch();
  ends_ = Now() + max_duration_;
  Watch();
  TellConnected();
}

void TcpCall::TellConnected() {
  tcp::Peer peer;
  {
    base::MutexLock lock(mutex_);
    is_connected_ = true;
    peer = peer_;
    changed_.NotifyAll();
  }
  if (observer_ == nullptr) return;
  tcp::AsyncStream stream(shared_from_this());
  RunCallback(*core_, [&] { observer_->OnConnect(stream, peer); });
}

// --- The connection ---

void TcpCall::Touch() {
  touched_ns_.store(absl::ToUnixNanos(Now()), std::memory_order_relaxed);
}

// Comes back when the idle timeout would be over if nothing went by then.
void TcpCall::Watch() {
  if (over_) return;
  const absl::Time idle_at =
      absl::FromUnixNanos(touched_ns_.load(std::memory_order_relaxed)) +
      idle_timeout_;
  const absl::Time now = Now();
  if (now >= ends_) {
    return Finish(absl::DeadlineExceededError(
        "max_downstream_connection_duration is over"));
  }
  if (now >= idle_at) {
    return Finish(absl::DeadlineExceededError(
        absl::StrCat("idle_timeout: nothing went for ",
                     absl::FormatDuration(idle_timeout_))));
  }
  const absl::Time next = std::min(idle_at, ends_);
  if (next == absl::InfiniteFuture()) return;
  timer_ = io_->loop().RunAt(next, [self = shared_from_this()] {
    self->timer_.reset();
    self->Watch();
  });
}

ReadResult TcpCall::Read(std::string& bytes) {
  if (forked()) return ReadResult::kEnd;
  switch (ReadNow(bytes)) {
    case Reading::kData:
      return ReadResult::kData;
    case Reading::kNothing:
      return ReadResult::kNothing;
    default:
      return ReadResult::kEnd;
  }
}

TcpCall::Reading TcpCall::ReadNow(std::string& bytes, int* descriptor) {
  base::MutexLock lock(read_mutex_);
  if (read_ended_) return Reading::kEnd;
  if (stream_ == nullptr) {
    wants_read_ = true;
    base::MutexLock state(mutex_);
    return done_.has_value() ? Reading::kFailed : Reading::kNothing;
  }
  const size_t before = bytes.size();
  bytes.resize(before + kReadBytes);
  const IoResult result =
      stream_->Read(absl::MakeSpan(bytes.data() + before, kReadBytes));
  bytes.resize(before + result.bytes);
  switch (result.code) {
    case IoResult::Code::kDone:
      bytes_read_.fetch_add(result.bytes, std::memory_order_relaxed);
      Touch();
      return Reading::kData;
    case IoResult::Code::kBlocked:
      if (descriptor != nullptr && may_poll_ && stream_->Descriptor() >= 0) {
        if (wake_ < 0) wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        polling_ = wake_ >= 0;
      }
      if (polling_) {
        *descriptor = stream_->Descriptor();
      } else {
        stream_->WantRead(true);
      }
      return Reading::kNothing;
    case IoResult::Code::kEnded:
      read_ended_ = true;
      stream_->WantRead(false);
      RunOnLoop(&TcpCall::FinishIfEnded);
      return Reading::kEnd;
    case IoResult::Code::kFailed:
      FailLater(stream_->error());
      return Reading::kFailed;
  }
  return Reading::kFailed;
}

void TcpCall::OnReadable() {
  {
    base::MutexLock lock(read_mutex_);
    if (stream_ == nullptr) return;
    stream_->WantRead(false);
  }
  {
    base::MutexLock lock(mutex_);
    readable_ = true;
    changed_.NotifyAll();
  }
  if (observer_ == nullptr) return;
  tcp::AsyncStream stream(shared_from_this());
  RunCallback(*core_, [&] { observer_->OnReadable(stream); });
}

bool TcpCall::Write(std::string_view bytes) {
  if (forked()) return false;
  base::MutexLock lock(write_mutex_);
  if (write_closed_ || write_over_) return false;
  if (stream_ != nullptr && out_.empty()) {
    IoResult result;
    while (!bytes.empty()) {
      result = stream_->Write({bytes});
      bytes.remove_prefix(result.bytes);
      bytes_written_.fetch_add(result.bytes, std::memory_order_relaxed);
      if (result.code != IoResult::Code::kDone) break;
    }
    Touch();
    if (result.code == IoResult::Code::kFailed ||
        result.code == IoResult::Code::kEnded) {
      write_over_ = true;
      FailLater(stream_->error());
      return false;
    }
  }
  if (!bytes.empty()) {
    out_.append(bytes);
    if (stream_ != nullptr) stream_->WantWrite(true);
  }
  if (out_.size() - out_at_ < room_) return true;
  wants_room_ = true;
  return false;
}

void TcpCall::Flush() {
  while (out_at_ < out_.size()) {
    const IoResult result =
        stream_->Write({std::string_view(out_).substr(out_at_)});
    out_at_ += result.bytes;
    bytes_written_.fetch_add(result.bytes, std::memory_order_relaxed);
    if (result.bytes != 0) Touch();
    if (result.code == IoResult::Code::kDone) continue;
    if (result.code == IoResult::Code::kBlocked) return;
    write_over_ = true;
    stream_->WantWrite(false);
    return FailLater(stream_->error());
  }
  std::string().swap(out_);
  out_at_ = 0;
}

void TcpCall::OnWritable() {
  bool told = false;
  bool ended = false;
  {
    base::MutexLock lock(write_mutex_);
    if (stream_ == nullptr || write_over_) return;
    const bool sent = out_.empty();  // all that was written before
    Flush();
    if (write_over_) return;
    if (out_.empty()) {
      told = std::exchange(wants_room_, false);
      // What TLS holds is sent when this comes once more.
      if (sent || !write_closed_) stream_->WantWrite(false);
      if (sent && write_closed_ && !write_ended_) {
        stream_->CloseWrite();
        write_ended_ = ended = true;
      }
    }
  }
  if (told) TellWritable();
  if (ended) FinishIfEnded();
}

void TcpCall::TellWritable() {
  {
    base::MutexLock lock(mutex_);
    writable_ = true;
    changed_.NotifyAll();
  }
  if (observer_ == nullptr) return;
  tcp::AsyncStream stream(shared_from_this());
  RunCallback(*core_, [&] { observer_->OnWritable(stream); });
}

void TcpCall::CloseWrite() {
  if (forked()) return;
  base::MutexLock lock(write_mutex_);
  if (write_closed_ || write_over_) return;
  write_closed_ = true;
  if (stream_ != nullptr) stream_->WantWrite(true);
}

// --- The end ---

void TcpCall::FinishIfEnded() {
  {
    base::MutexLock reading(read_mutex_);
    base::MutexLock writing(write_mutex_);
    if (!read_ended_ || !write_ended_) return;
  }
  Finish(absl::OkStatus());
}

void TcpCall::Finish(absl::Status status) {
  if (std::exchange(over_, true)) return;
  const auto self = shared_from_this();
  EndPolling();
  std::unique_ptr<event::Stream> stream;
  {
    base::MutexLock reading(read_mutex_);
    base::MutexLock writing(write_mutex_);
    stream = std::move(stream_);
    write_over_ = true;
    std::string().swap(out_);
    out_at_ = 0;
    base::MutexLock lock(mutex_);
    done_ = OwnCopy(status);
    changed_.NotifyAll();
  }
  stream.reset();
  Release();
  if (observer_ != nullptr) {
    tcp::AsyncStream shown(self);
    const auto observer = std::exchange(observer_, nullptr);
    RunCallback(*core_, [&] { observer->OnDone(shown, status); });
  }
  core_->calls().Remove(*this);
}

// Everything that the mesh counts or keeps for it.
void TcpCall::Release() {
  event::IoLoop& loop = io_->loop();
  if (timer_.has_value()) loop.Cancel(*std::exchange(timer_, std::nullopt));
  if (deadline_timer_.has_value()) {
    loop.Cancel(*std::exchange(deadline_timer_, std::nullopt));
  }
  if (dialer_ != nullptr) {
    std::exchange(dialer_, nullptr)->Abandon();
    breakers_->StoppedWaiting();
  }
  if (breakers_ != nullptr) std::exchange(breakers_, nullptr)->Disconnected();
  if (connected_) call_.EndConnected();
  call_.Release();
  io_->Leave(shared_from_this());
}

tcp::Peer TcpCall::peer() const {
  if (forked()) return {};
  base::MutexLock lock(mutex_);
  return peer_;
}

tcp::Counts TcpCall::counts() const {
  return {bytes_read_.load(std::memory_order_relaxed),
          bytes_written_.load(std::memory_order_relaxed)};
}

}  // namespace meshlib::client

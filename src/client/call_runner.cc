#include "client/call_runner.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/no_throw.h"
#include "base/strings.h"
#include "mesh/target_state.h"
#include "model/headers.h"

namespace meshlib::client {
namespace {

using net::ClientExchange;
using net::ExchangeFailure;

// Where the route says nothing (per_request_buffer_limit_bytes).
constexpr size_t kRepeatLimit = size_t{1} << 20;

// Each time on another connection, so that more means a host that ends them
// all.
constexpr int kMostResends = 4;

Outcome::Kind KindOf(ExchangeFailure failure) {
  switch (failure) {
    case ExchangeFailure::kConnectFailure:
      return Outcome::Kind::kConnectFailure;
    case ExchangeFailure::kConnectTimeout:
      return Outcome::Kind::kConnectTimeout;
    case ExchangeFailure::kOverflow:
      return Outcome::Kind::kOverflow;
    case ExchangeFailure::kRefused:
      return Outcome::Kind::kRefusedStream;
    case ExchangeFailure::kBodyTooLarge:
    case ExchangeFailure::kCancelled:
      return Outcome::Kind::kCancelled;
    default:
      return Outcome::Kind::kReset;
  }
}

absl::StatusCode CodeOf(ExchangeFailure failure) {
  switch (failure) {
    case ExchangeFailure::kOverflow:
    case ExchangeFailure::kHeadersTooLarge:
    case ExchangeFailure::kBodyTooLarge:
      return absl::StatusCode::kResourceExhausted;
    case ExchangeFailure::kCancelled:
      return absl::StatusCode::kCancelled;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

CallRunner::CallRunner(std::shared_ptr<const CallEnvironment> environment,
                       Target target, http::Request request,
                       std::string_view path, bool streams)
    : environment_(std::move(environment)),
      request_(std::move(request)),
      streams_(streams),
      target_(std::move(target)),
      path_(path) {}

CallRunner::~CallRunner() {
  http::Headers none;
  EndFilters(absl::CancelledError("the call was given up"), none);
  DropExchange();
  call_.Release();
  Conclude();
}

absl::Time CallRunner::Now() const {
  return environment_->core->engine().clock().Now();
}

// --- Driving it ---

absl::Status CallRunner::Prepare(bool whole) {
  started_ = Now();
  if (!environment_->options.filters.empty() && !PassFilters()) {
    return absl::OkStatus();
  }
  absl::Status status = headers_.Assign(ListOf(request_.headers), true);
  if (!status.ok()) {
    http::Headers none;
    EndFilters(status, none);
    return status;
  }
  routed_.authority =
      headers_.host().empty()
          ? std::string_view(mesh::TargetAccess::HostOf(target_))
          : headers_.host();
  routed_.path = path_;
  routed_.method = request_.method;
  routed_.headers = headers_.headers();
  grpc_ = model::IsGrpc(routed_);
  routed_.hash = request_.hash;
  if (whole) request_ended_ = started_;
  if (request_.timeout != absl::InfiniteDuration()) {
    deadline_ = started_ + request_.timeout;
  }
  return absl::OkStatus();
}

bool CallRunner::Enlist() {
  const uint32_t stripe =
      environment_->core->engine().slots().Current().stripe.index;
  io_ = stripe % environment_->transport->size();
  return environment_->core->calls().Add(stripe, *this);
}

void CallRunner::Conclude() {
  if (std::exchange(concluded_, true)) return;
  environment_->core->calls().Remove(*this);
}

void CallRunner::Launch(bool whole) {
  absl::Status status = base::NoThrow([&] { return Prepare(whole); });
  if (!Enlist()) {
    FinishWith(environment_->core->gate().Check());
    return Tell(Origin::kLoop);
  }
  if (!status.ok()) FinishWith(std::move(status));
  Poke(Origin::kElsewhere);
}

event::Loop& CallRunner::loop() const {
  return environment_->transport->io(io_).loop();
}

void CallRunner::EndRequest(absl::Time now) {
  request_ended_ = now;
  if (host_ == nullptr) return;  // Start() does it
  deadline_ = std::min(deadline_, now + timeout_);
  if (phase_ == Phase::kAwait && !committed_) {
    per_try_deadline_ = now + per_try_timeout_;
  }
}

void CallRunner::Poke(Origin origin) {
  // Acquire and release: each step sees what the one before left, and what
  // was written before the poke.
  if (pokes_.fetch_add(1, std::memory_order_acq_rel) != 0) return;
  const auto self = shared_from_this();
  event::TimerWheel& wheel = *environment_->wheels[io_];
  uint32_t seen = 1;
  do {
    seen = pokes_.load(std::memory_order_acquire);
    // Without memory the call is over, and not stuck.
    const absl::Status thrown = base::NoThrow([this] {
      Step();
      return absl::OkStatus();
    });
    if (!thrown.ok() && phase_ != Phase::kDone) FinishWith(thrown);
    if (phase_ != Phase::kDone) {
      wheel.Set(self, WaitUntil());
    } else if (!std::exchange(timer_unset_, true)) {
      wheel.Unset(*this);
    }
    Tell(origin);
  } while (pokes_.fetch_sub(seen, std::memory_order_acq_rel) != seen);
}

absl::Time CallRunner::WaitUntil() const {
  if (phase_ == Phase::kBackoff) return retry_at_;
  return std::min({deadline_, per_try_deadline_, per_try_idle_deadline_,
                   idle_deadline_, stream_deadline_});
}

void CallRunner::SetIdleDeadline() {
  const absl::Duration least = std::min(idle_timeout_, per_try_idle_timeout_);
  if (least == absl::InfiniteDuration()) return;
  const absl::Time now = Now();
  idle_deadline_ = now + idle_timeout_;
  per_try_idle_deadline_ = now + per_try_idle_timeout_;
}

size_t CallRunner::repeat_limit() const {
  if (route_ == nullptr) return kRepeatLimit;
  return route_->per_request_buffer_limit_bytes().value_or(kRepeatLimit);
}

void CallRunner::Step() {
  while (phase_ != Phase::kDone) {
    if (cancelled_.load(std::memory_order_acquire)) {
      return FinishFailed(Outcome::Kind::kCancelled);
    }
    if (aborted()) return FinishAborted();
    switch (phase_) {
      case Phase::kPick:
        Pick();
        break;
      case Phase::kAwait:
        if (!CheckAttempt()) return;
        break;
      case Phase::kBackoff:
        if (Now() < retry_at_) return;
        if (retry_at_ >= deadline_)
          return FinishFailed(Outcome::Kind::kTimeout);
        phase_ = Phase::kPick;
        break;
      case Phase::kDone:
        return;
    }
  }
}

// --- One attempt ---

void CallRunner::Pick() {
  pool_ = nullptr;
  call_.Next(environment_->core->engine(), mesh::TargetAccess::IdOf(target_),
             routed_, mesh::TargetAccess::HostOf(target_), *this);
  if (pool_ != nullptr) BeginAttempt();
}

void CallRunner::Start(const cluster::AttemptPlan& plan) {
  const auto& upstream =
      static_cast<const mesh::Upstream&>(*plan.cluster->attachment());
  host_ = plan.host;
  route_ = plan.route;
  weighted_index_ = plan.weighted_index;
  cluster_ = plan.cluster->runtime().name();
  upstream_ = upstream.options(*plan.host, grpc_);
  pool_ = &environment_->transport->PoolOf(*plan.host, upstream);
  attempt_started_ = Now();
  stream_deadline_ = attempt_started_ + upstream_->max_stream_duration;
  if (plan.number == 1) {
    if (delayed_) request_ended_ = std::max(request_ended_, attempt_started_);
    timeout_ = plan.timeout;
    idle_timeout_ = plan.IdleTimeout();
    deadline_ = std::min({deadline_, started_ + plan.MaxStreamDuration(),
                          request_ended_ + timeout_});
  }
  per_try_timeout_ = plan.per_try_timeout;
  per_try_idle_timeout_ = plan.per_try_idle_timeout;
  per_try_idle_deadline_ = attempt_started_ + per_try_idle_timeout_;
  per_try_deadline_ =
      std::max(attempt_started_, request_ended_) + per_try_timeout_;
  const Request& request = *plan.request;
  wire_.method = request_.method;
  wire_.scheme = request.scheme;
  rewrites_ = route_ != nullptr && route_->rewrites_requests();
  if (rewrites_) {
    routing::ClusterChoice choice;
    choice.name = cluster_;
    choice.weighted_index = weighted_index_;
    rewritten_ =
        route_->RewriteRequest(request, choice, plan.host->hostname_view());
  } else {
    // The engine may have normalized them in memory of its own.
    rewritten_.authority.assign(request.authority);
    rewritten_.path.assign(request.path);
    rewrites_ = request.headers.data() != headers_.headers().data();
    if (rewrites_) rewritten_.headers = routing::HeaderList(request.headers);
  }
  if (plan.number == 1 && route_ != nullptr && !route_->mirrors().empty()) {
    ChooseShadows(request);
  }
}

void CallRunner::ChooseShadows(const Request& request) {
  base::Random& random = environment_->core->engine().slots().Current().random;
  for (const routing::Mirror& mirror : route_->mirrors()) {
    const std::string_view cluster = mirror.ClusterFor(request);
    if (cluster.empty() || !mirror.Selects(random.Next())) continue;
    shadows_.push_back(
        {std::string(cluster), mirror.Authority(rewritten_.authority)});
  }
}

// Copies of what goes to the host. Those of a stream, whose body nobody has
// yet, are not sent.
void CallRunner::SendShadows() {
  for (const Shadow& shadow : std::exchange(shadows_, {})) {
    if (streams_) continue;
    http::Request copy;
    copy.method = request_.method;
    copy.url =
        absl::StrCat("http://cluster:", shadow.cluster,
                     wire_.path.empty() ? "/" : base::ToAbsl(wire_.path));
    Append(wire_.headers, copy.headers);
    copy.headers.Add("host", shadow.authority);
    copy.body = request_.body;
    copy.timeout = timeout_;
    environment_->shadow(std::move(copy));
  }
}

absl::Status CallRunner::FillHeaders() {
  const bool counts =
      route_ != nullptr && route_->include_request_attempt_count();
  if (!rewrites_ && !counts && !headers_.tells_mesh()) {
    wire_.headers = headers_.headers();
    return absl::OkStatus();
  }
  // What the route added may be anything.
  absl::Status status = rewritten_headers_.Assign(
      rewrites_ ? rewritten_.headers.headers() : headers_.headers(), false);
  if (!status.ok()) return status;
  if (counts) {
    rewritten_headers_.Set(kAttemptCount, absl::StrCat(call_.attempts()));
  }
  wire_.headers = rewritten_headers_.headers();
  return absl::OkStatus();
}

void CallRunner::BeginAttempt() {
  absl::Status status = FillHeaders();
  if (!status.ok()) return FinishWith(std::move(status));
  wire_.authority = rewritten_.authority;
  wire_.path = rewritten_.path;
  reported_ = false;
  committed_ = false;
  phase_ = Phase::kAwait;
  if (!shadows_.empty()) SendShadows();
  ClientExchange::Options options;
  options.max_body = environment_->options.max_response_body;
  options.clock = &environment_->core->engine().clock();
  FillBody(wire_, options);
  exchange_ = std::make_shared<ClientExchange>(wire_, std::move(options));
  pool_->Start(io_, *host_, upstream_, exchange_, ServerName());
}

bool CallRunner::CheckAttempt() {
  const uint32_t events = exchange_->events();
  if ((events & ClientExchange::kHeaders) != 0) {
    per_try_deadline_ = absl::InfiniteFuture();  // bounds the wait for these
    // What moves after them is seen of streams only.
    if (!streams_) per_try_idle_deadline_ = absl::InfiniteFuture();
    if (!reported_ && !committed_ && OnHeaders()) return true;
    if (!std::exchange(committed_, true)) OnCommitted();
  }
  if ((events & ClientExchange::kFailed) != 0) {
    OnFailure();
    return true;
  }
  if ((events & ClientExchange::kComplete) != 0) {
    OnComplete();
    return true;
  }
  OnProgress();
  return CheckTimeouts();
}

bool CallRunner::CheckTimeouts() {
  const absl::Time next = WaitUntil();
  if (next == absl::InfiniteFuture()) return false;
  const absl::Time now = Now();
  if (now < next) return false;
  net::UpstreamCounters& counters = *upstream_->counters;
  if (now >= deadline_ || now >= idle_deadline_) {
    counters.Add(net::UpstreamCounter::kRqTimeout);
    FinishFailed(Outcome::Kind::kTimeout);
    return true;
  }
  if (now >= stream_deadline_) {
    EndLongStream();
    return true;
  }
  counters.Add(now >= per_try_deadline_
                   ? net::UpstreamCounter::kRqPerTryTimeout
                   : net::UpstreamCounter::kRqPerTryIdleTimeout);
  if (committed_ || !Report(Outcome::Failure(Outcome::Kind::kPerTryTimeout))) {
    FinishFailed(Outcome::Kind::kPerTryTimeout);
  }
  return true;
}

// The cluster's max_stream_duration is over. To Envoy the attempt was reset
// here; of a host whose response has begun that says nothing.
void CallRunner::EndLongStream() {
  const Outcome::Kind kind =
      committed_ ? Outcome::Kind::kCancelled : Outcome::Kind::kReset;
  if (!reported_ && Report(Outcome::Failure(kind))) return;
  FinishFailed(Outcome::Kind::kTimeout);
}

// What the server is called, to its host: without port and brackets.
std::string CallRunner::ServerName() const {
  if (!upstream_->names_server) return {};
  std::string_view name = wire_.authority;
  if (!upstream_->server_name_header.empty()) {
    const Header* const header =
        model::FindHeader(routed_.headers, upstream_->server_name_header);
    if (header != nullptr && !header->value.empty()) name = header->value;
  }
  if (name.substr(0, 1) == "[") {
    return std::string(name.substr(1, name.find(']') - 1));
  }
  const size_t colon = name.find(':');
  const bool one = colon == name.rfind(':');  // else an IPv6 address
  return std::string(one ? name.substr(0, colon) : name);
}

std::optional<int> CallRunner::GrpcStatus(
    absl::Span<const Header> headers) const {
  const Header* const header = model::FindHeader(headers, "grpc-status");
  if (header == nullptr) return std::nullopt;
  const std::string_view text = header->value;
  int status = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), status);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return status;
}

// A response that may have to be tried again is judged by its headers, so that
// nobody waits for the body of an error. True: another attempt follows.
bool CallRunner::OnHeaders() {
  const absl::Span<const Header> headers = exchange_->headers();
  const std::optional<int> grpc =
      grpc_ ? GrpcStatus(headers) : std::optional<int>();
  if (exchange_->status() < 400 && !grpc.has_value() &&
      !call_.judges_success()) {
    return false;
  }
  Outcome outcome = Outcome::Http(exchange_->status());
  outcome.grpc_status = grpc;
  outcome.response_headers = headers;
  return Report(outcome);
}

void CallRunner::OnComplete() {
  if (!reported_) {
    Outcome outcome = Outcome::Http(exchange_->status());
    outcome.response_headers = exchange_->headers();
    if (grpc_) {
      outcome.grpc_status = GrpcStatus(exchange_->trailers());
      outcome.grpc_trailers_only = false;
    }
    outcome.response_started = streams_;
    if (Report(outcome)) return;
  }
  OnWhole();
  Finish();
}

// A host that ends a connection in good order loses no request by it, though
// the route says nothing of retries. Where it does, that holds.
bool CallRunner::MayGoAgain(const RetryDecision& decision) {
  using Reason = RetryDecision::Reason;
  const bool unwritten = decision.reason == Reason::kNoPolicy ||
                         decision.reason == Reason::kNotRetriable;
  return unwritten && exchange_ != nullptr && exchange_->unprocessed() &&
         resends_++ < kMostResends;
}

void CallRunner::OnFailure() {
  Outcome outcome = Outcome::Failure(KindOf(exchange_->failure()));
  outcome.request_sent = exchange_->request_sent();
  outcome.response_started =
      (exchange_->events() & ClientExchange::kHeaders) != 0;
  if (!reported_ && Report(outcome)) return;
  FinishWith(
      absl::Status(CodeOf(exchange_->failure()),
                   absl::StrCat("cluster \"", cluster_, "\", host ",
                                base::ToAbsl(host_->address_view()), ": ",
                                net::ExchangeFailureName(exchange_->failure()),
                                exchange_->failure_text().empty() ? "" : ": ",
                                exchange_->failure_text(), " (attempt ",
                                call_.attempts(), ")")));
}

bool CallRunner::Report(Outcome outcome) {
  reported_ = true;
  outcome.latency = Now() - attempt_started_;
  const RetryDecision decision = call_.End(outcome);
  if (!decision.retry && !MayGoAgain(decision)) return false;
  if (!CanRepeat(repeat_limit())) return false;
  DropExchange();
  retry_at_ = Now() + decision.after;
  if (retry_at_ >= deadline_) {
    FinishFailed(Outcome::Kind::kTimeout);
    return true;
  }
  phase_ = Phase::kBackoff;
  per_try_deadline_ = absl::InfiniteFuture();
  per_try_idle_deadline_ = absl::InfiniteFuture();
  return true;
}

}  // namespace meshlib::client

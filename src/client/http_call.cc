#include "client/http_call.h"

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "mesh/target_state.h"

namespace meshlib::client {
namespace {

using net::ClientExchange;
using net::ExchangeFailure;

constexpr std::string_view kGrpcType = "application/grpc";

// Beyond it a request is not kept for another attempt.
constexpr size_t kRetryBufferLimit = size_t{1} << 20;

bool IsGrpcType(std::string_view type) {
  return type.substr(0, kGrpcType.size()) == kGrpcType &&
         (type.size() == kGrpcType.size() || type[kGrpcType.size()] == '+' ||
          type[kGrpcType.size()] == ';');
}

std::string_view FindHeader(absl::Span<const Header> headers,
                            std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

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

void Copy(absl::Span<const Header> from, http::Headers& to) {
  for (const Header& header : from) to.Add(header.name, header.value);
}

}  // namespace

HttpCall::HttpCall(std::shared_ptr<const CallEnvironment> environment,
                   Target target, http::Request request, std::string_view path)
    : environment_(std::move(environment)),
      target_(std::move(target)),
      request_(std::move(request)),
      path_(path) {}

HttpCall::~HttpCall() {
  exchange_.reset();
  call_.Release();
}

absl::Time HttpCall::Now() const {
  return environment_->core->engine().clock().Now();
}

// --- Driving it ---

absl::Status HttpCall::Prepare() {
  std::vector<Header> headers;
  headers.reserve(request_.headers.size());
  for (size_t i = 0; i < request_.headers.size(); ++i) {
    headers.push_back(request_.headers[i]);
  }
  const absl::Status status = headers_.Assign(headers, true);
  if (!status.ok()) return status;
  grpc_ = IsGrpcType(headers_.Find("content-type"));
  routed_.authority =
      headers_.host().empty()
          ? std::string_view(mesh::TargetAccess::HostOf(target_))
          : headers_.host();
  routed_.path = path_;
  routed_.method = request_.method;
  routed_.headers = headers_.headers();
  routed_.hash = request_.hash;
  started_ = Now();
  if (request_.timeout != absl::InfiniteDuration()) {
    deadline_ = started_ + request_.timeout;
  }
  return absl::OkStatus();
}

absl::StatusOr<http::Response> HttpCall::Run() {
  if (environment_->transport->OnIoThread()) {
    return absl::FailedPreconditionError(
        "a blocking call from a callback would wait for its own thread");
  }
  const absl::Status status = Prepare();
  if (!status.ok()) return status;
  io_ = environment_->core->engine().slots().Current().stripe.index %
        environment_->transport->size();
  while (true) {
    Step();
    if (phase_ == Phase::kDone) return *std::move(result_);
    if (phase_ == Phase::kAwait) {
      exchange_->Wait(AwaitedEvents(), WaitUntil());
    } else {
      const absl::Duration left = WaitUntil() - Now();
      if (left > absl::ZeroDuration()) {
        std::this_thread::sleep_for(absl::ToChronoNanoseconds(left));
      }
    }
  }
}

void HttpCall::Start(http::Client::Callback done) {
  done_ = std::move(done);
  blocking_ = false;
  const absl::Status status = Prepare();
  io_ = environment_->core->engine().slots().Current().stripe.index %
        environment_->transport->size();
  if (!status.ok()) Finish(status);
  Poke();
}

void HttpCall::Cancel() {
  cancelled_.store(true, std::memory_order_release);
  Poke();
}

void HttpCall::Poke() {
  // Acquire and release: each step sees what the one before left, and what
  // was written before the poke.
  if (pokes_.fetch_add(1, std::memory_order_acq_rel) != 0) return;
  const auto self = shared_from_this();
  event::TimerWheel& wheel = *environment_->wheels[io_];
  uint32_t seen = 1;
  do {
    seen = pokes_.load(std::memory_order_acquire);
    if (!delivered_) {
      Step();
      if (phase_ != Phase::kDone) {
        wheel.Set(self, WaitUntil());
      } else {
        wheel.Unset(*this);
        delivered_ = true;
        Deliver();
      }
    }
    starting_ = false;
  } while (pokes_.fetch_sub(seen, std::memory_order_acq_rel) != seen);
}

// Not from within Start(): who calls again from there would not come back.
void HttpCall::Deliver() {
  if (!starting_) {
    std::exchange(done_, nullptr)(*std::move(result_));
    return;
  }
  const auto self = std::static_pointer_cast<HttpCall>(shared_from_this());
  environment_->transport->io(io_).loop().Post([self] {
    std::exchange(self->done_, nullptr)(*std::move(self->result_));
  });
}

absl::Time HttpCall::WaitUntil() const {
  if (phase_ == Phase::kBackoff) return retry_at_;
  return std::min(deadline_, per_try_deadline_);
}

uint32_t HttpCall::AwaitedEvents() const {
  // A plain success is of interest once it is whole.
  return (exchange_->events() & ClientExchange::kHeaders) != 0
             ? uint32_t{ClientExchange::kComplete}
             : uint32_t{ClientExchange::kHeaders};
}

void HttpCall::Step() {
  while (phase_ != Phase::kDone) {
    if (cancelled_.load(std::memory_order_acquire)) {
      return FinishFailed(Outcome::Kind::kCancelled);
    }
    switch (phase_) {
      case Phase::kPick:
        Pick();
        break;
      case Phase::kAwait:
        if (!CheckAttempt()) return;
        break;
      case Phase::kBackoff:
        if (Now() < retry_at_) return;
        phase_ = Phase::kPick;
        break;
      case Phase::kDone:
        return;
    }
  }
}

// --- One attempt ---

void HttpCall::Pick() {
  pool_ = nullptr;
  call_.Next(environment_->core->engine(), mesh::TargetAccess::IdOf(target_),
             routed_, mesh::TargetAccess::HostOf(target_), *this);
  if (pool_ != nullptr) BeginAttempt();
}

void HttpCall::Start(const cluster::AttemptPlan& plan) {
  const auto& upstream =
      static_cast<const mesh::Upstream&>(*plan.cluster->attachment());
  host_ = plan.host;
  route_ = plan.route;
  weighted_index_ = plan.weighted_index;
  cluster_ = plan.cluster->runtime().name();
  upstream_ = upstream.options(*plan.host, grpc_);
  pool_ = &environment_->transport->PoolOf(*plan.host, upstream);
  if (plan.number == 1 && plan.timeout != absl::InfiniteDuration()) {
    deadline_ = std::min(deadline_, started_ + plan.timeout);
  }
  attempt_started_ = Now();
  per_try_deadline_ = attempt_started_ + plan.per_try_timeout;
  const Request& request = *plan.request;
  wire_.method = request_.method;
  wire_.scheme = request.scheme;
  if (route_ != nullptr && route_->rewrites_requests()) {
    routing::ClusterChoice choice;
    choice.name = cluster_;
    choice.weighted_index = weighted_index_;
    rewritten_ =
        route_->RewriteRequest(request, choice, plan.host->hostname_view());
  } else {
    rewritten_ = {std::string(request.authority), std::string(request.path),
                  routing::HeaderList(request.headers)};
  }
}

void HttpCall::Fail(PickFailure reason) {
  if (result_.has_value()) {  // NotForwarded() has answered
    phase_ = Phase::kDone;
    return;
  }
  PickResult result;
  result.failure = reason;
  const absl::Status status = result.status();
  Finish(absl::Status(
      status.code(),
      absl::StrCat(
          "target \"", target_.authority(), "\": ", status.message(),
          call_.attempts() == 0
              ? ""
              : absl::StrCat(" (after ", call_.attempts(), " attempts)"))));
}

void HttpCall::NotForwarded(const routing::CompiledRoute& route,
                            const Request& request) {
  http::Response response;
  if (route.redirect() != nullptr) {
    response.status = static_cast<int>(route.redirect()->response_code());
    response.headers.Add("location", route.redirect()->Location(request));
  } else if (const auto* direct = route.direct_response()) {
    response.status = static_cast<int>(direct->status);
    response.body = direct->body;
  } else {
    return;
  }
  result_ = std::move(response);
}

void HttpCall::BeginAttempt() {
  // What the route added may be anything.
  const absl::Status status =
      rewritten_headers_.Assign(rewritten_.headers.headers(), false);
  if (!status.ok()) return Finish(status);
  wire_.authority = rewritten_.authority;
  wire_.path = rewritten_.path;
  wire_.headers = rewritten_headers_.headers();
  wire_.body = request_.body;
  reported_ = false;
  phase_ = Phase::kAwait;
  ClientExchange::Options options;
  options.max_body = environment_->options.max_response_body;
  options.clock = &environment_->core->engine().clock();
  if (!blocking_) {
    options.sink = std::static_pointer_cast<HttpCall>(shared_from_this());
  }
  exchange_ = std::make_shared<ClientExchange>(wire_, std::move(options));
  pool_->Start(io_, *host_, upstream_, exchange_);
}

bool HttpCall::CheckAttempt() {
  const uint32_t events = exchange_->events();
  if ((events & ClientExchange::kFailed) != 0) {
    OnFailure();
    return true;
  }
  if ((events & ClientExchange::kHeaders) != 0 &&
      per_try_deadline_ != absl::InfiniteFuture()) {
    per_try_deadline_ = absl::InfiniteFuture();  // bounds the wait for these
  }
  if ((events & ClientExchange::kHeaders) != 0 && !reported_ && OnHeaders()) {
    return true;
  }
  if ((events & ClientExchange::kComplete) != 0) {
    OnComplete();
    return true;
  }
  const absl::Time now = Now();
  if (now >= deadline_) {
    FinishFailed(Outcome::Kind::kTimeout);
    return true;
  }
  if (now < per_try_deadline_) return false;
  if (!Report(Outcome::Failure(Outcome::Kind::kPerTryTimeout))) {
    FinishFailed(Outcome::Kind::kPerTryTimeout);
  }
  return true;
}

std::optional<int> HttpCall::GrpcStatus(
    absl::Span<const Header> headers) const {
  const std::string_view text = FindHeader(headers, "grpc-status");
  int status = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), status);
  if (text.empty() || error != std::errc() ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  return status;
}

// A response that may have to be tried again is judged by its headers, so that
// nobody waits for the body of an error. True: another attempt follows.
bool HttpCall::OnHeaders() {
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

void HttpCall::OnComplete() {
  if (!reported_) {
    Outcome outcome = Outcome::Http(exchange_->status());
    outcome.response_headers = exchange_->headers();
    if (grpc_) {
      outcome.grpc_status = GrpcStatus(exchange_->trailers());
      outcome.grpc_trailers_only = false;
    }
    if (Report(outcome)) return;
  }
  Finish(TakeResponse());
}

void HttpCall::OnFailure() {
  Outcome outcome = Outcome::Failure(KindOf(exchange_->failure()));
  outcome.request_sent = exchange_->request_sent();
  outcome.response_started =
      (exchange_->events() & ClientExchange::kHeaders) != 0;
  if (!reported_ && Report(outcome)) return;
  Finish(
      absl::Status(CodeOf(exchange_->failure()),
                   absl::StrCat("cluster \"", cluster_, "\", host ",
                                base::ToAbsl(host_->address_view()), ": ",
                                net::ExchangeFailureName(exchange_->failure()),
                                exchange_->failure_text().empty() ? "" : ": ",
                                exchange_->failure_text(), " (attempt ",
                                call_.attempts(), ")")));
}

bool HttpCall::Report(Outcome outcome) {
  reported_ = true;
  outcome.latency = Now() - attempt_started_;
  const RetryDecision decision = call_.End(outcome);
  if (!decision.retry || request_.body.size() > kRetryBufferLimit) {
    return false;
  }
  exchange_.reset();
  retry_at_ = Now() + decision.after;
  if (retry_at_ >= deadline_) {
    FinishFailed(Outcome::Kind::kTimeout);
    return true;
  }
  phase_ = Phase::kBackoff;
  per_try_deadline_ = absl::InfiniteFuture();
  return true;
}

// --- The end ---

http::Response HttpCall::TakeResponse() {
  http::Response response;
  response.status = exchange_->status();
  Copy(exchange_->headers(), response.headers);
  Copy(exchange_->trailers(), response.trailers);
  exchange_->TakeBody(response.body);
  response.attempts = call_.attempts();
  response.host = std::string(host_->address_view());
  response.cluster = cluster_;
  if (route_ != nullptr && route_->rewrites_responses()) {
    RewriteResponse(response);
  }
  return response;
}

void HttpCall::RewriteResponse(http::Response& response) {
  routing::ClusterChoice choice;
  choice.name = cluster_;
  choice.weighted_index = weighted_index_;
  routing::HeaderList headers(exchange_->headers());
  route_->RewriteResponse(routed_, choice, headers);
  response.headers.Clear();
  Copy(headers.headers(), response.headers);
}

void HttpCall::FinishFailed(Outcome::Kind kind) {
  if (exchange_ != nullptr && !reported_) {
    call_.End(Outcome::Failure(kind));
    reported_ = true;
  }
  if (kind == Outcome::Kind::kCancelled) {
    return Finish(absl::CancelledError("the call was cancelled"));
  }
  const absl::Duration taken = Now() - started_;
  Finish(absl::DeadlineExceededError(absl::StrCat(
      "target \"", target_.authority(), "\": no response within ",
      absl::FormatDuration(taken), " (attempt ", call_.attempts(),
      cluster_.empty() ? "" : absl::StrCat(", cluster \"", cluster_, "\""),
      kind == Outcome::Kind::kPerTryTimeout ? ", per_try_timeout)" : ")")));
}

void HttpCall::Finish(absl::StatusOr<http::Response> result) {
  result_ = std::move(result);
  phase_ = Phase::kDone;
  exchange_.reset();
  call_.Release();
}

}  // namespace meshlib::client

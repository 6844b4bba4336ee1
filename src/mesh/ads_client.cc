#include "mesh/ads_client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "mesh/core.h"
#include "mesh/upstream.h"
#include "meshlib/pick.h"
#include "model/headers.h"
#include "net/grpc_status.h"

namespace meshlib::mesh {
namespace {

using net::ClientExchange;

constexpr char kMethod[] =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
    "StreamAggregatedResources";
// As Envoy's.
constexpr absl::Duration kBackoffBase = absl::Milliseconds(500);
constexpr absl::Duration kBackoffMax = absl::Seconds(30);
// Before the server's name is looked up.
constexpr absl::Duration kSoon = absl::Milliseconds(20);
// Whole meshes come in one message; a length beyond this is no length.
constexpr size_t kMaxMessageBytes = size_t{1} << 30;
constexpr std::string_view kXdsScheme = "xds:///";

Outcome::Kind KindOf(net::ExchangeFailure failure) {
  switch (failure) {
    case net::ExchangeFailure::kConnectFailure:
      return Outcome::Kind::kConnectFailure;
    case net::ExchangeFailure::kConnectTimeout:
      return Outcome::Kind::kConnectTimeout;
    case net::ExchangeFailure::kOverflow:
      return Outcome::Kind::kOverflow;
    case net::ExchangeFailure::kRefused:
      return Outcome::Kind::kRefusedStream;
    default:
      return Outcome::Kind::kReset;
  }
}

std::string_view ValueOf(absl::Span<const Header> headers,
                         std::string_view name) {
  const Header* const header = model::FindHeader(headers, name);
  return header == nullptr ? std::string_view() : header->value;
}

std::string_view NameOf(std::string_view authority) {
  return authority.rfind(kXdsScheme, 0) == 0
             ? authority.substr(kXdsScheme.size())
             : authority;
}

}  // namespace

AdsClient::AdsClient(Core* core, std::shared_ptr<const model::Config> base,
                     std::vector<std::string> custom_policies)
    : core_(core),
      loop_(&core->loop().io()),
      custom_policies_(std::move(custom_policies)),
      config_(base, {custom_policies_, false}),
      control_plane_(base->control_plane),
      headers_({{"content-type", net::kGrpcContentType},
                {"te", "trailers"},
                {"user-agent", "grpc-meshlib"}}),
      backoff_(kBackoffBase, kBackoffMax),
      status_(absl::UnavailableError("not connected yet")) {
  for (const auto& [name, value] : control_plane_->initial_metadata) {
    headers_.push_back({name, value});
  }
}

AdsClient::~AdsClient() = default;

template <typename What>
event::Loop::TimerId AdsClient::RunAt(absl::Time when, What what) {
  return loop_->RunAt(when, [weak = weak_from_this(), what = std::move(what)] {
    const auto self = weak.lock();
    if (self != nullptr && self->core_ != nullptr) what(*self);
  });
}

void AdsClient::Begin() {
  TellNews();
  ConnectLater(absl::ZeroDuration());
}

void AdsClient::Stop() {
  if (core_ == nullptr) return;
  if (retry_timer_.has_value()) loop_->Cancel(*retry_timer_);
  if (expiry_timer_.has_value()) loop_->Cancel(*expiry_timer_);
  if (exchange_ != nullptr) exchange_->Cancel();
  exchange_ = nullptr;
  call_.Release();
  if (target_.has_value()) core_->engine().Unbind(*target_);
  core_ = nullptr;
}

std::shared_ptr<const model::Config> AdsClient::Rebase(
    std::shared_ptr<const model::Config> base) {
  if (!(*base->control_plane == *control_plane_)) return nullptr;
  config_.Rebase(std::move(base));
  auto config = config_.Build();
  SendRequests();
  return config;
}

void AdsClient::AddTarget(std::string_view authority) {
  config_.AddTarget(NameOf(authority));
  SendRequests();
  TellNews();
}

void AdsClient::RemoveTarget(std::string_view authority) {
  config_.RemoveTarget(NameOf(authority));
  SendRequests();
}

// --- The stream ---

void AdsClient::ConnectLater(absl::Duration delay) {
  const absl::Time when = core_->engine().clock().Now() + delay;
  retry_timer_ = RunAt(when, [](AdsClient& self) {
    self.retry_timer_.reset();
    self.Connect();
  });
}

void AdsClient::Connect() {
  const auto transport = core_->GetTransport();
  if (!transport.ok()) return SetStatus(transport.status());
  if (!target_.has_value()) {
    const auto target =
        core_->engine().Bind(absl::StrCat("cluster:", control_plane_->cluster));
    if (!target.ok()) return SetStatus(target.status());
    target_ = *target;
  }
  pool_ = nullptr;
  call_.Next(core_->engine(), *target_, Request{}, "", *this);
  if (pool_ == nullptr) {
    PickResult result;
    result.failure = refused_;
    SetStatus(result.status());
    return ConnectLater(kSoon);
  }

  net::WireRequest request;
  request.method = "POST";
  request.scheme = upstream_->tls == nullptr ? "http" : "https";
  request.authority = control_plane_->authority;
  request.path = kMethod;
  request.headers = headers_;
  request.end = false;
  ClientExchange::Options options;
  options.collect = false;
  options.sink = shared_from_this();
  exchange_ = std::make_shared<ClientExchange>(request, std::move(options));
  open_ = answered_ = false;
  out_.clear();
  in_.clear();
  decoder_ = net::GrpcDecoder(kMaxMessageBytes);
  pool_->Start(0, *host_, upstream_, exchange_,
               upstream_->names_server ? control_plane_->authority : "");
  // What failed at once is not told.
  if (exchange_->events() != 0) Work();
}

void AdsClient::Start(const cluster::AttemptPlan& plan) {
  const auto& upstream =
      static_cast<const Upstream&>(*plan.cluster->attachment());
  host_ = plan.host;
  upstream_ = upstream.options(*plan.host, true);
  pool_ = &(*core_->GetTransport())->PoolOf(*plan.host, upstream);
}

void AdsClient::OnExchange(ClientExchange& exchange) {
  if (posted_.exchange(true, std::memory_order_acq_rel)) return;
  loop_->Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->core_ == nullptr) return;
    self->posted_.store(false, std::memory_order_release);
    self->Work();
  });
}

void AdsClient::Work() {
  if (exchange_ == nullptr) return;
  const uint32_t events = exchange_->events();
  if ((events & ClientExchange::kStarted) != 0 && !open_) {
    open_ = true;
    config_.session().OnOpen();
  }
  if ((events & ClientExchange::kHeaders) != 0 && !answered_) {
    answered_ = true;
    if (!net::IsGrpcBody(exchange_->status(),
                         ValueOf(exchange_->headers(), "content-type")) ||
        !ValueOf(exchange_->headers(), "grpc-status").empty()) {
      return EndStream(EndOfExchange());
    }
    call_.Connected();
    SetStatus(absl::OkStatus());
  }
  if (!TakeMessages()) return;
  Apply();
  SendRequests();
  SetExpiry();
  TellNews();
  if ((events & ClientExchange::kOver) != 0) EndStream(EndOfExchange());
}

bool AdsClient::TakeMessages() {
  if (!answered_ || !status_.ok()) return true;
  in_.clear();
  exchange_->TakeBody(in_);
  if (in_.empty()) return true;
  decoder_.Add(in_);
  while (true) {
    const auto message = decoder_.Next();
    absl::Status status = message.status();
    if (status.ok() && !message->has_value()) return true;
    if (status.ok() && (*message)->compressed) {
      status = absl::InternalError("a compressed message was not asked for");
    }
    if (status.ok()) {
      status = config_.session().Receive((*message)->bytes,
                                         core_->engine().clock().Now());
    }
    if (!status.ok()) {
      Apply();
      EndStream(std::move(status));
      return false;
    }
    backoff_.Reset();
  }
}

void AdsClient::SendRequests() {
  if (!open_ || exchange_ == nullptr) return;
  while (true) {
    const auto request =
        config_.session().TakeRequest(core_->engine().clock().Now());
    if (!request.has_value()) break;
    // Never beyond the limit.
    net::AppendGrpcMessage(*request, false, UINT32_MAX, out_).IgnoreError();
  }
  SetExpiry();
  if (out_.empty()) return;
  out_.erase(0, exchange_->Write(out_, false));
}

void AdsClient::Apply() {
  if (!config_.changed()) return;
  // Whoever sees the new one knows that there is more to come.
  if (config_.session().waiting()) TellNews();
  const absl::Status status = core_->engine().Apply(config_.Build());
  if (!status.ok()) core_->Log(LogLevel::kError, base::ToStd(status.message()));
}

absl::Status AdsClient::EndOfExchange() const {
  const ClientExchange& exchange = *exchange_;
  if ((exchange.events() & ClientExchange::kFailed) != 0) {
    return absl::UnavailableError(exchange.failure_text().empty()
                                      ? ExchangeFailureName(exchange.failure())
                                      : exchange.failure_text());
  }
  const auto headers = (exchange.events() & ClientExchange::kComplete) != 0 &&
                               !exchange.trailers().empty()
                           ? exchange.trailers()
                           : exchange.headers();
  const std::string_view code = ValueOf(headers, "grpc-status");
  if (code.empty()) {
    return net::MissingGrpcStatus(exchange.status(),
                                  ValueOf(exchange.headers(), "content-type"));
  }
  absl::Status status =
      net::ParseGrpcStatus(code, ValueOf(headers, "grpc-message"));
  return status.ok() ? absl::UnavailableError("it ended the stream") : status;
}

void AdsClient::EndStream(absl::Status why) {
  config_.session().OnClose();
  why = absl::Status(
      why.code(),
      absl::StrCat(base::ToAbsl(host_->address_view()), ": ", why.message()));
  if (status_.ok()) {
    call_.EndConnected();
  } else if ((exchange_->events() & ClientExchange::kFailed) != 0) {
    call_.End(Outcome::Failure(KindOf(exchange_->failure())));
  } else {
    call_.End(Outcome::Http(answered_ ? exchange_->status() : 503));
  }
  call_.Release();
  exchange_->Cancel();
  exchange_ = nullptr;
  open_ = false;
  tried_ = true;
  SetStatus(std::move(why));
  TellNews();
  const uint64_t random = core_->engine().slots().Current().random.Next();
  ConnectLater(backoff_.Next(random));
}

// --- Times and reasons ---

void AdsClient::SetExpiry() {
  const absl::Time when = config_.session().NextExpiry();
  if (expiry_timer_.has_value()) {
    if (when == expiry_at_) return;
    loop_->Cancel(*expiry_timer_);
    expiry_timer_.reset();
  }
  if (when == absl::InfiniteFuture()) return;
  expiry_at_ = when;
  expiry_timer_ = RunAt(when, [](AdsClient& self) {
    self.expiry_timer_.reset();
    self.config_.session().Expire(self.core_->engine().clock().Now());
    self.Apply();
    self.SendRequests();
    self.SetExpiry();
    self.TellNews();
  });
}

// Calls wait as long as the answers are on their way.
void AdsClient::TellNews() {
  // Some servers say nothing, not even headers, before their first answer.
  if (open_ || status_.ok()) {
    core_->engine().SetNews(config_.session().waiting(),
                            "the control plane has not named it");
  } else {
    core_->engine().SetNews(!tried_, Describe());
  }
}

void AdsClient::SetStatus(absl::Status status) {
  if (status == status_) return;
  status_ = std::move(status);
  if (!core_->gate().Check().ok()) return;  // that is why
  core_->Log(status_.ok() ? LogLevel::kInfo : LogLevel::kWarning, Describe());
}

std::string AdsClient::Describe() const {
  if (status_.ok()) {
    return absl::StrCat("control plane \"", control_plane_->cluster,
                        "\": connected to ",
                        base::ToAbsl(host_->address_view()));
  }
  return absl::StrCat("control plane \"", control_plane_->cluster,
                      "\": ", status_.message(),
                      config_.session().stats().accepted == 0
                          ? ""
                          : "; what it said before stays in use");
}

}  // namespace meshlib::mesh

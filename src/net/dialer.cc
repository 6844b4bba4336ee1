#include "net/dialer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "event/happy_eyeballs.h"
#include "net/tls_stream.h"

namespace meshlib::net {
namespace {

// RFC 8305, section 8: the recommended Connection Attempt Delay.
constexpr absl::Duration kStagger = absl::Milliseconds(250);
// How often it is looked whether certificates have come.
constexpr absl::Duration kTlsInterval = absl::Milliseconds(10);

// Where the system does not take a value, its own stays.
void SetKeepalive(int descriptor, const model::TcpKeepalive& options) {
  const auto set = [descriptor](int level, int name, uint32_t value) {
    const int as_int = static_cast<int>(std::min<uint32_t>(value, INT_MAX));
    setsockopt(descriptor, level, name, &as_int, sizeof(as_int));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  if (options.probes) set(IPPROTO_TCP, TCP_KEEPCNT, *options.probes);
  if (options.time_s) set(IPPROTO_TCP, TCP_KEEPIDLE, *options.time_s);
  if (options.interval_s) set(IPPROTO_TCP, TCP_KEEPINTVL, *options.interval_s);
}

}  // namespace

DialEndpoint DialEndpoint::Of(const model::Host& host,
                              const event::HappyEyeballsOrder& order,
                              std::string_view server_name) {
  DialEndpoint out;
  out.hostname = host.hostname();
  out.address = host.address();
  out.server_name = server_name;
  out.addresses.push_back(host.address());
  if (host.additional_addresses().empty()) return out;
  out.additional_.assign(host.additional_addresses().begin(),
                         host.additional_addresses().end());
  out.addresses.insert(out.addresses.end(), out.additional_.begin(),
                       out.additional_.end());
  out.addresses = event::OrderForHappyEyeballs(out.addresses, order);
  return out;
}

bool DialEndpoint::IsOf(const model::Host& host) const {
  return address == host.address_view() &&
         host.additional_addresses() == absl::MakeConstSpan(additional_);
}

// One address.
class Dialer::Attempt final : public event::StreamHandler {
 public:
  Attempt(Dialer* dialer, const std::string& address)
      : dialer_(dialer), address_(address) {}

  void Begin(std::optional<TlsParameters> tls) {
    const absl::Duration left = dialer_->deadline_ - dialer_->loop_->Now();
    if (!tls.has_value()) {
      stream_ = dialer_->network_->Connect(address_, left, this);
      return;
    }
    auto stream =
        TlsStream::Connect(dialer_->loop_, dialer_->network_, address_, left,
                           tls->context, std::move(tls->options), this);
    tls_ = stream.get();
    stream_ = std::move(stream);
  }

  void OnConnect(absl::Status status) override {
    dialer_->OnAttempt(*this, status);
  }
  void OnReadable() override {}
  void OnWritable() override {}

  const std::string& address() const { return address_; }
  bool began_handshake() const {
    return tls_ != nullptr && tls_->began_handshake();
  }
  Connection Take() {
    return {std::move(stream_),
            std::string(tls_ == nullptr ? std::string_view() : tls_->alpn())};
  }

 private:
  Dialer* const dialer_;
  const std::string address_;
  std::unique_ptr<event::Stream> stream_;
  TlsStream* tls_ = nullptr;  // stream_, if it is one
};

Dialer::Dialer(event::IoLoop* loop, event::Network* network,
               std::shared_ptr<const UpstreamOptions> options,
               std::shared_ptr<const DialEndpoint> endpoint,
               std::vector<std::string> alpn_protocols, Done done)
    : loop_(loop),
      network_(network),
      options_(std::move(options)),
      endpoint_(std::move(endpoint)),
      alpn_protocols_(std::move(alpn_protocols)),
      deadline_(loop->Now() + options_->connect_timeout),
      done_(std::move(done)) {}

Dialer::~Dialer() = default;

std::shared_ptr<Dialer> Dialer::Begin(
    event::IoLoop* loop, event::Network* network,
    std::shared_ptr<const UpstreamOptions> options,
    std::shared_ptr<const DialEndpoint> endpoint,
    std::vector<std::string> alpn_protocols, Done done) {
  std::shared_ptr<Dialer> made(
      new Dialer(loop, network, std::move(options), std::move(endpoint),
                 std::move(alpn_protocols), std::move(done)));
  made->TryNext();
  return made;
}

void Dialer::TryNext() {
  while (next_ < endpoint_->addresses.size()) {
    const std::string& address = endpoint_->addresses[next_];
    const absl::Status status = Try(address);
    // Certificates may be on their way.
    if (absl::IsUnavailable(status) && loop_->Now() < deadline_) {
      return RunAfter(kTlsInterval, &Dialer::TryNext);
    }
    ++next_;
    if (status.ok()) {
      if (next_ < endpoint_->addresses.size()) {
        RunAfter(kStagger, &Dialer::TryNext);
      }
      return;
    }
    NoteFailure(address, status);
  }
  if (attempts_.empty()) RunAfter(absl::ZeroDuration(), &Dialer::Fail);
}

absl::Status Dialer::Try(const std::string& address) {
  std::optional<TlsParameters> tls;
  if (options_->tls != nullptr) {
    absl::StatusOr<TlsParameters> chosen =
        options_->tls(endpoint_->hostname, address, endpoint_->server_name);
    if (!chosen.ok()) return chosen.status();
    if (!chosen->offers_alpn && chosen->options.alpn_protocols.empty()) {
      chosen->options.alpn_protocols = alpn_protocols_;
    }
    tls = *std::move(chosen);
  }
  attempts_.push_back(std::make_unique<Attempt>(this, address));
  attempts_.back()->Begin(std::move(tls));
  return absl::OkStatus();
}

void Dialer::RunAfter(absl::Duration wait, void (Dialer::*what)()) {
  if (timer_.has_value()) loop_->Cancel(*timer_);
  timer_ = loop_->RunAt(loop_->Now() + wait, [self = shared_from_this(), what] {
    self->timer_.reset();
    ((*self).*what)();
  });
}

void Dialer::OnAttempt(Attempt& attempt, const absl::Status& status) {
  const auto self = shared_from_this();
  if (status.ok()) {
    Connection made = attempt.Take();
    const int descriptor = made.stream->Descriptor();
    if (options_->tcp_keepalive.has_value() && descriptor >= 0) {
      SetKeepalive(descriptor, *options_->tcp_keepalive);
    }
    return Finish(std::move(made));
  }
  const auto found =
      std::find_if(attempts_.begin(), attempts_.end(),
                   [&](const auto& held) { return held.get() == &attempt; });
  const std::unique_ptr<Attempt> over = std::move(*found);
  attempts_.erase(found);
  NoteFailure(over->address(), status);
  began_handshake_ = began_handshake_ || over->began_handshake();
  // It need not be waited for any more.
  if (next_ < endpoint_->addresses.size()) return TryNext();
  if (attempts_.empty()) Fail();
}

void Dialer::NoteFailure(std::string_view address, const absl::Status& status) {
  if (endpoint_->addresses.size() == 1) {
    failure_ = status;
    return;
  }
  failure_ =
      absl::Status(status.code(),
                   absl::StrCat(failure_.message(), failure_.ok() ? "" : "; ",
                                base::ToAbsl(address), ": ", status.message()));
}

void Dialer::Fail() { Finish(failure_); }

void Dialer::Finish(absl::StatusOr<Connection> result) {
  // What is called may let go of this.
  Done done = std::exchange(done_, nullptr);
  const auto losers = std::move(attempts_);
  Abandon();
  if (done != nullptr) done(std::move(result));
}

void Dialer::Abandon() {
  done_ = nullptr;
  attempts_.clear();
  if (timer_.has_value()) loop_->Cancel(*std::exchange(timer_, std::nullopt));
}

}  // namespace meshlib::net

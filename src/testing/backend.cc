#include "meshlib/testing/backend.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "base/strings.h"
#include "event/epoll_loop.h"
#include "meshlib/clock.h"
#include "net/http_server.h"
#include "net/server_tls.h"
#include "net/socket_network.h"
#include "testing/backend_core.h"

namespace meshlib::testing {

class Backend::Impl {
 public:
  static absl::StatusOr<std::unique_ptr<Impl>> Create(BackendOptions options) {
    auto loop = event::EpollLoop::Create(SystemClock());
    if (!loop.ok()) return loop.status();
    std::unique_ptr<Impl> impl(new Impl(std::move(options), *std::move(loop)));
    const absl::Status status = impl->Open();
    if (!status.ok()) return status;
    return impl;
  }

  // Runs `task` as the loop would, and gives what it gives.
  template <typename F>
  auto OnLoop(F&& task) {
    return loop_->RunNow(std::forward<F>(task));
  }

  ~Impl() {
    OnLoop([this] {
      listener_.reset();
      server_.reset();
    });
    loop_->Stop();
  }

  BackendCore& core() { return core_; }
  net::HttpServer& server() { return *server_; }
  const std::string& address() const { return core_.address; }

  absl::Status Listen() {
    if (listener_ != nullptr) return absl::OkStatus();
    auto listener = network_.Listen(
        core_.address, [this](std::unique_ptr<event::Stream> stream) {
          if (!accept_and_close) return server_->Accept(std::move(stream));
          ++core_.counts.closed_at_once;
          core_.Changed();
        });
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    core_.address = listener_->Address();
    return absl::OkStatus();
  }
  void StopListening() { listener_.reset(); }

  absl::Status SetCertificate(std::string certificate, std::string key) {
    if (tls_ == nullptr) {
      return absl::FailedPreconditionError("the backend speaks no TLS");
    }
    options_.certificate_file = std::move(certificate);
    options_.private_key_file = std::move(key);
    auto context = ReadContext();
    if (!context.ok()) return context.status();
    tls_->SetContext(*std::move(context));
    return absl::OkStatus();
  }

  // The exchanges' counts and the server's, less what was reset.
  BackendCounts Counts() {
    BackendCounts counts = core_.counts;
    const net::ServerStats& now = server_->stats();
    const net::ServerStats& then = forgotten_;
    counts.connections = now.connections - then.connections;
    counts.open_connections = now.open_connections;
    counts.http1_connections = now.http1_connections - then.http1_connections;
    counts.http2_connections = now.http2_connections - then.http2_connections;
    counts.failed_handshakes = now.failed_handshakes - then.failed_handshakes;
    counts.resets_received = now.resets_received - then.resets_received;
    counts.resets_sent = now.resets_sent - then.resets_sent;
    counts.bytes_received = now.bytes_received - then.bytes_received;
    counts.bytes_sent = now.bytes_sent - then.bytes_sent;
    return counts;
  }
  void ResetCounts() {
    const uint64_t open = core_.counts.open_requests;
    core_.counts = {};
    core_.counts.open_requests = core_.counts.most_open_requests = open;
    forgotten_ = server_->stats();
  }

  bool accept_and_close = false;

 private:
  Impl(BackendOptions options, std::unique_ptr<event::EpollLoop> loop)
      : options_(std::move(options)),
        loop_(std::move(loop)),
        network_(loop_.get()),
        core_(loop_.get()) {
    core_.address = options_.address;
  }

  absl::Status Open() {
    net::ServerOptions server;
    server.http2.max_concurrent_streams = options_.max_concurrent_streams;
    server.max_requests_per_connection = options_.max_requests_per_connection;
    server.idle_timeout = options_.idle_timeout;
    if (!options_.certificate_file.empty()) {
      auto context = ReadContext();
      if (!context.ok()) return context.status();
      tls_ = std::make_unique<net::ServerTls>(loop_.get(), *std::move(context));
    }
    server_ = std::make_unique<net::HttpServer>(loop_.get(), server, &core_,
                                                tls_.get());
    const absl::Status listening = Listen();
    return listening.ok() ? loop_->Start() : listening;
  }

  absl::StatusOr<net::ServerTls::Context> ReadContext() const {
    return net::ReadServerTls(
        {options_.certificate_file, options_.private_key_file,
         options_.client_ca_file, options_.alpn_protocols});
  }

  BackendOptions options_;
  const std::unique_ptr<event::EpollLoop> loop_;
  net::SocketNetwork network_;
  BackendCore core_;
  std::unique_ptr<net::ServerTls> tls_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<event::Listener> listener_;
  net::ServerStats forgotten_;
};

absl::StatusOr<std::unique_ptr<Backend>> Backend::Start(
    BackendOptions options) {
  auto impl = Impl::Create(std::move(options));
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<Backend>(new Backend(*std::move(impl)));
}

Backend::Backend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Backend::~Backend() = default;

const std::string& Backend::address() const { return impl_->address(); }

int Backend::port() const {
  const std::string_view address = impl_->address();
  int port = 0;
  if (address.substr(0, 5) == "unix:" ||
      !absl::SimpleAtoi(base::ToAbsl(address.substr(address.rfind(':') + 1)),
                        &port)) {
    return 0;
  }
  return port;
}

void Backend::SetAnswer(BackendAnswer answer) {
  impl_->OnLoop([&] { impl_->core().answer = std::move(answer); });
}

void Backend::Script(std::vector<BackendAnswer> answers) {
  impl_->OnLoop([&] {
    impl_->core().script.assign(std::make_move_iterator(answers.begin()),
                                std::make_move_iterator(answers.end()));
  });
}

size_t Backend::script_left() const {
  return impl_->OnLoop([&] { return impl_->core().script.size(); });
}

void Backend::SetResponder(Responder responder) {
  impl_->OnLoop([&] { impl_->core().responder = std::move(responder); });
}

void Backend::AddFilter(Filter filter) {
  impl_->OnLoop([&] { impl_->core().filters.push_back(std::move(filter)); });
}

void Backend::StopListening() {
  impl_->OnLoop([&] { impl_->StopListening(); });
}

absl::Status Backend::Resume() {
  return impl_->OnLoop([&] { return impl_->Listen(); });
}

void Backend::AcceptAndClose(bool on) {
  impl_->OnLoop([&] { impl_->accept_and_close = on; });
}

void Backend::GoAway() {
  impl_->OnLoop([&] { impl_->server().DrainConnections(); });
}

void Backend::ResetConnections() {
  impl_->OnLoop([&] { impl_->server().AbortConnections(); });
}

void Backend::Kill() {
  impl_->OnLoop([&] {
    impl_->StopListening();
    impl_->server().AbortConnections();
  });
}

void Backend::Release() {
  impl_->OnLoop([&] { impl_->core().Release(); });
}

absl::Status Backend::SetCertificate(std::string certificate_file,
                                     std::string private_key_file) {
  return impl_->OnLoop([&] {
    return impl_->SetCertificate(std::move(certificate_file),
                                 std::move(private_key_file));
  });
}

BackendCounts Backend::Counts() const {
  return impl_->OnLoop([&] { return impl_->Counts(); });
}

std::optional<BackendRequest> Backend::LastRequest() const {
  return impl_->OnLoop([&]() -> std::optional<BackendRequest> {
    if (impl_->core().last == nullptr) return std::nullopt;
    return *impl_->core().last;
  });
}

void Backend::ResetCounts() {
  impl_->OnLoop([&] { impl_->ResetCounts(); });
}

bool Backend::WaitFor(absl::AnyInvocable<bool(const BackendCounts&)> condition,
                      absl::Duration timeout) const {
  return impl_->core().changes.WaitFor([&] { return condition(Counts()); },
                                       timeout);
}

bool Backend::WaitForRequests(uint64_t count, absl::Duration timeout) const {
  return WaitFor(
      [count](const BackendCounts& counts) { return counts.requests >= count; },
      timeout);
}

std::vector<std::string> BackendAddresses(
    absl::Span<const std::unique_ptr<Backend>> backends) {
  std::vector<std::string> addresses;
  for (const auto& backend : backends) addresses.push_back(backend->address());
  return addresses;
}

absl::StatusOr<std::vector<std::unique_ptr<Backend>>> StartBackends(
    size_t count, const BackendOptions& options) {
  std::vector<std::unique_ptr<Backend>> backends;
  for (size_t i = 0; i < count; ++i) {
    auto backend = Backend::Start(options);
    if (!backend.ok()) return backend.status();
    backends.push_back(*std::move(backend));
  }
  return backends;
}

}  // namespace meshlib::testing

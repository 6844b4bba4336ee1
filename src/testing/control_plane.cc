#include "meshlib/testing/control_plane.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "controlplane/ads_server.h"
#include "controlplane/resource_loader.h"
#include "controlplane/resource_set.h"
#include "event/epoll_loop.h"
#include "meshlib/clock.h"
#include "net/server_tls.h"
#include "net/socket_network.h"
#include "testing/control_plane_core.h"

namespace meshlib::testing {

using controlplane::ResourceSet;

class ControlPlane::Impl {
 public:
  static absl::StatusOr<std::unique_ptr<Impl>> Create(
      const ControlPlaneOptions& options) {
    auto loop = event::EpollLoop::Create(SystemClock());
    if (!loop.ok()) return loop.status();
    std::unique_ptr<Impl> impl(new Impl(options, *std::move(loop)));
    const absl::Status status = impl->Open(options);
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
      Flap(absl::ZeroDuration());
      listener_.reset();
      server_.reset();
    });
    loop_->Stop();
  }

  ControlPlaneCore& core() { return core_; }
  controlplane::AdsServer& server() { return *server_; }
  const std::string& address() const { return address_; }

  absl::Status Listen() {
    if (listener_ != nullptr) return absl::OkStatus();
    auto listener = network_.Listen(
        address_, [this](std::unique_ptr<event::Stream> stream) {
          if (accept_and_close) {
            ++core_.counts.closed_at_once;
          } else {
            server_->Accept(std::move(stream));
          }
          core_.changes.Happened();
        });
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    address_ = listener_->Address();
    return absl::OkStatus();
  }
  void StopListening() { listener_.reset(); }
  void Kill() {
    StopListening();
    server_->AbortConnections();
  }

  void Flap(absl::Duration period) {
    if (flap_timer_ != 0) loop_->Cancel(std::exchange(flap_timer_, 0));
    flap_period_ = period;
    if (period > absl::ZeroDuration()) FlapOnce();
  }

  absl::Status Set(std::string_view text, const std::string& version,
                   bool checked, bool replace) {
    auto loaded = controlplane::ReadResources("resources", std::string(text));
    if (checked && loaded.problems.has_errors()) {
      return absl::InvalidArgumentError(loaded.problems.ToString());
    }
    if (loaded.resources.types().empty() && loaded.problems.has_errors()) {
      return absl::InvalidArgumentError(loaded.problems.ToString());
    }
    OnLoop([&] {
      if (replace) {
        for (const auto& [url, type] : resources_.types()) Touch(url, "");
        resources_ = {};
      }
      for (const auto& [url, type] : loaded.resources.types()) {
        for (const auto& [name, resource] : type.by_name) {
          resources_.Put(url, name, resource->bytes);
        }
        Touch(url, version);
      }
      Publish();
    });
    return absl::OkStatus();
  }
  void SetBytes(const std::string& type_url, const std::string& name,
                std::string bytes) {
    resources_.Put(type_url, name, std::move(bytes));
    Touch(type_url, "");
    Publish();
  }
  void Remove(const std::string& type_url, const std::string& name) {
    if (!resources_.Remove(type_url, name)) return;
    Touch(type_url, "");
    Publish();
  }
  void Clear() {
    for (const auto& [url, type] : resources_.types()) Touch(url, "");
    resources_ = {};
    Publish();
  }
  void SetVersion(const std::string& type_url, const std::string& version) {
    Touch(type_url, version);
    Publish();
  }

  ControlPlaneCounts Counts() {
    ControlPlaneCounts counts = core_.counts;
    const net::ServerStats& stats = server_->stats();
    counts.connections = stats.connections;
    counts.open_connections = stats.open_connections;
    counts.failed_handshakes = stats.failed_handshakes;
    for (const auto& [url, version] : versions_) {
      counts.types[url].version = version;
    }
    return counts;
  }

  bool accept_and_close = false;

 private:
  Impl(const ControlPlaneOptions& options,
       std::unique_ptr<event::EpollLoop> loop)
      : loop_(std::move(loop)),
        network_(loop_.get()),
        address_(options.address) {}

  absl::Status Open(const ControlPlaneOptions& options) {
    if (!options.certificate_file.empty()) {
      auto context = net::ReadServerTls({options.certificate_file,
                                         options.private_key_file,
                                         options.client_ca_file});
      if (!context.ok()) return context.status();
      tls_ = std::make_unique<net::ServerTls>(loop_.get(), *std::move(context));
    }
    server_ = std::make_unique<controlplane::AdsServer>(
        loop_.get(), controlplane::AdsServerOptions(), &core_, tls_.get());
    Publish();
    const absl::Status listening = Listen();
    return listening.ok() ? loop_->Start() : listening;
  }

  void FlapOnce() {
    if (listener_ != nullptr) {
      Kill();
    } else {
      // Somebody else may have the port for a moment: the next turn comes.
      Listen().IgnoreError();
    }
    flap_timer_ =
        loop_->RunAt(loop_->Now() + flap_period_, [this] { FlapOnce(); });
  }

  // The type has changed.
  void Touch(const std::string& type_url, const std::string& version) {
    versions_[type_url] =
        version.empty() ? absl::StrCat(++last_versions_[type_url]) : version;
  }
  void Publish() {
    for (const auto& [url, version] : versions_) {
      resources_.SetVersion(url, version);
    }
    server_->SetResources(std::make_shared<const ResourceSet>(resources_));
    core_.changes.Happened();
  }

  const std::unique_ptr<event::EpollLoop> loop_;
  net::SocketNetwork network_;
  std::string address_;
  ControlPlaneCore core_;
  std::unique_ptr<net::ServerTls> tls_;
  std::unique_ptr<controlplane::AdsServer> server_;
  std::unique_ptr<event::Listener> listener_;

  ResourceSet resources_;
  std::map<std::string, std::string> versions_;  // by type URL
  std::map<std::string, uint64_t> last_versions_;
  absl::Duration flap_period_;
  event::Loop::TimerId flap_timer_ = 0;
};

StreamEnd StreamEnd::Status(int grpc_status, std::string message) {
  StreamEnd end;
  end.kind = Kind::kStatus;
  end.grpc_status = grpc_status;
  end.message = std::move(message);
  return end;
}

ControlPlaneCounts::Type ControlPlaneCounts::Of(
    const std::string& type_url) const {
  const auto found = types.find(type_url);
  return found == types.end() ? Type{} : found->second;
}

absl::StatusOr<std::unique_ptr<ControlPlane>> ControlPlane::Start(
    ControlPlaneOptions options) {
  auto impl = Impl::Create(options);
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<ControlPlane>(new ControlPlane(*std::move(impl)));
}

ControlPlane::ControlPlane(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
ControlPlane::~ControlPlane() = default;

const std::string& ControlPlane::address() const { return impl_->address(); }

int ControlPlane::port() const {
  const std::string_view address = impl_->address();
  int port = 0;
  if (address.substr(0, 5) == "unix:" ||
      !absl::SimpleAtoi(base::ToAbsl(address.substr(address.rfind(':') + 1)),
                        &port)) {
    return 0;
  }
  return port;
}

absl::Status ControlPlane::Set(std::string_view text, std::string version) {
  return impl_->Set(text, version, true, false);
}

absl::Status ControlPlane::Replace(std::string_view text, std::string version) {
  return impl_->Set(text, version, true, true);
}

absl::Status ControlPlane::SetUnchecked(std::string_view text,
                                        std::string version) {
  return impl_->Set(text, version, false, false);
}

void ControlPlane::SetBytes(const std::string& type_url,
                            const std::string& name, std::string bytes) {
  impl_->OnLoop([&] { impl_->SetBytes(type_url, name, std::move(bytes)); });
}

void ControlPlane::Remove(const std::string& type_url,
                          const std::string& name) {
  impl_->OnLoop([&] { impl_->Remove(type_url, name); });
}

void ControlPlane::Clear() {
  impl_->OnLoop([&] { impl_->Clear(); });
}

void ControlPlane::SetVersion(const std::string& type_url,
                              std::string version) {
  impl_->OnLoop([&] { impl_->SetVersion(type_url, version); });
}

void ControlPlane::SetFaults(ControlPlaneFaults faults) {
  impl_->OnLoop([&] {
    const bool silent = faults.silent;
    impl_->core().faults = std::move(faults);
    impl_->server().SetSilent(silent);
  });
}

void ControlPlane::EndStreams(const StreamEnd& end) {
  impl_->OnLoop([&] { impl_->server().EndStreams(AdsEndOf(end)); });
}

void ControlPlane::StopListening() {
  impl_->OnLoop([&] { impl_->StopListening(); });
}

absl::Status ControlPlane::Resume() {
  return impl_->OnLoop([&] { return impl_->Listen(); });
}

void ControlPlane::AcceptAndClose(bool on) {
  impl_->OnLoop([&] { impl_->accept_and_close = on; });
}

void ControlPlane::ResetConnections() {
  impl_->OnLoop([&] { impl_->server().AbortConnections(); });
}

void ControlPlane::Kill() {
  impl_->OnLoop([&] { impl_->Kill(); });
}

void ControlPlane::Flap(absl::Duration period) {
  impl_->OnLoop([&] {
    impl_->Flap(period);
    if (period <= absl::ZeroDuration()) impl_->Listen().IgnoreError();
  });
}

ControlPlaneCounts ControlPlane::Counts() const {
  return impl_->OnLoop([&] { return impl_->Counts(); });
}

bool ControlPlane::WaitFor(
    absl::AnyInvocable<bool(const ControlPlaneCounts&)> condition,
    absl::Duration timeout) const {
  return impl_->core().changes.WaitFor([&] { return condition(Counts()); },
                                       timeout);
}

}  // namespace meshlib::testing

// meshctl serve: a development control plane for a directory.

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "controlplane/ads_server.h"
#include "controlplane/resource_loader.h"
#include "event/epoll_loop.h"
#include "event/file_watcher.h"
#include "meshctl/commands.h"
#include "meshlib/clock.h"
#include "net/server_tls.h"
#include "net/socket_network.h"

namespace meshlib::meshctl {
namespace {

using controlplane::AdsClient;
using controlplane::AdsRequest;
using controlplane::LoadedResources;
using controlplane::ResourceSet;

// For clients to hear that the control plane goes.
constexpr absl::Duration kGoodbye = absl::Seconds(1);
// Of a line that a client wrote.
constexpr size_t kMostErrorBytes = 2000;

std::string_view ShortName(std::string_view type_url) {
  return type_url.substr(type_url.find_last_of("./") + 1);
}

// "2 Cluster, 1 Listener".
std::string Summary(const ResourceSet& resources) {
  std::string text;
  for (const auto& [url, type] : resources.types()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", type.by_name.size(), " ",
                    base::ToAbsl(ShortName(url)));
  }
  return text.empty() ? "nothing" : text;
}

// Writes what clients say, a line each.
class Reporter final : public controlplane::AdsServerObserver {
 public:
  explicit Reporter(std::ostream& out) : out_(out) {}

  controlplane::AdsEnd OnOpen(const AdsClient& client) override {
    Say(client, absl::StrCat("connected from ", client.peer->address));
    return {};
  }
  void OnRequest(const AdsClient& client, const AdsRequest& request) override {
    const std::string type = base::Excerpt(ShortName(request.type_url), 100);
    const std::string what = absl::StrCat(type, " version ", request.version);
    switch (request.kind) {
      case AdsRequest::Kind::kAck:
        return Say(client, absl::StrCat("ACK ", what));
      case AdsRequest::Kind::kNack:
        for (const auto line :
             absl::StrSplit(request.error, '\n', absl::SkipWhitespace())) {
          Say(client,
              absl::StrCat("NACK ", what, ": ",
                           base::Excerpt(base::ToStd(line), kMostErrorBytes)));
        }
        if (request.error.empty()) Say(client, absl::StrCat("NACK ", what));
        return;
      case AdsRequest::Kind::kSubscribe:
        return Subscribed(client, request, type);
      case AdsRequest::Kind::kStale:
        return;
    }
  }
  void OnClose(const AdsClient& client, const absl::Status& why) override {
    std::string text = "gone";
    if (!why.ok()) absl::StrAppend(&text, ": ", std::string(why.message()));
    Say(client, text);
  }

 private:
  void Subscribed(const AdsClient& client, const AdsRequest& request,
                  const std::string& type) {
    const auto& status = client.status->types.at(request.type_url);
    if (status.requests > 1) return;
    Say(client, absl::StrCat("asks for ", type, ": ",
                             status.all ? "all"
                                        : absl::StrCat(status.names.size(),
                                                       " by name")));
  }
  void Say(const AdsClient& client, const std::string& text) {
    out_ << "client " << client.id;
    if (!client.status->node_id.empty()) {
      out_ << " \"" << client.status->node_id << "\"";
    }
    out_ << ": " << text << std::endl;
  }

  std::ostream& out_;
};

class Service {
 public:
  Service(const ServeOptions& options, event::EpollLoop* loop,
          std::ostream& out, std::ostream& log)
      : options_(options),
        loop_(loop),
        network_(loop),
        out_(out),
        log_(log),
        reporter_(out) {}
  ~Service() {
    if (signal_watch_ != 0) loop_->Unwatch(signal_watch_);
    if (signals_ >= 0) close(signals_);
  }

  absl::Status Open() {
    // The watch comes first: what changes after it was read is seen.
    auto watcher =
        event::FileWatcher::Create(loop_, options_.path, [this] { Reload(); });
    if (!watcher.ok()) return watcher.status();
    watcher_ = *std::move(watcher);
    LoadedResources loaded = Load();
    if (loaded.problems.has_errors()) {
      return absl::InvalidArgumentError(
          absl::StrCat(options_.path, " is not valid"));
    }
    absl::Status status = OpenTls();
    if (status.ok()) status = WatchSignals();
    if (!status.ok()) return status;
    server_ = std::make_unique<controlplane::AdsServer>(
        loop_, controlplane::AdsServerOptions(), &reporter_, tls_.get());
    const auto address = server_->Listen(network_, options_.listen);
    if (!address.ok()) return address.status();
    out_ << "serving " << options_.path << " at " << *address << std::endl;
    Serve(std::move(loaded.resources));
    return absl::OkStatus();
  }

  void Run() {
    while (!done_) loop_->RunOnce(absl::Minutes(1));
  }

 private:
  absl::Status OpenTls() {
    if (options_.tls_cert.empty()) {
      if (options_.tls_key.empty() && options_.client_ca.empty()) {
        return absl::OkStatus();
      }
      return absl::InvalidArgumentError(
          "--tls-key and --client-ca need --tls-cert");
    }
    auto context = net::ReadServerTls(
        {options_.tls_cert, options_.tls_key, options_.client_ca});
    if (!context.ok()) return context.status();
    tls_ = std::make_unique<net::ServerTls>(loop_, *std::move(context));
    return absl::OkStatus();
  }

  absl::Status WatchSignals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals_ < 0) return absl::InternalError(base::SystemError(errno));
    auto watch = loop_->WatchFd(signals_, {true, false},
                                [this](event::Interest) { End(); });
    if (!watch.ok()) return watch.status();
    signal_watch_ = *watch;
    return absl::OkStatus();
  }

  // The second signal does not wait for anybody.
  void End() {
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof info) > 0) {
    }
    if (std::exchange(ending_, true)) {
      done_ = true;
      return;
    }
    out_ << "ending" << std::endl;
    server_->Drain(loop_->Now() + kGoodbye, [this] { done_ = true; });
  }

  LoadedResources Load() {
    LoadedResources loaded = controlplane::LoadResources(options_.path);
    loaded.resources.VersionByContent();
    loaded.problems.Sort();
    std::string told = loaded.problems.ToString();
    if (told != told_) log_ << told << std::flush;
    told_ = std::move(told);
    return loaded;
  }

  void Reload() {
    // Open() is not through yet, or failed.
    if (server_ == nullptr || ending_) return;
    LoadedResources loaded = Load();
    if (loaded.problems.has_errors()) {
      if (std::exchange(bad_, true)) return;
      log_ << "meshctl: error: " << options_.path
           << " is not valid; what was valid is served still" << std::endl;
      return;
    }
    if (std::exchange(bad_, false)) {
      log_ << "meshctl: " << options_.path << " is valid again" << std::endl;
    }
    Serve(std::move(loaded.resources));
  }

  void Serve(ResourceSet resources) {
    // A type that is gone has to be known as empty.
    for (const auto& [url, version] : versions_) {
      if (resources.Find(url) == nullptr) resources.SetVersion(url, "0");
    }
    bool changed = versions_.empty();
    for (const auto& [url, type] : resources.types()) {
      std::string& version = versions_[url];
      if (version == type.version) continue;
      version = type.version;
      changed = true;
      out_ << ShortName(url) << " version " << version << ": "
           << type.by_name.size() << "\n";
    }
    if (!changed) return;
    out_ << "serving " << Summary(resources) << std::endl;
    server_->SetResources(
        std::make_shared<const ResourceSet>(std::move(resources)));
  }

  const ServeOptions& options_;
  event::EpollLoop* const loop_;
  net::SocketNetwork network_;
  std::ostream& out_;
  std::ostream& log_;
  Reporter reporter_;
  std::unique_ptr<net::ServerTls> tls_;
  std::unique_ptr<event::FileWatcher> watcher_;
  int signals_ = -1;
  event::IoLoop::WatchId signal_watch_ = 0;
  std::map<std::string, std::string> versions_;  // by type URL
  std::string told_;  // the problems of the last load
  bool bad_ = false;
  bool ending_ = false;
  bool done_ = false;
  std::unique_ptr<controlplane::AdsServer> server_;  // last: uses the rest
};

}  // namespace

absl::StatusOr<CommandResult> Serve(const ServeOptions& options,
                                    std::ostream& out, std::ostream& log) {
  auto loop = event::EpollLoop::Create(SystemClock());
  if (!loop.ok()) return loop.status();
  Service service(options, loop->get(), out, log);
  const absl::Status status = service.Open();
  if (!status.ok()) return status;
  service.Run();
  return CommandResult{};
}

}  // namespace meshlib::meshctl

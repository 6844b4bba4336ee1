#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/strings.h"
#include "client/http_call.h"
#include "client/stream_call.h"
#include "client/stream_waiter.h"
#include "meshlib/http.h"
#include "meshlib/http_stream.h"

namespace meshlib::http {

void Headers::Add(std::string_view name, std::string_view value) {
  entries_.push_back({static_cast<uint32_t>(bytes_.size()),
                      static_cast<uint32_t>(name.size()),
                      static_cast<uint32_t>(value.size())});
  bytes_.append(name).append(value);
}

Header Headers::operator[](size_t index) const {
  const Entry& entry = entries_[index];
  const std::string_view bytes = bytes_;
  return {bytes.substr(entry.at, entry.name_size),
          bytes.substr(entry.at + entry.name_size, entry.value_size)};
}

std::optional<std::string_view> Headers::Get(std::string_view name) const {
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Header header = (*this)[i];
    if (absl::EqualsIgnoreCase(base::ToAbsl(header.name), base::ToAbsl(name))) {
      return header.value;
    }
  }
  return std::nullopt;
}

void Headers::Reserve(size_t count, size_t bytes) {
  entries_.reserve(count);
  bytes_.reserve(bytes);
}

void Headers::Clear() {
  bytes_.clear();
  entries_.clear();
}

namespace {

struct Url {
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;
};

absl::StatusOr<Url> Parse(std::string_view text) {
  Url url;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("url \"", base::ToAbsl(text), "\": want http://..."));
  }
  url.scheme = text.substr(0, colon);
  if (url.scheme != "http" && url.scheme != "https") {
    return absl::InvalidArgumentError(
        absl::StrCat("url \"", base::ToAbsl(text), "\": scheme \"",
                     base::ToAbsl(url.scheme), "\", want http or https"));
  }
  text.remove_prefix(colon + 3);
  const size_t slash = text.find_first_of("/?#");
  url.authority = text.substr(0, slash);
  url.path = slash == std::string_view::npos ? "/" : text.substr(slash);
  url.path = url.path.substr(0, url.path.find('#'));
  if (url.authority.empty()) {
    return absl::InvalidArgumentError("the url has no authority");
  }
  const auto bad = [](char c) { return c <= ' ' || c == 0x7f; };
  if (std::any_of(url.path.begin(), url.path.end(), bad) ||
      std::any_of(url.authority.begin(), url.authority.end(), bad)) {
    return absl::InvalidArgumentError(
        "the url has a space or a control character");
  }
  return url;
}

}  // namespace

class Client::Impl {
 public:
  Impl(Mesh& mesh, std::shared_ptr<client::CallEnvironment> environment)
      : mesh_(mesh), environment_(std::move(environment)) {}

  // The target of a URL's authority, resolved once.
  absl::StatusOr<Target> TargetOf(const Url& url) {
    std::string key(url.authority);
    // Without a port https means 443.
    if (url.scheme == "https" && !HasPort(url.authority)) key += ":443";
    {
      base::MutexLock lock(mutex_);
      const auto found = targets_.find(key);
      if (found != targets_.end()) return found->second;
    }
    absl::StatusOr<Target> target = mesh_.Resolve(key);
    if (!target.ok()) return target;
    base::MutexLock lock(mutex_);
    if (targets_.size() >= kMostTargets) targets_.clear();
    targets_.emplace(std::move(key), *target);
    return target;
  }

  absl::StatusOr<Response> Send(const Request& request) {
    absl::StatusOr<Goal> goal = GoalOf(request.url);
    if (!goal.ok()) return goal.status();
    client::HttpCall call(environment_, std::move(goal->target), request,
                          goal->path);
    return call.Run();
  }

  std::shared_ptr<client::HttpCall> SendAsync(Request request, Callback done) {
    absl::StatusOr<Goal> goal = GoalOf(request.url);
    if (!goal.ok()) {
      Post([status = goal.status(), done = std::move(done)]() mutable {
        done(std::move(status));
      });
      return nullptr;
    }
    auto call = std::make_shared<client::HttpCall>(
        environment_, std::move(goal->target), std::move(request), goal->path);
    call->Begin(std::move(done));
    return call;
  }

  absl::StatusOr<std::shared_ptr<client::StreamCall>> Open(
      Request request, std::shared_ptr<StreamObserver> observer, Body body,
      bool anywhere) {
    absl::StatusOr<Goal> goal = GoalOf(request.url);
    if (!goal.ok()) return goal.status();
    auto call = std::make_shared<client::StreamCall>(
        environment_, std::move(goal->target), std::move(request), goal->path,
        std::move(observer), anywhere);
    call->Begin(body == Body::kWhole);
    return call;
  }

  void Post(event::Loop::Task task) {
    environment_->transport->io(0).loop().Post(std::move(task));
  }

 private:
  // Of authorities that were made up, say; each costs a binding.
  static constexpr size_t kMostTargets = 10000;

  struct Goal {
    Target target;
    std::string path;
  };

  absl::StatusOr<Goal> GoalOf(std::string_view text) {
    const absl::StatusOr<Url> url = Parse(text);
    if (!url.ok()) return url.status();
    absl::StatusOr<Target> target = TargetOf(*url);
    if (!target.ok()) return target.status();
    return Goal{*std::move(target), PathOf(*url)};
  }

  static bool HasPort(std::string_view authority) {
    const size_t colon = authority.rfind(':');
    return colon != std::string_view::npos &&
           authority.find(']', colon) == std::string_view::npos;
  }

  // "?x" alone stands for "/?x".
  static std::string PathOf(const Url& url) {
    return url.path[0] == '/' ? std::string(url.path)
                              : absl::StrCat("/", base::ToAbsl(url.path));
  }

  Mesh& mesh_;
  const std::shared_ptr<const client::CallEnvironment> environment_;
  base::Mutex mutex_;
  absl::flat_hash_map<std::string, Target> targets_ MESHLIB_GUARDED_BY(mutex_);
};

void CallHandle::Cancel() {
  if (const auto call = call_.lock()) call->Cancel();
}

absl::StatusOr<Client> Client::Create(Mesh& mesh, ClientOptions options) {
  auto environment = std::make_shared<client::CallEnvironment>();
  environment->core = mesh::MeshFactory::SharedCoreOf(mesh);
  auto transport = environment->core->GetTransport();
  if (!transport.ok()) return transport.status();
  environment->transport = *transport;
  environment->options = options;
  for (size_t i = 0; i < environment->transport->size(); ++i) {
    environment->wheels.push_back(environment->transport->wheel(i));
  }
  auto impl = std::make_shared<Impl>(mesh, environment);
  // The environment is the client's own: it cannot hold it.
  environment->shadow = [weak = std::weak_ptr<Impl>(impl)](Request request) {
    if (const auto self = weak.lock()) {
      self->SendAsync(std::move(request), [](auto) {});
    }
  };
  return Client(std::move(impl));
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;
Client::Client(const Client&) = default;
Client& Client::operator=(const Client&) = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

absl::StatusOr<Response> Client::Send(const Request& request) const {
  return impl_->Send(request);
}

absl::StatusOr<Response> Client::Get(std::string_view url) const {
  Request request;
  request.url = std::string(url);
  return Send(request);
}

absl::StatusOr<Response> Client::Post(std::string_view url,
                                      std::string_view body,
                                      std::string_view content_type) const {
  Request request;
  request.method = "POST";
  request.url = std::string(url);
  request.body = std::string(body);
  request.headers.Add("content-type", content_type);
  return Send(request);
}

CallHandle Client::SendAsync(Request request, Callback done) const {
  CallHandle handle;
  handle.call_ = impl_->SendAsync(std::move(request), std::move(done));
  return handle;
}

absl::StatusOr<Stream> Client::Open(Request request, Body body) const {
  auto waiter = std::make_shared<client::StreamWaiter>();
  auto call = impl_->Open(std::move(request), waiter, body, true);
  if (!call.ok()) return call.status();
  return Stream(*std::move(call), std::move(waiter));
}

AsyncStream Client::OpenAsync(Request request,
                              std::shared_ptr<StreamObserver> observer,
                              Body body) const {
  auto call = impl_->Open(std::move(request), observer, body, false);
  if (call.ok()) return AsyncStream(*std::move(call));
  impl_->Post([status = call.status(), observer = std::move(observer)] {
    AsyncStream none;
    observer->OnDone(none, status);
  });
  return AsyncStream();
}

}  // namespace meshlib::http

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/no_throw.h"
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

void Headers::Set(std::string_view name, std::string_view value) {
  Headers changed;
  changed.Reserve(size() + 1, bytes_.size() + name.size() + value.size());
  bool there = false;
  for (size_t i = 0; i < size(); ++i) {
    const Header header = (*this)[i];
    const bool same =
        absl::EqualsIgnoreCase(base::ToAbsl(header.name), base::ToAbsl(name));
    if (!same) {
      changed.Add(header.name, header.value);
    } else if (!std::exchange(there, true)) {
      changed.Add(header.name, value);
    }
  }
  if (!there) changed.Add(name, value);
  *this = std::move(changed);
}

bool Headers::Remove(std::string_view name) {
  if (!Get(name).has_value()) return false;
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                [&](const Entry& entry) {
                                  return absl::EqualsIgnoreCase(
                                      absl::string_view(bytes_).substr(
                                          entry.at, entry.name_size),
                                      base::ToAbsl(name));
                                }),
                 entries_.end());
  return true;
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

// Calls whose memory is kept, for each loop: some hundred KB.
constexpr size_t kKeptCalls = 256;

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
  Impl(std::shared_ptr<const client::CallEnvironment> environment,
       std::shared_ptr<const client::CallEnvironment> shadows)
      : environment_(std::move(environment)), shadows_(std::move(shadows)) {}

  static absl::StatusOr<Client> MakeClient(Mesh& mesh,
                                           const ClientOptions& options);
  // The deleter: in the child of a fork() another thread may have been in it.
  static void LetGo(Impl* impl) {
    if (!impl->environment_->core->gate().forked()) delete impl;
  }

  // The target of a URL's authority, resolved once.
  absl::StatusOr<Target> TargetOf(const Url& url) {
    const absl::Status usable = environment_->core->gate().Check();
    if (!usable.ok()) return usable;
    std::string key(url.authority);
    // Without a port https means 443.
    if (url.scheme == "https" && !HasPort(url.authority)) key += ":443";
    {
      base::MutexLock lock(mutex_);
      const auto found = targets_.find(key);
      if (found != targets_.end()) return found->second;
    }
    absl::StatusOr<Target> target =
        mesh::MeshFactory::Resolve(environment_->core, key);
    if (!target.ok()) return target;
    base::MutexLock lock(mutex_);
    if (targets_.size() >= kMostTargets) targets_.clear();
    targets_.emplace(std::move(key), *target);
    return target;
  }

  absl::StatusOr<Response> Send(const Request& request) {
    absl::StatusOr<Goal> goal = GoalOf(request.url);
    if (!goal.ok()) return goal.status();
    if (environment_->core->Drives()) {
      return SendDriving(request, *std::move(goal));
    }
    client::HttpCall call(environment_, std::move(goal->target), request,
                          goal->path);
    return call.Run();
  }

  std::shared_ptr<client::HttpCall> SendAsync(Request request, Callback done) {
    auto call =
        base::NoThrow([&] { return Make(environment_, std::move(request)); });
    if (!call.ok()) {
      Refuse([status = call.status(), done = std::move(done)]() mutable {
        std::exchange(done, nullptr)(std::move(status));
      });
      return nullptr;
    }
    (*call)->Begin(std::move(done));
    return *std::move(call);
  }

  // A copy of a request, which passes no filters.
  void SendShadow(Request request) {
    auto call =
        base::NoThrow([&] { return Make(shadows_, std::move(request)); });
    if (call.ok()) (*call)->Begin([](auto) {});
  }

  absl::StatusOr<std::shared_ptr<client::StreamCall>> Open(
      Request request, std::shared_ptr<StreamObserver> observer, Body body,
      bool anywhere) {
    absl::StatusOr<Goal> goal = GoalOf(request.url);
    if (!goal.ok()) return goal.status();
    auto call = client::StreamCall::Make(environment_, std::move(goal->target),
                                         std::move(request), goal->path,
                                         std::move(observer), anywhere);
    call->Begin(body == Body::kWhole);
    return call;
  }

  // Of a call that is not made, but whose callback is still to come: soon, on
  // an I/O thread; at once where there is none, or will be none.
  void Refuse(absl::AnyInvocable<void()> callback) {
    const std::shared_ptr<mesh::Core>& core = environment_->core;
    const auto refused = std::make_shared<Refused>();
    if (core->gate().state() != mesh::Gate::kOpen ||
        !core->calls().Add(0, *refused)) {
      return client::RunCallback(*core, [&] { callback(); });
    }
    environment_->transport->io(0).loop().Post(
        [core, refused, callback = std::move(callback)]() mutable {
          client::RunCallback(*core, [&] { callback(); });
          callback = nullptr;
          core->calls().Remove(*refused);
        });
  }

 private:
  class Refused final : public mesh::PendingCall {};

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

  absl::StatusOr<std::shared_ptr<client::HttpCall>> Make(
      const std::shared_ptr<const client::CallEnvironment>& environment,
      Request request) {
    absl::StatusOr<Goal> goal = GoalOf(request.url);
    if (!goal.ok()) return goal.status();
    const auto& memory = environment->call_memory;
    const uint32_t stripe =
        environment->core->engine().slots().Current().stripe.index;
    return std::allocate_shared<client::HttpCall>(
        base::CachedAllocator<client::HttpCall>(memory[stripe % memory.size()]),
        environment, std::move(goal->target), std::move(request), goal->path);
  }

  // There is no thread to wait for: does the mesh's work until the answer is
  // there.
  absl::StatusOr<Response> SendDriving(const Request& request, Goal goal) {
    const absl::Status may = client::MayBlock(*environment_);
    if (!may.ok()) return may;
    struct Answer {
      base::Mutex mutex;
      std::optional<absl::StatusOr<Response>> response
          MESHLIB_GUARDED_BY(mutex);
    };
    const auto answer = std::make_shared<Answer>();
    auto call = std::make_shared<client::HttpCall>(
        environment_, std::move(goal.target), request, goal.path);
    call->Begin([answer](absl::StatusOr<Response> response) {
      const base::MutexLock lock(answer->mutex);
      answer->response = std::move(response);
    });
    while (true) {
      {
        const base::MutexLock lock(answer->mutex);
        if (answer->response.has_value()) return *std::move(answer->response);
      }
      environment_->core->Drive();
    }
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

  const std::shared_ptr<const client::CallEnvironment> environment_;
  const std::shared_ptr<const client::CallEnvironment> shadows_;
  base::Mutex mutex_;
  absl::flat_hash_map<std::string, Target> targets_ MESHLIB_GUARDED_BY(mutex_);
};

void CallHandle::Cancel() {
  if (const auto call = call_.lock()) call->Cancel();
}

absl::StatusOr<Client> Client::Create(Mesh& mesh, ClientOptions options) {
  return base::NoThrow([&] { return Impl::MakeClient(mesh, options); });
}

absl::StatusOr<Client> Client::Impl::MakeClient(Mesh& mesh,
                                                const ClientOptions& options) {
  auto environment = std::make_shared<client::CallEnvironment>();
  environment->core = mesh::MeshFactory::SharedCoreOf(mesh);
  auto transport = environment->core->GetTransport();
  if (!transport.ok()) return transport.status();
  environment->transport = *transport;
  environment->options = options;
  for (size_t i = 0; i < environment->transport->size(); ++i) {
    environment->wheels.push_back(environment->transport->wheel(i));
    environment->call_memory.push_back(
        std::make_shared<base::BlockCache>(kKeptCalls));
  }
  auto shadows = std::make_shared<client::CallEnvironment>(*environment);
  shadows->options.filters.clear();
  const std::shared_ptr<Impl> impl(new Impl(environment, std::move(shadows)),
                                   &Impl::LetGo);
  // The environment is the client's own: it cannot hold it.
  environment->shadow = [weak = std::weak_ptr<Impl>(impl)](Request request) {
    if (const auto self = weak.lock()) self->SendShadow(std::move(request));
  };
  return Client(impl);
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;
Client::Client(const Client&) = default;
Client& Client::operator=(const Client&) = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

absl::StatusOr<Response> Client::Send(const Request& request) const {
  return base::NoThrow([&] { return impl_->Send(request); });
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
  return base::NoThrow([&]() -> absl::StatusOr<Stream> {
    auto waiter = std::make_shared<client::StreamWaiter>();
    auto call = impl_->Open(std::move(request), waiter, body, true);
    if (!call.ok()) return call.status();
    return Stream(*std::move(call), std::move(waiter));
  });
}

AsyncStream Client::OpenAsync(Request request,
                              std::shared_ptr<StreamObserver> observer,
                              Body body) const {
  auto call = base::NoThrow(
      [&] { return impl_->Open(std::move(request), observer, body, false); });
  if (call.ok()) return AsyncStream(*std::move(call));
  impl_->Refuse([status = call.status(), observer = std::move(observer)] {
    AsyncStream none;
    observer->OnDone(none, status);
  });
  return AsyncStream();
}

}  // namespace meshlib::http

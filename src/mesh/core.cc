#include "mesh/core.h"

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "event/ares_resolver.h"
#include "mesh/ads_client.h"
#include "xds/secret_file.h"

namespace meshlib::mesh {
namespace {

constexpr uint32_t kLeastStripes = 8;
constexpr uint32_t kMostStripes = 256;
// How long a wait for calls may last until the clock, which need not be the
// system's, is asked again.
constexpr absl::Duration kLongestWait = absl::Milliseconds(50);
// How often the files of certificates are looked at.
constexpr absl::Duration kCertificateInterval = absl::Seconds(1);

uint64_t SeedFromSystem() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

uint32_t StripesOf(const MeshOptions& options) {
  if (options.thread_stripes != 0) {
    return std::min(options.thread_stripes, kMostStripes);
  }
  return std::min(
      std::max(kLeastStripes, 4 * std::thread::hardware_concurrency()),
      kMostStripes);
}

// `log` aside.
cluster::EngineOptions EngineOptionsOf(const MeshOptions& options,
                                       event::IoLoop* loop,
                                       security::ClientTlsSources& sources,
                                       ResolverFactory make_resolver) {
  cluster::EngineOptions engine;
  engine.clock = options.clock;
  engine.loop = loop;
  engine.seed = *options.seed;
  engine.exclusive_stripes = StripesOf(options);
  engine.nearest_first = options.nearest_first;
  engine.load_balancers = options.load_balancers;
  engine.make_resolver = std::move(make_resolver);
  if (options.resolve_names && !engine.make_resolver) {
    engine.make_resolver = [loop](const base::DnsResolverOptions& dns) {
      return std::make_unique<event::AresResolver>(loop, dns);
    };
  }
  engine.attach =
      [&sources](
          const std::shared_ptr<const model::Cluster>& config,
          const std::shared_ptr<resilience::SharedResources>& resources,
          const std::shared_ptr<const cluster::ClusterAttachment>& previous)
      -> std::shared_ptr<const cluster::ClusterAttachment> {
    // Other options would cost every host its connections.
    const auto* const old = static_cast<const Upstream*>(previous.get());
    if (old != nullptr && old->Covers(*config)) return previous;
    return std::make_shared<const Upstream>(config, resources, sources, old);
  };
  return engine;
}

// All but `log`, which cannot be copied.
MeshOptions CopyOf(const MeshOptions& from) {
  MeshOptions out;
  out.config_path = from.config_path;
  out.config_text = from.config_text;
  out.clock = from.clock;
  out.seed = from.seed;
  out.nearest_first = from.nearest_first;
  out.thread_stripes = from.thread_stripes;
  out.own_thread = from.own_thread;
  out.host_loop = from.host_loop;
  out.io_threads = from.io_threads;
  out.resolve_names = from.resolve_names;
  out.load_balancers = from.load_balancers;
  return out;
}

template <typename SharedLog>
auto LogTo(SharedLog log) {
  return [log = std::move(log)](LogLevel level, std::string_view text) {
    (*log)(level, text);
  };
}

template <typename SharedLog>
cluster::EngineOptions WithLog(cluster::EngineOptions options, SharedLog log) {
  if (log != nullptr) options.log = LogTo(std::move(log));
  return options;
}

MeshOptions WithDefaults(MeshOptions options, ControlLoop& loop) {
  if (loop.hosted()) {
    options.clock = loop.clock();
    options.own_thread = false;
  }
  if (options.clock == nullptr) options.clock = SystemClock();
  if (!options.seed.has_value()) options.seed = SeedFromSystem();
  return options;
}

}  // namespace

Core::Core(MeshOptions options, std::unique_ptr<ControlLoop> loop,
           ResolverFactory make_resolver)
    : seed_(options.seed),
      options_(WithDefaults(CopyOf(options), *loop)),
      log_(options.log == nullptr ? nullptr
                                  : std::make_shared<SharedLog::element_type>(
                                        std::move(options.log))),
      loop_(std::move(loop)),
      tls_sources_(xds::ReadSecretFile),
      engine_(WithLog(EngineOptionsOf(options_, &loop_->io(), tls_sources_,
                                      std::move(make_resolver)),
                      log_)) {}

Core::~Core() {
  gate_.Close();
  calls_.Refuse();
  engine_.Shutdown();
  Join();
}

void Core::LetGo(Core* core) {
  // Other threads may have held any lock, or be in the midst of anything.
  if (core->gate_.forked()) return core->CloseInherited();
  event::EpollLoop* const own = core->OwnLoop();
  if (own != nullptr) {
    own->EndWith([core] { delete core; });
  } else if (core->loop_->OnHost() && core->loop_->InWork()) {
    // Also if it is dropped unrun.
    core->loop_->EndHosted([owned = std::unique_ptr<Core>(core)] {});
  } else {
    delete core;
  }
}

absl::StatusOr<std::shared_ptr<Core>> Core::Create(
    std::shared_ptr<const model::Config> config, MeshOptions options,
    ResolverFactory make_resolver) {
  if (options.host_loop != nullptr && options.clock != nullptr) {
    return absl::InvalidArgumentError(
        "MeshOptions: clock and host_loop, whose Now() is the clock");
  }
  auto loop = ControlLoop::Create(
      options.clock == nullptr ? SystemClock() : options.clock,
      options.host_loop);
  if (!loop.ok()) return loop.status();
  auto made = std::unique_ptr<Core>(
      new Core(std::move(options), *std::move(loop), std::move(make_resolver)));
  absl::Status status = made->gate_.status();
  if (!status.ok()) return status;
  std::shared_ptr<Core> core(made.release(), &Core::LetGo);
  if (core->options_.config_path.empty() &&
      core->options_.config_text.empty()) {
    core->first_config_ = config;
  }
  status = core->Apply(std::move(config));
  if (status.ok() && core->options_.own_thread) {
    status = core->loop_->Start("mesh-control");
  }
  if (!status.ok()) return status;
  return core;
}

absl::Status Core::Apply(std::shared_ptr<const model::Config> config) {
  return loop_->RunNow([&] { return Use(std::move(config)); });
}

absl::Status Core::Use(std::shared_ptr<const model::Config> config) {
  if (ads_ != nullptr && config->control_plane != nullptr) {
    if (auto whole = ads_->Rebase(config)) {
      return engine_.Apply(std::move(whole));
    }
  }
  StopAds();
  const bool asks = config->control_plane != nullptr;
  if (asks) {
    ads_ = std::make_shared<AdsClient>(this, config, CustomPolicies(options_));
    for (const std::string& target : engine_.BoundAuthorities()) {
      ads_->AddTarget(target);
    }
  }
  absl::Status status = engine_.Apply(std::move(config));
  if (asks) ads_->Begin();
  return status;
}

void Core::StopAds() {
  if (ads_ == nullptr) return;
  ads_->Stop();
  ads_ = nullptr;
  engine_.SetNews(false, "");
}

absl::Status Core::Load(const std::string* text) {
  absl::Status status = gate_.Check();
  if (!status.ok()) return status;
  auto config = LoadConfig(options_, text);
  if (!config.ok()) return config.status();
  return Apply(*std::move(config));
}

absl::StatusOr<uint32_t> Core::Bind(std::string_view authority) {
  return loop_->RunNow([&] {
    if (ads_ != nullptr) ads_->AddTarget(authority);
    auto target = engine_.Bind(authority);
    if (ads_ != nullptr && !target.ok()) ads_->RemoveTarget(authority);
    return target;
  });
}

void Core::Unbind(uint32_t target) {
  if (gate_.forked()) return;
  // The host's thread may wait for this one, and the loop may end before it.
  if (loop_->hosted() && !loop_->OnHost()) {
    loop_->io().Post(
        [core = shared_from_this(), target] { core->UnbindNow(target); });
    return;
  }
  loop_->RunNow([&] { UnbindNow(target); });
}

void Core::UnbindNow(uint32_t target) {
  if (ads_ != nullptr) ads_->RemoveTarget(engine_.AuthorityOf(target));
  engine_.Unbind(target);
}

absl::Status Core::TargetStatus(uint32_t target) {
  return loop_->RunNow([&] { return engine_.TargetStatus(target); });
}

absl::Status Core::StatusOf(PickFailure failure,
                            std::string_view authority) const {
  PickResult result;
  result.failure = failure;
  const absl::Status status = result.status();
  std::string text = absl::StrCat("target \"", base::ToAbsl(authority),
                                  "\": ", status.message());
  const std::string news = engine_.WhyNoNews();
  if (WaitsForNews(failure) && !news.empty()) {
    absl::StrAppend(&text, "; ", news);
  }
  return absl::Status(status.code(), text);
}

std::shared_ptr<const lb::Balancer> Core::BalancerOf(std::string_view cluster) {
  const auto version = loop_->RunNow([&] { return engine_.Find(cluster); });
  return version == nullptr ? nullptr : version->shared_balancer();
}

absl::StatusOr<ClusterTotals> Core::Totals(std::string_view cluster) {
  if (gate_.forked()) return gate_.Check();
  return loop_->RunNow([&]() -> absl::StatusOr<ClusterTotals> {
    const cluster::RuntimeCluster* const runtime = engine_.Runtime(cluster);
    if (runtime == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("no cluster \"", base::Excerpt(cluster), "\" in use"));
    }
    ClusterTotals totals = runtime->CountAll();
    const net::UpstreamCounters& counters =
        *static_cast<const Upstream&>(*runtime->version()->attachment())
             .counters();
    for (size_t i = 0; i < net::kUpstreamCounters; ++i) {
      const auto counter = static_cast<net::UpstreamCounter>(i);
      totals.upstream.push_back(
          {net::UpstreamCounterName(counter), counters.Get(counter)});
    }
    return totals;
  });
}

absl::Time Core::RunPending() {
  // From a callback: whoever runs that goes on.
  if (gate_.forked() || loop_->InWork()) return absl::InfiniteFuture();
  absl::Time next;
  do {
    next = loop_->RunReady();
  } while (next == absl::InfinitePast());
  return next;
}

void Core::Log(LogLevel level, std::string_view text) {
  if (log_ != nullptr) (*log_)(level, text);
}

absl::StatusOr<Transport*> Core::GetTransport() {
  absl::Status usable = gate_.Check();
  if (!usable.ok()) return usable;
  base::MutexLock lock(transport_mutex_);
  // Once more: a shutdown that began sees the transport, or is seen.
  usable = gate_.Check();
  if (!usable.ok()) return usable;
  if (transport_ == nullptr) {
    // So that the first connections have their certificates; what cannot be
    // read says so when a connection needs it.
    tls_sources_.RefreshAll().IgnoreError();
    if (options_.own_thread) {
      const absl::Status started = tls_sources_.Start(kCertificateInterval);
      if (!started.ok()) return started;
    }
    auto made = Transport::Create(options_.clock,
                                  options_.own_thread ? options_.io_threads : 0,
                                  loop_.get());
    if (!made.ok()) return made.status();
    transport_ = *std::move(made);
    // Release pairs with the acquire in CloseInherited().
    made_transport_.store(transport_.get(), std::memory_order_release);
  }
  return transport_.get();
}

// --- The end ---

Transport* Core::transport() {
  const base::MutexLock lock(transport_mutex_);
  return transport_.get();
}

// Null: the calling thread is none of the mesh's.
event::EpollLoop* Core::OwnLoop() {
  if (event::EpollLoop* const own = loop_->OwnLoop()) return own;
  Transport* const transport = this->transport();
  return transport == nullptr ? nullptr : transport->OwnLoop();
}

void Core::Shutdown(absl::Time deadline) {
  if (gate_.forked()) return CloseInherited();
  gate_.Close();
  calls_.Refuse();
  // Within a callback, which is not over before this returns.
  if (OwnLoop() != nullptr || loop_->InWork()) return AbortCalls(true);
  WaitForCalls(deadline);
  AbortCalls(false);
  WaitForCalls(absl::InfiniteFuture());
  Join();
}

// With `own`, on a thread of the mesh: only asks the loops to do it.
void Core::AbortCalls(bool own) {
  engine_.Shutdown();
  calls_.AbortAll();
  Transport* const transport = this->transport();
  if (transport != nullptr) transport->CloseAll(own);
}

void Core::WaitForCalls(absl::Time deadline) {
  while (!calls_.empty()) {
    const absl::Duration left = deadline - engine_.clock().Now();
    if (left <= absl::ZeroDuration()) return;
    const absl::Duration wait = std::min(left, kLongestWait);
    if (Drives()) {
      loop_->RunOnce(std::min(wait, kDrive));
    } else {
      calls_.WaitEmpty(wait);
    }
  }
}

void Core::Join() {
  // It waits for the host, who may be here too.
  if (loop_->hosted()) loop_->Stop();
  const base::MutexLock lock(shutdown_mutex_);
  Transport* const transport = this->transport();
  if (transport != nullptr) {
    transport->Shutdown();
    tls_sources_.Stop();
  }
  if (!loop_->hosted()) loop_->Stop();
  loop_->RunNow([this] {
    StopAds();
    engine_.StopDns();
  });
}

// --- After a fork ---

void Core::CloseInherited() {
  loop_->CloseInherited();
  Transport* const transport = made_transport_.load(std::memory_order_acquire);
  if (transport != nullptr) transport->CloseInherited();
}

absl::StatusOr<std::unique_ptr<Mesh>> Core::Again() {
  if (gate_.forked()) CloseInherited();
  MeshOptions options = CopyOf(options_);
  if (loop_->hosted()) options.clock = nullptr;  // it is the loop's
  // Without one each process draws by itself.
  options.seed = seed_;
  if (log_ != nullptr) options.log = LogTo(log_);
  if (first_config_ == nullptr) return Mesh::Create(std::move(options));
  return MeshFactory::Create(first_config_, std::move(options));
}

}  // namespace meshlib::mesh

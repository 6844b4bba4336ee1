#include "mesh/core.h"

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "event/ares_resolver.h"
#include "xds/secret_file.h"

namespace meshlib::mesh {
namespace {

constexpr uint32_t kLeastStripes = 8;
constexpr uint32_t kMostStripes = 256;
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

// Takes `log` out of the options.
cluster::EngineOptions EngineOptionsOf(MeshOptions& options,
                                       event::EpollLoop* loop,
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
  engine.log = std::move(options.log);
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

MeshOptions WithDefaults(MeshOptions options) {
  if (options.clock == nullptr) options.clock = SystemClock();
  if (!options.seed.has_value()) options.seed = SeedFromSystem();
  return options;
}

}  // namespace

Core::Core(MeshOptions options, std::unique_ptr<event::EpollLoop> loop,
           ResolverFactory make_resolver)
    : options_(std::move(options)),
      loop_(std::move(loop)),
      tls_sources_(xds::ReadSecretFile),
      engine_(EngineOptionsOf(options_, loop_.get(), tls_sources_,
                              std::move(make_resolver))) {}

Core::~Core() { Shutdown(); }

absl::StatusOr<std::shared_ptr<Core>> Core::Create(
    std::shared_ptr<const model::Config> config, MeshOptions options,
    ResolverFactory make_resolver) {
  options = WithDefaults(std::move(options));
  auto loop = event::EpollLoop::Create(options.clock);
  if (!loop.ok()) return loop.status();
  std::shared_ptr<Core> core(
      new Core(std::move(options), *std::move(loop), std::move(make_resolver)));
  absl::Status status = core->Apply(std::move(config));
  if (status.ok() && core->options_.own_thread) status = core->loop_->Start();
  if (!status.ok()) return status;
  return core;
}

absl::Status Core::Apply(std::shared_ptr<const model::Config> config) {
  return loop_->RunNow([&] { return engine_.Apply(std::move(config)); });
}

absl::Status Core::Load(const std::string* text) {
  auto config = LoadConfig(options_, text);
  if (!config.ok()) return config.status();
  return Apply(*std::move(config));
}

absl::StatusOr<uint32_t> Core::Bind(std::string_view authority) {
  return loop_->RunNow([&] { return engine_.Bind(authority); });
}

void Core::Unbind(uint32_t target) {
  loop_->RunNow([&] { engine_.Unbind(target); });
}

absl::Status Core::TargetStatus(uint32_t target) {
  return loop_->RunNow([&] { return engine_.TargetStatus(target); });
}

std::shared_ptr<const lb::Balancer> Core::BalancerOf(std::string_view cluster) {
  const auto version = loop_->RunNow([&] { return engine_.Find(cluster); });
  return version == nullptr ? nullptr : version->shared_balancer();
}

absl::StatusOr<std::vector<Counter>> Core::ClusterCounters(
    std::string_view cluster) {
  const auto version = loop_->RunNow([&] { return engine_.Find(cluster); });
  if (version == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("no cluster \"", base::Excerpt(cluster), "\""));
  }
  const net::UpstreamCounters& counters =
      *static_cast<const Upstream&>(*version->attachment()).counters();
  std::vector<Counter> out;
  for (size_t i = 0; i < net::kUpstreamCounters; ++i) {
    const auto counter = static_cast<net::UpstreamCounter>(i);
    out.push_back({net::UpstreamCounterName(counter), counters.Get(counter)});
  }
  return out;
}

absl::Time Core::RunPending() {
  absl::Time next;
  do {
    next = loop_->RunReady();
  } while (next == absl::InfinitePast());
  return next;
}

absl::StatusOr<Transport*> Core::GetTransport() {
  base::MutexLock lock(transport_mutex_);
  if (engine_.shut_down()) {
    return absl::FailedPreconditionError("the mesh is shut down");
  }
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
  }
  return transport_.get();
}

void Core::Shutdown() {
  engine_.Shutdown();
  {
    base::MutexLock lock(transport_mutex_);
    if (transport_ != nullptr) {
      transport_->Shutdown();
      tls_sources_.Stop();
    }
  }
  loop_->Stop();
  loop_->RunNow([this] { engine_.StopDns(); });
}

}  // namespace meshlib::mesh

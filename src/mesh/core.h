#ifndef MESHLIB_MESH_CORE_H_
#define MESHLIB_MESH_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/dns.h"
#include "base/mutex.h"
#include "cluster/engine.h"
#include "event/resolver.h"
#include "lb/balancer.h"
#include "mesh/control_loop.h"
#include "mesh/gate.h"
#include "mesh/pending_calls.h"
#include "mesh/transport.h"
#include "meshlib/mesh.h"
#include "meshlib/pick.h"
#include "model/config.h"
#include "security/client_tls_sources.h"

namespace meshlib::mesh {

class AdsClient;

// As EngineOptions::make_resolver. Null: c-ares, if the options allow it.
using ResolverFactory = absl::AnyInvocable<std::unique_ptr<event::Resolver>(
    const base::DnsResolverOptions&)>;

// What a Mesh and its Targets share: the loop, the engine on it, and where
// the configuration came from. Thread-safe. Lives as long as any of them.
class Core : public std::enable_shared_from_this<Core> {
 public:
  // `config` is not null. Starts the control thread if the options say so.
  // The last to let go of the core joins its threads, unless that is one of
  // them: then that thread ends by itself, and destroys the core in the end.
  // In the child of a fork() nothing is destroyed.
  static absl::StatusOr<std::shared_ptr<Core>> Create(
      std::shared_ptr<const model::Config> config, MeshOptions options,
      ResolverFactory make_resolver);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  cluster::Engine& engine() { return engine_; }
  const Gate& gate() const { return gate_; }
  PendingCalls& calls() { return calls_; }
  // Whether a thread that waits has to do the mesh's work itself, with Drive().
  bool Drives() const {
    return !options_.own_thread && (!loop_->hosted() || loop_->OnHost());
  }
  // Does it for a bounded time: other threads may do it too, and find what the
  // caller waits for.
  void Drive() { loop_->RunOnce(kDrive); }
  void Log(LogLevel level, std::string_view text);
  ControlLoop& loop() { return *loop_; }

  absl::Status Apply(std::shared_ptr<const model::Config> config);
  // Reads options.config_path, or `text` if it is not null.
  absl::Status Load(const std::string* text);

  absl::StatusOr<uint32_t> Bind(std::string_view authority);
  void Unbind(uint32_t target);
  absl::Status TargetStatus(uint32_t target);
  // Why a pick for the target fails, with what is known of the control plane.
  absl::Status StatusOf(PickFailure failure, std::string_view authority) const;
  absl::Time RunPending();
  // As Mesh::Shutdown().
  void Shutdown(absl::Time deadline);
  // A mesh with the options that this was created with.
  absl::StatusOr<std::unique_ptr<Mesh>> Again();

  // What clients connect with; made by the first call.
  absl::StatusOr<Transport*> GetTransport();

  // The balancer of a cluster's latest version; null if there is no such
  // cluster. It borrows hosts of the engine: use it while nothing changes.
  std::shared_ptr<const lb::Balancer> BalancerOf(std::string_view cluster);
  // See Mesh::Totals().
  absl::StatusOr<ClusterTotals> Totals(std::string_view cluster);

 private:
  static constexpr absl::Duration kDrive = absl::Milliseconds(5);

  using SharedLog =
      std::shared_ptr<absl::AnyInvocable<void(LogLevel, std::string_view)>>;

  Core(MeshOptions options, std::unique_ptr<ControlLoop> loop,
       ResolverFactory make_resolver);
  // The deleter.
  static void LetGo(Core* core);

  // On the loop.
  absl::Status Use(std::shared_ptr<const model::Config> config);
  void StopAds();
  void UnbindNow(uint32_t target);

  event::EpollLoop* OwnLoop();
  Transport* transport();
  void AbortCalls(bool own);
  void WaitForCalls(absl::Time deadline);
  void Join();
  // In a child.
  void CloseInherited();

  Gate gate_;
  PendingCalls calls_;
  const std::optional<uint64_t> seed_;  // as the application gave it
  MeshOptions options_;                 // without `log`
  const SharedLog log_;                 // null: none
  // For Again(), where there is no file or text.
  std::shared_ptr<const model::Config> first_config_;
  const std::unique_ptr<ControlLoop> loop_;
  // Before the engine, whose clusters use it.
  security::ClientTlsSources tls_sources_;
  base::Mutex shutdown_mutex_;  // held while threads are joined
  // Before the engine, whose hosts have connections.
  base::Mutex transport_mutex_;
  std::unique_ptr<Transport> transport_ MESHLIB_GUARDED_BY(transport_mutex_);
  // The same, for a child, where the lock may be held by nobody.
  std::atomic<Transport*> made_transport_{nullptr};
  cluster::Engine engine_;
  std::shared_ptr<AdsClient> ads_;  // on the loop; null: no control plane
};

// A configuration from `options`: config_text, else config_path.
// InvalidArgument lists the problems.
absl::StatusOr<std::shared_ptr<const model::Config>> LoadConfig(
    const MeshOptions& options, const std::string* text);

// Whether another configuration would mend it.
inline bool WaitsForNews(PickFailure failure) {
  return failure == PickFailure::kNotReady ||
         failure == PickFailure::kUnknownCluster;
}

// The names of the application's own load balancing policies.
std::vector<std::string> CustomPolicies(const MeshOptions& options);

// A mesh from a configuration that was loaded (and perhaps changed) already;
// config_path and config_text are not read. For meshctl and tests.
class MeshFactory {
 public:
  static const std::shared_ptr<Core>& SharedCoreOf(Mesh& mesh);
  // As Mesh::Resolve().
  static absl::StatusOr<Target> Resolve(const std::shared_ptr<Core>& core,
                                        std::string_view authority);
  static absl::StatusOr<std::unique_ptr<Mesh>> Create(
      std::shared_ptr<const model::Config> config, MeshOptions options,
      ResolverFactory make_resolver = nullptr);
  static Core& CoreOf(Mesh& mesh);
};

}  // namespace meshlib::mesh

#endif  // MESHLIB_MESH_CORE_H_

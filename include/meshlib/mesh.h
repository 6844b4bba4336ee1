#ifndef MESHLIB_MESH_H_
#define MESHLIB_MESH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "meshlib/clock.h"
#include "meshlib/cluster_totals.h"
#include "meshlib/export.h"
#include "meshlib/host_loop.h"
#include "meshlib/load_balancer.h"
#include "meshlib/target.h"

namespace meshlib {

namespace mesh {
class MeshFactory;
}  // namespace mesh

enum class LogLevel : uint8_t { kInfo, kWarning, kError };

struct MESHLIB_EXPORT MeshOptions {
  // A file (an Envoy bootstrap with static_resources, YAML or JSON) or a
  // directory of xDS resources.
  std::string config_path;
  // Instead of a path: the text of such a file.
  std::string config_text;

  // Borrowed; must outlive the mesh. Null: SystemClock().
  Clock* clock = nullptr;

  // Starts every random decision. Unset: from the system.
  std::optional<uint64_t> seed;

  // Endpoints that carry localities but no priorities are ordered by their
  // distance from the node's locality: same sub-zone, zone, region, others.
  bool nearest_first = false;

  // How many threads at a time have counters and schedulers of their own;
  // others share one set and draw at random. 0: four times the processors,
  // at least 8.
  uint32_t thread_stripes = 0;

  // Control work (ejections, updates) runs on a thread of the mesh's own;
  // with false it runs in RunPending(), the mesh starts no thread, and
  // certificates are read once.
  bool own_thread = true;

  // Instead of both: the mesh runs on this loop of the application's, with what
  // own_thread false says of threads and certificates. Its Now() is the mesh's
  // clock: `clock` must be null. Borrowed: Create() is called on its thread,
  // and it must live until Shutdown() or the destructor has returned, and what
  // other threads called before. See docs/lifecycle.md.
  HostLoop* host_loop = nullptr;

  // How many threads do the I/O of clients (meshlib/http.h); they start with
  // the first client. 0, or own_thread false: it is done with the control work.
  uint32_t io_threads = 1;

  // Names of clusters of type STRICT_DNS and LOGICAL_DNS are looked up, those
  // that targets lead to. With false each name is a host of its own, and a
  // pick's address is "name:port".
  bool resolve_names = true;

  // Load-balancing policies of the application, by the name that
  // load_balancing_policy's typed_config names.
  std::vector<std::shared_ptr<LoadBalancerFactory>> load_balancers;

  // Called with a line of text, on any thread, also in the midst of the mesh's
  // control work: it must be thread-safe, should return soon, and must not
  // call the mesh. Null: nothing is logged.
  absl::AnyInvocable<void(LogLevel, std::string_view)> log;
};

// One service mesh: its configuration, its clusters and their state. Several
// may live in one process. Thread-safe.
class MESHLIB_EXPORT Mesh {
 public:
  // Loads the configuration. InvalidArgument lists every problem with its
  // file, line and path.
  static absl::StatusOr<std::unique_ptr<Mesh>> Create(MeshOptions options);

  // Shutdown() without a wait for calls. Targets and clients may live on; they
  // answer as after it.
  ~Mesh();
  Mesh(const Mesh&) = delete;
  Mesh& operator=(const Mesh&) = delete;

  // Gives the target of an authority: "cluster:NAME" names a cluster
  // outright; else the API listener of exactly that name; else the listener
  // of the authority's port (80 without one) whose routes know the host; else
  // the only listener that has routes. "tcp://NAME:PORT" is for connections:
  // the listener with a TCP proxy that has this name, or this address, or is
  // the only one of the port (meshlib/tcp.h). NotFound says what was tried;
  // several candidates are FailedPrecondition and are listed.
  absl::StatusOr<Target> Resolve(std::string_view authority);

  // Waits until the target could pick. DeadlineExceeded gives the reason why
  // not. Blocks the calling thread.
  absl::Status WaitReady(const Target& target, absl::Time deadline);

  // What became of the requests to a cluster, whoever sent them. NotFound:
  // there is none of that name, or no target leads to it.
  absl::StatusOr<ClusterTotals> Totals(std::string_view cluster) const;

  // Loads the path again. On an error the configuration in use stays.
  absl::Status Reload();
  // The same with a text instead of a file.
  absl::Status ReloadText(std::string_view text);

  // With own_thread false: does the control work and the I/O of clients that is
  // due now, callbacks included, on the calling thread (one at a time), and
  // gives the time of the next one (absl::InfiniteFuture() if none, and within
  // a callback, where it does nothing). With a host_loop that does it.
  absl::Time RunPending();
  // For a host's own loop (poll, epoll): call RunPending() when this descriptor
  // is readable, and at the time that it gave. Borrowed; valid until the mesh
  // is destroyed; -1 in the child of a fork, and with a host_loop.
  int PollDescriptor() const;

  // Ends the mesh. From now on new calls are FailedPrecondition, new targets
  // too, and first picks fail with kShutdown. Calls in flight (of clients,
  // callbacks included) may go on until `deadline`, with their retries; then
  // they end with FailedPrecondition, and every pick fails. When it returns
  // every callback has been called and is over, and no thread of the mesh
  // exists, so it waits for callbacks that block. Open tokens are not waited
  // for, and may be reported after it. With own_thread false it does the work
  // of RunPending() meanwhile. With a host_loop it does that loop's work for
  // the mesh, or on another thread waits for the loop to do it: who calls it
  // there must not be waited for by the loop's thread.
  //
  // May be called again, and by several threads at once: the earliest deadline
  // counts, and each returns when all is over. Within a callback of the mesh it
  // does not wait, whatever the deadline: calls in flight will be ended soon,
  // and the threads are joined by a Shutdown() or destructor outside of
  // callbacks. If what goes last (the mesh, its clients, targets and calls)
  // goes within a callback, the thread it runs on ends the others and itself
  // soon after it.
  void Shutdown(absl::Time deadline = absl::InfinitePast());
  void Shutdown(absl::Duration grace);

  // After a fork() the child's copy of a mesh is of no use: its threads are
  // not there, and its connections are the parent's. Everything answers
  // FailedPrecondition at once (picks: kForked), and touches nothing of the
  // parent's; destroying the copy gives back no memory. Whoever forks within a
  // callback must go on to exec or _exit. This
  // function closes what the copy inherited.
  //
  // Gives a new mesh made with the same options, mostly for such a child: from
  // the file as it is now, or the text that Create() got. Without a seed in the
  // options it draws one of its own. `clock` and `log` are shared with the old
  // one. Kernels before Linux 4.14 cannot tell a child.
  absl::StatusOr<std::unique_ptr<Mesh>> RestartAfterFork();

 private:
  friend class mesh::MeshFactory;
  explicit Mesh(std::shared_ptr<mesh::Core> core);

  std::shared_ptr<mesh::Core> core_;
};

}  // namespace meshlib

#endif  // MESHLIB_MESH_H_

#ifndef MESHLIB_MESHCTL_OPEN_MESH_H_
#define MESHLIB_MESHCTL_OPEN_MESH_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lb/balancer.h"
#include "meshlib/mesh.h"
#include "meshlib/target.h"
#include "meshlib/testing/fake_clock.h"
#include "model/config.h"

namespace meshlib::meshctl {

// A mesh on virtual time, without a thread of its own, with what it was made
// of. Movable.
struct OpenMesh {
  std::string path;  // for messages
  std::unique_ptr<testing::FakeClock> clock;
  std::shared_ptr<const model::Config> config;
  std::unique_ptr<Mesh> mesh;  // last: it borrows the clock
};

// Loads a file or a directory. Warnings go to `log`; on errors all problems
// go there, and the status counts them.
absl::StatusOr<std::shared_ptr<const model::Config>> LoadConfig(
    const std::string& path, std::ostream& log);

// `path` names the configuration in messages. Warnings of the mesh go to
// `log`, which must outlive it.
absl::StatusOr<OpenMesh> Open(std::string path,
                              std::shared_ptr<const model::Config> config,
                              uint64_t seed, bool nearest_first,
                              std::ostream& log);

// Mesh::Resolve, whose error names authorities that look like this one.
absl::StatusOr<Target> ResolveAuthority(const OpenMesh& open,
                                        std::string_view authority);

// Tells `log` if no virtual host takes the requests, and which look alike.
void WarnOfUnknownHost(const OpenMesh& open, std::string_view authority,
                       const Explanation& found, std::ostream& log);

// The balancer of a cluster's present version; null if there is no such
// cluster.
std::shared_ptr<const lb::Balancer> BalancerOf(const OpenMesh& open,
                                               std::string_view cluster);

// The clusters that a request of this kind could be sent to, whatever the
// random draws of routing give, in the order of the configuration: members of
// weighted and aggregate clusters are listed one by one.
std::vector<std::string> ReachableClusters(const OpenMesh& open,
                                           const Target& target,
                                           const Request& request);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_OPEN_MESH_H_

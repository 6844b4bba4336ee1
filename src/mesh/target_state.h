#ifndef MESHLIB_MESH_TARGET_STATE_H_
#define MESHLIB_MESH_TARGET_STATE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "mesh/core.h"
#include "meshlib/target.h"

namespace meshlib {

// What the copies of a Target share. Immutable.
struct Target::State {
  State(std::shared_ptr<mesh::Core> owner, std::string name, uint32_t target)
      : core(std::move(owner)), authority(std::move(name)), id(target) {
    host = authority;
    for (const std::string_view scheme : {"xds:///", "tcp://"}) {
      if (authority.rfind(scheme, 0) == 0) {
        host = authority.substr(scheme.size());
      }
    }
  }
  ~State();

  const std::shared_ptr<mesh::Core> core;
  const std::string authority;  // as given to Resolve()
  std::string host;             // the same without "xds:///" or "tcp://"
  const uint32_t id;            // in Snapshot::targets
};

namespace mesh {

// For the layers above that carry out attempts themselves.
class TargetAccess {
 public:
  static const std::shared_ptr<Core>& CoreOf(const Target& target) {
    return target.state_->core;
  }
  static Target Make(const std::shared_ptr<Core>& core,
                     std::string_view authority, uint32_t id) {
    return Target(
        std::make_shared<Target::State>(core, std::string(authority), id));
  }
  static uint32_t IdOf(const Target& target) { return target.state_->id; }
  // The authority without "xds:///" or "tcp://".
  static const std::string& HostOf(const Target& target) {
    return target.state_->host;
  }
};

}  // namespace mesh
}  // namespace meshlib

#endif  // MESHLIB_MESH_TARGET_STATE_H_

#ifndef MESHLIB_MESH_TARGET_STATE_H_
#define MESHLIB_MESH_TARGET_STATE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "mesh/core.h"
#include "meshlib/target.h"

namespace meshlib {

// What the copies of a Target share. Immutable.
struct Target::State {
  State(std::shared_ptr<mesh::Core> owner, std::string name, uint32_t target)
      : core(std::move(owner)), authority(std::move(name)), id(target) {
    constexpr std::string_view kXdsScheme = "xds:///";
    host = authority.rfind(kXdsScheme, 0) == 0
               ? authority.substr(kXdsScheme.size())
               : authority;
  }
  ~State();

  const std::shared_ptr<mesh::Core> core;
  const std::string authority;  // as given to Resolve()
  std::string host;             // the same without "xds:///"
  const uint32_t id;            // in Snapshot::targets
};

namespace mesh {

// For the layers above that carry out attempts themselves.
class TargetAccess {
 public:
  static uint32_t IdOf(const Target& target) { return target.state_->id; }
  // The authority without "xds:///".
  static const std::string& HostOf(const Target& target) {
    return target.state_->host;
  }
};

}  // namespace mesh
}  // namespace meshlib

#endif  // MESHLIB_MESH_TARGET_STATE_H_

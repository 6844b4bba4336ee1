#include "mesh/gate.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <new>

namespace meshlib::mesh {
namespace {

size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

Gate::Gate() {
  void* const page = mmap(nullptr, PageSize(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  // An older kernel refuses: children are then not told apart.
  madvise(page, PageSize(), MADV_WIPEONFORK);
  state_ = new (page) std::atomic<uint8_t>(kOpen);
}

Gate::~Gate() {
  if (state_ != nullptr) munmap(state_, PageSize());
}

absl::Status Gate::status() const {
  if (state_ != nullptr) return absl::OkStatus();
  return absl::ResourceExhaustedError("no memory for a page");
}

absl::Status Gate::Check() const {
  switch (state()) {
    case kOpen:
      return absl::OkStatus();
    case kForked:
      return absl::FailedPreconditionError(
          "the process was forked: the mesh is its parent's "
          "(Mesh::RestartAfterFork() makes another)");
    case kClosed:
      break;
  }
  return absl::FailedPreconditionError("the mesh is shut down");
}

}  // namespace meshlib::mesh

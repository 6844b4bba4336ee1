#ifndef MESHLIB_CLIENT_CALLBACKS_H_
#define MESHLIB_CLIENT_CALLBACKS_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "mesh/core.h"
#include "mesh/transport.h"

namespace meshlib::client {

// Runs a function of the application. What it throws is logged, and costs
// nobody else.
void RunCallback(mesh::Core& core, absl::FunctionRef<void()> callback);

// What a call that blocks gets where it must not: in a callback, or after a
// fork(). `transport` is the core's.
absl::Status MayBlock(const mesh::Core& core, const mesh::Transport& transport);

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_CALLBACKS_H_

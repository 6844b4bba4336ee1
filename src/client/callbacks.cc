#include "client/callbacks.h"

#include "absl/strings/str_cat.h"
#include "base/no_throw.h"

namespace meshlib::client {

void RunCallback(mesh::Core& core, absl::FunctionRef<void()> callback) {
  const absl::Status thrown = base::NoThrow([&] {
    callback();
    return absl::OkStatus();
  });
  if (thrown.ok()) return;
  core.Log(LogLevel::kError,
           absl::StrCat("the callback of a call threw: ", thrown.message()));
}

absl::Status MayBlock(const mesh::Core& core,
                      const mesh::Transport& transport) {
  const mesh::Gate& gate = core.gate();
  if (gate.forked()) return gate.Check();
  if (!transport.OnIoThread()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "a blocking call from a callback would wait for its own thread");
}

}  // namespace meshlib::client

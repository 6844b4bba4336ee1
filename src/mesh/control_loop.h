#ifndef MESHLIB_MESH_CONTROL_LOOP_H_
#define MESHLIB_MESH_CONTROL_LOOP_H_

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "event/epoll_loop.h"
#include "event/hosted_loop.h"
#include "event/io_loop.h"
#include "meshlib/clock.h"
#include "meshlib/host_loop.h"

namespace meshlib::mesh {

// The loop of a mesh's control work: an EpollLoop, on a thread of its own or
// driven by the application, or a HostedLoop on the application's. What they
// have in common means what it means there.
class ControlLoop {
 public:
  // With a `host` on its thread. Both are borrowed.
  static absl::StatusOr<std::unique_ptr<ControlLoop>> Create(Clock* clock,
                                                             HostLoop* host);

  event::IoLoop& io() { return *io_; }
  // What the host's loop says; null: what Create() got.
  Clock* clock() { return hosted_ == nullptr ? nullptr : hosted_->clock(); }
  bool hosted() const { return hosted_ != nullptr; }
  bool OnHost() const { return hosted_ != nullptr && hosted_->OnHost(); }
  bool InWork() const {
    return hosted_ != nullptr ? hosted_->InWork() : epoll_->InWork();
  }
  // The loop whose own thread this is; null: it is not.
  event::EpollLoop* OwnLoop() const {
    return epoll_ != nullptr && epoll_->OnOwnThread() ? epoll_.get() : nullptr;
  }

  // Runs `task` as a piece of the loop's work: an EpollLoop's on the calling
  // thread, a host's on the host's, which is waited for.
  template <typename F>
  auto RunNow(F&& task) {
    using Result = decltype(task());
    if (epoll_ != nullptr) return epoll_->RunNow(std::forward<F>(task));
    if (Direct()) return hosted_->RunNow(std::forward<F>(task));
    if constexpr (std::is_void_v<Result>) {
      RunOnHost(task);
    } else {
      std::optional<Result> result;
      RunOnHost([&] { result.emplace(task()); });
      return *std::move(result);
    }
  }
  // Not in the loop's work, and of a host's loop on its thread only.
  void RunOnce(absl::Duration longest);

  // Of an EpollLoop; with a host's there is nothing to do or to watch.
  absl::Time RunReady();
  int PollDescriptor() const;
  absl::Status Start(std::string name);

  // Ends it, not in its work; drops what has not run. A host's loop is not used
  // after it.
  void Stop();
  // The same of a host's loop, on its thread, within its work or not. `task`
  // is run, or dropped, by the host once that is over.
  void EndHosted(absl::AnyInvocable<void()> task);
  void CloseInherited();

 private:
  explicit ControlLoop(HostLoop* host) : host_(host) {}

  // Whether the calling thread may do the host's loop's work by itself.
  bool Direct() const {
    return hosted_->OnHost() || hosted_->InWork() || hosted_->ended();
  }
  void RunOnHost(absl::FunctionRef<void()> task);

  HostLoop* const host_;
  std::unique_ptr<event::EpollLoop> epoll_;  // one of the two
  std::unique_ptr<event::HostedLoop> hosted_;
  event::IoLoop* io_ = nullptr;
};

}  // namespace meshlib::mesh

#endif  // MESHLIB_MESH_CONTROL_LOOP_H_

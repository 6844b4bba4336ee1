#include "mesh/control_loop.h"

#include <exception>

#include "base/mutex.h"

namespace meshlib::mesh {
namespace {

// Lets one thread wait until another has run something or dropped it.
class Waiter {
 public:
  enum State : uint8_t { kOpen, kRun, kDropped };

  void Set(State state) {
    const base::MutexLock lock(mutex_);
    if (state_ == kOpen) state_ = state;
    changed_.NotifyAll();
  }
  State Wait() {
    const base::MutexLock lock(mutex_);
    while (state_ == kOpen) changed_.Wait(mutex_);
    return state_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  State state_ MESHLIB_GUARDED_BY(mutex_) = kOpen;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ControlLoop>> ControlLoop::Create(
    Clock* clock, HostLoop* host) {
  std::unique_ptr<ControlLoop> out(new ControlLoop(host));
  if (host != nullptr) {
    auto hosted = event::HostedLoop::Create(host);
    if (!hosted.ok()) return hosted.status();
    out->hosted_ = *std::move(hosted);
    out->io_ = out->hosted_.get();
    return out;
  }
  auto epoll = event::EpollLoop::Create(clock);
  if (!epoll.ok()) return epoll.status();
  out->epoll_ = *std::move(epoll);
  out->io_ = out->epoll_.get();
  return out;
}

void ControlLoop::RunOnce(absl::Duration longest) {
  if (hosted_ != nullptr) return hosted_->RunOnce(longest);
  epoll_->RunOnce(longest);
}

absl::Time ControlLoop::RunReady() {
  return hosted_ != nullptr ? absl::InfiniteFuture() : epoll_->RunReady();
}

int ControlLoop::PollDescriptor() const {
  return hosted_ != nullptr ? -1 : epoll_->PollDescriptor();
}

absl::Status ControlLoop::Start(std::string name) {
  return hosted_ != nullptr ? absl::OkStatus() : epoll_->Start(std::move(name));
}

void ControlLoop::RunOnHost(absl::FunctionRef<void()> task) {
  // The host drops what it was given when its loop ends.
  struct Dropped {
    explicit Dropped(std::shared_ptr<Waiter> to) : waiter(std::move(to)) {}
    Dropped(Dropped&&) = default;
    Dropped& operator=(Dropped&&) = delete;
    ~Dropped() {
      if (waiter != nullptr) waiter->Set(Waiter::kDropped);
    }
    std::shared_ptr<Waiter> waiter;
  };
  const auto waiter = std::make_shared<Waiter>();
  std::exception_ptr thrown;
  hosted_->Post([&task, &thrown, waiter, guard = Dropped(waiter)] {
    try {
      task();
    } catch (...) {
      thrown = std::current_exception();
    }
    waiter->Set(Waiter::kRun);
  });
  // Ended meanwhile: any thread may.
  if (waiter->Wait() == Waiter::kDropped) return hosted_->RunNow(task);
  if (thrown != nullptr) std::rethrow_exception(thrown);
}

void ControlLoop::Stop() {
  if (epoll_ != nullptr) return epoll_->Stop();
  RunNow([this] { hosted_->End(); });
}

void ControlLoop::EndHosted(absl::AnyInvocable<void()> task) {
  hosted_->End();
  host_->Post(std::move(task));
}

void ControlLoop::CloseInherited() {
  if (hosted_ != nullptr) return hosted_->CloseInherited();
  epoll_->CloseInherited();
}

}  // namespace meshlib::mesh

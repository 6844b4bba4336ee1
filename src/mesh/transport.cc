#include "mesh/transport.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace meshlib::mesh {

absl::StatusOr<std::unique_ptr<Transport>> Transport::Create(
    Clock* clock, size_t threads, ControlLoop* control) {
  std::unique_ptr<Transport> out(new Transport);
  out->control_ = control;
  std::vector<event::IoLoop*> loops;
  for (size_t i = 0; i < threads; ++i) {
    auto loop = event::EpollLoop::Create(clock);
    if (!loop.ok()) return loop.status();
    loops.push_back(loop->get());
    out->loops_.push_back(*std::move(loop));
  }
  if (loops.empty()) loops.push_back(&control->io());
  for (event::IoLoop* const loop : loops) {
    out->networks_.push_back(std::make_unique<net::SocketNetwork>(loop));
    out->ios_.push_back(
        std::make_unique<net::ClientIo>(loop, out->networks_.back().get()));
    out->wheels_.push_back(std::make_shared<event::TimerWheel>(loop));
  }
  for (size_t i = 0; i < threads; ++i) {
    const absl::Status started =
        out->loops_[i]->Start(absl::StrCat("mesh-io-", i));
    if (!started.ok()) return started;
  }
  return out;
}

Transport::~Transport() { Shutdown(); }

void Transport::CloseAll(bool later) {
  for (size_t i = 0; i < ios_.size(); ++i) {
    net::ClientIo* const io = ios_[i].get();
    const auto close = [io] { io->Shutdown(); };
    if (later) {
      io->loop().Post(close);
    } else if (loops_.empty()) {
      control_->RunNow(close);
    } else {
      loops_[i]->RunNow(close);
    }
  }
}

void Transport::Shutdown() {
  CloseAll(false);
  for (const auto& loop : loops_) loop->Stop();
}

void Transport::CloseInherited() {
  for (const auto& loop : loops_) loop->CloseInherited();
}

bool Transport::OnIoThread() const {
  return OwnLoop() != nullptr || control_->OwnLoop() != nullptr ||
         control_->InWork();
}

event::EpollLoop* Transport::OwnLoop() const {
  for (const auto& loop : loops_) {
    if (loop->OnOwnThread()) return loop.get();
  }
  return nullptr;
}

net::HostPool& Transport::PoolOf(const model::Host& host,
                                 const Upstream& upstream) {
  std::atomic<model::HostConnections*>& place =
      host.state().EnsureExtras().pool;
  // Acquire pairs with the release below.
  model::HostConnections* pool = place.load(std::memory_order_acquire);
  if (pool == nullptr) {
    auto made = std::make_unique<net::HostPool>(ios_, upstream.breakers());
    if (place.compare_exchange_strong(pool, made.get(),
                                      std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      pool = made.release();
    }
  }
  return static_cast<net::HostPool&>(*pool);
}

}  // namespace meshlib::mesh

#include "mesh/transport.h"

#include <utility>

namespace meshlib::mesh {

absl::StatusOr<std::unique_ptr<Transport>> Transport::Create(
    Clock* clock, size_t threads, event::EpollLoop* control) {
  std::unique_ptr<Transport> out(new Transport);
  out->control_ = control;
  std::vector<event::EpollLoop*> loops;
  for (size_t i = 0; i < threads; ++i) {
    auto loop = event::EpollLoop::Create(clock);
    if (!loop.ok()) return loop.status();
    loops.push_back(loop->get());
    out->loops_.push_back(*std::move(loop));
  }
  if (loops.empty()) loops.push_back(control);
  for (event::EpollLoop* const loop : loops) {
    out->networks_.push_back(std::make_unique<net::SocketNetwork>(loop));
    out->ios_.push_back(
        std::make_unique<net::ClientIo>(loop, out->networks_.back().get()));
    out->wheels_.push_back(std::make_shared<event::TimerWheel>(loop));
  }
  for (const auto& loop : out->loops_) {
    const absl::Status started = loop->Start();
    if (!started.ok()) return started;
  }
  return out;
}

Transport::~Transport() { Shutdown(); }

void Transport::Shutdown() {
  for (size_t i = 0; i < ios_.size(); ++i) {
    event::EpollLoop& loop = loops_.empty() ? *control_ : *loops_[i];
    loop.RunNow([&] { ios_[i]->Shutdown(); });
  }
  for (const auto& loop : loops_) loop->Stop();
}

bool Transport::OnIoThread() const {
  for (const auto& loop : loops_) {
    if (loop->OnOwnThread()) return true;
  }
  return control_->OnOwnThread();
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

#ifndef MESHLIB_MESH_TRANSPORT_H_
#define MESHLIB_MESH_TRANSPORT_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "event/epoll_loop.h"
#include "event/timer_wheel.h"
#include "mesh/control_loop.h"
#include "mesh/upstream.h"
#include "meshlib/clock.h"
#include "model/host.h"
#include "net/host_pool.h"
#include "net/socket_network.h"

namespace meshlib::mesh {

// The loops on which a mesh's clients do their I/O, and the pools of its
// hosts. Made when the first client is. Thread-safe.
class Transport {
 public:
  // With `threads` 0 everything happens on `control`, which is borrowed.
  static absl::StatusOr<std::unique_ptr<Transport>> Create(
      Clock* clock, size_t threads, ControlLoop* control);
  ~Transport();

  size_t size() const { return ios_.size(); }
  net::ClientIo& io(size_t index) { return *ios_[index]; }
  // Of the loop of that number.
  const std::shared_ptr<event::TimerWheel>& wheel(size_t index) const {
    return wheels_[index];
  }

  // Whether the calling thread does I/O for others: it must not wait for any.
  bool OnIoThread() const;
  // The loop whose thread this is; null: it is none of these.
  event::EpollLoop* OwnLoop() const;

  // The pool of a host. The host must be pinned, or in a read section.
  net::HostPool& PoolOf(const model::Host& host, const Upstream& upstream);

  // Closes the connections and fails what runs and waits, from now on too;
  // with `later`, soon, on the loops.
  void CloseAll(bool later);
  // As EpollLoop::CloseInherited(), of all loops but `control`.
  void CloseInherited();
  // CloseAll(), and ends the threads.
  void Shutdown();

 private:
  Transport() = default;

  // Own loops, and their threads; empty: the control loop is used.
  std::vector<std::unique_ptr<event::EpollLoop>> loops_;
  ControlLoop* control_ = nullptr;
  std::vector<std::unique_ptr<net::SocketNetwork>> networks_;
  std::vector<std::unique_ptr<net::ClientIo>> ios_;
  std::vector<std::shared_ptr<event::TimerWheel>> wheels_;
};

}  // namespace meshlib::mesh

#endif  // MESHLIB_MESH_TRANSPORT_H_

#ifndef MESHLIB_TESTING_BACKEND_CORE_H_
#define MESHLIB_TESTING_BACKEND_CORE_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "event/loop.h"
#include "meshlib/testing/backend.h"
#include "net/server_stream.h"

namespace meshlib::testing {

class BackendExchange;

// What the requests of one backend share. Belongs to the backend's loop, but
// for the waiting.
class BackendCore final : public net::ServerHandlerFactory {
 public:
  explicit BackendCore(event::Loop* loop) : loop_(loop) {}

  std::unique_ptr<net::ServerHandler> NewRequest(
      net::ServerStream& stream) override;
  void OnConnections(size_t open) override { Changed(); }

  // The answer to a request, its headers heard.
  BackendAnswer Choose(const BackendRequest& request);

  void AddStalled(BackendExchange* exchange) { stalled_.push_back(exchange); }
  void RemoveStalled(BackendExchange* exchange);
  void Release();

  // Something that one may wait for has happened.
  void Changed();
  // Thread-safe. Waits until generation() is another one, or for `longest`.
  uint64_t generation();
  void WaitForChange(uint64_t generation, absl::Duration longest);

  event::Loop& loop() { return *loop_; }

  std::string address;
  BackendAnswer answer;
  std::deque<BackendAnswer> script;
  Backend::Responder responder;
  std::vector<Backend::Filter> filters;
  BackendCounts counts;  // as far as exchanges know them
  std::shared_ptr<BackendRequest> last;

 private:
  event::Loop* const loop_;
  std::vector<BackendExchange*> stalled_;

  base::Mutex mutex_;
  base::CondVar changed_;
  uint64_t generation_ MESHLIB_GUARDED_BY(mutex_) = 0;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_BACKEND_CORE_H_

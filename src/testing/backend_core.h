#ifndef MESHLIB_TESTING_BACKEND_CORE_H_
#define MESHLIB_TESTING_BACKEND_CORE_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "event/loop.h"
#include "meshlib/testing/backend.h"
#include "net/server_stream.h"
#include "testing/changes.h"

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
  // Something that one may wait for has happened.
  void Changed() { changes.Happened(); }

  // The answer to a request, its headers heard.
  BackendAnswer Choose(const BackendRequest& request);

  void AddStalled(BackendExchange* exchange) { stalled_.push_back(exchange); }
  void RemoveStalled(BackendExchange* exchange);
  void Release();

  event::Loop& loop() { return *loop_; }

  std::string address;
  BackendAnswer answer;
  std::deque<BackendAnswer> script;
  Backend::Responder responder;
  std::vector<Backend::Filter> filters;
  BackendCounts counts;  // as far as exchanges know them
  std::shared_ptr<BackendRequest> last;
  Changes changes;  // thread-safe

 private:
  event::Loop* const loop_;
  std::vector<BackendExchange*> stalled_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_BACKEND_CORE_H_

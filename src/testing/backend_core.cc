#include "testing/backend_core.h"

#include <algorithm>
#include <utility>

#include "testing/backend_answer.h"
#include "testing/backend_exchange.h"

namespace meshlib::testing {

std::unique_ptr<net::ServerHandler> BackendCore::NewRequest(
    net::ServerStream&) {
  return std::make_unique<BackendExchange>(*this);
}

BackendAnswer BackendCore::Choose(const BackendRequest& request) {
  BackendAnswer chosen;
  if (!script.empty()) {
    chosen = std::move(script.front());
    script.pop_front();
  } else if (responder) {
    chosen = responder(request);
  } else {
    chosen = answer;
  }
  ApplyHeaders(request, chosen);
  for (Backend::Filter& filter : filters) filter(request, chosen);
  return chosen;
}

void BackendCore::RemoveStalled(BackendExchange* exchange) {
  stalled_.erase(std::remove(stalled_.begin(), stalled_.end(), exchange),
                 stalled_.end());
}

void BackendCore::Release() {
  for (BackendExchange* exchange : std::exchange(stalled_, {})) {
    exchange->Release();
  }
}

}  // namespace meshlib::testing

#include "model/listener.h"

#include <utility>

namespace meshlib::model {

std::shared_ptr<const Listener> WithSecrets(
    std::shared_ptr<const Listener> listener,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets) {
  std::shared_ptr<Listener> changed;
  for (size_t i = 0; i < listener->filter_chains.size(); ++i) {
    const auto& tls = listener->filter_chains[i].tls;
    auto resolved = WithSecrets(tls, secrets);
    if (resolved == tls) continue;
    if (changed == nullptr) changed = std::make_shared<Listener>(*listener);
    changed->filter_chains[i].tls = std::move(resolved);
  }
  return changed == nullptr ? listener : changed;
}

}  // namespace meshlib::model

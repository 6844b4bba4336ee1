// An application's own load-balancing policy: one pick in ten goes to a host
// that is marked as a canary, the others take turns among the rest.
//
//   custom_load_balancer custom_load_balancer.yaml

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "meshlib/load_balancer.h"
#include "meshlib/mesh.h"

namespace {

using meshlib::LoadBalancer;
using meshlib::LoadBalancerContext;
using meshlib::LoadBalancerFactory;
using meshlib::LoadBalancerHosts;

// Immutable: what changes from pick to pick is in the State, of which every
// thread has its own.
class Canary final : public LoadBalancer {
 public:
  Canary(const LoadBalancerHosts& hosts, uint64_t every) : every_(every) {
    for (size_t i = 0; i < hosts.size(); ++i) {
      const auto stage = hosts.MetadataString(i, "envoy.lb", "stage");
      (stage == "canary" ? canaries_ : others_).push_back(i);
    }
    // A set of one kind only is shared evenly.
    if (canaries_.empty()) canaries_ = others_;
    if (others_.empty()) others_ = canaries_;
  }

  std::unique_ptr<State> NewState(uint64_t seed) const override {
    return std::make_unique<Turn>(seed);
  }

  size_t Pick(State* state, const LoadBalancerContext& context) const override {
    const uint64_t turn =
        state != nullptr ? static_cast<Turn*>(state)->next++ : context.random;
    const uint64_t round = turn / every_;
    if (turn % every_ == 0) return canaries_[round % canaries_.size()];
    return others_[(turn - round) % others_.size()];
  }

 private:
  struct Turn final : State {
    explicit Turn(uint64_t seed) : next(seed % 1000) {}
    uint64_t next;
  };

  const uint64_t every_;
  std::vector<size_t> canaries_;
  std::vector<size_t> others_;
};

class CanaryFactory final : public LoadBalancerFactory {
 public:
  std::string_view name() const override { return "example.Canary"; }

  absl::StatusOr<std::shared_ptr<const LoadBalancer>> Create(
      const LoadBalancerHosts& hosts, std::string_view config) override {
    // A real one would read `config` with a JSON library.
    if (config.find("every") == std::string_view::npos) {
      return absl::InvalidArgumentError("example.Canary: every is not set");
    }
    return std::make_shared<const Canary>(hosts, 10);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: custom_load_balancer CONFIG\n";
    return 2;
  }
  meshlib::MeshOptions options;
  options.config_path = argv[1];
  options.load_balancers.push_back(std::make_shared<CanaryFactory>());
  const auto mesh = meshlib::Mesh::Create(std::move(options));
  if (!mesh.ok()) return std::cerr << mesh.status() << "\n", 1;
  const auto target = (*mesh)->Resolve("cluster:echo");
  if (!target.ok()) return std::cerr << target.status() << "\n", 1;

  std::map<std::string, int> picks;
  for (int i = 0; i < 1000; ++i) {
    meshlib::PickResult pick = target->Pick();
    if (!pick.ok()) return std::cerr << pick.status() << "\n", 1;
    ++picks[std::string(pick.address)];
    target->Report(pick.token, meshlib::Outcome::Ok());
  }
  for (const auto& [address, count] : picks) {
    std::cout << address << " " << count << "\n";
  }
  return 0;
}

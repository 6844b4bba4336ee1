#include "lb/custom_policy.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "model/metadata.h"
#include "model/metadata_json.h"

namespace meshlib {

LoadBalancerHosts::~LoadBalancerHosts() = default;
LoadBalancer::State::~State() = default;
LoadBalancer::~LoadBalancer() = default;
LoadBalancerFactory::~LoadBalancerFactory() = default;

std::unique_ptr<LoadBalancer::State> LoadBalancer::NewState(
    uint64_t seed) const {
  return nullptr;
}

}  // namespace meshlib

namespace meshlib::lb {
namespace {

class SourceHosts final : public LoadBalancerHosts {
 public:
  explicit SourceHosts(const HostSource& source) : source_(source) {}

  size_t size() const override { return source_.hosts.size(); }
  std::string_view address(size_t index) const override {
    return host(index).address();
  }
  std::string_view hostname(size_t index) const override {
    return host(index).hostname();
  }
  uint32_t weight(size_t index) const override {
    return source_.weights.empty() ? host(index).weight()
                                   : source_.weights[index];
  }
  std::string_view region(size_t index) const override {
    return host(index).locality().region;
  }
  std::string_view zone(size_t index) const override {
    return host(index).locality().zone;
  }
  std::string_view sub_zone(size_t index) const override {
    return host(index).locality().sub_zone;
  }
  std::optional<std::string_view> MetadataString(
      size_t index, std::string_view filter,
      std::string_view key) const override {
    const model::Metadata* metadata = host(index).metadata();
    if (metadata == nullptr) return std::nullopt;
    const model::Value* value = metadata->Find(filter, {key});
    if (value == nullptr || value->kind != model::Value::Kind::kString) {
      return std::nullopt;
    }
    return value->string;
  }
  std::string MetadataJson(size_t index) const override {
    const model::Metadata* metadata = host(index).metadata();
    return metadata == nullptr ? "{}" : model::MetadataJson(*metadata);
  }
  uint32_t active(size_t index) const override {
    return source_.active.Of(host(index));
  }

 private:
  const model::Host& host(size_t index) const { return *source_.hosts[index]; }

  const HostSource& source_;
};

const model::Host* PickWith(const HostSource& source,
                            LoadBalancer::State* state, base::Random& random,
                            const PickContext& context) {
  LoadBalancerContext custom;
  custom.hash = context.hash;
  custom.random = random.Next();
  custom.now_ns = context.now_ns;
  custom.attempt = context.attempt;
  const size_t index = source.custom.balancer->Pick(state, custom);
  // Whatever the application answers: never beyond the hosts.
  return index < source.hosts.size() ? source.hosts[index] : nullptr;
}

}  // namespace

void CustomPolicy::Prepare(const HostSource& source, uint64_t seed,
                           int64_t now_ns, SourceState* state) const {
  state->custom = source.custom.balancer->NewState(seed);
}

const model::Host* CustomPolicy::Pick(const HostSource& source,
                                      SourceState& state, base::Random& random,
                                      const PickContext& context) const {
  return PickWith(source, state.custom.get(), random, context);
}

const model::Host* CustomPolicy::PickStateless(
    const HostSource& source, base::Random& random,
    const PickContext& context) const {
  return PickWith(source, nullptr, random, context);
}

absl::StatusOr<CustomBalancer> MakeCustomBalancer(const HostSource& source,
                                                  LoadBalancerFactory& factory,
                                                  std::string_view config) {
  CustomBalancer result;
  result.hosts = std::make_unique<SourceHosts>(source);
  absl::StatusOr<std::shared_ptr<const LoadBalancer>> balancer =
      factory.Create(*result.hosts, config.empty() ? "{}" : config);
  if (!balancer.ok()) return balancer.status();
  if (*balancer == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "load balancing policy \"", base::ToAbsl(base::Excerpt(factory.name())),
        "\": its factory returned null"));
  }
  result.balancer = *std::move(balancer);
  return result;
}

}  // namespace meshlib::lb

#include "meshlib/target.h"

#include <algorithm>
#include <new>
#include <thread>
#include <utility>

#include "cluster/call.h"
#include "cluster/explain.h"
#include "mesh/target_state.h"

namespace meshlib {
namespace {

constexpr absl::Duration kLongestWait = absl::Milliseconds(50);

// Whether waiting for another configuration or recovery may help.
bool MayPass(PickFailure failure) {
  switch (failure) {
    case PickFailure::kNotReady:
    case PickFailure::kUnknownCluster:
    case PickFailure::kNoHosts:
    case PickFailure::kNoHealthyHost:
    case PickFailure::kPanic:
    case PickFailure::kOverflow:
    case PickFailure::kDelayed:
      return true;
    default:
      return false;
  }
}

}  // namespace

// Here, where each pick and report use it, a token's functions are inlined.
cluster::Call& PickToken::call() {
  return *std::launder(reinterpret_cast<cluster::Call*>(state_));
}
const cluster::Call& PickToken::call() const {
  return *std::launder(reinterpret_cast<const cluster::Call*>(state_));
}

PickToken::PickToken() noexcept {
  static_assert(sizeof(cluster::Call) <= kSize);
  static_assert(alignof(cluster::Call) <= 8);
  new (state_) cluster::Call;
}

PickToken::PickToken(PickToken&& other) noexcept {
  new (state_) cluster::Call(other.call());
  new (other.state_) cluster::Call;
}

PickToken& PickToken::operator=(PickToken&& other) noexcept {
  if (this == &other) return *this;
  call().Release();
  call() = other.call();
  new (other.state_) cluster::Call;
  return *this;
}

PickToken::~PickToken() { call().Release(); }

bool PickToken::open() const { return call().open(); }

// Fills the result of a pick: the application carries out the attempt.
class Target::PickAttempt final : public cluster::Attempt {
 public:
  explicit PickAttempt(PickResult& result) : result_(result) {}

  void Start(const cluster::AttemptPlan& plan) override {
    result_.address = plan.host->address_view();
    result_.hostname = plan.host->hostname_view();
    result_.cluster = plan.cluster->runtime().name();
    result_.expected_identities = plan.cluster->config().expected_identities;
    result_.metadata = EndpointMetadata(plan.host->metadata());
    if (plan.route != nullptr) {  // else there is no timeout
      result_.timeout = plan.timeout;
      result_.per_try_timeout = plan.per_try_timeout;
    }
    result_.attempt = plan.number;
  }
  void Fail(PickFailure reason) override { result_.failure = reason; }
  void Delayed(absl::Duration delay) override { result_.fault.delay = delay; }
  void Aborted(const resilience::FaultAnswer& answer,
               const Request& request) override {
    result_.fault.http_status = answer.http_status;
    const auto grpc_status = answer.GrpcStatusFor(request);
    if (grpc_status.has_value()) {
      result_.fault.grpc_status = static_cast<int>(*grpc_status);
    }
  }

 private:
  PickResult& result_;
};

Target::Target(std::shared_ptr<State> state) : state_(std::move(state)) {}
Target::Target(const Target&) = default;
Target& Target::operator=(const Target&) = default;
Target::Target(Target&&) noexcept = default;
Target& Target::operator=(Target&&) noexcept = default;
Target::~Target() = default;

Target::State::~State() { core->Unbind(id); }

const std::string& Target::authority() const { return state_->authority; }

void Target::PickInto(const Request& request, PickResult& result) const {
  const mesh::Gate::State gate = state_->core->gate().state();
  if (gate == mesh::Gate::kForked) {
    result.failure = PickFailure::kForked;
    return;
  }
  // While the mesh waits for its calls, those that have begun may be retried.
  if (gate == mesh::Gate::kClosed && result.token.call().attempts() == 0) {
    result.failure = PickFailure::kShutdown;
    return;
  }
  PickAttempt attempt(result);
  result.token.call().Next(state_->core->engine(), state_->id, request,
                           state_->host, attempt);
}

PickResult Target::Pick(const Request& request) const {
  PickResult result;
  PickInto(request, result);
  return result;
}

PickResult Target::Pick(const Request& request, PickToken previous) const {
  PickResult result;
  result.token = std::move(previous);
  PickInto(request, result);
  return result;
}

RetryDecision Target::Report(PickToken& token, const Outcome& outcome) const {
  if (state_->core->gate().forked()) {
    return {false, absl::ZeroDuration(), RetryDecision::Reason::kCancelled};
  }
  return token.call().End(outcome);
}

PickResult Target::WaitForPick(const Request& request,
                               absl::Time deadline) const {
  cluster::Engine& engine = state_->core->engine();
  uint64_t seen = 0;
  PickResult result = Pick(request);
  while (true) {
    if (result.ok() || !MayPass(result.failure)) return result;
    const absl::Duration left = deadline - engine.clock().Now();
    if (left <= absl::ZeroDuration()) return result;
    if (result.failure == PickFailure::kDelayed) {
      const absl::Duration delay = std::min(left, result.fault.delay);
      std::this_thread::sleep_for(absl::ToChronoNanoseconds(delay));
      if (delay < result.fault.delay) return result;
      result = Pick(request, std::move(result.token));
      continue;
    }
    // Bounded: room in a breaker, say, comes without a publication.
    mesh::Core& core = *state_->core;
    if (core.Drives() && !core.loop().InWork()) {
      core.Drive();
    } else {
      seen = engine.WaitForPublish(seen, std::min(left, kLongestWait));
    }
    result = Pick(request, std::move(result.token));
  }
}

Explanation Target::Explain(const Request& request) const {
  if (state_->core->gate().forked()) {
    Explanation out;
    out.failure = PickFailureName(PickFailure::kForked);
    return out;
  }
  return state_->core->loop().RunNow([&] {
    Request named = request;
    if (named.authority.empty()) named.authority = state_->host;
    return cluster::ExplainRequest(state_->core->engine(), state_->id, named);
  });
}

}  // namespace meshlib

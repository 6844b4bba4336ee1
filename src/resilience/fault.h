#ifndef MESHLIB_RESILIENCE_FAULT_H_
#define MESHLIB_RESILIENCE_FAULT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/random.h"
#include "meshlib/request.h"
#include "model/fault.h"
#include "model/matchers.h"
#include "model/runtime.h"

namespace meshlib::resilience {

// What the fault filters of the connection managers with one stat_prefix
// count together, as in Envoy. Thread-safe; only injected faults touch it.
struct FaultStats {
  std::atomic<int64_t> active{0};  // requests under way that met a fault
  std::atomic<uint64_t> aborts_injected{0};
  std::atomic<uint64_t> delays_injected{0};
  std::atomic<uint64_t> overflow{0};  // not injected: max_active_faults
};

// The status that gRPC makes of an HTTP status (gRPC's
// http-grpc-status-mapping, which Envoy follows): 503 is 14.
uint32_t GrpcStatusOfHttp(int http_status);

// How an aborted request is answered.
struct FaultAnswer {
  int http_status = 0;
  // Set: a gRPC status was asked for, http_status is 200.
  std::optional<uint32_t> grpc_status;
  std::string_view body;  // of the CompiledFault

  // What a gRPC call is told; nothing for what is none and asks for none.
  std::optional<uint32_t> GrpcStatusFor(const Request& request) const;
};

// The settings of a fault filter (Envoy's HTTPFault) in the form that requests
// meet. Decides as Envoy's filter does: percentages, header control, runtime
// keys, with those of x-envoy-downstream-service-cluster. Immutable; any
// number of threads.
class CompiledFault {
 public:
  CompiledFault(std::shared_ptr<const model::Fault> config,
                std::shared_ptr<const model::Runtime> runtime);

  const model::Fault& config() const { return *config_; }

  // Whether it could inject anything.
  bool active() const {
    return config_->delay.has_value() || config_->abort.has_value();
  }

  // Whether it is for that request. `cluster`: where it is routed; empty:
  // nowhere.
  bool Matches(const Request& request, std::string_view cluster) const;

  // How long the request is to wait; zero: not at all. Draws from `random`
  // where chance decides.
  absl::Duration Delay(const Request& request, base::Random& random) const;

  // What the request is to be answered with; nothing: it goes on.
  std::optional<FaultAnswer> Abort(const Request& request,
                                   base::Random& random) const;

  // The parts of such requests (0 to 1), and what they get.
  struct Chances {
    absl::Duration delay = absl::ZeroDuration();
    double delay_part = 0;
    FaultAnswer abort;
    double abort_part = 0;
  };
  Chances ChancesOf(const Request& request) const;

  // How many may be active; UINT64_MAX: any number.
  uint64_t max_active() const { return max_active_; }

 private:
  struct Part;  // numerator and denominator
  Part DelayPart(const Request& request) const;
  Part AbortPart(const Request& request) const;
  Part PartOf(const Request& request, const model::Fraction& percentage,
              std::string_view header, std::string_view cluster_key) const;
  absl::Duration DelayOf(const Request& request) const;
  std::optional<FaultAnswer> AnswerTo(const Request& request) const;
  uint64_t RuntimeInteger(const Request& request, const std::string& key,
                          std::string_view cluster_key, uint64_t value,
                          bool both) const;

  const std::shared_ptr<const model::Fault> config_;
  const std::shared_ptr<const model::Runtime> runtime_;
  const std::vector<model::CompiledHeaderMatcher> headers_;
  const uint64_t max_active_;
};

// What typed_per_filter_config says, in all, of one filter for one route.
struct FaultOverride {
  std::string filter;
  bool disabled = false;
  std::shared_ptr<const CompiledFault> fault;  // null: the filter's own holds
};

// The fault filters of a connection manager, in order.
struct FaultChain {
  struct Filter {
    std::string name;
    bool disabled = false;
    std::shared_ptr<const CompiledFault> fault;
  };
  std::vector<Filter> filters;
  FaultStats* stats = nullptr;  // borrowed

  // Whether one of them injects without an override.
  bool active() const;

  // What holds of filters[index]; null: it is disabled.
  const CompiledFault* At(size_t index,
                          const std::vector<FaultOverride>* overrides) const;
};

}  // namespace meshlib::resilience

#endif  // MESHLIB_RESILIENCE_FAULT_H_

#ifndef MESHLIB_RESILIENCE_OUTLIER_DETECTION_H_
#define MESHLIB_RESILIENCE_OUTLIER_DETECTION_H_

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "model/cluster.h"
#include "model/host.h"
#include "resilience/outlier_result.h"

namespace meshlib::resilience {

// Something that outlier detection found or did.
struct OutlierEvent {
  enum class Action : uint8_t {
    kEjected,
    kUnejected,
    kNotEnforced,  // detected; enforcing_... drew otherwise
    kOverflow,     // detected; max_ejection_percent is reached
  };

  uint32_t host = 0;  // Host::index()
  Action action = Action::kEjected;
  OutlierType type = OutlierType::kConsecutive5xx;  // kUnejected: why ejected
  absl::Time time;
  // How often the host has been ejected, this time included.
  uint32_t num_ejections = 0;
  // kEjected: how long for, at least; it ends at the first interval after.
  absl::Duration ejection_time;
  // The host's last ejection (kUnejected) or un-ejection (others) before.
  std::optional<absl::Time> last_action;
  // Success rate and failure percentage, in percent; -1: does not apply.
  double success_rate = -1;
  double average_success_rate = -1;
  double success_rate_threshold = -1;
};

// What a host did in the interval that ends now. Hosts without traffic may be
// left out.
struct HostSample {
  uint32_t host = 0;
  uint64_t success = 0;  // external origin
  uint64_t total = 0;
  uint64_t local_success = 0;  // split_external_local_origin_errors only
  uint64_t local_total = 0;
};

// Counts for statistics, by OutlierType.
struct OutlierStats {
  std::array<uint64_t, kOutlierTypes> detected{};
  std::array<uint64_t, kOutlierTypes> enforced{};
  uint64_t overflow = 0;
};

// The control thread's part of outlier detection for one cluster: who is
// ejected, for how long, and who must be. The formulas are those of Envoy's
// detector (docs: Outlier detection), the random draws, in this order, one
// for enforcing and one for the jitter of each ejection that the percentage
// allows. It publishes nothing: the caller takes the events and gives the
// hosts' health to load balancing.
//
// Not thread-safe: one control thread. The HostStates are borrowed from
// AddHost to RemoveHost; only their runs of failures are written.
class OutlierDetector {
 public:
  using Events = std::vector<OutlierEvent>;

  // The first interval ends `interval` after `now`.
  OutlierDetector(const model::OutlierDetection& config, uint64_t seed,
                  absl::Time now);
  OutlierDetector(const OutlierDetector&) = delete;
  OutlierDetector& operator=(const OutlierDetector&) = delete;

  const model::OutlierDetection& config() const { return config_; }

  // `index` is Host::index(), unused now.
  void AddHost(uint32_t index, model::HostState* state);
  // The host's ejection ends with it, without an event.
  void RemoveHost(uint32_t index);

  // The host goes on under another index, ejected or not: its Host object
  // was replaced by one that shares its state. Ignored if there is no host
  // `from`; `to` is unused.
  void MoveHost(uint32_t from, uint32_t to);

  bool IsEjected(uint32_t index) const {
    return index < hosts_.size() && hosts_[index].ejected;
  }
  uint32_t ejections_active() const { return ejections_active_; }
  uint32_t hosts() const { return host_count_; }

  // A run of failures reached its threshold (RecordResult said so). Unknown
  // and ejected hosts are ignored.
  void OnThreshold(uint32_t index, OutlierType type, absl::Time now,
                   Events& events);
  void OnThreshold(uint32_t index, const Thresholds& reached, absl::Time now,
                   Events& events);

  // The interval is over (at next_interval(), or later). In this order: ends
  // ejections whose time has passed, ejects by success rate and failure
  // percentage, and forgives.
  void OnInterval(absl::Time now, absl::Span<const HostSample> samples,
                  Events& events);
  absl::Time next_interval() const { return next_interval_; }

  // An active health check of the host succeeded.
  void OnHealthCheckSuccess(uint32_t index, absl::Time now, Events& events);

  // Another configuration starts over, as Envoy's new cluster does: all
  // ejections end and everything counted is forgotten. The same one changes
  // nothing.
  void SetConfig(const model::OutlierDetection& config, absl::Time now,
                 Events& events);

  // Ends all ejections; before outlier detection is switched off.
  void UnejectAll(absl::Time now, Events& events);

  const OutlierStats& stats() const { return stats_; }

 private:
  struct HostEntry {
    model::HostState* state = nullptr;  // null: no such host
    bool ejected = false;
    OutlierType reason = OutlierType::kConsecutive5xx;
    uint32_t num_ejections = 0;
    uint32_t backoff = 0;  // multiplies base_ejection_time
    absl::Duration jitter;
    absl::Time last_ejection;
    std::optional<absl::Time> last_unejection;
  };
  struct Rate {
    uint32_t host;
    double success;  // percent
  };

  HostEntry* Find(uint32_t index);
  absl::Duration EjectionTime(const HostEntry& host) const;
  uint32_t Enforcing(OutlierType type) const;
  bool MayEject() const;
  void Detect(OutlierEvent event, Events& events);
  void Uneject(uint32_t index, absl::Time now, Events& events);
  void EjectByRates(absl::Time now, absl::Span<const HostSample> samples,
                    bool local, Events& events);
  void EjectBySuccessRate(const std::vector<Rate>& rates, absl::Time now,
                          OutlierType type, Events& events);
  void EjectByFailurePercentage(const std::vector<Rate>& rates, absl::Time now,
                                OutlierType type, Events& events);
  void Forgive(absl::Time now);

  model::OutlierDetection config_;
  base::Random random_;
  absl::Time next_interval_;
  std::vector<HostEntry> hosts_;  // by Host::index()
  uint32_t host_count_ = 0;
  uint32_t ejections_active_ = 0;
  OutlierStats stats_;
};

}  // namespace meshlib::resilience

#endif  // MESHLIB_RESILIENCE_OUTLIER_DETECTION_H_

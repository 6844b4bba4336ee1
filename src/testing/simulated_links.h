#ifndef MESHLIB_TESTING_SIMULATED_LINKS_H_
#define MESHLIB_TESTING_SIMULATED_LINKS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "base/random.h"

namespace meshlib::testing {

// How packets fare between two endpoints, the same in both directions.
struct SimulatedLink {
  absl::Duration latency;  // one way
  absl::Duration jitter;   // up to so much more, uniformly
  // More than 0. Of one direction; all its connections share it.
  double bytes_per_second = std::numeric_limits<double>::infinity();
  double loss = 0;   // of a packet
  double reset = 0;  // a packet of data meets something that resets both ends
};

// Of one direction. Packets that were sent again count each time.
struct SimulatedLinkStats {
  uint64_t connects = 0;  // begun from here
  uint64_t refused = 0;   // of these
  uint64_t segments = 0;  // of data, with ends
  uint64_t bytes = 0;
  uint64_t lost = 0;    // packets: by chance, and because of a cut
  uint64_t resets = 0;  // sent, or made by SimulatedLink::reset

  SimulatedLinkStats& operator+=(const SimulatedLinkStats& other);
};

// All links of a simulated network. On the loop only.
class SimulatedLinks {
 public:
  // One direction of a link. Lives as long as the links.
  struct Way {
    std::string from;
    std::string to;
    std::optional<SimulatedLink> own;  // else the default
    bool cut = false;
    absl::Time busy_until = absl::InfinitePast();
    SimulatedLinkStats stats;
  };
  struct Fate {
    std::optional<absl::Time> arrival;  // nothing: lost on the way
    bool reset = false;                 // both ends, at its arrival
  };

  explicit SimulatedLinks(uint64_t seed) : random_(seed) {}

  Way& Between(std::string_view from, std::string_view to);
  // A packet with `bytes` of data sets out. Only data meets resets.
  Fate Send(Way& way, size_t bytes, bool data, absl::Time now);
  // When a packet that is never lost by chance arrives, if it is not cut off.
  std::optional<absl::Time> SendSurely(Way& way, absl::Time now);
  // Whether a packet comes out of the link now; counts it as lost if not.
  bool Arrives(Way& way);
  // Without what chance adds.
  absl::Duration Latency(const Way& way) const { return Of(way).latency; }

  void SetDefault(const SimulatedLink& link) { default_ = link; }
  void SetCut(std::string_view endpoint, bool cut);
  SimulatedLinkStats Stats(std::string_view from, std::string_view to) const;
  SimulatedLinkStats Total() const;

 private:
  const SimulatedLink& Of(const Way& way) const {
    return way.own.has_value() ? *way.own : default_;
  }
  bool IsCut(const Way& way) const;
  bool Draw(double probability);
  absl::Duration DrawLatency(const SimulatedLink& link);

  base::Random random_;
  SimulatedLink default_;
  std::map<std::pair<std::string, std::string>, Way> ways_;
  std::set<std::string, std::less<>> isolated_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_SIMULATED_LINKS_H_

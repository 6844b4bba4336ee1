#ifndef MESHLIB_MESHCTL_HOST_MATCH_H_
#define MESHLIB_MESHCTL_HOST_MATCH_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "model/locality.h"

namespace meshlib::meshctl {

// Whether `text` fits `pattern`, where '*' stands for any text, also none.
bool GlobMatches(std::string_view pattern, std::string_view text);

// One MATCH of --down, --refuse or --degrade: an address ("10.0.0.1:80",
// "10.0.*", "unix:/run/a.sock"), or "region/zone" or "region/zone/sub_zone"
// with a '*' anywhere in each part. A plain "*" is every host. A value.
class HostMatch {
 public:
  explicit HostMatch(std::string text);

  const std::string& text() const { return text_; }
  bool Matches(std::string_view address, const model::Locality& locality) const;

 private:
  std::string text_;
  std::vector<std::string> parts_;  // of a locality; empty: addresses only
};

std::vector<HostMatch> MakeMatches(const std::vector<std::string>& texts);
bool MatchesAny(const std::vector<HostMatch>& matches, std::string_view address,
                const model::Locality& locality);

// Of `matches` those that fit no endpoint of the configuration.
std::vector<std::string> Unmatched(const model::Config& config,
                                   const std::vector<HostMatch>& matches);

// The configuration with the endpoints that fit `down` made UNHEALTHY, and
// those that fit `degrade` made DEGRADED (but not healthier than they were).
// Shares what does not change.
std::shared_ptr<const model::Config> WithHealth(
    const std::shared_ptr<const model::Config>& config,
    const std::vector<HostMatch>& down, const std::vector<HostMatch>& degrade);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_HOST_MATCH_H_

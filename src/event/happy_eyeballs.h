#ifndef MESHLIB_EVENT_HAPPY_EYEBALLS_H_
#define MESHLIB_EVENT_HAPPY_EYEBALLS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace meshlib::event {

// As Envoy's UpstreamConnectionOptions.HappyEyeballsConfig.
struct HappyEyeballsOrder {
  enum class Family { kOfFirst, kV4, kV6 };
  Family first_address_family = Family::kOfFirst;
  uint32_t first_address_family_count = 1;  // 0 counts as 1
};

// The order in which to connect to the addresses of one host (RFC 8305,
// section 4): `first_address_family_count` of the first family, one other, and
// so on, each family in its own order. What is not an IP address counts as
// other.
std::vector<std::string> OrderForHappyEyeballs(
    absl::Span<const std::string> addresses,
    const HappyEyeballsOrder& order = {});

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_HAPPY_EYEBALLS_H_

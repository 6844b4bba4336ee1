#include "event/happy_eyeballs.h"

#include <algorithm>
#include <string_view>

namespace meshlib::event {
namespace {

enum class Kind { kV4, kV6, kNoIp };

Kind KindOf(std::string_view address) {
  if (!address.empty() && address.front() == '[') return Kind::kV6;
  return address.substr(0, 5) == "unix:" ? Kind::kNoIp : Kind::kV4;
}

Kind FirstKind(absl::Span<const std::string> addresses,
               const HappyEyeballsOrder& order) {
  switch (order.first_address_family) {
    case HappyEyeballsOrder::Family::kV4:
      return Kind::kV4;
    case HappyEyeballsOrder::Family::kV6:
      return Kind::kV6;
    case HappyEyeballsOrder::Family::kOfFirst:
      break;
  }
  return KindOf(addresses.front());
}

}  // namespace

std::vector<std::string> OrderForHappyEyeballs(
    absl::Span<const std::string> addresses, const HappyEyeballsOrder& order) {
  std::vector<std::string> out;
  if (addresses.empty()) return out;
  const Kind first_kind = FirstKind(addresses, order);
  std::vector<const std::string*> first;
  std::vector<const std::string*> others;
  for (const std::string& address : addresses) {
    (KindOf(address) == first_kind ? first : others).push_back(&address);
  }
  const size_t run = std::max(order.first_address_family_count, 1u);
  out.reserve(addresses.size());
  size_t from_first = 0;
  for (size_t i = 0; out.size() < addresses.size(); ++i) {
    const size_t end = std::min(first.size(), from_first + run);
    while (from_first < end) out.push_back(*first[from_first++]);
    if (i < others.size()) out.push_back(*others[i]);
  }
  return out;
}

}  // namespace meshlib::event

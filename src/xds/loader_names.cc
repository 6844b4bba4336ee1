#include "xds/loader_names.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::xds {

int EditDistance(std::string_view a, std::string_view b, int limit) {
  const auto longer = std::max(a.size(), b.size());
  const auto shorter = std::min(a.size(), b.size());
  if (longer - shorter > static_cast<size_t>(limit)) return limit + 1;
  // Three rows of the usual table.
  std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replace = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return std::min(above[b.size()], limit + 1);
}

std::string_view NearestName(std::string_view name,
                             absl::Span<const std::string_view> candidates) {
  // A name of a megabyte is no slip of the pen.
  if (name.size() < 2 || name.size() > 200) return {};
  const std::string lower = base::LowerAscii(name);
  int best = std::min(3, static_cast<int>(name.size()) / 3 + 1);
  std::string_view nearest;
  for (const std::string_view candidate : candidates) {
    const int distance = EditDistance(lower, base::LowerAscii(candidate), best);
    if (distance <= best) {
      nearest = candidate;
      best = distance - 1;
      if (best < 0) break;
    }
  }
  return nearest;
}

std::string DidYouMean(std::string_view name,
                       absl::Span<const std::string_view> candidates) {
  const std::string_view nearest = NearestName(name, candidates);
  if (nearest.empty()) return {};
  return absl::StrCat(" (did you mean ", base::ToAbsl(nearest), "?)");
}

std::string ToLowerCamel(std::string_view snake) {
  std::string out;
  bool upper = false;
  for (const char c : snake) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out.push_back(
        upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    upper = false;
  }
  return out;
}

}  // namespace meshlib::xds

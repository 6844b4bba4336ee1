#include "meshctl/names.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::meshctl {
namespace {

constexpr size_t kShown = 5;
constexpr size_t kNearShown = 3;
// Longer names are compared by their beginnings: a hint must stay cheap.
constexpr size_t kCompared = 200;
constexpr size_t kCandidates = 20000;

std::string Quoted(std::string_view name) {
  return absl::StrCat("\"", base::Excerpt(name), "\"");
}

std::string List(const std::vector<std::string>& names, size_t limit,
                 const char* separator) {
  std::string list;
  for (size_t i = 0; i < names.size() && i < limit; ++i) {
    absl::StrAppend(&list, i == 0 ? "" : separator, Quoted(names[i]));
  }
  return list;
}

void SortUnique(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

// Whether the one stands within the other, as "echo" in "echo.shop:80".
bool Contains(std::string_view a, std::string_view b) {
  const std::string longer = base::LowerAscii(a.size() > b.size() ? a : b);
  const std::string shorter = base::LowerAscii(a.size() > b.size() ? b : a);
  return shorter.size() >= 3 && longer.find(shorter) != std::string::npos;
}

// Names like `unknown`, the nearest first.
std::vector<std::string> NearNames(std::string_view unknown,
                                   const std::vector<std::string>& known) {
  const size_t limit = std::max<size_t>(2, unknown.size() / 4);
  std::vector<std::pair<size_t, std::string>> near;
  for (size_t i = 0; i < known.size() && i < kCandidates; ++i) {
    const size_t distance = EditDistance(unknown, known[i]);
    if (distance <= limit && distance < known[i].size()) {
      near.emplace_back(distance, known[i]);
    } else if (Contains(unknown, known[i])) {
      near.emplace_back(limit + distance, known[i]);
    }
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (auto& [distance, name] : near) names.push_back(std::move(name));
  return names;
}

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  a = a.substr(0, kCompared);
  b = b.substr(0, kCompared);
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same =
          base::LowerAscii(a[i - 1]) == base::LowerAscii(b[j - 1]);
      const size_t replaced = diagonal + (same ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string NearHint(std::string_view unknown, std::vector<std::string> known) {
  SortUnique(known);
  const std::vector<std::string> near = NearNames(unknown, known);
  if (near.empty()) return "";
  return absl::StrCat("; did you mean ", List(near, kNearShown, " or "), "?");
}

std::string NameHint(std::string_view unknown, std::vector<std::string> known) {
  SortUnique(known);
  if (known.empty()) return "; there is none";
  std::string near = NearHint(unknown, known);
  if (!near.empty()) return near;
  std::string list = List(known, kShown, ", ");
  if (known.size() > kShown) {
    absl::StrAppend(&list, " and ", known.size() - kShown, " more");
  }
  return absl::StrCat("; there is ", list);
}

}  // namespace meshlib::meshctl

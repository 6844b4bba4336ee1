#include "xds/convert_filter_chain_match.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "xds/convert_endpoints.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace listener = envoy::config::listener::v3;
using envoy::config::core::v3::CidrRange;

// So many combinations of one chain are compared; a chain with more is
// compared as a whole.
constexpr size_t kMaxCombinations = 20000;

using Ranges = ::google::protobuf::RepeatedPtrField<CidrRange>;

// The bytes of the address with what the prefix does not cover set to 0, and
// the prefix's length; empty if the address is none.
std::string Covered(const CidrRange& range) {
  unsigned char bytes[16] = {};
  size_t size = 4;
  const std::string& text = range.address_prefix();
  if (inet_pton(AF_INET, text.c_str(), bytes) != 1) {
    size = 16;
    if (inet_pton(AF_INET6, text.c_str(), bytes) != 1) return "";
  }
  const size_t length = std::min<size_t>(range.prefix_len().value(), size * 8);
  for (size_t bit = length; bit < size * 8; ++bit) {
    bytes[bit / 8] &= static_cast<unsigned char>(~(0x80u >> (bit % 8)));
  }
  std::string out(reinterpret_cast<const char*>(bytes), size);
  return absl::StrCat(out, "/", length);
}

// Each list as texts; a list that is not there is one empty text.
std::vector<std::string> RangeTexts(const Ranges& in, std::string_view field,
                                    FieldErrors& errors) {
  std::vector<std::string> out;
  for (int i = 0; i < in.size(); ++i) {
    out.push_back(Covered(in[i]));
    if (!out.back().empty()) continue;
    ScopedField scope(errors, field, i);
    errors.ErrorAt(
        "address_prefix",
        absl::StrCat("malformed IP address: ", Quoted(in[i].address_prefix())));
  }
  if (out.empty()) out.emplace_back();
  return out;
}

template <typename List>
std::vector<std::string> Texts(const List& in) {
  std::vector<std::string> out;
  for (const auto& value : in) out.push_back(absl::StrCat(value));
  if (out.empty()) out.emplace_back();
  return out;
}

void CheckServerNames(const listener::FilterChainMatch& in,
                      FieldErrors& errors) {
  for (int i = 0; i < in.server_names_size(); ++i) {
    const std::string& name = in.server_names(i);
    const size_t star = name.rfind('*');
    if (star == std::string::npos || (star == 0 && name.rfind("*.", 0) == 0)) {
      continue;
    }
    ScopedField scope(errors, "server_names", i);
    errors.Error(absl::StrCat(Quoted(name),
                              ": partial wildcards are not "
                              "supported in server_names"));
  }
}

// All combinations of one value of each list.
std::vector<std::string> Combinations(
    const std::vector<std::vector<std::string>>& lists) {
  size_t count = 1;
  for (const auto& list : lists) {
    count = list.size() > kMaxCombinations / count ? kMaxCombinations + 1
                                                   : count * list.size();
    if (count > kMaxCombinations) return {};
  }
  std::vector<std::string> out = {""};
  for (const auto& list : lists) {
    std::vector<std::string> longer;
    longer.reserve(out.size() * list.size());
    for (const std::string& head : out) {
      for (const std::string& value : list) {
        longer.push_back(absl::StrCat(head, value.size(), ":", value));
      }
    }
    out = std::move(longer);
  }
  return out;
}

}  // namespace

void FilterChainMatches::Add(const listener::FilterChain& chain,
                             FieldErrors& errors) {
  const auto& match = chain.filter_chain_match();
  ScopedField scope(errors, "filter_chain_match");
  CheckServerNames(match, errors);
  const std::string port = match.has_destination_port()
                               ? absl::StrCat(match.destination_port().value())
                               : "";
  std::vector<std::string> combinations = Combinations({
      {port},
      RangeTexts(match.prefix_ranges(), "prefix_ranges", errors),
      Texts(match.server_names()),
      {match.transport_protocol()},
      Texts(match.application_protocols()),
      RangeTexts(match.direct_source_prefix_ranges(),
                 "direct_source_prefix_ranges", errors),
      {absl::StrCat(match.source_type())},
      RangeTexts(match.source_prefix_ranges(), "source_prefix_ranges", errors),
      Texts(match.source_ports()),
  });
  if (combinations.empty()) {
    combinations.push_back(match.SerializeAsString());
  }
  std::sort(combinations.begin(), combinations.end());
  combinations.erase(std::unique(combinations.begin(), combinations.end()),
                     combinations.end());
  for (const std::string& combination : combinations) {
    const auto [it, inserted] = owners_.emplace(combination, chain.name());
    if (inserted) continue;
    errors.Error(
        absl::StrCat("overlaps: the same connections match filter chain ",
                     Quoted(it->second), " of this listener equally well"));
    return;
  }
}

}  // namespace meshlib::xds

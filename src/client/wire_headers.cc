#include "client/wire_headers.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::client {
namespace {

// Of one connection (RFC 9110, 7.6.1), or made anew for each.
constexpr std::array<std::string_view, 4> kOfConnection = {
    "connection", "keep-alive", "proxy-connection", "transfer-encoding"};

// For the mesh alone; a sidecar takes them out as well.
constexpr std::array<std::string_view, 10> kForMesh = {
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response"};

bool IsTokenChar(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         kOthers.find(c) != std::string_view::npos;
}

bool IsName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), IsTokenChar);
}

bool IsValue(std::string_view value) {
  return value.find_first_of(std::string_view("\0\r\n", 3)) ==
         std::string_view::npos;
}

bool HasUpper(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return c >= 'A' && c <= 'Z'; });
}

template <size_t N>
bool Contains(const std::array<std::string_view, N>& list,
              std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

absl::Status WireHeaders::Assign(absl::Span<const Header> headers,
                                 bool for_mesh) {
  headers_.clear();
  owned_.clear();
  host_ = {};
  tells_mesh_ = false;
  headers_.reserve(headers.size());
  for (const Header& header : headers) {
    std::string_view name = header.name;
    if (!IsName(name) || !IsValue(header.value)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "header \"", absl::CEscape(base::ToAbsl(name)), "\" cannot be sent"));
    }
    if (HasUpper(name)) {
      owned_.push_back(std::make_unique<const std::string>(
          absl::AsciiStrToLower(base::ToAbsl(name))));
      name = *owned_.back();
    }
    if (name == "host") {
      if (host_.empty()) host_ = header.value;
      continue;
    }
    if (Contains(kOfConnection, name)) continue;
    if (name == "te" && header.value != "trailers") continue;
    if (name[0] == 'x' && Contains(kForMesh, name)) {
      if (!for_mesh) continue;
      tells_mesh_ = true;
    }
    headers_.push_back({name, header.value});
  }
  return absl::OkStatus();
}

void WireHeaders::Set(std::string_view name, std::string value) {
  headers_.erase(
      std::remove_if(headers_.begin(), headers_.end(),
                     [name](const Header& h) { return h.name == name; }),
      headers_.end());
  owned_.push_back(std::make_unique<const std::string>(std::move(value)));
  headers_.push_back({name, *owned_.back()});
}

std::string_view WireHeaders::Find(std::string_view name) const {
  for (const Header& header : headers_) {
    if (header.name == name) return header.value;
  }
  return {};
}

std::vector<Header> ListOf(const http::Headers& headers) {
  std::vector<Header> list;
  list.reserve(headers.size());
  for (size_t i = 0; i < headers.size(); ++i) list.push_back(headers[i]);
  return list;
}

void Append(absl::Span<const Header> from, http::Headers& to) {
  size_t bytes = 0;
  for (const Header& header : from) {
    bytes += header.name.size() + header.value.size();
  }
  to.Reserve(from.size(), bytes);
  for (const Header& header : from) to.Add(header.name, header.value);
}

}  // namespace meshlib::client

#include "meshctl/arguments.h"

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::meshctl {

absl::StatusOr<uint64_t> ParseUint64(std::string_view text) {
  uint64_t number = 0;
  bool good = !text.empty();
  for (const char c : text) {
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (c < '0' || c > '9' || number > (UINT64_MAX - digit) / 10) {
      good = false;
      break;
    }
    number = number * 10 + digit;
  }
  if (good) return number;
  return absl::InvalidArgumentError(
      absl::StrCat("got \"", base::Excerpt(text),
                   "\", want a decimal number from 0 to ", UINT64_MAX));
}

absl::StatusOr<Header> ParseHeader(std::string_view text) {
  const size_t split = text.find('=');
  if (split == std::string_view::npos || split == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("got \"", base::Excerpt(text), "\", want NAME=VALUE"));
  }
  return Header{text.substr(0, split), text.substr(split + 1)};
}

absl::StatusOr<std::vector<Header>> ParseHeaders(
    const std::vector<std::string>& texts) {
  std::vector<Header> headers;
  for (const std::string& text : texts) {
    const absl::StatusOr<Header> header = ParseHeader(text);
    if (!header.ok()) return header.status();
    headers.push_back(*header);
  }
  return headers;
}

Request MakeRequest(const RequestOptions& options,
                    const std::vector<Header>& headers) {
  Request request;
  // The authority is the target's: it may name a cluster or a listener.
  request.path = options.path;
  request.method = options.method;
  request.headers = headers;
  request.hash = options.hash;
  return request;
}

}  // namespace meshlib::meshctl

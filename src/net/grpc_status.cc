#include "net/grpc_status.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::net {
namespace {

constexpr int kMostStatus = 16;

// gRPC's "HTTP to gRPC Status Code Mapping".
absl::StatusCode CodeOfHttp(int status) {
  switch (status) {
    case 400:
      return absl::StatusCode::kInternal;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kUnknown;
  }
}

}  // namespace

bool IsGrpcBody(int http_status, std::string_view content_type) {
  return http_status == 200 &&
         content_type.substr(0, kGrpcContentType.size()) == kGrpcContentType;
}

absl::Status ParseGrpcStatus(std::string_view code, std::string_view message) {
  int number = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(code), &number) || number < 0 ||
      number > kMostStatus) {
    return absl::UnknownError(
        absl::StrCat("grpc-status \"", base::Excerpt(code), "\""));
  }
  if (number == 0) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(number),
                      PercentDecode(message));
}

absl::Status MissingGrpcStatus(int http_status, std::string_view content_type) {
  if (http_status != 200) {
    return absl::Status(
        CodeOfHttp(http_status),
        absl::StrCat("HTTP status ", http_status, " without a grpc-status"));
  }
  if (!IsGrpcBody(http_status, content_type)) {
    return absl::UnknownError(absl::StrCat("content-type \"",
                                           base::Excerpt(content_type),
                                           "\", want application/grpc"));
  }
  return absl::UnknownError("the response ended without a grpc-status");
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return encoded;
}

std::string PercentDecode(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '%' && i + 2 < text.size() &&
                         digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    // What is no escape stays as it is: nothing is lost.
    if (!escaped) {
      decoded.push_back(text[i]);
      continue;
    }
    decoded.push_back(
        static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
    i += 2;
  }
  return decoded;
}

}  // namespace meshlib::net

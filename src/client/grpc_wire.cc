#include "client/grpc_wire.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/strings.h"
#include "net/grpc_framing.h"
#include "net/grpc_status.h"

namespace meshlib::client {
namespace {

constexpr std::string_view kOwn = "grpc-";
constexpr std::string_view kDetails = "grpc-status-details-bin";

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool IsBinary(std::string_view name) {
  return absl::EndsWith(base::ToAbsl(name), "-bin");
}

absl::Status Check(const Header& header) {
  const auto named = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-' ||
           c == '_' || c == '.';
  };
  const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
  if (header.name.empty() || StartsWith(header.name, kOwn) ||
      !std::all_of(header.name.begin(), header.name.end(), named)) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata name \"", base::Excerpt(header.name),
                     "\", want lower case that does not begin with grpc-"));
  }
  if (!IsBinary(header.name) &&
      !std::all_of(header.value.begin(), header.value.end(), printable)) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata \"", base::ToAbsl(header.name),
                     "\": the value is not printable ASCII"));
  }
  return absl::OkStatus();
}

void AddBinary(std::string_view name, std::string_view value,
               grpc_bytes::Metadata& metadata) {
  // Several values may have become one.
  for (const absl::string_view part :
       absl::StrSplit(base::ToAbsl(value), ',')) {
    std::string bytes;
    if (absl::Base64Unescape(absl::StripAsciiWhitespace(part), &bytes)) {
      metadata.Add(name, bytes);
    }
  }
}

}  // namespace

std::string GrpcTimeout(absl::Duration timeout) {
  struct Unit {
    absl::Duration length;
    char name;
  };
  const std::array<Unit, 6> units = {{{absl::Nanoseconds(1), 'n'},
                                      {absl::Microseconds(1), 'u'},
                                      {absl::Milliseconds(1), 'm'},
                                      {absl::Seconds(1), 'S'},
                                      {absl::Minutes(1), 'M'},
                                      {absl::Hours(1), 'H'}}};
  constexpr int64_t kMost = 99999999;
  for (const Unit& unit : units) {
    if (timeout > kMost * unit.length) continue;
    absl::Duration left;
    int64_t count = absl::IDivDuration(timeout, unit.length, &left);
    if (left > absl::ZeroDuration()) ++count;
    if (count <= kMost) {
      return absl::StrCat(std::max<int64_t>(count, 0),
                          absl::string_view(&unit.name, 1));
    }
  }
  return absl::StrCat(kMost, "H");
}

absl::StatusOr<http::Request> GrpcRequest(
    std::string_view method, const grpc_bytes::CallOptions& options) {
  http::Request request;
  request.method = "POST";
  request.url = std::string(method);
  request.timeout = options.timeout;
  request.hash = options.hash;
  request.headers = {{"te", "trailers"},
                     {"content-type", net::kGrpcContentType},
                     {"user-agent", "grpc-meshlib"}};
  if (options.timeout != absl::InfiniteDuration()) {
    request.headers.Add("grpc-timeout", GrpcTimeout(options.timeout));
  }
  for (size_t i = 0; i < options.metadata.size(); ++i) {
    const Header header = options.metadata[i];
    const absl::Status status = Check(header);
    if (!status.ok()) return status;
    if (!IsBinary(header.name)) {
      request.headers.Add(header.name, header.value);
      continue;
    }
    std::string text = absl::Base64Escape(base::ToAbsl(header.value));
    text.resize(std::min(text.size(), text.find('=')));
    request.headers.Add(header.name, text);
  }
  return request;
}

grpc_bytes::Metadata GrpcMetadata(const http::Headers& headers) {
  grpc_bytes::Metadata metadata;
  for (size_t i = 0; i < headers.size(); ++i) {
    const Header header = headers[i];
    if (header.name == "content-type" ||
        (StartsWith(header.name, kOwn) && header.name != kDetails)) {
      continue;
    }
    if (IsBinary(header.name)) {
      AddBinary(header.name, header.value, metadata);
    } else {
      metadata.Add(header.name, header.value);
    }
  }
  return metadata;
}

std::optional<absl::Status> GrpcStatusOf(const http::Headers& headers) {
  const std::optional<std::string_view> text = headers.Get("grpc-status");
  if (!text.has_value()) return std::nullopt;
  return net::ParseGrpcStatus(*text, headers.Get("grpc-message").value_or(""));
}

absl::Status GrpcStatusOf(const http::ResponseHead& head,
                          const http::Headers& trailers) {
  if (auto status = GrpcStatusOf(trailers)) return *status;
  if (auto status = GrpcStatusOf(head.headers)) return *status;
  return net::MissingGrpcStatus(head.status,
                                head.headers.Get("content-type").value_or(""));
}

bool HasGrpcBody(const http::ResponseHead& head) {
  return net::IsGrpcBody(head.status,
                         head.headers.Get("content-type").value_or(""));
}

absl::StatusOr<std::string> OnlyGrpcMessage(std::string_view body,
                                            size_t max_bytes) {
  net::GrpcDecoder decoder(max_bytes);
  decoder.Add(body);
  const auto first = decoder.Next();
  if (!first.ok()) return first.status();
  if (!first->has_value()) {
    const absl::Status status = decoder.Finish();
    if (!status.ok()) return status;
    return absl::InternalError("no message, want one");
  }
  if ((*first)->compressed) {
    return absl::InternalError("a compressed message, but none was accepted");
  }
  std::string message((*first)->bytes);
  const auto second = decoder.Next();
  if (!second.ok()) return second.status();
  if (second->has_value()) {
    return absl::InternalError("more than one message, want one");
  }
  const absl::Status status = decoder.Finish();
  if (!status.ok()) return status;
  return message;
}

}  // namespace meshlib::client

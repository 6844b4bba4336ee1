#include "net/http1/http1_writer.h"

#include <algorithm>
#include <boost/beast/http/status.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::net {
namespace {

bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsTokenCharacter(c);
  });
}

bool IsTarget(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  });
}

bool IsValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  });
}

absl::Status Refuse(absl::string_view what, std::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "not for HTTP/1.1: ", what, " \"", base::Excerpt(text, 40), "\""));
}

absl::Status Check(absl::Span<const Header> headers) {
  for (const Header& header : headers) {
    if (!IsToken(header.name)) return Refuse("header name", header.name);
    if (!IsValue(header.value)) {
      return Refuse(absl::StrCat("value of ", base::ToAbsl(header.name)),
                    header.value);
    }
  }
  return absl::OkStatus();
}

void Append(absl::Span<const Header> headers, std::string& out) {
  for (const Header& header : headers) {
    out.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  out.append("\r\n");
}

}  // namespace

absl::Status AppendRequestHead(std::string_view method, std::string_view target,
                               absl::Span<const Header> headers,
                               std::string& out) {
  if (!IsToken(method)) return Refuse("method", method);
  if (!IsTarget(target)) return Refuse("path", target);
  if (absl::Status status = Check(headers); !status.ok()) return status;
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  Append(headers, out);
  return absl::OkStatus();
}

absl::Status AppendResponseHead(int status, absl::Span<const Header> headers,
                                std::string& out) {
  if (status < 100 || status > 999) {
    return Refuse("status", std::to_string(status));
  }
  if (absl::Status checked = Check(headers); !checked.ok()) return checked;
  namespace http = boost::beast::http;
  const http::status known = http::int_to_status(status);
  absl::StrAppend(&out, "HTTP/1.1 ", status, " ");
  if (known != http::status::unknown) {
    const auto reason = http::obsolete_reason(known);
    out.append(reason.data(), reason.size());
  }
  out.append("\r\n");
  Append(headers, out);
  return absl::OkStatus();
}

void AppendChunk(std::string_view piece, std::string& out) {
  if (piece.empty()) return;
  absl::StrAppend(&out, absl::Hex(piece.size()), "\r\n");
  out.append(piece).append("\r\n");
}

absl::Status AppendLastChunk(absl::Span<const Header> trailers,
                             std::string& out) {
  if (absl::Status status = Check(trailers); !status.ok()) return status;
  out.append("0\r\n");
  Append(trailers, out);
  return absl::OkStatus();
}

}  // namespace meshlib::net

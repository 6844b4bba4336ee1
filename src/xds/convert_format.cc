#include "xds/convert_format.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::xds {
namespace {

// What may follow a command's name: (arguments) and :length.
enum class Arguments : uint8_t {
  kPlain,           // nothing
  kOptional,        // arguments
  kRequired,        // arguments, which must be there
  kOptionalLength,  // arguments, length
  kRequiredLength,  // arguments, which must be there, length
};

struct Command {
  std::string_view name;
  Arguments arguments;
};

// The commands of Envoy 1.40, sorted.
constexpr Command kCommands[] = {
    {"ACCESS_LOG_TYPE", Arguments::kPlain},
    {"BYTES_RECEIVED", Arguments::kPlain},
    {"BYTES_RETRANSMITTED", Arguments::kPlain},
    {"BYTES_SENT", Arguments::kPlain},
    {"CEL", Arguments::kRequiredLength},
    {"CLUSTER_METADATA", Arguments::kRequired},
    {"COALESCE", Arguments::kRequiredLength},
    {"COMMON_DURATION", Arguments::kRequired},
    {"CONNECTION_ID", Arguments::kPlain},
    {"CONNECTION_TERMINATION_DETAILS", Arguments::kPlain},
    {"CUSTOM_FLAGS", Arguments::kPlain},
    {"DOWNSTREAM_CX_RTT", Arguments::kPlain},
    {"DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", Arguments::kPlain},
    {"DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", Arguments::kPlain},
    {"DOWNSTREAM_DETECTED_CLOSE_TYPE", Arguments::kPlain},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS", Arguments::kPlain},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", Arguments::kPlain},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", Arguments::kOptional},
    {"DOWNSTREAM_DIRECT_LOCAL_PORT", Arguments::kPlain},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Arguments::kPlain},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", Arguments::kOptional},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", Arguments::kPlain},
    {"DOWNSTREAM_HANDSHAKE_DURATION", Arguments::kPlain},
    {"DOWNSTREAM_HEADER_BYTES_RECEIVED", Arguments::kPlain},
    {"DOWNSTREAM_HEADER_BYTES_SENT", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_ADDRESS", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Arguments::kOptional},
    {"DOWNSTREAM_LOCAL_CLOSE_REASON", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_DNS_SAN", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_EMAIL_SAN", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_IP_SAN", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_OTHERNAME_SAN", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_PORT", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_SUBJECT", Arguments::kPlain},
    {"DOWNSTREAM_LOCAL_URI_SAN", Arguments::kPlain},
    {"DOWNSTREAM_PEER_CERT", Arguments::kPlain},
    {"DOWNSTREAM_PEER_CERT_V_END", Arguments::kOptional},
    {"DOWNSTREAM_PEER_CERT_V_START", Arguments::kOptional},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", Arguments::kPlain},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", Arguments::kPlain},
    {"DOWNSTREAM_PEER_CHAIN_SERIALS", Arguments::kPlain},
    {"DOWNSTREAM_PEER_DNS_SAN", Arguments::kPlain},
    {"DOWNSTREAM_PEER_EMAIL_SAN", Arguments::kPlain},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", Arguments::kPlain},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", Arguments::kPlain},
    {"DOWNSTREAM_PEER_IP_SAN", Arguments::kPlain},
    {"DOWNSTREAM_PEER_ISSUER", Arguments::kPlain},
    {"DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256", Arguments::kPlain},
    {"DOWNSTREAM_PEER_ISSUER_SERIAL", Arguments::kPlain},
    {"DOWNSTREAM_PEER_OTHERNAME_SAN", Arguments::kPlain},
    {"DOWNSTREAM_PEER_SERIAL", Arguments::kPlain},
    {"DOWNSTREAM_PEER_SUBJECT", Arguments::kPlain},
    {"DOWNSTREAM_PEER_URI_SAN", Arguments::kPlain},
    {"DOWNSTREAM_REMOTE_ADDRESS", Arguments::kPlain},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Arguments::kOptional},
    {"DOWNSTREAM_REMOTE_PORT", Arguments::kPlain},
    {"DOWNSTREAM_TLS_CIPHER", Arguments::kPlain},
    {"DOWNSTREAM_TLS_GROUP", Arguments::kPlain},
    {"DOWNSTREAM_TLS_SESSION_ID", Arguments::kPlain},
    {"DOWNSTREAM_TLS_VERSION", Arguments::kPlain},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", Arguments::kPlain},
    {"DOWNSTREAM_WIRE_BYTES_RECEIVED", Arguments::kPlain},
    {"DOWNSTREAM_WIRE_BYTES_SENT", Arguments::kPlain},
    {"DURATION", Arguments::kPlain},
    {"DYNAMIC_METADATA", Arguments::kRequiredLength},
    {"EMIT_TIME", Arguments::kOptional},
    {"EMIT_TIME_LOCAL", Arguments::kOptional},
    {"ENVIRONMENT", Arguments::kRequiredLength},
    {"FILTER_CHAIN_NAME", Arguments::kPlain},
    {"FILTER_STATE", Arguments::kRequiredLength},
    {"GRPC_STATUS", Arguments::kOptional},
    {"GRPC_STATUS_NUMBER", Arguments::kPlain},
    {"HOSTNAME", Arguments::kPlain},
    {"LISTENER_NAME", Arguments::kPlain},
    {"LOCAL_REPLY_BODY", Arguments::kPlain},
    {"METADATA", Arguments::kRequiredLength},
    {"PATH", Arguments::kOptionalLength},
    {"PER_REQUEST_STATE", Arguments::kRequired},
    {"PROTOCOL", Arguments::kPlain},
    {"QUERY_PARAM", Arguments::kRequiredLength},
    {"QUERY_PARAMS", Arguments::kOptionalLength},
    {"REQ", Arguments::kRequiredLength},
    {"REQUESTED_SERVER_NAME", Arguments::kOptional},
    {"REQUEST_DURATION", Arguments::kPlain},
    {"REQUEST_HEADER", Arguments::kRequiredLength},
    {"REQUEST_HEADERS_BYTES", Arguments::kPlain},
    {"REQUEST_TX_DURATION", Arguments::kPlain},
    {"RESP", Arguments::kRequiredLength},
    {"RESPONSE_CODE", Arguments::kPlain},
    {"RESPONSE_CODE_DETAILS", Arguments::kOptional},
    {"RESPONSE_DURATION", Arguments::kPlain},
    {"RESPONSE_FLAGS", Arguments::kPlain},
    {"RESPONSE_FLAGS_LONG", Arguments::kPlain},
    {"RESPONSE_HEADER", Arguments::kRequiredLength},
    {"RESPONSE_HEADERS_BYTES", Arguments::kPlain},
    {"RESPONSE_TRAILER", Arguments::kRequiredLength},
    {"RESPONSE_TRAILERS_BYTES", Arguments::kPlain},
    {"RESPONSE_TX_DURATION", Arguments::kPlain},
    {"ROUNDTRIP_DURATION", Arguments::kPlain},
    {"ROUTE_NAME", Arguments::kPlain},
    {"ROUTE_RESOLUTION_COUNT", Arguments::kPlain},
    {"ROUTE_RESOLUTION_TIME_US", Arguments::kPlain},
    {"SPAN_ID", Arguments::kPlain},
    {"START_TIME", Arguments::kOptional},
    {"START_TIME_LOCAL", Arguments::kOptional},
    {"STREAM_ID", Arguments::kPlain},
    {"STREAM_INFO_REQ", Arguments::kRequiredLength},
    {"TLS_JA3_FINGERPRINT", Arguments::kPlain},
    {"TLS_JA4_FINGERPRINT", Arguments::kPlain},
    {"TRACE_ID", Arguments::kPlain},
    {"TRAILER", Arguments::kRequiredLength},
    {"UNIQUE_ID", Arguments::kPlain},
    {"UPSTREAM_CLUSTER", Arguments::kPlain},
    {"UPSTREAM_CLUSTER_RAW", Arguments::kPlain},
    {"UPSTREAM_CONNECTION_ID", Arguments::kPlain},
    {"UPSTREAM_CONNECTION_IDS_ATTEMPTED", Arguments::kPlain},
    {"UPSTREAM_CONNECTION_POOL_READY_DURATION", Arguments::kPlain},
    {"UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", Arguments::kPlain},
    {"UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", Arguments::kPlain},
    {"UPSTREAM_DETECTED_CLOSE_TYPE", Arguments::kPlain},
    {"UPSTREAM_FILTER_STATE", Arguments::kRequiredLength},
    {"UPSTREAM_HEADER_BYTES_RECEIVED", Arguments::kPlain},
    {"UPSTREAM_HEADER_BYTES_SENT", Arguments::kPlain},
    {"UPSTREAM_HOST", Arguments::kPlain},
    {"UPSTREAM_HOSTS_ATTEMPTED", Arguments::kPlain},
    {"UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT", Arguments::kPlain},
    {"UPSTREAM_HOST_NAME", Arguments::kPlain},
    {"UPSTREAM_HOST_NAMES_ATTEMPTED", Arguments::kPlain},
    {"UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", Arguments::kPlain},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", Arguments::kPlain},
    {"UPSTREAM_LOCAL_ADDRESS", Arguments::kPlain},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Arguments::kOptional},
    {"UPSTREAM_LOCAL_CLOSE_REASON", Arguments::kPlain},
    {"UPSTREAM_LOCAL_DNS_SAN", Arguments::kPlain},
    {"UPSTREAM_LOCAL_IP_SAN", Arguments::kPlain},
    {"UPSTREAM_LOCAL_PORT", Arguments::kPlain},
    {"UPSTREAM_LOCAL_URI_SAN", Arguments::kPlain},
    {"UPSTREAM_METADATA", Arguments::kRequired},
    {"UPSTREAM_PEER_CERT", Arguments::kPlain},
    {"UPSTREAM_PEER_CERT_V_END", Arguments::kOptional},
    {"UPSTREAM_PEER_CERT_V_START", Arguments::kOptional},
    {"UPSTREAM_PEER_DNS_SAN", Arguments::kPlain},
    {"UPSTREAM_PEER_IP_SAN", Arguments::kPlain},
    {"UPSTREAM_PEER_ISSUER", Arguments::kPlain},
    {"UPSTREAM_PEER_SUBJECT", Arguments::kPlain},
    {"UPSTREAM_PEER_URI_SAN", Arguments::kPlain},
    {"UPSTREAM_PROTOCOL", Arguments::kPlain},
    {"UPSTREAM_REMOTE_ADDRESS", Arguments::kPlain},
    {"UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", Arguments::kPlain},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Arguments::kOptional},
    {"UPSTREAM_REMOTE_PORT", Arguments::kPlain},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", Arguments::kPlain},
    {"UPSTREAM_SERVER_NAME", Arguments::kPlain},
    {"UPSTREAM_TLS_CIPHER", Arguments::kPlain},
    {"UPSTREAM_TLS_GROUP", Arguments::kPlain},
    {"UPSTREAM_TLS_SESSION_ID", Arguments::kPlain},
    {"UPSTREAM_TLS_VERSION", Arguments::kPlain},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", Arguments::kPlain},
    {"UPSTREAM_WIRE_BYTES_RECEIVED", Arguments::kPlain},
    {"UPSTREAM_WIRE_BYTES_SENT", Arguments::kPlain},
    {"VIRTUAL_CLUSTER_NAME", Arguments::kPlain},
};

const Command* FindCommand(std::string_view name) {
  const auto* it = std::lower_bound(
      std::begin(kCommands), std::end(kCommands), name,
      [](const Command& c, std::string_view n) { return c.name < n; });
  return it != std::end(kCommands) && it->name == name ? it : nullptr;
}

bool IsNameChar(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// One %NAME(arguments):length% of a format.
struct Parsed {
  std::string_view name;
  std::optional<std::string_view> arguments;
  bool has_length = false;
  size_t end = 0;  // behind the closing percent sign
};

// `start` is at the opening percent sign.
std::optional<Parsed> ParseCommand(std::string_view text, size_t start) {
  Parsed out;
  size_t at = start + 1;
  while (at < text.size() && IsNameChar(text[at])) ++at;
  out.name = text.substr(start + 1, at - start - 1);
  if (out.name.empty()) return std::nullopt;
  if (at < text.size() && text[at] == '(') {
    const size_t close = text.find_first_of(")\n", at);
    if (close == std::string_view::npos || text[close] != ')') {
      return std::nullopt;
    }
    out.arguments = text.substr(at + 1, close - at - 1);
    at = close + 1;
  }
  if (at < text.size() && text[at] == ':') {
    const size_t digits = at + 1;
    at = text.find_first_not_of("0123456789", digits);
    if (at == digits || at == std::string_view::npos) return std::nullopt;
    out.has_length = true;
  }
  if (at >= text.size() || text[at] != '%') return std::nullopt;
  out.end = at + 1;
  return out;
}

bool TakesHeaders(std::string_view name) {
  return name == "REQ" || name == "REQUEST_HEADER" || name == "RESP" ||
         name == "RESPONSE_HEADER" || name == "TRAILER" ||
         name == "RESPONSE_TRAILER" || name == "STREAM_INFO_REQ";
}

// "X" or "X?Y": header names, of which a pseudo-header's begins with a colon.
std::string CheckHeaders(std::string_view arguments) {
  const size_t mark = arguments.find('?');
  const std::string_view names[] = {
      arguments.substr(0, mark),
      mark == std::string_view::npos ? "x" : arguments.substr(mark + 1)};
  for (const std::string_view name : names) {
    if (name.find('?') != std::string_view::npos) {
      return "has more than one alternative header";
    }
    if (name.find_first_of(" \t\r\n\"(),/;<=>@[]{}\\") !=
        std::string_view::npos) {
      return "has a header name with invalid characters";
    }
    const size_t colon = name.rfind(':');
    if (colon != std::string_view::npos && colon != 0) {
      return "has a header name with invalid characters";
    }
  }
  return "";
}

// What is wrong with the command; empty: nothing.
std::string CheckCommand(const Parsed& parsed) {
  const Command* const command = FindCommand(parsed.name);
  const std::string name = base::Excerpt(parsed.name);
  if (command == nullptr) return absl::StrCat("unknown command ", name);
  const Arguments allowed = command->arguments;
  const bool has_arguments = parsed.arguments && !parsed.arguments->empty();
  if (allowed == Arguments::kPlain && (parsed.arguments || parsed.has_length)) {
    return absl::StrCat(name, " takes no arguments and no length");
  }
  if ((allowed == Arguments::kRequired ||
       allowed == Arguments::kRequiredLength) &&
      !has_arguments) {
    return absl::StrCat(name, " needs arguments");
  }
  if ((allowed == Arguments::kRequired || allowed == Arguments::kOptional) &&
      parsed.has_length) {
    return absl::StrCat(name, " takes no length");
  }
  if (TakesHeaders(parsed.name)) {
    const std::string why = CheckHeaders(*parsed.arguments);
    if (!why.empty()) return absl::StrCat(name, " ", why);
  }
  return "";
}

}  // namespace

std::string CheckFormat(std::string_view text) {
  size_t at = text.find('%');
  while (at != std::string_view::npos) {
    if (at + 1 < text.size() && text[at + 1] == '%') {
      at = text.find('%', at + 2);
      continue;
    }
    const std::optional<Parsed> parsed = ParseCommand(text, at);
    if (!parsed) {
      return absl::StrCat("no valid %COMMAND% at position ", at,
                          " (a percent sign is written %%)");
    }
    std::string why = CheckCommand(*parsed);
    if (!why.empty()) return why;
    at = text.find('%', parsed->end);
  }
  return "";
}

}  // namespace meshlib::xds

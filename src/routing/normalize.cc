#include "routing/normalize.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/strings.h"
#include "model/headers.h"

namespace meshlib::routing {
namespace {

bool IsSlash(char c) { return c == '/' || c == '\\'; }

// The byte that "%XX" at `at` stands for.
std::optional<unsigned char> Unescape(std::string_view text, size_t at) {
  unsigned value = 0;
  if (at + 3 > text.size() || text[at] != '%') return std::nullopt;
  for (size_t i = at + 1; i < at + 3; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (!absl::ascii_isxdigit(c)) return std::nullopt;
    value =
        value * 16 +
        (absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10);
  }
  return static_cast<unsigned char>(value);
}

void AppendEscaped(unsigned char byte, std::string& out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  out.push_back('%');
  out.push_back(kDigits[byte >> 4]);
  out.push_back(kDigits[byte & 15]);
}

bool IsUnreserved(unsigned char byte) {
  return absl::ascii_isalnum(byte) || byte == '-' || byte == '.' ||
         byte == '_' || byte == '~';
}

bool MustBeEscaped(unsigned char byte) {
  return byte <= 0x20 || byte >= 0x7f ||
         std::string_view("\"#<>^`{|}").find(static_cast<char>(byte)) !=
             std::string_view::npos;
}

// The length of a dot at `at`, plain or as "%2e"; 0: there is none.
size_t DotAt(std::string_view path, size_t at) {
  if (at < path.size() && path[at] == '.') return 1;
  return Unescape(path, at) == '.' ? 3 : 0;
}

// How much of the path is a segment of one dot or two with its slash.
struct Dots {
  size_t length = 0;  // 0: it is neither
  bool up = false;
};
Dots DotsAt(std::string_view path, size_t at) {
  const size_t first = DotAt(path, at);
  size_t end = at + first;
  if (end == path.size()) return {first, false};
  if (IsSlash(path[end])) return {first + 1, false};
  const size_t second = DotAt(path, end);
  if (second == 0) return {};
  end += second;
  if (end == path.size()) return {first + second, true};
  if (IsSlash(path[end])) return {first + second + 1, true};
  return {};
}

void DropLastSegment(std::string& out) {
  if (out.size() < 2) return;
  out.erase(out.rfind('/', out.size() - 2) + 1);
}

// Whether Canonicalize() would change nothing, as for most paths.
bool IsCanonical(std::string_view path) {
  if (path.empty() || path[0] != '/') return false;
  char before = 0;
  for (const char c : path) {
    if (c == '%' || c == '\\' || (before == '/' && c == '.') ||
        MustBeEscaped(static_cast<unsigned char>(c))) {
      return false;
    }
    before = c;
  }
  return true;
}

// The path without its query as Chromium's URL library writes it, which Envoy
// uses (RFC 3986, 6.2.2): dot segments resolved, backslashes turned, what need
// not be escaped unescaped. False: it is no path.
bool Canonicalize(std::string_view path, std::string& out) {
  out.clear();
  if (path.empty() || !IsSlash(path[0])) out.push_back('/');
  for (size_t i = 0; i < path.size();) {
    const auto byte = static_cast<unsigned char>(path[i]);
    if (const size_t dot = DotAt(path, i); dot > 0) {
      const bool begins = !out.empty() && out.back() == '/';
      const Dots dots = begins ? DotsAt(path, i) : Dots();
      if (dots.length == 0) out.push_back('.');
      if (dots.up) DropLastSegment(out);
      i += dots.length == 0 ? dot : dots.length;
    } else if (byte == '\\') {
      out.push_back('/');
      ++i;
    } else if (const auto unescaped = Unescape(path, i)) {
      if (*unescaped == 0) return false;
      if (IsUnreserved(*unescaped)) {
        out.push_back(static_cast<char>(*unescaped));
      } else {
        out.append(path.substr(i, 3));
      }
      i += 3;
    } else {
      if (byte == 0) return false;
      if (MustBeEscaped(byte)) {
        AppendEscaped(byte, out);
      } else {
        out.push_back(path[i]);
      }
      ++i;
    }
  }
  return true;
}

// Whether there were any.
bool UnescapeSlashes(std::string_view path, std::string& out) {
  out.clear();
  bool found = false;
  for (size_t i = 0; i < path.size();) {
    const auto unescaped = Unescape(path, i);
    if (unescaped == '/' || unescaped == '\\') {
      out.push_back(static_cast<char>(*unescaped));
      found = true;
      i += 3;
    } else {
      out.push_back(path[i++]);
    }
  }
  return found;
}

void MergeSlashes(std::string_view path, std::string& out) {
  out.clear();
  for (const char c : path) {
    if (c != '/' || out.empty() || out.back() != '/') out.push_back(c);
  }
}

// Runs a step over the path without its query, which stays.
template <typename Step>
bool Apply(const Step& step, Request& request, NormalizedText& text) {
  const size_t end = std::min(request.path.find('?'), request.path.size());
  std::string changed;
  if (!step(request.path.substr(0, end), changed)) return false;
  changed.append(request.path.substr(end));
  text.path = std::move(changed);
  request.path = text.path;
  return true;
}

Normalized NormalizePath(const model::RequestNormalization& rules,
                         Request& request, NormalizedText& text) {
  using EscapedSlashes = model::RequestNormalization::EscapedSlashes;
  Normalized result = Normalized::kRoutable;
  if (request.path.empty()) return result;
  if (rules.escaped_slashes != EscapedSlashes::kKeep &&
      request.path.find('%') != std::string_view::npos &&
      Apply(UnescapeSlashes, request, text)) {
    if (rules.escaped_slashes == EscapedSlashes::kReject) {
      return Normalized::kRejected;
    }
    if (rules.escaped_slashes == EscapedSlashes::kRedirect) {
      result = Normalized::kRedirected;
    }
  }
  if (rules.normalize_path &&
      !IsCanonical(request.path.substr(0, request.path.find('?'))) &&
      !Apply(Canonicalize, request, text)) {
    return Normalized::kRejected;
  }
  if (rules.merge_slashes &&
      request.path.find("//") != std::string_view::npos) {
    Apply(
        [](std::string_view path, std::string& out) {
          MergeSlashes(path, out);
          return true;
        },
        request, text);
  }
  return result;
}

// Where ":port" begins, also after an IPv6 address in brackets.
size_t PortBegin(std::string_view authority) {
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return colon;
  const size_t bracket = authority.rfind(']');
  return bracket != std::string_view::npos && bracket > colon
             ? std::string_view::npos
             : colon;
}

void OverwriteScheme(std::string_view wanted, Request& request,
                     NormalizedText& text) {
  constexpr std::string_view kForwardedProto = "x-forwarded-proto";
  // Not a view of the rules, which may be gone before the request is: there
  // are no other values (HttpConnectionManager's validation).
  const std::string_view scheme = wanted == "https" ? "https" : "http";
  request.scheme = scheme;
  if (model::FindHeader(request.headers, kForwardedProto) == nullptr) return;
  for (const Header& header : request.headers) {
    if (!model::SameHeaderName(header.name, kForwardedProto)) {
      text.headers.push_back(header);
    }
  }
  text.headers.push_back({kForwardedProto, scheme});
  request.headers = text.headers;
}

}  // namespace

std::string_view NormalizeAuthority(const model::RequestNormalization& rules,
                                    std::string_view authority,
                                    NormalizedText& text) {
  const size_t port = std::min(PortBegin(authority), authority.size());
  if (rules.strip_trailing_host_dot && port > 0 && authority[port - 1] == '.') {
    text.authority.assign(authority.substr(0, port - 1));
    text.authority.append(authority.substr(port));
    authority = text.authority;
  }
  if (!rules.strip_any_host_port && !rules.strip_matching_host_port) {
    return authority;
  }
  const size_t begin = PortBegin(authority);
  if (begin == std::string_view::npos) return authority;
  uint32_t number = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(authority.substr(begin + 1)), &number)) {
    return authority;
  }
  if (!rules.strip_any_host_port && number != rules.listener_port) {
    return authority;
  }
  return authority.substr(0, begin);
}

Normalized NormalizeRequest(const model::RequestNormalization& rules,
                            Request& request, NormalizedText& text) {
  if (!rules.scheme.empty()) OverwriteScheme(rules.scheme, request, text);
  // In Envoy the authority of CONNECT, which is no host alone, stays.
  if (request.method != "CONNECT") {
    request.authority = NormalizeAuthority(rules, request.authority, text);
  }
  return NormalizePath(rules, request, text);
}

}  // namespace meshlib::routing

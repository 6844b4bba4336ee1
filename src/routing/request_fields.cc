#include "routing/request_fields.h"

#include <algorithm>

#include "base/strings.h"

namespace meshlib::routing {
namespace {

std::string_view Unquote(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    return value.substr(1, value.size() - 2);
  }
  return value;
}

// Cuts the text before the next `separator` off the front of `rest`.
std::string_view CutPart(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest =
      end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

std::optional<std::string_view> CookieIn(std::string_view header,
                                         std::string_view name) {
  while (!header.empty()) {
    std::string_view part = CutPart(header, ';');
    const size_t start = part.find_first_not_of(' ');
    if (start == std::string_view::npos) continue;
    part.remove_prefix(start);
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    if (part.substr(0, equals) == name) return Unquote(part.substr(equals + 1));
  }
  return std::nullopt;
}

std::optional<std::string_view> PseudoHeader(const Request& request,
                                             std::string_view name) {
  std::string_view value;
  if (name == ":authority" || name == "host") {
    value = request.authority;
  } else if (name == ":path") {
    value = request.path;
  } else if (name == ":method") {
    value = request.method;
  } else if (name == ":scheme") {
    value = request.scheme;
  }
  if (value.empty()) return std::nullopt;
  return value;
}

}  // namespace

std::string_view PathOf(std::string_view path_and_query) {
  // Two searches for one byte are faster than one for either.
  path_and_query = path_and_query.substr(0, path_and_query.find('?'));
  return path_and_query.substr(0, path_and_query.find('#'));
}

std::optional<std::string_view> QueryParameter(std::string_view path_and_query,
                                               std::string_view name) {
  const size_t start = path_and_query.find('?');
  if (start == std::string_view::npos) return std::nullopt;
  std::string_view rest = path_and_query.substr(start + 1);
  while (!rest.empty()) {
    const std::string_view part = CutPart(rest, '&');
    const size_t equals = part.find('=');
    if (part.substr(0, equals) != name) continue;
    if (equals == std::string_view::npos) return std::string_view("");
    return part.substr(equals + 1);
  }
  return std::nullopt;
}

std::optional<std::string_view> Cookie(const Request& request,
                                       std::string_view name) {
  for (const Header& header : request.headers) {
    if (!model::SameHeaderName(header.name, "cookie")) continue;
    const std::optional<std::string_view> value = CookieIn(header.value, name);
    if (value.has_value()) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> FirstHeader(const Request& request,
                                            std::string_view name,
                                            size_t* count) {
  const Header* first = nullptr;
  if (!name.empty() && name.front() != ':') {
    first = model::FindHeader(request.headers, name);
  }
  if (first == nullptr) {
    const auto pseudo = PseudoHeader(request, name);
    if (count != nullptr) *count = pseudo.has_value() ? 1 : 0;
    return pseudo;
  }
  if (count != nullptr) {
    const Header* end = request.headers.data() + request.headers.size();
    *count = static_cast<size_t>(
        std::count_if(first, end, [name](const Header& header) {
          return model::SameHeaderName(header.name, name);
        }));
  }
  return first->value;
}

std::optional<std::string_view> HeaderValue(const Request& request,
                                            std::string_view name,
                                            std::string& storage) {
  size_t count = 0;
  const auto first = FirstHeader(request, name, &count);
  if (count < 2 || !model::IsJoinedHeader(name)) return first;
  return model::JoinedHeader(request.headers, name, storage);
}

std::string_view ClusterInHeader(const Request& request,
                                 std::string_view name) {
  std::string joined;
  const auto value = HeaderValue(request, name, joined);
  return joined.empty() ? value.value_or("") : "";
}

std::string_view ClientScheme(const Request& request, std::string& storage) {
  return HeaderValue(request, "x-forwarded-proto", storage)
      .value_or(request.scheme);
}

bool IsConnect(const Request& request) {
  if (request.method == "CONNECT") return true;
  const std::optional<std::string_view> upgrade =
      FirstHeader(request, "upgrade");
  return upgrade.has_value() && base::EqualsIgnoreCase(*upgrade, "connect-udp");
}

size_t PortStart(std::string_view authority) {
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return colon;
  const size_t bracket = authority.rfind(']');
  if (bracket != std::string_view::npos && bracket > colon) {
    return std::string_view::npos;
  }
  return colon;
}

}  // namespace meshlib::routing

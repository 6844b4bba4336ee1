#include "event/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::event {

std::string LiteralAddress(std::string_view name, uint16_t port) {
  if (name.size() >= 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  }
  // inet_pton stops at a NUL.
  if (name.find('\0') != std::string_view::npos) return "";
  const std::string text(name);
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return absl::StrCat(text, ":", port);
  }
  const size_t percent = text.find('%');  // the zone of a link-local address
  in6_addr v6;
  if (inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6) != 1 ||
      percent == text.size() - 1) {
    return "";
  }
  return absl::StrCat("[", text, "]:", port);
}

}  // namespace meshlib::event

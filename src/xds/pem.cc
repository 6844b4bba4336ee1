#include "xds/pem.h"

#include <cstddef>
#include <string>

#include "absl/strings/escaping.h"
#include "base/strings.h"

namespace meshlib::xds {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";

// Whether the bytes are one DER sequence and nothing else.
bool IsSequence(std::string_view der) {
  const auto byte = [der](size_t i) {
    return static_cast<size_t>(static_cast<unsigned char>(der[i]));
  };
  if (der.size() < 2 || byte(0) != 0x30) return false;
  if (byte(1) < 0x80) return der.size() == 2 + byte(1);
  const size_t octets = byte(1) - 0x80;
  if (octets == 0 || octets > 4 || der.size() < 2 + octets) return false;
  size_t length = 0;
  for (size_t i = 0; i < octets; ++i) length = length << 8 | byte(2 + i);
  return der.size() == 2 + octets + length;
}

bool HoldsSequence(std::string_view content) {
  // Headers of an old encrypted key: what follows is no DER.
  if (content.find(':') != std::string_view::npos) return true;
  std::string der;
  return absl::Base64Unescape(base::ToAbsl(content), &der) && IsSequence(der);
}

template <typename IsWanted>
bool HasBlock(std::string_view text, IsWanted is_wanted) {
  for (size_t at = text.find(kBegin); at != std::string_view::npos;
       at = text.find(kBegin, at + 1)) {
    std::string_view rest = text.substr(at + kBegin.size());
    const size_t label_end = rest.find(kDashes);
    if (label_end == std::string_view::npos) return false;
    const std::string_view label = rest.substr(0, label_end);
    if (!is_wanted(label)) continue;
    rest.remove_prefix(label_end + kDashes.size());
    const size_t end = rest.find(kEnd);
    if (end == std::string_view::npos) return false;
    const std::string_view closing = rest.substr(end + kEnd.size());
    return closing.substr(0, label.size()) == label &&
           closing.substr(label.size(), kDashes.size()) == kDashes &&
           HoldsSequence(rest.substr(0, end));
  }
  return false;
}

}  // namespace

bool HasPemCertificate(std::string_view text) {
  return HasBlock(text, [](std::string_view label) {
    return label == "CERTIFICATE" || label == "X509 CERTIFICATE" ||
           label == "TRUSTED CERTIFICATE";
  });
}

bool HasPemPrivateKey(std::string_view text) {
  constexpr std::string_view kKind = "PRIVATE KEY";
  return HasBlock(text, [kKind](std::string_view label) {
    return label.size() >= kKind.size() &&
           label.substr(label.size() - kKind.size()) == kKind;
  });
}

}  // namespace meshlib::xds

#include "security/certificate.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::security {
namespace {

using base::ToAbsl;

// More is a mistake or an attack; a public trust store has about 300 KB.
constexpr size_t kMaxPemBytes = 4 * 1024 * 1024;

absl::Status CheckPemSize(std::string_view pem, std::string_view what) {
  if (pem.size() <= kMaxPemBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(what), ": ", pem.size(), " bytes > ", kMaxPemBytes));
}

// Instead of the default, which asks on the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

// Of a std::string_view.
int GivePassphrase(char* out, int size, int, void* passphrase) {
  const auto& text = *static_cast<const std::string_view*>(passphrase);
  if (text.empty() || text.size() > static_cast<size_t>(size)) return -1;
  memcpy(out, text.data(), text.size());
  return static_cast<int>(text.size());
}

// Reads blocks until there are no more. PEM readers pass over blocks of other
// kinds, and end with "no start line".
template <typename Ptr, typename Read>
absl::StatusOr<std::vector<Ptr>> ParseAll(std::string_view pem,
                                          std::string_view what,
                                          const char* kind, Read read) {
  if (absl::Status size = CheckPemSize(pem, what); !size.ok()) return size;
  ERR_clear_error();
  const BioPtr bio = ReadingBio(pem);
  std::vector<Ptr> out;
  while (auto* object = read(bio.get(), nullptr, NoPassphrase, nullptr)) {
    out.emplace_back(object);
  }
  const auto error = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM &&
                      ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string text = TakeSslErrors();
  if (!at_end) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(what), ": ", kind,
                                                   " ", out.size() + 1,
                                                   " cannot be read: ", text));
  }
  if (out.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        ToAbsl(what), ": no PEM ", kind, " in ", pem.size(), " bytes"));
  }
  return out;
}

std::string SubjectOf(const X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0,
                     XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : "";
}

std::optional<std::string> TextOf(const ASN1_STRING* value) {
  const auto* data =
      reinterpret_cast<const char*>(ASN1_STRING_get0_data(value));
  std::string text(data, static_cast<size_t>(ASN1_STRING_length(value)));
  const bool printable = std::all_of(
      text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (text.empty() || !printable) return std::nullopt;
  return text;
}

std::optional<std::string> AddressOf(const ASN1_STRING* value) {
  const int size = ASN1_STRING_length(value);
  if (size != 4 && size != 16) return std::nullopt;
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value),
                text, sizeof(text)) == nullptr) {
    return std::nullopt;
  }
  return text;
}

void AddOtherName(const OTHERNAME* name, PeerIdentity& out) {
  switch (ASN1_TYPE_get(name->value)) {
    case V_ASN1_UTF8STRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_VISIBLESTRING:
      break;
    default:
      return;
  }
  char oid[128];
  const int size = OBJ_obj2txt(oid, sizeof(oid), name->type_id, 1);
  auto value = TextOf(name->value->value.asn1_string);
  if (size <= 0 || size >= static_cast<int>(sizeof(oid)) || !value) return;
  out.other_names.push_back({oid, *std::move(value)});
}

void AddName(const GENERAL_NAME* name, PeerIdentity& out) {
  const auto add = [](std::optional<std::string> text,
                      std::vector<std::string>& names) {
    if (text) names.push_back(*std::move(text));
  };
  switch (name->type) {
    case GEN_URI:
      return add(TextOf(name->d.uniformResourceIdentifier), out.uris);
    case GEN_DNS:
      return add(TextOf(name->d.dNSName), out.dns_names);
    case GEN_EMAIL:
      return add(TextOf(name->d.rfc822Name), out.emails);
    case GEN_IPADD:
      return add(AddressOf(name->d.iPAddress), out.ip_addresses);
    case GEN_OTHERNAME:
      return AddOtherName(name->d.otherName, out);
    default:
      return;
  }
}

}  // namespace

absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(std::string_view pem,
                                                       std::string_view what) {
  return ParseAll<X509Ptr>(pem, what, "certificate", PEM_read_bio_X509);
}

absl::StatusOr<std::vector<CrlPtr>> ParseCrls(std::string_view pem,
                                              std::string_view what) {
  return ParseAll<CrlPtr>(pem, what, "CRL", PEM_read_bio_X509_CRL);
}

absl::StatusOr<PkeyPtr> ParsePrivateKey(std::string_view pem,
                                        std::string_view what,
                                        std::string_view passphrase) {
  if (absl::Status size = CheckPemSize(pem, what); !size.ok()) return size;
  ERR_clear_error();
  const BioPtr bio = ReadingBio(pem);
  PkeyPtr key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassphrase, &passphrase));
  const std::string text = TakeSslErrors();
  if (key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        ToAbsl(what),
        passphrase.empty() ? ": no unencrypted PEM private key in "
                           : ": no PEM private key of the password in ",
        pem.size(), " bytes: ", text));
  }
  return key;
}

PeerIdentity IdentityOf(const X509* certificate) {
  PeerIdentity out;
  out.subject = SubjectOf(certificate);
  const GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return out;
  for (size_t i = 0; i < static_cast<size_t>(sk_GENERAL_NAME_num(names.get()));
       ++i) {
    AddName(sk_GENERAL_NAME_value(names.get(), i), out);
  }
  return out;
}

std::string NameOf(const X509* certificate) {
  const PeerIdentity identity = IdentityOf(certificate);
  const std::string& name = !identity.uris.empty() ? identity.uris.front()
                            : !identity.dns_names.empty()
                                ? identity.dns_names.front()
                                : identity.subject;
  return absl::StrCat("\"", base::Excerpt(name), "\"");
}

std::string TimeText(const ASN1_TIME* time) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (ASN1_TIME_print(bio.get(), time) != 1) return "an unreadable time";
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string TakeSslErrors() {
  const auto error = ERR_peek_error();
  ERR_clear_error();
  if (error == 0) return "";
  char text[256];
  ERR_error_string_n(error, text, sizeof(text));
  return text;
}

}  // namespace meshlib::security

#ifndef MESHLIB_MODEL_TLS_H_
#define MESHLIB_MODEL_TLS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "model/metadata.h"
#include "model/string_matcher.h"

namespace meshlib::model {

// TLS as configured: envoy.extensions.transport_sockets.tls.v3 as plain values,
// with Envoy's names. Nothing is read from files here: who makes TLS contexts
// of these reads, and reads again.

// Bytes, or the file that holds them. Environment variables have become bytes.
// A file's `watched_directory` is not kept: files are compared by content.
struct DataSource {
  std::string inline_bytes;
  std::string filename;

  static DataSource Inline(std::string bytes) { return {std::move(bytes), ""}; }
  static DataSource File(std::string path) { return {"", std::move(path)}; }

  bool empty() const { return inline_bytes.empty() && filename.empty(); }
  friend bool operator==(const DataSource& a, const DataSource& b) {
    return a.inline_bytes == b.inline_bytes && a.filename == b.filename;
  }
};

struct TlsCertificate {
  DataSource certificate_chain;
  DataSource private_key;
  DataSource password;  // of the private key

  bool empty() const { return certificate_chain.empty(); }
  friend bool operator==(const TlsCertificate& a, const TlsCertificate& b) {
    return a.certificate_chain == b.certificate_chain &&
           a.private_key == b.private_key && a.password == b.password;
  }
};

// One kind of subject alternative name and a text matcher for it. Envoy's older
// match_subject_alt_names stands for one of each kind.
struct SubjectAltNameMatcher {
  enum class Type { kEmail, kDns, kUri, kIpAddress, kOtherName };
  Type san_type = Type::kUri;
  StringMatcher matcher;
  std::string oid;  // of kOtherName: "1.3.6.1.4.1.311.20.2.3"

  friend bool operator==(const SubjectAltNameMatcher& a,
                         const SubjectAltNameMatcher& b) {
    return a.san_type == b.san_type && a.matcher == b.matcher && a.oid == b.oid;
  }
};

// CertificateValidationContext: what the peer's certificate must be.
struct TlsValidation {
  DataSource trusted_ca;
  bool system_root_certs = false;
  DataSource crl;
  // One of all must match; empty: any name does.
  std::vector<SubjectAltNameMatcher> match_typed_subject_alt_names;
  // Of the leaf; one of both lists must match. SHA-256 in base64 of its public
  // key, and in hex (with colons or without) of it as a whole.
  std::vector<std::string> verify_certificate_spki;
  std::vector<std::string> verify_certificate_hash;
  bool allow_expired_certificate = false;
  bool accept_untrusted = false;  // trust_chain_verification
  bool only_verify_leaf_cert_crl = false;
  std::optional<uint32_t> max_verify_depth;

  bool has_trust() const { return !trusted_ca.empty() || system_root_certs; }
  friend bool operator==(const TlsValidation& a, const TlsValidation& b);
};

// As protobuf merges a secret's context over the default one.
TlsValidation MergeValidation(TlsValidation base, const TlsValidation& over);

enum class TlsVersion { kTls12, kTls13 };

struct TlsParameters {
  // Versions before 1.2 are never spoken: they count as 1.2.
  TlsVersion tls_minimum_protocol_version = TlsVersion::kTls12;
  TlsVersion tls_maximum_protocol_version = TlsVersion::kTls13;
  // Of TLS 1.2, by OpenSSL's names, and groups "[A|B]"; empty: the default.
  std::vector<std::string> cipher_suites;
  std::vector<std::string> ecdh_curves;
  std::vector<std::string> signature_algorithms;

  friend bool operator==(const TlsParameters& a, const TlsParameters& b);
};

// Where a secret that is only named comes from.
struct SecretSource {
  enum class Kind {
    kNone,
    kStatic,        // static_resources.secrets; see WithSecrets()
    kFile,          // path_config_source
    kControlPlane,  // an SDS server
    kProvider,      // a certificate provider of gRPC's bootstrap
  };
  Kind kind = Kind::kNone;
  std::string name;
  std::string path;  // kFile

  bool none() const { return kind == Kind::kNone; }
  friend bool operator==(const SecretSource& a, const SecretSource& b) {
    return a.kind == b.kind && a.name == b.name && a.path == b.path;
  }
};

struct CommonTls {
  TlsParameters tls_params;
  std::vector<std::string> alpn_protocols;
  TlsCertificate certificate;       // the first; empty: none
  SecretSource certificate_secret;  // instead of `certificate`
  // Of servers, which show the one that fits the client's SNI and algorithms.
  std::vector<TlsCertificate> more_certificates;
  std::vector<SecretSource> more_certificate_secrets;
  TlsValidation validation;        // the default, with a secret
  SecretSource validation_secret;  // merged over `validation`

  friend bool operator==(const CommonTls& a, const CommonTls& b);
};

// UpstreamTlsContext.
struct UpstreamTls {
  CommonTls common;
  std::string sni;
  // The hostname of the host instead of `sni`, where it has one.
  bool auto_host_sni = false;
  // The SNI that was sent must be a DNS name of the certificate, instead of
  // match_typed_subject_alt_names.
  bool auto_sni_san_validation = false;
  std::optional<uint32_t> max_session_keys;

  friend bool operator==(const UpstreamTls& a, const UpstreamTls& b);
};

// DownstreamTlsContext.
struct DownstreamTls {
  CommonTls common;
  bool require_client_certificate = false;
  bool require_sni = false;
  // Sessions are resumed by tickets unless this is set.
  bool disable_stateless_session_resumption = false;
  bool disable_stateful_session_resumption = false;
  std::optional<absl::Duration> session_timeout;
  bool full_scan_certs_on_sni_mismatch = false;
  bool prefer_client_ciphers = false;

  friend bool operator==(const DownstreamTls& a, const DownstreamTls& b);
};

// Secret: one of both parts is given.
struct TlsSecret {
  std::string name;
  std::optional<TlsCertificate> certificate;
  std::optional<TlsValidation> validation;

  friend bool operator==(const TlsSecret& a, const TlsSecret& b) {
    return a.name == b.name && a.certificate == b.certificate &&
           a.validation == b.validation;
  }
};

// With what static secrets hold in the place of their names; names that are not
// known stay. The same object if there is nothing to do; null stays null.
std::shared_ptr<const UpstreamTls> WithSecrets(
    std::shared_ptr<const UpstreamTls> tls,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets);
std::shared_ptr<const DownstreamTls> WithSecrets(
    std::shared_ptr<const DownstreamTls> tls,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets);

// An entry of a cluster's transport_socket_matches.
struct TransportSocketMatch {
  std::string name;
  // Must all be in the host's metadata of "envoy.transport_socket_match".
  std::map<std::string, Value, std::less<>> match;
  std::shared_ptr<const UpstreamTls> tls;  // null: plaintext

  bool Matches(const Metadata* host) const;
  friend bool operator==(const TransportSocketMatch& a,
                         const TransportSocketMatch& b);
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_TLS_H_

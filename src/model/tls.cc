#include "model/tls.h"

#include <algorithm>
#include <tuple>

namespace meshlib::model {
namespace {

constexpr std::string_view kMatchMetadata = "envoy.transport_socket_match";

template <typename T>
void Append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

auto Fields(const TlsValidation& in) {
  return std::tie(in.trusted_ca, in.system_root_certs, in.crl,
                  in.match_typed_subject_alt_names, in.verify_certificate_spki,
                  in.verify_certificate_hash, in.allow_expired_certificate,
                  in.accept_untrusted, in.only_verify_leaf_cert_crl,
                  in.max_verify_depth);
}
auto Fields(const TlsParameters& in) {
  return std::tie(in.tls_minimum_protocol_version,
                  in.tls_maximum_protocol_version, in.cipher_suites,
                  in.ecdh_curves, in.signature_algorithms);
}
auto Fields(const CommonTls& in) {
  return std::tie(in.tls_params, in.alpn_protocols, in.certificate,
                  in.certificate_secret, in.validation, in.validation_secret);
}
auto Fields(const UpstreamTls& in) {
  return std::tie(in.common, in.sni, in.auto_host_sni,
                  in.auto_sni_san_validation, in.max_session_keys);
}

template <typename Holds>
const TlsSecret* Find(
    const SecretSource& source,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets, Holds holds) {
  if (source.kind != SecretSource::Kind::kStatic) return nullptr;
  const auto found =
      std::find_if(secrets.begin(), secrets.end(), [&](const auto& secret) {
        return secret->name == source.name && holds(*secret);
      });
  return found == secrets.end() ? nullptr : found->get();
}

}  // namespace

bool operator==(const TlsValidation& a, const TlsValidation& b) {
  return Fields(a) == Fields(b);
}
bool operator==(const TlsParameters& a, const TlsParameters& b) {
  return Fields(a) == Fields(b);
}
bool operator==(const CommonTls& a, const CommonTls& b) {
  return Fields(a) == Fields(b);
}
bool operator==(const UpstreamTls& a, const UpstreamTls& b) {
  return Fields(a) == Fields(b);
}
bool operator==(const TransportSocketMatch& a, const TransportSocketMatch& b) {
  const bool same_tls = a.tls == b.tls || (a.tls && b.tls && *a.tls == *b.tls);
  return a.name == b.name && a.match == b.match && same_tls;
}

TlsValidation MergeValidation(TlsValidation base, const TlsValidation& over) {
  if (!over.trusted_ca.empty()) base.trusted_ca = over.trusted_ca;
  if (!over.crl.empty()) base.crl = over.crl;
  base.system_root_certs |= over.system_root_certs;
  Append(base.match_typed_subject_alt_names,
         over.match_typed_subject_alt_names);
  Append(base.verify_certificate_spki, over.verify_certificate_spki);
  Append(base.verify_certificate_hash, over.verify_certificate_hash);
  base.allow_expired_certificate |= over.allow_expired_certificate;
  base.accept_untrusted |= over.accept_untrusted;
  base.only_verify_leaf_cert_crl |= over.only_verify_leaf_cert_crl;
  if (over.max_verify_depth) base.max_verify_depth = over.max_verify_depth;
  return base;
}

std::shared_ptr<const UpstreamTls> WithSecrets(
    std::shared_ptr<const UpstreamTls> tls,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets) {
  if (tls == nullptr) return tls;
  const TlsSecret* const certificate = Find(
      tls->common.certificate_secret, secrets,
      [](const TlsSecret& secret) { return secret.certificate.has_value(); });
  const TlsSecret* const validation = Find(
      tls->common.validation_secret, secrets,
      [](const TlsSecret& secret) { return secret.validation.has_value(); });
  if (certificate == nullptr && validation == nullptr) return tls;
  auto out = std::make_shared<UpstreamTls>(*tls);
  if (certificate != nullptr) {
    out->common.certificate = *certificate->certificate;
    out->common.certificate_secret = {};
  }
  if (validation != nullptr) {
    out->common.validation = MergeValidation(std::move(out->common.validation),
                                             *validation->validation);
    out->common.validation_secret = {};
  }
  return out;
}

bool TransportSocketMatch::Matches(const Metadata* host) const {
  if (match.empty()) return true;
  if (host == nullptr) return false;
  const auto filter = host->filters.find(kMatchMetadata);
  if (filter == host->filters.end()) return false;
  const auto& labels = filter->second.fields;
  return std::all_of(match.begin(), match.end(), [&](const auto& want) {
    const auto found = labels.find(want.first);
    return found != labels.end() && found->second == want.second;
  });
}

}  // namespace meshlib::model

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
                  in.certificate_secret, in.more_certificates,
                  in.more_certificate_secrets, in.validation,
                  in.validation_secret);
}
auto Fields(const UpstreamTls& in) {
  return std::tie(in.common, in.sni, in.auto_host_sni,
                  in.auto_sni_san_validation, in.max_session_keys);
}

auto Fields(const DownstreamTls& in) {
  return std::tie(in.common, in.require_client_certificate, in.require_sni,
                  in.disable_stateless_session_resumption,
                  in.disable_stateful_session_resumption, in.session_timeout,
                  in.full_scan_certs_on_sni_mismatch, in.prefer_client_ciphers);
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

using Secrets = std::vector<std::shared_ptr<const TlsSecret>>;

const TlsSecret* FindCertificate(const SecretSource& source,
                                 const Secrets& secrets) {
  return Find(source, secrets, [](const TlsSecret& secret) {
    return secret.certificate.has_value();
  });
}

bool NamesSecrets(const CommonTls& common) {
  return !common.certificate_secret.none() ||
         !common.validation_secret.none() ||
         !common.more_certificate_secrets.empty();
}

// Whether it changed anything.
bool Fill(const Secrets& secrets, CommonTls& common) {
  bool any = false;
  const auto* const certificate =
      FindCertificate(common.certificate_secret, secrets);
  if (certificate != nullptr) {
    any = true;
    common.certificate = *certificate->certificate;
    common.certificate_secret = {};
  }
  auto& more = common.more_certificate_secrets;
  for (size_t i = 0; i < more.size();) {
    const auto* const known = FindCertificate(more[i], secrets);
    if (known == nullptr) {
      ++i;
      continue;
    }
    any = true;
    common.more_certificates.push_back(*known->certificate);
    more.erase(more.begin() + static_cast<ptrdiff_t>(i));
  }
  const TlsSecret* const validation = Find(
      common.validation_secret, secrets,
      [](const TlsSecret& secret) { return secret.validation.has_value(); });
  if (validation == nullptr) return any;
  common.validation =
      MergeValidation(std::move(common.validation), *validation->validation);
  common.validation_secret = {};
  return true;
}

template <typename Tls>
std::shared_ptr<const Tls> Filled(std::shared_ptr<const Tls> tls,
                                  const Secrets& secrets) {
  if (tls == nullptr || !NamesSecrets(tls->common)) return tls;
  auto changed = std::make_shared<Tls>(*tls);
  if (Fill(secrets, changed->common)) return changed;
  return tls;
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
bool operator==(const DownstreamTls& a, const DownstreamTls& b) {
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
  return Filled(std::move(tls), secrets);
}
std::shared_ptr<const DownstreamTls> WithSecrets(
    std::shared_ptr<const DownstreamTls> tls,
    const std::vector<std::shared_ptr<const TlsSecret>>& secrets) {
  return Filled(std::move(tls), secrets);
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

#include "xds/convert_tls.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "xds/check_certificate.h"
#include "xds/convert_data_source.h"
#include "xds/convert_matchers.h"
#include "xds/convert_values.h"
#include "xds/pem.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
namespace matcher = envoy::type::matcher::v3;
namespace tls = envoy::extensions::transport_sockets::tls::v3;
using model::SecretSource;
using SanType = model::SubjectAltNameMatcher::Type;

// Of a certificate bundle or a key; the bundles of systems have 0.2 MB.
constexpr size_t kMaxPem = size_t{8} << 20;

// `has_pem` may be null.
model::DataSource ConvertSource(const core::DataSource& in,
                                std::string_view field,
                                bool (*has_pem)(std::string_view),
                                FieldErrors& errors) {
  ScopedField scope(errors, field);
  auto text = ReadDataSource(in, kMaxPem, errors);
  if (!text) return {};
  if (text->empty()) {
    errors.Error("is empty");
  } else if (has_pem != nullptr && !has_pem(*text)) {
    errors.Error("holds no readable PEM block of its kind");
  }
  if (in.has_filename()) return model::DataSource::File(in.filename());
  return model::DataSource::Inline(*std::move(text));
}

model::TlsCertificate ConvertCertificate(const tls::TlsCertificate& in,
                                         FieldErrors& errors) {
  model::TlsCertificate out;
  if (in.has_certificate_chain() != in.has_private_key()) {
    errors.ErrorAt(in.has_private_key() ? "certificate_chain" : "private_key",
                   "is required beside the other half");
    return out;
  }
  if (!in.has_private_key()) return out;
  out.certificate_chain = ConvertSource(
      in.certificate_chain(), "certificate_chain", HasPemCertificate, errors);
  out.private_key =
      ConvertSource(in.private_key(), "private_key", HasPemPrivateKey, errors);
  if (in.has_password()) {
    out.password = ConvertSource(in.password(), "password", nullptr, errors);
  }
  return out;
}

SanType ConvertSanType(tls::SubjectAltNameMatcher::SanType in) {
  switch (in) {
    case tls::SubjectAltNameMatcher::EMAIL:
      return SanType::kEmail;
    case tls::SubjectAltNameMatcher::DNS:
      return SanType::kDns;
    case tls::SubjectAltNameMatcher::IP_ADDRESS:
      return SanType::kIpAddress;
    case tls::SubjectAltNameMatcher::OTHER_NAME:
      return SanType::kOtherName;
    default:
      return SanType::kUri;
  }
}

bool IsAddress(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// The old form: any kind of name will do.
void AddForEachType(const model::StringMatcher& matcher,
                    std::vector<model::SubjectAltNameMatcher>& out) {
  for (const SanType type : {SanType::kUri, SanType::kDns, SanType::kEmail}) {
    out.push_back({type, matcher, ""});
  }
  if (matcher.kind != model::StringMatcher::Kind::kExact ||
      IsAddress(matcher.value)) {
    out.push_back({SanType::kIpAddress, matcher, ""});
  }
}

std::vector<model::SubjectAltNameMatcher> ConvertNames(
    const tls::CertificateValidationContext& in, FieldErrors& errors,
    DeferredChecks* deferred) {
  const RouteContext context{errors, deferred};
  std::vector<model::SubjectAltNameMatcher> out;
  for (int i = 0; i < in.match_typed_subject_alt_names_size(); ++i) {
    const auto& name = in.match_typed_subject_alt_names(i);
    ScopedField scope(errors, "match_typed_subject_alt_names", i);
    if (name.san_type() == tls::SubjectAltNameMatcher::OTHER_NAME &&
        name.oid().empty()) {
      errors.ErrorAt("oid", "is required for OTHER_NAME");
    }
    ScopedField field(errors, "matcher");
    out.push_back({ConvertSanType(name.san_type()),
                   ConvertStringMatcher(name.matcher(), context), name.oid()});
  }
  for (int i = 0; i < in.match_subject_alt_names_size(); ++i) {
    ScopedField scope(errors, "match_subject_alt_names", i);
    AddForEachType(ConvertStringMatcher(in.match_subject_alt_names(i), context),
                   out);
  }
  return out;
}

// Something that Envoy takes.
void Refuse(TlsEnd end, std::string_view field, const std::string& why,
            FieldErrors& errors) {
  if (end == TlsEnd::kClient) return errors.ErrorAt(field, why);
  errors.UnsupportedAt(field, why);
}

model::TlsValidation ConvertValidation(
    const tls::CertificateValidationContext& in, TlsEnd end,
    FieldErrors& errors, DeferredChecks* deferred) {
  model::TlsValidation out;
  if (in.has_trusted_ca()) {
    out.trusted_ca =
        ConvertSource(in.trusted_ca(), "trusted_ca", HasPemCertificate, errors);
  }
  if (in.has_crl()) out.crl = ConvertSource(in.crl(), "crl", nullptr, errors);
  if (in.has_custom_validator_config()) {
    Refuse(end, "custom_validator_config",
           "is not supported; the peer would be checked by other rules",
           errors);
  }
  out.system_root_certs = in.has_system_root_certs();
  out.match_typed_subject_alt_names = ConvertNames(in, errors, deferred);
  out.verify_certificate_spki.assign(in.verify_certificate_spki().begin(),
                                     in.verify_certificate_spki().end());
  out.verify_certificate_hash.assign(in.verify_certificate_hash().begin(),
                                     in.verify_certificate_hash().end());
  out.allow_expired_certificate = in.allow_expired_certificate();
  out.accept_untrusted = in.trust_chain_verification() ==
                         tls::CertificateValidationContext::ACCEPT_UNTRUSTED;
  out.only_verify_leaf_cert_crl = in.only_verify_leaf_cert_crl();
  if (in.has_max_verify_depth()) {
    out.max_verify_depth = in.max_verify_depth().value();
  }
  return out;
}

// Of one that is not merged with a secret.
void CheckNamesHaveTrust(const tls::CertificateValidationContext& in,
                         FieldErrors& errors) {
  if (in.has_trusted_ca() || in.has_ca_certificate_provider_instance()) return;
  const bool typed = in.match_typed_subject_alt_names_size() > 0;
  if (!typed && in.match_subject_alt_names_size() == 0) return;
  // Envoy 1.40 does not count system_root_certs either.
  errors.ErrorAt(
      typed ? "match_typed_subject_alt_names" : "match_subject_alt_names",
      "needs a trusted_ca: names in certificates of unknown issuers say "
      "nothing");
}

SecretSource ConvertSecretSource(const tls::SdsSecretConfig& in,
                                 bool certificate, FieldErrors& errors,
                                 DeferredChecks* deferred) {
  SecretSource out{SecretSource::Kind::kControlPlane, in.name(), ""};
  const core::ConfigSource& from = in.sds_config();
  if (!in.has_sds_config()) {
    out.kind = SecretSource::Kind::kStatic;
    if (deferred != nullptr) {
      deferred->secrets.push_back({errors.path(), in.name(), certificate});
    }
  } else if (from.has_path_config_source() || !from.path().empty()) {
    out.kind = SecretSource::Kind::kFile;
    out.path = from.has_path_config_source() ? from.path_config_source().path()
                                             : from.path();
  }
  return out;
}

SecretSource OfProvider(const std::string& instance) {
  return {SecretSource::Kind::kProvider, instance, ""};
}

void ConvertShownCertificate(const tls::CommonTlsContext& in,
                             FieldErrors& errors, DeferredChecks* deferred,
                             model::CommonTls& out) {
  for (int i = 0; i < in.tls_certificates_size(); ++i) {
    ScopedField scope(errors, "tls_certificates", i);
    const size_t errors_before = errors.error_count();
    auto certificate = ConvertCertificate(in.tls_certificates(i), errors);
    if (errors.error_count() == errors_before) {
      CheckKeyPair(in.tls_certificates(i), errors);
    }
    if (i == 0) {
      out.certificate = std::move(certificate);
    } else {
      out.more_certificates.push_back(std::move(certificate));
    }
  }
  for (int i = 0; i < in.tls_certificate_sds_secret_configs_size(); ++i) {
    ScopedField scope(errors, "tls_certificate_sds_secret_configs", i);
    auto secret = ConvertSecretSource(in.tls_certificate_sds_secret_configs(i),
                                      true, errors, deferred);
    if (i == 0) {
      out.certificate_secret = std::move(secret);
    } else {
      out.more_certificate_secrets.push_back(std::move(secret));
    }
  }
  if (in.has_tls_certificate_provider_instance()) {
    out.certificate_secret =
        OfProvider(in.tls_certificate_provider_instance().instance_name());
  } else if (in.has_tls_certificate_certificate_provider_instance()) {
    out.certificate_secret = OfProvider(
        in.tls_certificate_certificate_provider_instance().instance_name());
  }
}

void ConvertWholeValidation(const tls::CertificateValidationContext& in,
                            TlsEnd end, FieldErrors& errors,
                            DeferredChecks* deferred, model::CommonTls& out) {
  const size_t errors_before = errors.error_count();
  out.validation = ConvertValidation(in, end, errors, deferred);
  if (in.has_trusted_ca() && errors.error_count() == errors_before) {
    CheckTrustedCa(in, errors);
  }
  if (in.has_ca_certificate_provider_instance()) {
    out.validation_secret =
        OfProvider(in.ca_certificate_provider_instance().instance_name());
  }
}

void ConvertCombined(
    const tls::CommonTlsContext::CombinedCertificateValidationContext& in,
    TlsEnd end, FieldErrors& errors, DeferredChecks* deferred,
    model::CommonTls& out) {
  {
    ScopedField scope(errors, "default_validation_context");
    ConvertWholeValidation(in.default_validation_context(), end, errors,
                           deferred, out);
  }
  if (in.has_validation_context_sds_secret_config()) {
    ScopedField scope(errors, "validation_context_sds_secret_config");
    out.validation_secret = ConvertSecretSource(
        in.validation_context_sds_secret_config(), false, errors, deferred);
  } else if (in.has_validation_context_certificate_provider_instance()) {
    out.validation_secret = OfProvider(
        in.validation_context_certificate_provider_instance().instance_name());
  }
}

model::TlsParameters ConvertParameters(const tls::TlsParameters& in, TlsEnd end,
                                       FieldErrors& errors) {
  model::TlsParameters out;
  if (in.tls_minimum_protocol_version() == tls::TlsParameters::TLSv1_3) {
    out.tls_minimum_protocol_version = model::TlsVersion::kTls13;
  }
  switch (in.tls_maximum_protocol_version()) {
    case tls::TlsParameters::TLSv1_0:
    case tls::TlsParameters::TLSv1_1:
      Refuse(end, "tls_maximum_protocol_version",
             "is before TLSv1_2, the oldest that meshlib speaks", errors);
      break;
    case tls::TlsParameters::TLSv1_2:
      out.tls_maximum_protocol_version = model::TlsVersion::kTls12;
      break;
    default:
      break;
  }
  out.cipher_suites.assign(in.cipher_suites().begin(),
                           in.cipher_suites().end());
  out.ecdh_curves.assign(in.ecdh_curves().begin(), in.ecdh_curves().end());
  out.signature_algorithms.assign(in.signature_algorithms().begin(),
                                  in.signature_algorithms().end());
  return out;
}

void CheckTicketKey(const core::DataSource& in, int index,
                    FieldErrors& errors) {
  constexpr size_t kKeyBytes = 80;
  ScopedField list(errors, "session_ticket_keys");
  ScopedField scope(errors, "keys", index);
  const auto key = ReadDataSource(in, kKeyBytes, errors);
  if (!key || key->size() == kKeyBytes) return;
  errors.Error(absl::StrCat("a ticket key has ", kKeyBytes, " bytes"));
}

}  // namespace

model::CommonTls ConvertCommonTls(const tls::CommonTlsContext& in, TlsEnd end,
                                  FieldErrors& errors,
                                  DeferredChecks* deferred) {
  model::CommonTls out;
  {
    ScopedField scope(errors, "tls_params");
    out.tls_params = ConvertParameters(in.tls_params(), end, errors);
  }
  out.alpn_protocols.assign(in.alpn_protocols().begin(),
                            in.alpn_protocols().end());
  ConvertShownCertificate(in, errors, deferred, out);
  if (in.has_validation_context()) {
    ScopedField scope(errors, "validation_context");
    CheckNamesHaveTrust(in.validation_context(), errors);
    ConvertWholeValidation(in.validation_context(), end, errors, deferred, out);
  } else if (in.has_validation_context_sds_secret_config()) {
    ScopedField scope(errors, "validation_context_sds_secret_config");
    out.validation_secret = ConvertSecretSource(
        in.validation_context_sds_secret_config(), false, errors, deferred);
  } else if (in.has_combined_validation_context()) {
    ScopedField scope(errors, "combined_validation_context");
    ConvertCombined(in.combined_validation_context(), end, errors, deferred,
                    out);
  } else if (in.has_validation_context_certificate_provider_instance()) {
    out.validation_secret = OfProvider(
        in.validation_context_certificate_provider_instance().instance_name());
  }
  return out;
}

std::shared_ptr<const model::DownstreamTls> ConvertDownstreamTls(
    const tls::DownstreamTlsContext& in, FieldErrors& errors,
    DeferredChecks* deferred) {
  const size_t errors_before = errors.error_count();
  auto out = std::make_shared<model::DownstreamTls>();
  out->require_client_certificate = in.require_client_certificate().value();
  out->require_sni = in.require_sni().value();
  out->disable_stateless_session_resumption =
      in.disable_stateless_session_resumption();
  out->disable_stateful_session_resumption =
      in.disable_stateful_session_resumption();
  out->full_scan_certs_on_sni_mismatch =
      in.full_scan_certs_on_sni_mismatch().value();
  out->prefer_client_ciphers = in.prefer_client_ciphers();
  out->session_timeout =
      ConvertOptionalDuration(in.has_session_timeout(), in.session_timeout(),
                              "session_timeout", errors);
  for (int i = 0; i < in.session_ticket_keys().keys_size(); ++i) {
    CheckTicketKey(in.session_ticket_keys().keys(i), i, errors);
  }
  const tls::CommonTlsContext& common = in.common_tls_context();
  if (common.tls_certificates_size() > 0 &&
      common.tls_certificate_sds_secret_configs_size() > 0) {
    errors.ErrorAt("common_tls_context",
                   "tls_certificates and tls_certificate_sds_secret_configs "
                   "cannot be mixed");
  }
  if (in.ocsp_staple_policy() == tls::DownstreamTlsContext::MUST_STAPLE &&
      std::any_of(common.tls_certificates().begin(),
                  common.tls_certificates().end(),
                  [](const auto& one) { return !one.has_ocsp_staple(); })) {
    errors.ErrorAt("ocsp_staple_policy",
                   "MUST_STAPLE needs an ocsp_staple of each certificate");
  }
  ScopedField scope(errors, "common_tls_context");
  out->common = ConvertCommonTls(common, TlsEnd::kServer, errors, deferred);
  return errors.error_count() == errors_before ? out : nullptr;
}

std::shared_ptr<const model::TlsSecret> ConvertSecret(
    const tls::Secret& in, FieldErrors& errors, DeferredChecks* deferred) {
  const size_t errors_before = errors.error_count();
  auto out = std::make_shared<model::TlsSecret>();
  out->name = in.name();
  if (in.has_tls_certificate()) {
    ScopedField scope(errors, "tls_certificate");
    out->certificate = ConvertCertificate(in.tls_certificate(), errors);
  } else if (in.has_validation_context()) {
    ScopedField scope(errors, "validation_context");
    out->validation = ConvertValidation(in.validation_context(),
                                        TlsEnd::kClient, errors, deferred);
  } else {
    return nullptr;
  }
  return errors.error_count() == errors_before ? out : nullptr;
}

}  // namespace meshlib::xds

#include "xds/convert_transport.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "xds/convert_data_source.h"
#include "xds/convert_values.h"
#include "xds/pem.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
namespace tls = envoy::extensions::transport_sockets::tls::v3;
using envoy::extensions::transport_sockets::internal_upstream::v3::
    InternalUpstreamTransport;
using envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;

struct Transport {
  std::optional<model::UpstreamTls> tls;
  std::vector<std::string> identities;
};

void AddIdentities(const tls::CertificateValidationContext& in,
                   std::vector<std::string>& out) {
  using Matcher = envoy::type::matcher::v3::StringMatcher;
  for (const auto& san : in.match_typed_subject_alt_names()) {
    if (san.matcher().match_pattern_case() == Matcher::kExact) {
      out.push_back(san.matcher().exact());
    }
  }
  for (const auto& matcher : in.match_subject_alt_names()) {
    if (matcher.match_pattern_case() == Matcher::kExact) {
      out.push_back(matcher.exact());
    }
  }
}

// Of a certificate bundle or a key; the bundles of systems have 0.2 MB.
constexpr size_t kMaxPem = size_t{8} << 20;

void CheckPem(const core::DataSource& in, std::string_view field,
              bool (*has_pem)(std::string_view), FieldErrors& errors) {
  ScopedField scope(errors, field);
  const auto text = ReadDataSource(in, kMaxPem, errors);
  if (!text) return;
  if (text->empty()) {
    errors.Error("is empty");
  } else if (!has_pem(*text)) {
    errors.Error("holds no readable PEM block of its kind");
  }
}

void NeedSecret(const tls::SdsSecretConfig& in, bool certificate,
                FieldErrors& errors, DeferredChecks* deferred) {
  if (deferred == nullptr || in.has_sds_config()) return;
  deferred->secrets.push_back({errors.path(), in.name(), certificate});
}

void NeedSecrets(const tls::CommonTlsContext& in, FieldErrors& errors,
                 DeferredChecks* deferred) {
  for (int i = 0; i < in.tls_certificate_sds_secret_configs_size(); ++i) {
    ScopedField scope(errors, "tls_certificate_sds_secret_configs", i);
    NeedSecret(in.tls_certificate_sds_secret_configs(i), true, errors,
               deferred);
  }
  if (in.has_validation_context_sds_secret_config()) {
    ScopedField scope(errors, "validation_context_sds_secret_config");
    NeedSecret(in.validation_context_sds_secret_config(), false, errors,
               deferred);
  }
  const auto& combined = in.combined_validation_context();
  if (combined.has_validation_context_sds_secret_config()) {
    ScopedField outer(errors, "combined_validation_context");
    ScopedField scope(errors, "validation_context_sds_secret_config");
    NeedSecret(combined.validation_context_sds_secret_config(), false, errors,
               deferred);
  }
}

void CheckValidation(const tls::CertificateValidationContext& in,
                     FieldErrors& errors) {
  if (in.has_trusted_ca()) {
    CheckPem(in.trusted_ca(), "trusted_ca", HasPemCertificate, errors);
    return;
  }
  const bool typed = in.match_typed_subject_alt_names_size() > 0;
  if (in.has_ca_certificate_provider_instance()) return;
  if (!typed && in.match_subject_alt_names_size() == 0) return;
  // Envoy 1.40 does not count system_root_certs either.
  errors.ErrorAt(
      typed ? "match_typed_subject_alt_names" : "match_subject_alt_names",
      "needs a trusted_ca: names in certificates of unknown issuers say "
      "nothing");
}

void CheckCertificates(const tls::CommonTlsContext& in, FieldErrors& errors) {
  if (in.tls_certificates_size() > 1) {
    errors.ErrorAt("tls_certificates",
                   "a client shows one certificate at the most");
  }
  for (int i = 0; i < in.tls_certificates_size(); ++i) {
    const tls::TlsCertificate& certificate = in.tls_certificates(i);
    ScopedField scope(errors, "tls_certificates", i);
    if (certificate.has_certificate_chain() == certificate.has_private_key()) {
      if (!certificate.has_private_key()) continue;
      CheckPem(certificate.certificate_chain(), "certificate_chain",
               HasPemCertificate, errors);
      CheckPem(certificate.private_key(), "private_key", HasPemPrivateKey,
               errors);
      continue;
    }
    errors.ErrorAt(
        certificate.has_private_key() ? "certificate_chain" : "private_key",
        "is required beside the other half");
  }
}

Transport FromTlsContext(const tls::UpstreamTlsContext& in, FieldErrors& errors,
                         DeferredChecks* deferred) {
  Transport out;
  ScopedField scope(errors, "common_tls_context");
  NeedSecrets(in.common_tls_context(), errors, deferred);
  CheckCertificates(in.common_tls_context(), errors);
  if (in.common_tls_context().has_validation_context()) {
    ScopedField validation(errors, "validation_context");
    CheckValidation(in.common_tls_context().validation_context(), errors);
  }
  model::UpstreamTls& context = out.tls.emplace();
  const auto& common = in.common_tls_context();
  context.sni = in.sni();
  context.alpn.assign(common.alpn_protocols().begin(),
                      common.alpn_protocols().end());
  if (common.tls_certificate_sds_secret_configs_size() > 0) {
    context.certificate_sds_name =
        common.tls_certificate_sds_secret_configs(0).name();
  }
  context.validation_sds_name =
      common.validation_context_sds_secret_config().name();
  AddIdentities(common.validation_context(), out.identities);
  if (common.has_combined_validation_context()) {
    const auto& combined = common.combined_validation_context();
    context.validation_sds_name =
        combined.validation_context_sds_secret_config().name();
    AddIdentities(combined.default_validation_context(), out.identities);
  }
  return out;
}

// A transport socket may wrap another one.
constexpr int kMaxDepth = 4;

Transport ConvertSocket(const core::TransportSocket& in, FieldErrors& errors,
                        DeferredChecks* deferred, int depth = 0) {
  ScopedField scope(errors, "transport_socket");
  if (depth > kMaxDepth) {
    errors.Error(absl::StrCat("transport sockets are nested more than ",
                              kMaxDepth, " deep"));
    return {};
  }
  if (!in.has_typed_config()) {
    errors.ErrorAt("typed_config", "is required");
    return {};
  }
  ScopedField config(errors, "typed_config");
  if (HoldsA<RawBuffer>(in.typed_config())) return {};
  if (HoldsA<tls::UpstreamTlsContext>(in.typed_config())) {
    tls::UpstreamTlsContext context;
    if (!UnpackInto(in.typed_config(), context, errors)) return {};
    return FromTlsContext(context, errors, deferred);
  }
  if (HoldsA<InternalUpstreamTransport>(in.typed_config())) {
    InternalUpstreamTransport transport;
    if (!UnpackInto(in.typed_config(), transport, errors)) return {};
    return ConvertSocket(transport.transport_socket(), errors, deferred,
                         depth + 1);
  }
  errors.Error(
      absl::StrCat("transport socket ", Quoted(AnyTypeName(in.typed_config())),
                   " is not supported; connections would go out without it"));
  return {};
}

bool IsForIstioMutualTls(const ::google::protobuf::Struct& match) {
  const auto mode = match.fields().find("tlsMode");
  return mode != match.fields().end() && mode->second.string_value() == "istio";
}

}  // namespace

void ConvertTransport(const envoy::config::cluster::v3::Cluster& in,
                      FieldErrors& errors, DeferredChecks* deferred,
                      model::Cluster& out) {
  Transport chosen;
  if (in.has_transport_socket()) {
    chosen = ConvertSocket(in.transport_socket(), errors, deferred);
  }
  for (int i = 0; i < in.transport_socket_matches_size(); ++i) {
    const auto& match = in.transport_socket_matches(i);
    ScopedField scope(errors, "transport_socket_matches", i);
    Transport transport =
        ConvertSocket(match.transport_socket(), errors, deferred);
    if (!chosen.tls && IsForIstioMutualTls(match.match())) {
      chosen = std::move(transport);
    }
  }
  out.tls = std::move(chosen.tls);
  out.expected_identities = std::move(chosen.identities);
}

}  // namespace meshlib::xds

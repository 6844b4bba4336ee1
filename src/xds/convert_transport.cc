#include "xds/convert_transport.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "xds/convert_tls.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
namespace tls = envoy::extensions::transport_sockets::tls::v3;
using envoy::extensions::transport_sockets::internal_upstream::v3::
    InternalUpstreamTransport;
using envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;

using TlsPtr = std::shared_ptr<const model::UpstreamTls>;

TlsPtr FromTlsContext(const tls::UpstreamTlsContext& in, FieldErrors& errors,
                      DeferredChecks* deferred) {
  auto out = std::make_shared<model::UpstreamTls>();
  out->sni = in.sni();
  out->auto_host_sni = in.auto_host_sni();
  out->auto_sni_san_validation = in.auto_sni_san_validation();
  if (in.has_max_session_keys()) {
    out->max_session_keys = in.max_session_keys().value();
  }
  if (in.allow_renegotiation()) {
    errors.UnsupportedAt("allow_renegotiation", "TLS is never renegotiated");
  }
  if (in.enforce_rsa_key_usage().value()) {
    errors.UnsupportedAt("enforce_rsa_key_usage",
                         "the TLS library decides about keyUsage");
  }
  ScopedField scope(errors, "common_tls_context");
  if (in.common_tls_context().tls_certificates_size() > 1) {
    errors.ErrorAt("tls_certificates",
                   "a client shows one certificate at the most");
  }
  out->common = ConvertCommonTls(in.common_tls_context(), TlsEnd::kClient,
                                 errors, deferred);
  const model::TlsValidation& validation = out->common.validation;
  if (!validation.has_trust() && !validation.accept_untrusted &&
      out->common.validation_secret.none()) {
    errors.Warning(
        "without a trusted_ca the servers' certificates are not verified");
  }
  return out;
}

// The exact names of URIs and DNS, once each.
std::vector<std::string> IdentitiesOf(const model::UpstreamTls& tls) {
  std::vector<std::string> out;
  for (const auto& name : tls.common.validation.match_typed_subject_alt_names) {
    const std::string& value = name.matcher.value;
    if (name.matcher.kind == model::StringMatcher::Kind::kExact &&
        std::find(out.begin(), out.end(), value) == out.end()) {
      out.push_back(value);
    }
  }
  return out;
}

// A transport socket may wrap another one.
constexpr int kMaxDepth = 4;

// Null: plaintext, or an error.
TlsPtr ConvertSocket(const core::TransportSocket& in, FieldErrors& errors,
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

std::shared_ptr<const model::DownstreamTls> ConvertListenerTransport(
    const core::TransportSocket& in, FieldErrors& errors,
    DeferredChecks* deferred) {
  ScopedField scope(errors, "transport_socket");
  if (!in.has_typed_config()) {
    errors.ErrorAt("typed_config", "is required");
    return nullptr;
  }
  ScopedField config(errors, "typed_config");
  if (HoldsA<RawBuffer>(in.typed_config())) return nullptr;
  const std::string name = Quoted(AnyTypeName(in.typed_config()));
  if (HoldsA<tls::UpstreamTlsContext>(in.typed_config()) ||
      HoldsA<InternalUpstreamTransport>(in.typed_config())) {
    errors.Error(absl::StrCat(name, " is for clusters"));
    return nullptr;
  }
  if (!HoldsA<tls::DownstreamTlsContext>(in.typed_config())) {
    errors.Unsupported(
        absl::StrCat("the transport socket ", name, " is not supported yet"));
    return nullptr;
  }
  tls::DownstreamTlsContext context;
  if (!UnpackInto(in.typed_config(), context, errors)) return nullptr;
  return ConvertDownstreamTls(context, errors, deferred);
}

void ConvertTransport(const envoy::config::cluster::v3::Cluster& in,
                      FieldErrors& errors, DeferredChecks* deferred,
                      model::Cluster& out) {
  if (in.has_transport_socket()) {
    out.tls = ConvertSocket(in.transport_socket(), errors, deferred);
  }
  const model::UpstreamTls* identified = out.tls.get();
  for (int i = 0; i < in.transport_socket_matches_size(); ++i) {
    const auto& match = in.transport_socket_matches(i);
    ScopedField scope(errors, "transport_socket_matches", i);
    auto& entry = out.transport_socket_matches.emplace_back();
    entry.name = match.name();
    entry.match = ConvertStruct(match.match()).fields;
    entry.tls = ConvertSocket(match.transport_socket(), errors, deferred);
    if (identified == nullptr && IsForIstioMutualTls(match.match())) {
      identified = entry.tls.get();
    }
  }
  if (identified != nullptr)
    out.expected_identities = IdentitiesOf(*identified);
}

}  // namespace meshlib::xds

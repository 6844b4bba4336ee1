#include "security/client_tls_source.h"

#include <arpa/inet.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::security {
namespace {

using model::SecretSource;

std::string Describe(const SecretSource& source) {
  return absl::StrCat("secret \"", base::Excerpt(source.name), "\"");
}

// Where a secret would come from that cannot come.
absl::Status NotThere(const SecretSource& source) {
  const char* why = "there is no such static secret";
  if (source.kind == SecretSource::Kind::kControlPlane) {
    why = "no control plane has sent it";
  } else if (source.kind == SecretSource::Kind::kProvider) {
    why = "certificate providers of gRPC's bootstrap are not supported";
  }
  return absl::UnavailableError(absl::StrCat(Describe(source), ": ", why));
}

absl::StatusOr<model::TlsSecret> Fetch(const SecretSource& source,
                                       const ReadSecret& read) {
  if (source.kind != SecretSource::Kind::kFile || read == nullptr) {
    return NotThere(source);
  }
  auto secret = read(source.path, source.name);
  if (secret.ok()) return secret;
  return absl::Status(
      secret.status().code(),
      absl::StrCat(Describe(source), ": ", secret.status().message()));
}

TlsSources SourcesOf(const model::CommonTls& tls) {
  return {tls.certificate, tls.validation.trusted_ca, tls.validation.crl};
}

// Or is told that it need not.
bool CanVerify(const model::TlsValidation& validation) {
  return validation.has_trust() || validation.accept_untrusted;
}

bool IsAddress(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace

ClientTlsSource::ClientTlsSource(
    std::shared_ptr<const model::UpstreamTls> config, ReadSecret read_secret)
    : config_(std::move(config)), read_secret_(std::move(read_secret)) {
  const model::CommonTls& common = config_->common;
  const bool by_file =
      common.certificate_secret.kind == SecretSource::Kind::kFile ||
      common.validation_secret.kind == SecretSource::Kind::kFile;
  changes_ = by_file || SourcesOf(common).has_files();
  if (!changes_) {
    Refresh().IgnoreError();
    return;
  }
  const base::MutexLock lock(mutex_);
  error_ = absl::UnavailableError("the certificates have not been read yet");
}

absl::StatusOr<std::shared_ptr<const TlsContext>> ClientTlsSource::Latest()
    const {
  const base::MutexLock lock(mutex_);
  if (latest_ != nullptr) return latest_;
  return absl::UnavailableError(
      absl::StrCat("TLS is not ready: ", error_.message()));
}

ClientTlsSource::Counts ClientTlsSource::counts() const {
  const base::MutexLock lock(mutex_);
  return counts_;
}

absl::Status ClientTlsSource::Refresh() {
  absl::Status status = RefreshAll();
  const base::MutexLock lock(mutex_);
  if (!status.ok()) ++counts_.failures;
  error_ = status;
  return status;
}

absl::Status ClientTlsSource::RefreshAll() {
  auto resolved = Resolve();
  if (!resolved.ok()) return resolved.status();
  if (provider_ == nullptr || !(*resolved == resolved_)) {
    resolved_ = *std::move(resolved);
    provider_ = std::make_unique<FileCertificateProvider>(SourcesOf(resolved_));
    used_ = nullptr;
  }
  if (absl::Status status = provider_->Refresh(); !status.ok()) return status;
  if (used_ != nullptr && provider_->Latest() == used_) {
    return absl::OkStatus();
  }
  auto options = Options(resolved_);
  if (!options.ok()) return options.status();
  auto context = TlsContext::Create(TlsContext::Role::kClient, *options);
  if (!context.ok()) return context.status();
  used_ = provider_->Latest();
  const base::MutexLock lock(mutex_);
  if (latest_ != nullptr) ++counts_.rotations;
  latest_ = *std::move(context);
  return absl::OkStatus();
}

absl::StatusOr<model::CommonTls> ClientTlsSource::Resolve() const {
  model::CommonTls out = config_->common;
  if (!out.certificate_secret.none()) {
    auto secret = Fetch(out.certificate_secret, read_secret_);
    if (!secret.ok()) return secret.status();
    if (!secret->certificate || secret->certificate->empty()) {
      return absl::UnavailableError(absl::StrCat(
          Describe(out.certificate_secret), " has no certificate"));
    }
    out.certificate = *std::move(secret->certificate);
  }
  if (!out.validation_secret.none()) {
    auto secret = Fetch(out.validation_secret, read_secret_);
    if (!secret.ok()) return secret.status();
    if (!secret->validation) {
      return absl::UnavailableError(absl::StrCat(
          Describe(out.validation_secret), " has no validation context"));
    }
    out.validation =
        model::MergeValidation(std::move(out.validation), *secret->validation);
    if (!CanVerify(out.validation)) {
      return absl::UnavailableError(
          absl::StrCat(Describe(out.validation_secret),
                       " has no trusted_ca: servers could not be verified"));
    }
  }
  if (!CanVerify(out.validation) &&
      !out.validation.match_typed_subject_alt_names.empty()) {
    return absl::UnavailableError(
        "match_typed_subject_alt_names without a trusted_ca: names in "
        "certificates of unknown issuers say nothing");
  }
  return out;
}

absl::StatusOr<TlsOptions> ClientTlsSource::Options(
    const model::CommonTls& tls) const {
  TlsOptions out;
  out.material = *provider_->Latest();
  const model::TlsParameters& params = tls.tls_params;
  out.tls_minimum_protocol_version = params.tls_minimum_protocol_version;
  out.tls_maximum_protocol_version = params.tls_maximum_protocol_version;
  out.cipher_suites = params.cipher_suites;
  out.ecdh_curves = params.ecdh_curves;
  out.signature_algorithms = params.signature_algorithms;
  out.alpn_protocols = tls.alpn_protocols;
  const model::TlsValidation& validation = tls.validation;
  if (!config_->auto_sni_san_validation) {
    out.match_typed_subject_alt_names =
        validation.match_typed_subject_alt_names;
  }
  out.verify_certificate_spki = validation.verify_certificate_spki;
  out.verify_certificate_hash = validation.verify_certificate_hash;
  out.system_root_certs = validation.system_root_certs;
  out.allow_expired_certificate = validation.allow_expired_certificate;
  out.only_verify_leaf_cert_crl = validation.only_verify_leaf_cert_crl;
  out.max_verify_depth = validation.max_verify_depth;
  out.accept_untrusted = validation.accept_untrusted || !validation.has_trust();
  if (config_->max_session_keys) {
    out.max_session_keys = *config_->max_session_keys;
  }
  return out;
}

absl::StatusOr<TlsSessionOptions> ClientTlsSource::SessionOptions(
    std::string_view hostname, std::string_view session_key,
    std::string_view sni) const {
  TlsSessionOptions out;
  out.sni = config_->sni;
  // The later ones win. An address is no SNI (RFC 6066).
  for (const std::string_view given :
       {config_->auto_host_sni ? hostname : std::string_view(), sni}) {
    std::string name(given);
    if (!name.empty() && !IsAddress(name)) out.sni = std::move(name);
  }
  if (config_->auto_sni_san_validation) {
    if (out.sni.empty()) {
      return absl::FailedPreconditionError(
          "auto_sni_san_validation: there is no SNI to verify the server's "
          "certificate by");
    }
    out.expected_name = out.sni;
  }
  if (config_->max_session_keys != 0u) {
    out.session_key = session_key;
    if (!sni.empty()) out.session_key.append("|").append(sni);
  }
  return out;
}

}  // namespace meshlib::security

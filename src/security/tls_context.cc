#include "security/tls_context.h"

#include <openssl/sha.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/strings.h"
#include "security/certificate.h"
#include "security/tls_context_impl.h"

namespace meshlib::security {
namespace {

// Forward secret and authenticated; both libraries know them.
constexpr char kDefaultCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr long kMaxPeerChainBytes = 100 * 1024;
constexpr size_t kSha256Bytes = 32;

int WireVersion(TlsVersion version) {
  return version == TlsVersion::kTls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

absl::Status Invalid(const std::string& text) {
  const std::string why = TakeSslErrors();
  return absl::InvalidArgumentError(
      why.empty() ? text : absl::StrCat(text, ": ", why));
}

// What a chain's first error means, in words that tell one from another.
std::string ChainRefusal(X509_STORE_CTX* store, TlsContext::Role role) {
  const X509* at = X509_STORE_CTX_get_current_cert(store);
  if (at == nullptr) at = X509_STORE_CTX_get0_cert(store);
  const int error = X509_STORE_CTX_get_error(store);
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return absl::StrCat("it expired at ", TimeText(X509_get0_notAfter(at)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return absl::StrCat("it is not valid before ",
                          TimeText(X509_get0_notBefore(at)));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return absl::StrCat("no trusted_ca has signed it (",
                          X509_verify_cert_error_string(error), ")");
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "its signature is wrong: another CA of a trusted name made it";
    case X509_V_ERR_CERT_REVOKED:
      return "it is revoked by the crl";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
      return "the crl has no list of its issuer";
    case X509_V_ERR_INVALID_PURPOSE:
      return absl::StrCat(
          "it may not be used as a ",
          role == TlsContext::Role::kClient ? "server's" : "client's");
    default:
      return X509_verify_cert_error_string(error);
  }
}

std::string Refusal(const X509* certificate, const std::string& why) {
  return absl::StrCat("peer certificate ", NameOf(certificate),
                      " is refused: ", why);
}

std::string NamesText(const PeerIdentity& identity) {
  std::vector<std::string> all;
  const auto add = [&](const char* kind, const std::vector<std::string>& in) {
    for (const std::string& name : in) {
      if (all.size() < 8) {
        all.push_back(absl::StrCat(kind, " ", base::Excerpt(name, 200)));
      }
    }
  };
  add("URI", identity.uris);
  add("DNS", identity.dns_names);
  add("IP_ADDRESS", identity.ip_addresses);
  add("EMAIL", identity.emails);
  for (const auto& other : identity.other_names) {
    add("OTHER_NAME", {absl::StrCat(other.oid, " ", other.value)});
  }
  return all.empty() ? "no name" : absl::StrJoin(all, ", ");
}

// For allow_expired_certificate.
int PassOverTimes(int ok, X509_STORE_CTX* store) {
  const int error = X509_STORE_CTX_get_error(store);
  if (ok == 1 || (error != X509_V_ERR_CERT_HAS_EXPIRED &&
                  error != X509_V_ERR_CERT_NOT_YET_VALID)) {
    return ok;
  }
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

std::string Sha256(const unsigned char* data, size_t size) {
  std::string out(kSha256Bytes, '\0');
  SHA256(data, size, reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

// Of what `encode`, one of the libraries' i2d functions, makes of `object`.
template <typename T>
std::string Sha256Of(int (*encode)(T, unsigned char**),
                     std::remove_const_t<std::remove_pointer_t<T>>* object) {
  unsigned char* bytes = nullptr;
  const int size = encode(object, &bytes);
  if (size <= 0) return "";
  std::string out = Sha256(bytes, static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return out;
}

bool Contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

absl::StatusOr<std::string> AlpnWire(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255) {
      return absl::InvalidArgumentError(absl::StrCat(
          "alpn_protocols: a name of ", name.size(), " bytes, want 1 to 255"));
    }
    out.push_back(static_cast<char>(name.size()));
    out.append(name);
  }
  return out;
}

TlsContext::Impl::Impl(Role role, size_t max_session_keys)
    : role_(role),
      bio_method_(NewSessionBioMethod()),
      ctx_(SSL_CTX_new(TLS_method())),
      sessions_(max_session_keys) {}

absl::Status TlsContext::Impl::Configure(const TlsOptions& options) {
  if (ctx_ == nullptr || bio_method_ == nullptr) {
    return absl::ResourceExhaustedError("no TLS context: " + TakeSslErrors());
  }
  SSL_CTX_set_options(ctx(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(ctx(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_max_cert_list(ctx(), kMaxPeerChainBytes);
  absl::Status status = SetProtocols(options);
  if (status.ok()) status = SetCiphers(options);
  if (status.ok()) status = CheckTlsMaterial(options.material);
  if (status.ok()) status = SetCertificate(options.material);
  if (status.ok()) status = SetTrust(options);
  if (status.ok()) status = SetAlpn(options);
  if (status.ok()) SetResumption(options);
  ERR_clear_error();
  return status;
}

absl::Status TlsContext::Impl::SetProtocols(const TlsOptions& options) {
  const int min = WireVersion(options.tls_minimum_protocol_version);
  const int max = WireVersion(options.tls_maximum_protocol_version);
  if (min > max) {
    return Invalid(
        "tls_minimum_protocol_version TLSv1_3 > "
        "tls_maximum_protocol_version TLSv1_2");
  }
  if (SSL_CTX_set_min_proto_version(ctx(), static_cast<uint16_t>(min)) != 1 ||
      SSL_CTX_set_max_proto_version(ctx(), static_cast<uint16_t>(max)) != 1) {
    return Invalid("tls_minimum_protocol_version is not supported");
  }
  return absl::OkStatus();
}

absl::Status TlsContext::Impl::SetCiphers(const TlsOptions& options) {
  std::vector<std::string> names;
  for (const std::string& name : options.cipher_suites) {
    names.push_back(
        absl::StrReplaceAll(name, {{"[", ""}, {"]", ""}, {"|", ":"}}));
    // By itself: of a list the libraries pass over what they do not know.
    if (SSL_CTX_set_cipher_list(ctx(), names.back().c_str()) != 1) {
      return Invalid(absl::StrCat("cipher_suites: \"", base::Excerpt(name),
                                  "\" is unknown"));
    }
  }
  const std::string list =
      names.empty() ? kDefaultCiphers : absl::StrJoin(names, ":");
  if (SSL_CTX_set_cipher_list(ctx(), list.c_str()) != 1) {
    return Invalid("cipher_suites cannot be used");
  }
  const std::string curves = absl::StrJoin(options.ecdh_curves, ":");
  if (!curves.empty() && SSL_CTX_set1_curves_list(ctx(), curves.c_str()) != 1) {
    return Invalid(
        absl::StrCat("ecdh_curves: \"", base::Excerpt(curves), "\""));
  }
  const std::string algorithms =
      absl::StrJoin(options.signature_algorithms, ":");
  if (!algorithms.empty() &&
      SSL_CTX_set1_sigalgs_list(ctx(), algorithms.c_str()) != 1) {
    return Invalid(absl::StrCat("signature_algorithms: \"",
                                base::Excerpt(algorithms), "\""));
  }
  return absl::OkStatus();
}

absl::Status TlsContext::Impl::SetCertificate(const TlsMaterial& material) {
  if (material.certificate_chain.empty()) {
    if (role_ == Role::kClient) return absl::OkStatus();
    return Invalid("certificate_chain: a server must have one");
  }
  const auto chain =
      ParseCertificates(material.certificate_chain, "certificate_chain");
  const auto key =
      ParsePrivateKey(material.private_key, "private_key", material.password);
  if (!chain.ok()) return chain.status();
  if (!key.ok()) return key.status();
  bool ok = SSL_CTX_use_certificate(ctx(), chain->front().get()) == 1;
  for (size_t i = 1; ok && i < chain->size(); ++i) {
    ok = SSL_CTX_add1_chain_cert(ctx(), (*chain)[i].get()) == 1;
  }
  if (!ok) return Invalid("certificate_chain cannot be used");
  if (SSL_CTX_use_PrivateKey(ctx(), key->get()) != 1) {
    return Invalid("private_key cannot be used");
  }
  return absl::OkStatus();
}

absl::Status TlsContext::Impl::SetTrust(const TlsOptions& options) {
  accept_untrusted_ = options.accept_untrusted;
  allow_expired_ = options.allow_expired_certificate;
  max_verify_depth_ = options.max_verify_depth;
  const bool can_verify = !options.material.trusted_ca.empty() ||
                          options.system_root_certs || accept_untrusted_;
  for (const SanMatcher& matcher : options.match_typed_subject_alt_names) {
    auto compiled = CompiledSanMatcher::Create(matcher);
    if (!compiled.ok()) return compiled.status();
    matchers_.push_back(*std::move(compiled));
  }
  if (absl::Status status = SetPins(options); !status.ok()) return status;
  const bool has_rules =
      !matchers_.empty() || !spki_pins_.empty() || !leaf_pins_.empty();
  if (!can_verify && (role_ == Role::kClient || has_rules ||
                      options.require_client_certificate)) {
    return Invalid(
        "trusted_ca: none is given, so no peer could be verified (and "
        "accept_untrusted is not set)");
  }
  if (!can_verify) {
    SSL_CTX_set_verify(ctx(), SSL_VERIFY_NONE, nullptr);
    return absl::OkStatus();
  }
  const int required =
      options.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(ctx(), SSL_VERIFY_PEER | required, nullptr);
  SSL_CTX_set_cert_verify_callback(ctx(), VerifyPeer, this);
  return FillStore(options);
}

absl::Status TlsContext::Impl::FillStore(const TlsOptions& options) {
  const TlsMaterial& material = options.material;
  X509_STORE* store = SSL_CTX_get_cert_store(ctx());
  // An intermediate CA may be the anchor, as with Envoy.
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (options.system_root_certs &&
      SSL_CTX_set_default_verify_paths(ctx()) != 1) {
    return Invalid("system_root_certs: the system has none");
  }
  if (!material.trusted_ca.empty()) {
    const auto trusted = ParseCertificates(material.trusted_ca, "trusted_ca");
    if (!trusted.ok()) return trusted.status();
    for (const X509Ptr& ca : *trusted) {
      // Fails for the second of two equal ones in some versions: no error.
      X509_STORE_add_cert(store, ca.get());
      if (role_ == Role::kServer) SSL_CTX_add_client_CA(ctx(), ca.get());
    }
  }
  if (!material.crl.empty()) {
    const auto crls = ParseCrls(material.crl, "crl");
    if (!crls.ok()) return crls.status();
    for (const CrlPtr& crl : *crls) X509_STORE_add_crl(store, crl.get());
    flags |= X509_V_FLAG_CRL_CHECK;
    if (!options.only_verify_leaf_cert_crl) flags |= X509_V_FLAG_CRL_CHECK_ALL;
  }
  X509_STORE_set_flags(store, flags);
  if (allow_expired_) X509_STORE_set_verify_cb(store, PassOverTimes);
  return absl::OkStatus();
}

absl::Status TlsContext::Impl::SetPins(const TlsOptions& options) {
  for (const std::string& text : options.verify_certificate_spki) {
    std::string pin;
    if (!absl::Base64Unescape(text, &pin) || pin.size() != kSha256Bytes) {
      return Invalid(absl::StrCat("verify_certificate_spki: \"",
                                  base::Excerpt(text),
                                  "\" is no SHA-256 in base64"));
    }
    spki_pins_.push_back(std::move(pin));
  }
  for (const std::string& text : options.verify_certificate_hash) {
    const std::string hex = absl::StrReplaceAll(text, {{":", ""}});
    if (hex.size() != 2 * kSha256Bytes ||
        !std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit)) {
      return Invalid(absl::StrCat("verify_certificate_hash: \"",
                                  base::Excerpt(text),
                                  "\" is no SHA-256 in hex"));
    }
    leaf_pins_.push_back(absl::HexStringToBytes(hex));
  }
  return absl::OkStatus();
}

absl::Status TlsContext::Impl::SetAlpn(const TlsOptions& options) {
  absl::StatusOr<std::string> wire = AlpnWire(options.alpn_protocols);
  if (!wire.ok()) return wire.status();
  alpn_wire_ = *std::move(wire);
  if (alpn_wire_.empty()) return absl::OkStatus();
  if (role_ == Role::kServer) {
    SSL_CTX_set_alpn_select_cb(ctx(), SelectAlpn, this);
    return absl::OkStatus();
  }
  const auto* data = reinterpret_cast<const unsigned char*>(alpn_wire_.data());
  // This one function returns 0 for success.
  if (SSL_CTX_set_alpn_protos(
          ctx(), data, static_cast<unsigned int>(alpn_wire_.size())) != 0) {
    return Invalid("alpn_protocols cannot be used");
  }
  return absl::OkStatus();
}

void TlsContext::Impl::SetResumption(const TlsOptions& options) {
  if (role_ == Role::kServer) {
    // Stateless tickets; their keys live and die with this context, so a
    // ticket never outlives the trust that its handshake was verified with.
    SSL_CTX_set_session_cache_mode(ctx(), SSL_SESS_CACHE_OFF);
    static constexpr unsigned char kContextId[] = {'m', 'e', 's', 'h'};
    SSL_CTX_set_session_id_context(ctx(), kContextId, sizeof(kContextId));
  } else if (options.max_session_keys > 0) {
    SSL_CTX_set_session_cache_mode(
        ctx(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx(), KeepSession);
    SSL_CTX_set_app_data(ctx(), this);
  } else {
    SSL_CTX_set_session_cache_mode(ctx(), SSL_SESS_CACHE_OFF);
  }
}

std::string TlsContext::Impl::RefuseName(const X509* leaf,
                                         const TlsCallbackState& state) const {
  if (matchers_.empty() && !state.expected_name) return "";
  const PeerIdentity identity = IdentityOf(leaf);
  const bool matches =
      matchers_.empty() || std::any_of(matchers_.begin(), matchers_.end(),
                                       [&](const CompiledSanMatcher& matcher) {
                                         return matcher.Matches(identity);
                                       });
  if (!matches) {
    return Refusal(
        leaf, absl::StrCat("it has ", NamesText(identity), "; none matches ",
                           matchers_.front().ToString(),
                           matchers_.size() > 1
                               ? absl::StrCat(" or ", matchers_.size() - 1,
                                              " more matchers")
                               : ""));
  }
  if (state.expected_name && !state.expected_name->Matches(identity)) {
    return Refusal(leaf,
                   absl::StrCat("it has ", NamesText(identity), "; wanted ",
                                state.expected_name->ToString()));
  }
  return "";
}

std::string TlsContext::Impl::RefusePin(const X509* leaf) const {
  if (spki_pins_.empty() && leaf_pins_.empty()) return "";
  auto* const certificate = const_cast<X509*>(leaf);
  const bool pinned =
      Contains(leaf_pins_, Sha256Of(i2d_X509, certificate)) ||
      Contains(spki_pins_,
               Sha256Of(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(certificate)));
  return pinned ? ""
                : Refusal(leaf,
                          "it is none of verify_certificate_hash and "
                          "verify_certificate_spki");
}

std::string TlsContext::Impl::RefuseDepth(X509_STORE_CTX* store) const {
  if (!max_verify_depth_ || accept_untrusted_) return "";
  // The libraries do not agree on what they count; this is as Envoy does.
  const size_t depth =
      static_cast<size_t>(sk_X509_num(X509_STORE_CTX_get0_chain(store))) - 1;
  if (depth <= *max_verify_depth_) return "";
  return Refusal(X509_STORE_CTX_get0_cert(store),
                 absl::StrCat("it is ", depth,
                              " certificates below the one that is trusted, "
                              "max_verify_depth is ",
                              *max_verify_depth_));
}

std::string TlsContext::Impl::RefuseLeaf(const X509* leaf,
                                         const TlsCallbackState& state) const {
  std::string why = RefuseName(leaf, state);
  return why.empty() ? RefusePin(leaf) : why;
}

std::string TlsContext::Impl::RefuseResumed(
    const X509* leaf, const TlsCallbackState& state) const {
  if (!accept_untrusted_ && !allow_expired_ &&
      X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0) {
    return Refusal(leaf, absl::StrCat("it expired at ",
                                      TimeText(X509_get0_notAfter(leaf))));
  }
  return RefuseLeaf(leaf, state);
}

// Runs in the middle of a handshake, on the session's thread.
int TlsContext::Impl::VerifyPeer(X509_STORE_CTX* store, void* impl) {
  const auto& self = *static_cast<const Impl*>(impl);
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* state = static_cast<TlsCallbackState*>(SSL_get_app_data(ssl));
  if (X509_verify_cert(store) != 1) {
    if (!self.accept_untrusted_) {
      std::string why = ChainRefusal(store, self.role_);
      const X509* at = X509_STORE_CTX_get_current_cert(store);
      if (at != nullptr && X509_STORE_CTX_get_error_depth(store) > 0) {
        why = absl::StrCat("of ", NameOf(at), " in its chain: ", why);
      }
      state->refusal = Refusal(X509_STORE_CTX_get0_cert(store), why);
      return 0;
    }
    X509_STORE_CTX_set_error(store, X509_V_OK);
  }
  state->refusal = self.RefuseDepth(store);
  if (state->refusal.empty()) {
    state->refusal = self.RefuseLeaf(X509_STORE_CTX_get0_cert(store), *state);
  }
  if (state->refusal.empty()) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
  return 0;
}

int TlsContext::Impl::SelectAlpn(SSL*, const unsigned char** out,
                                 unsigned char* out_size,
                                 const unsigned char* in, unsigned int in_size,
                                 void* impl) {
  const std::string& ours = static_cast<const Impl*>(impl)->alpn_wire_;
  unsigned char* chosen = nullptr;
  const int result = SSL_select_next_proto(
      &chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned int>(ours.size()), in, in_size);
  // Nothing in common: go on without, as Envoy does.
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int TlsContext::Impl::KeepSession(SSL* ssl, SSL_SESSION* session) {
  auto* self = static_cast<Impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const auto* state =
      static_cast<const TlsCallbackState*>(SSL_get_app_data(ssl));
  if (state->session_key.empty()) return 0;
  self->sessions_.Put(state->session_key, SslSessionPtr(session));
  return 1;  // the session is ours now
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

absl::StatusOr<std::shared_ptr<const TlsContext>> TlsContext::Create(
    Role role, const TlsOptions& options) {
  auto impl = std::make_unique<Impl>(role, options.max_session_keys);
  if (absl::Status status = impl->Configure(options); !status.ok()) {
    return status;
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

TlsContext::Role TlsContext::role() const { return impl_->role(); }

}  // namespace meshlib::security

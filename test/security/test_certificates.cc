#include "test/security/test_certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

#include "security/certificate.h"

namespace meshlib::security {
namespace {

void Must(bool ok) {
  if (!ok) abort();
}

PkeyPtr NewKey() {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr);
  EVP_PKEY* key = nullptr;
  Must(EVP_PKEY_keygen_init(context) == 1);
  Must(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) ==
       1);
  Must(EVP_PKEY_keygen(context, &key) == 1);
  EVP_PKEY_CTX_free(context);
  return PkeyPtr(key);
}

template <typename Write>
std::string ToPem(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  Must(write(bio.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string ToPem(X509* certificate) {
  return ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

void AddExtension(X509* certificate, X509* issuer, int nid,
                  const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_nconf_nid(
      nullptr, &context, nid, const_cast<char*>(value.c_str()));
  Must(extension != nullptr);
  Must(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// Signed by nobody yet.
X509Ptr NewCertificate(const TestLeaf& leaf, EVP_PKEY* key,
                       const X509* issuer) {
  X509Ptr out(X509_new());
  uint32_t serial = 0;
  Must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) ==
       1);
  Must(X509_set_version(out.get(), 2) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), serial >> 1 | 1);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), leaf.not_before_seconds);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), leaf.not_after_seconds);
  X509_NAME* name = X509_get_subject_name(out.get());
  Must(X509_NAME_add_entry_by_txt(
           name, "CN", MBSTRING_UTF8,
           reinterpret_cast<const unsigned char*>(leaf.common_name.c_str()), -1,
           -1, 0) == 1);
  X509_set_issuer_name(
      out.get(), X509_get_subject_name(issuer == nullptr ? out.get() : issuer));
  X509_set_pubkey(out.get(), key);
  return out;
}

X509Ptr NewCa(const std::string& name, EVP_PKEY* key, X509* issuer,
              EVP_PKEY* issuer_key) {
  TestLeaf leaf;
  leaf.common_name = name;
  X509Ptr out = NewCertificate(leaf, key, issuer);
  if (issuer == nullptr) issuer = out.get();
  AddExtension(out.get(), issuer, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(out.get(), issuer, NID_key_usage,
               "critical,keyCertSign,cRLSign");
  Must(X509_sign(out.get(), issuer_key, EVP_sha256()) > 0);
  return out;
}

}  // namespace

TestCa::TestCa(const std::string& name)
    : key_(NewKey()),
      certificate_(NewCa(name, key_.get(), nullptr, key_.get())),
      pem_(ToPem(certificate_.get())) {}

TestCa::TestCa(const std::string& name, const TestCa& parent)
    : key_(NewKey()),
      certificate_(NewCa(name, key_.get(), parent.certificate_.get(),
                         parent.key_.get())),
      pem_(ToPem(certificate_.get())) {}

TlsMaterial TestCa::Issue(const TestLeaf& leaf) const {
  const PkeyPtr key = NewKey();
  const X509Ptr certificate =
      NewCertificate(leaf, key.get(), certificate_.get());
  AddExtension(certificate.get(), certificate_.get(), NID_subject_alt_name,
               leaf.alternative_names);
  AddExtension(certificate.get(), certificate_.get(), NID_ext_key_usage,
               leaf.extended_key_usage);
  Must(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
  TlsMaterial out;
  out.certificate_chain = ToPem(certificate.get());
  out.private_key = ToPem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0,
                                    nullptr, nullptr);
  });
  out.trusted_ca = pem_;
  return out;
}

std::string TestCa::Revoke(const std::vector<std::string>& certificates) const {
  const CrlPtr crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), 1);
  X509_CRL_set_issuer_name(crl.get(),
                           X509_get_subject_name(certificate_.get()));
  ASN1_TIME* time = ASN1_TIME_set(nullptr, std::time(nullptr) - 60);
  X509_CRL_set1_lastUpdate(crl.get(), time);
  for (const std::string& pem : certificates) {
    const auto parsed = ParseCertificates(pem, "revoked");
    X509_REVOKED* revoked = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(revoked,
                                  X509_get_serialNumber(parsed->front().get()));
    X509_REVOKED_set_revocationDate(revoked, time);
    Must(X509_CRL_add0_revoked(crl.get(), revoked) == 1);
  }
  ASN1_TIME_set(time, std::time(nullptr) + 3600);
  X509_CRL_set1_nextUpdate(crl.get(), time);
  ASN1_TIME_free(time);
  Must(X509_CRL_sign(crl.get(), key_.get(), EVP_sha256()) > 0);
  return ToPem(
      [&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, crl.get()); });
}

}  // namespace meshlib::security

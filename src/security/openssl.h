#ifndef MESHLIB_SECURITY_OPENSSL_H_
#define MESHLIB_SECURITY_OPENSSL_H_

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>

namespace meshlib::security {

// For .cc files of this layer only: owners of OpenSSL's and BoringSSL's
// objects. Everything here and in the layer is in both libraries.
template <typename T, void (*kFree)(T*)>
struct SslFree {
  void operator()(T* object) const { kFree(object); }
};

inline void FreeBio(BIO* bio) { BIO_free(bio); }
inline void FreeGeneralNames(GENERAL_NAMES* names) {
  GENERAL_NAMES_free(names);
}

template <typename T, void (*kFree)(T*)>
using SslPtr = std::unique_ptr<T, SslFree<T, kFree>>;

using BioPtr = SslPtr<BIO, FreeBio>;
using BioMethodPtr = SslPtr<BIO_METHOD, BIO_meth_free>;
using CrlPtr = SslPtr<X509_CRL, X509_CRL_free>;
using GeneralNamesPtr = SslPtr<GENERAL_NAMES, FreeGeneralNames>;
using PkeyPtr = SslPtr<EVP_PKEY, EVP_PKEY_free>;
using SslCtxPtr = SslPtr<SSL_CTX, SSL_CTX_free>;
using SslHandle = SslPtr<SSL, SSL_free>;
using SslSessionPtr = SslPtr<SSL_SESSION, SSL_SESSION_free>;
using X509Ptr = SslPtr<X509, X509_free>;

// A BIO that reads `bytes`, which must outlive it.
inline BioPtr ReadingBio(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_OPENSSL_H_

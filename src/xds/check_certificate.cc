#include "xds/check_certificate.h"

#include <cstddef>
#include <string>

#include "security/tls_material.h"
#include "xds/convert_data_source.h"

namespace meshlib::xds {
namespace {

namespace tls = envoy::extensions::transport_sockets::tls::v3;

constexpr size_t kMaxPem = size_t{8} << 20;

// Empty if it cannot be read, which is told elsewhere.
std::string TextOf(const envoy::config::core::v3::DataSource& in) {
  FieldErrors told;
  return ReadDataSource(in, kMaxPem, told).value_or("");
}

void Check(const security::TlsMaterial& material, FieldErrors& errors) {
  const absl::Status status = security::CheckTlsMaterial(material);
  if (!status.ok()) errors.Error(std::string(status.message()));
}

}  // namespace

void CheckKeyPair(const tls::TlsCertificate& in, FieldErrors& errors) {
  if (in.has_password()) return;
  security::TlsMaterial material;
  material.certificate_chain = TextOf(in.certificate_chain());
  material.private_key = TextOf(in.private_key());
  if (material.certificate_chain.empty() || material.private_key.empty()) {
    return;
  }
  Check(material, errors);
}

void CheckTrustedCa(const tls::CertificateValidationContext& in,
                    FieldErrors& errors) {
  security::TlsMaterial material;
  material.trusted_ca = TextOf(in.trusted_ca());
  if (!material.trusted_ca.empty()) Check(material, errors);
}

}  // namespace meshlib::xds

#include "net/server_tls.h"

#include <string>

#include "model/tls.h"
#include "net/tls_stream.h"
#include "security/tls_material.h"

namespace meshlib::net {

absl::StatusOr<ServerTls::Context> ReadServerTls(const ServerTlsFiles& files) {
  security::TlsSources sources;
  sources.certificate.certificate_chain =
      model::DataSource::File(files.certificate_file);
  sources.certificate.private_key =
      model::DataSource::File(files.private_key_file);
  sources.trusted_ca = model::DataSource::File(files.client_ca_file);
  auto material = security::ReadTlsSources(sources);
  if (!material.ok()) return material.status();
  security::TlsOptions options;
  options.material = *std::move(material);
  options.alpn_protocols = files.alpn_protocols;
  options.require_client_certificate = !files.client_ca_file.empty();
  return security::TlsContext::Create(security::TlsContext::Role::kServer,
                                      options);
}

std::unique_ptr<event::Stream> ServerTls::Secure(
    std::unique_ptr<event::Stream> accepted) {
  // The server has a time of its own for handshakes.
  return TlsStream::Server(loop_, std::move(accepted), absl::InfiniteDuration(),
                           context_, nullptr);
}

void ServerTls::Describe(event::Stream& secured, ServerPeer& peer) {
  const auto& stream = static_cast<const TlsStream&>(secured);
  peer.tls = true;
  peer.alpn = std::string(stream.alpn());
  peer.sni = std::string(stream.sni());
  peer.identity = stream.peer();
}

}  // namespace meshlib::net

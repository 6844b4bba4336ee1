#include "net/server_tls.h"

#include <string>

#include "net/tls_stream.h"

namespace meshlib::net {

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

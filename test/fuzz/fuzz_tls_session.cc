#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "security/tls_context.h"
#include "security/tls_session.h"
#include "test/security/test_certificates.h"

namespace meshlib::security {
namespace {

using Context = std::shared_ptr<const TlsContext>;

struct Contexts {
  Contexts() {
    TlsOptions options;
    options.material = TestCa().Issue({});
    options.alpn_protocols = {"h2", "http/1.1"};
    client = *TlsContext::Create(TlsContext::Role::kClient, options);
    options.require_client_certificate = true;
    server = *TlsContext::Create(TlsContext::Role::kServer, options);
  }
  Context client;
  Context server;
};

void Check(bool ok) {
  if (!ok) abort();
}

// Feeds the input to one end in pieces, and looks at all that comes out.
void Feed(TlsSession& session, std::string_view input, size_t step) {
  char buffer[4096];
  while (!input.empty()) {
    const auto taken = session.Receive(input.substr(0, step));
    Check(taken.ok() == session.status().ok());
    if (!taken.ok()) break;
    Check(*taken <= input.size());
    input.remove_prefix(*taken);
    const auto read = session.Read(absl::MakeSpan(buffer));
    if (!read.ok() || (*read == 0 && *taken == 0)) break;
  }
  Check(session.PendingCiphertext().size() < 1024 * 1024);
  session.ReceiveEnd().IgnoreError();
  Check(session.handshake_done() || !session.status().ok());
  Check(!session.Read(absl::MakeSpan(buffer)).ok() || session.AtEnd());
  session.Close().IgnoreError();
  session.ConsumeCiphertext(session.PendingCiphertext().size());
}

// Both ends exchange what they have; byte `at` of the whole conversation is
// changed by `change`. Whatever happens, no end may go on with wrong bytes.
void Disturb(const Contexts& contexts, size_t at, uint8_t change) {
  const std::unique_ptr<TlsSession> ends[] = {
      *TlsSession::Create(contexts.client, {}),
      *TlsSession::Create(contexts.server, {})};
  constexpr std::string_view kText = "what the client has to say";
  std::string heard;
  bool wrote = false;
  for (int turn = 0, idle = 0; idle < 2; ++turn) {
    TlsSession& from = *ends[turn % 2];
    TlsSession& to = *ends[(turn + 1) % 2];
    if (&from == ends[0].get() && from.handshake_done() && !wrote) {
      wrote = true;
      from.Write(kText).IgnoreError();
    }
    std::string bytes(from.PendingCiphertext());
    from.ConsumeCiphertext(bytes.size());
    idle = bytes.empty() ? idle + 1 : 0;
    if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ change);
    at = at < bytes.size() ? std::string::npos : at - bytes.size();
    if (!to.Receive(bytes).ok()) continue;
    char buffer[64];
    const auto read = to.Read(absl::MakeSpan(buffer));
    if (read.ok() && &to == ends[1].get()) heard.append(buffer, *read);
  }
  Check(heard == kText.substr(0, heard.size()));
}

}  // namespace
}  // namespace meshlib::security

// Byte 0 chooses; then bytes from a hostile peer, or where to disturb two
// honest ones.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using meshlib::security::TlsSession;
  static const auto& contexts = *new meshlib::security::Contexts();
  if (size < 4) return 0;
  if (data[0] % 4 == 0) {
    meshlib::security::Disturb(
        contexts, static_cast<size_t>(data[1]) << 8 | data[2], data[3]);
    return 0;
  }
  const bool client = data[0] % 2 == 1;
  const auto session =
      *TlsSession::Create(client ? contexts.client : contexts.server, {});
  const std::string_view input(reinterpret_cast<const char*>(data) + 2,
                               size - 2);
  meshlib::security::Feed(*session, input, size_t{data[1]} + 1);
  return 0;
}

#ifndef MESHLIB_TEST_SECURITY_TLS_PAIR_H_
#define MESHLIB_TEST_SECURITY_TLS_PAIR_H_

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "security/tls_context.h"
#include "security/tls_session.h"

namespace meshlib::security {

// A client and a server session with nothing but memory between them.
struct TlsPair {
  using Context = std::shared_ptr<const TlsContext>;

  TlsPair(const Context& client_context, const Context& server_context,
          const TlsSessionOptions& client_options = {},
          const TlsSessionOptions& server_options = {}) {
    auto made = TlsSession::Create(client_context, client_options);
    EXPECT_TRUE(made.ok()) << made.status();
    if (made.ok()) client = *std::move(made);
    made = TlsSession::Create(server_context, server_options);
    EXPECT_TRUE(made.ok()) << made.status();
    if (made.ok()) server = *std::move(made);
  }

  // Carries what is pending, at most `step` bytes at a time; errors stay in
  // the sessions.
  static bool Carry(TlsSession& from, TlsSession& to,
                    size_t step = std::string::npos) {
    const std::string_view pending = from.PendingCiphertext();
    if (pending.empty()) return false;
    const auto taken = to.Receive(pending.substr(0, step));
    if (!taken.ok()) {
      from.ConsumeCiphertext(pending.size());
      return false;
    }
    from.ConsumeCiphertext(*taken);
    return *taken > 0;
  }

  // Until neither has anything left that the other takes.
  void Exchange(size_t step = std::string::npos) {
    while (static_cast<int>(Carry(*client, *server, step)) +
               static_cast<int>(Carry(*server, *client, step)) >
           0) {
    }
  }

  bool Handshake(size_t step = std::string::npos) {
    Exchange(step);
    return client->handshake_done() && server->handshake_done() &&
           client->status().ok() && server->status().ok();
  }

  static std::string ReadAll(TlsSession& session) {
    std::string out;
    char buffer[5000];
    while (true) {
      const auto size = session.Read(absl::MakeSpan(buffer));
      if (!size.ok() || *size == 0) return out;
      out.append(buffer, *size);
    }
  }

  // What `to` reads after `from` wrote `text`.
  std::string Send(TlsSession& from, TlsSession& to, std::string_view text,
                   size_t step = std::string::npos) {
    std::string out;
    while (!text.empty()) {
      const auto taken = from.Write(text);
      if (!taken.ok()) return out + taken.status().ToString();
      text.remove_prefix(*taken);
      bool moved = *taken > 0;
      while (Carry(from, to, step) || !from.PendingCiphertext().empty()) {
        const std::string read = ReadAll(to);
        if (!to.status().ok()) return out + to.status().ToString();
        out += read;
        moved = true;
      }
      out += ReadAll(to);
      if (!moved) return out + "(stuck)";
    }
    return out;
  }

  std::unique_ptr<TlsSession> client;
  std::unique_ptr<TlsSession> server;
};

}  // namespace meshlib::security

#endif  // MESHLIB_TEST_SECURITY_TLS_PAIR_H_

#ifndef MESHLIB_NET_DIALER_H_
#define MESHLIB_NET_DIALER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "event/io_loop.h"
#include "event/stream.h"
#include "model/host.h"
#include "net/host_pool.h"

namespace meshlib::net {

// Where a host is, and what it is called. A value.
struct DialEndpoint {
  std::string hostname;                // may be empty
  std::string address;                 // the host's own
  std::vector<std::string> addresses;  // in the order to try them; not empty
  // What TLS takes for the name of the server (auto_sni); may be empty.
  std::string server_name;

  static DialEndpoint Of(const model::Host& host,
                         const event::HappyEyeballsOrder& order,
                         std::string_view server_name);
  // Whether Of() would give the same.
  bool IsOf(const model::Host& host) const;

 private:
  std::vector<std::string> additional_;  // as the host lists them
};

// Makes one connection to a host: TCP, and TLS where the options have it.
//
// Of several addresses it tries the next one when another has failed, or has
// not answered for 250 ms; goes on with the first that is connected, through
// the handshake, and closes the others (Happy Eyeballs: RFC 8305, section 5).
// Certificates that are not there yet have as long as a connect has.
//
// On the loop only.
class Dialer final : public std::enable_shared_from_this<Dialer> {
 public:
  struct Connection {
    std::unique_ptr<event::Stream> stream;  // its handler is to be set at once
    std::string alpn;                       // what TLS agreed on; may be empty
  };
  // The errors of event::StreamHandler::OnConnect().
  using Done = absl::AnyInvocable<void(absl::StatusOr<Connection>)>;

  // `loop` and `network` are borrowed. `done` is called once, not from within
  // this, with connect_timeout as its limit; unless Abandon() comes before.
  static std::shared_ptr<Dialer> Begin(
      event::IoLoop* loop, event::Network* network,
      std::shared_ptr<const UpstreamOptions> options,
      std::shared_ptr<const DialEndpoint> endpoint,
      std::vector<std::string> alpn_protocols, Done done);
  ~Dialer();

  // Closes what was begun; nobody is told.
  void Abandon();

  // Of a connection that failed: whether an address was there, and TLS failed.
  bool began_handshake() const { return began_handshake_; }

 private:
  class Attempt;

  Dialer(event::IoLoop* loop, event::Network* network,
         std::shared_ptr<const UpstreamOptions> options,
         std::shared_ptr<const DialEndpoint> endpoint,
         std::vector<std::string> alpn_protocols, Done done);

  // Begins with the next address, if there is one.
  void TryNext();
  // OK: it was begun.
  absl::Status Try(const std::string& address);
  void RunAfter(absl::Duration wait, void (Dialer::*what)());
  void OnAttempt(Attempt& attempt, const absl::Status& status);
  void NoteFailure(std::string_view address, const absl::Status& status);
  void Fail();
  void Finish(absl::StatusOr<Connection> result);

  event::IoLoop* const loop_;
  event::Network* const network_;
  const std::shared_ptr<const UpstreamOptions> options_;
  const std::shared_ptr<const DialEndpoint> endpoint_;
  const std::vector<std::string> alpn_protocols_;
  const absl::Time deadline_;
  Done done_;                                       // null: over
  std::vector<std::unique_ptr<Attempt>> attempts_;  // under way
  size_t next_ = 0;                                 // of the addresses
  absl::Status failure_;                            // the last, with the others
  bool began_handshake_ = false;
  std::optional<event::Loop::TimerId> timer_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_DIALER_H_

#ifndef MESHLIB_TESTING_BACKEND_H_
#define MESHLIB_TESTING_BACKEND_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace meshlib::testing {

// A value type.
struct BackendOptions {
  // "127.0.0.1:0" takes a free port; "[::1]:0", "unix:/path", "unix:@name".
  std::string address = "127.0.0.1:0";
  // PEM files. With a certificate the backend speaks TLS; with a client CA it
  // demands certificates from its clients.
  std::string certificate_file;
  std::string private_key_file;
  std::string client_ca_file;
  std::vector<std::string> alpn_protocols = {"h2", "http/1.1"};
  // What it allows its clients.
  uint32_t max_concurrent_streams = 100;
  uint64_t max_requests_per_connection = UINT64_MAX;
  absl::Duration idle_timeout = absl::Hours(1);
};

// A request as a backend saw it; a value. Names in lower case; pseudo-headers
// are in HTTP/1.1's too, Host is ":authority".
struct BackendRequest {
  std::string method;
  std::string path;
  std::string authority;
  int http_version = 2;  // or 1
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;  // its first MiB
  uint64_t body_bytes = 0;
  bool complete = false;  // its end came
  std::string peer;       // the client's address
  bool tls = false;
  std::string sni;  // that the client asked for
  // The URI names of the client's certificate.
  std::vector<std::string> peer_uris;

  // The first header of that name; empty without one.
  std::string_view Get(std::string_view name) const;
};

// What a backend does with a request; a value. By default it answers with
// 200 and no body when the request is complete.
struct BackendAnswer {
  enum class Fault : uint8_t {
    kNone,
    // HTTP/2 resets the stream with `error_code`, HTTP/1.1 closes the
    // connection.
    kResetBeforeHeaders,
    kResetAfterHeaders,
    kResetInBody,  // after half of it
    // The connection gets a TCP reset, as when the host is lost.
    kAbortBeforeHeaders,
    kAbortInBody,
    // Nothing more comes.
    kStall,
    kStallAfterHeaders,
    // HTTP/2: says GOAWAY, then answers. HTTP/1.1: "connection: close".
    kGoAway,
    // HTTP/2: GOAWAY with `error_code` that disowns all requests, and the
    // end of the connection. HTTP/1.1 closes the connection.
    kGoAwayError,
    // A content-length that is larger or smaller than the body.
    kShortBody,
    kLongBody,
    kGarbage,  // bytes that no protocol knows, and the end
  };

  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::vector<std::pair<std::string, std::string>> trailers;
  // Answers with the request's body, as it comes.
  bool echo = false;
  absl::Duration delay;
  // Answers as soon as the request's headers are there.
  bool early = false;
  Fault fault = Fault::kNone;
  uint32_t error_code = 2;  // HTTP/2's INTERNAL_ERROR

  static BackendAnswer Status(int status, std::string body = "");
  static BackendAnswer Failing(Fault fault, uint32_t error_code = 2);
  static BackendAnswer After(absl::Duration delay);
  static BackendAnswer Echo();
  // One message, if `message` has a value, and `grpc-status` in the trailers;
  // without a message in the headers ("trailers only").
  static BackendAnswer Grpc(int code, std::optional<std::string> message = "",
                            std::string text = "");
};

// What a backend has seen since its start; a value.
struct BackendCounts {
  uint64_t connections = 0;
  uint64_t open_connections = 0;
  uint64_t http1_connections = 0;
  uint64_t http2_connections = 0;
  uint64_t closed_at_once = 0;  // by AcceptAndClose()
  uint64_t failed_handshakes = 0;

  uint64_t requests = 0;  // whose headers came
  uint64_t open_requests = 0;
  uint64_t most_open_requests = 0;  // at one time
  uint64_t complete_requests = 0;   // whose end came
  uint64_t responses = 0;           // whose headers were sent
  uint64_t complete_responses = 0;
  uint64_t resets_received = 0;  // requests given up by their clients
  uint64_t resets_sent = 0;
  std::map<std::string, uint64_t> by_path;
  std::map<std::string, uint64_t> by_method;

  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
};

// A server to test a mesh against: speaks HTTP/2 (with prior knowledge, or by
// ALPN) and HTTP/1.1 at one address, on a thread of its own, and misbehaves
// when it is told to.
//
// How a request is answered: by the next answer of the script, else by the
// responder, else by the default answer; headers of the request change that:
//   x-backend-status: 503          x-backend-body: text
//   x-backend-body-bytes: 1000     x-backend-delay-ms: 20
//   x-backend-grpc-status: 14      x-backend-echo: 1
//   x-backend-early: 1             x-backend-error-code: 7
//   x-backend-fault: a name as in "reset-in-body" for kResetInBody
// Every response says which backend it comes from: "x-backend: ADDRESS".
//
// Thread-safe, except that a responder must not call its own backend. What is
// set holds for the requests that come after the call has returned.
class Backend {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Start(
      BackendOptions options = {});
  // Resets what is open.
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // With its port; stays when it does not listen.
  const std::string& address() const;
  int port() const;  // 0 for Unix-domain sockets

  void SetAnswer(BackendAnswer answer);
  // For the next requests, one each; those of an earlier script that were
  // not used are dropped.
  void Script(std::vector<BackendAnswer> answers);
  size_t script_left() const;
  // Called on the backend's thread when a request's headers are there.
  using Responder = absl::AnyInvocable<BackendAnswer(const BackendRequest&)>;
  void SetResponder(Responder responder);
  // Called on the backend's thread for each request, when its headers are
  // there and its answer was chosen, one after the other in the order in which
  // they were added: it may change the answer or put another in its place. Must
  // not call its own backend.
  using Filter = absl::AnyInvocable<void(const BackendRequest& request,
                                         BackendAnswer& answer)>;
  void AddFilter(Filter filter);

  // Connections are refused from now on; those that there are stay.
  void StopListening();
  // Listens again, at the same address.
  absl::Status Resume();
  // Closes each connection that comes.
  void AcceptAndClose(bool on);
  // Of all connections: the clients are to send no more, and what they have
  // sent is answered.
  void GoAway();
  // Resets all connections; clients may connect again.
  void ResetConnections();
  // As SIGKILL would: StopListening() and ResetConnections().
  void Kill();
  // Answers all requests that stall before their headers, as if nothing had
  // happened.
  void Release();

  // Another certificate for connections to come; the files are read now.
  absl::Status SetCertificate(std::string certificate_file,
                              std::string private_key_file);

  BackendCounts Counts() const;
  // That began last.
  std::optional<BackendRequest> LastRequest() const;
  void ResetCounts();

  // Wait in real time; false if it did not come to that.
  bool WaitFor(absl::AnyInvocable<bool(const BackendCounts&)> condition,
               absl::Duration timeout = absl::Seconds(10)) const;
  bool WaitForRequests(uint64_t count,
                       absl::Duration timeout = absl::Seconds(10)) const;

 private:
  class Impl;
  explicit Backend(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

// The addresses, for endpoints.
std::vector<std::string> BackendAddresses(
    absl::Span<const std::unique_ptr<Backend>> backends);
absl::StatusOr<std::vector<std::unique_ptr<Backend>>> StartBackends(
    size_t count, const BackendOptions& options = {});

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_BACKEND_H_

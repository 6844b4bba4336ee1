#ifndef MESHLIB_TESTING_CONTROL_PLANE_H_
#define MESHLIB_TESTING_CONTROL_PLANE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace meshlib::testing {

// The types of resources, as type URLs.
inline constexpr char kClusterType[] =
    "type.googleapis.com/envoy.config.cluster.v3.Cluster";
inline constexpr char kEndpointsType[] =
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
inline constexpr char kListenerType[] =
    "type.googleapis.com/envoy.config.listener.v3.Listener";
inline constexpr char kRouteType[] =
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
inline constexpr char kSecretType[] =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

// A value type.
struct ControlPlaneOptions {
  // "127.0.0.1:0" takes a free port; "[::1]:0", "unix:/path", "unix:@name".
  std::string address = "127.0.0.1:0";
  // PEM files. With a certificate the control plane speaks TLS; with a client
  // CA it demands certificates from its clients.
  std::string certificate_file;
  std::string private_key_file;
  std::string client_ca_file;
};

// How a stream ends.
struct StreamEnd {
  enum class Kind : uint8_t {
    kReset,  // RST_STREAM
    kClose,  // of the connection, after what was sent
    kAbort,  // of the connection, by a TCP reset
    kStatus  // with `grpc_status`
  };
  Kind kind = Kind::kReset;
  int grpc_status = 14;  // UNAVAILABLE
  std::string message;

  static StreamEnd Status(int grpc_status, std::string message = "");
};

// How a control plane misbehaves; a value. By default it does not.
struct ControlPlaneFaults {
  // What becomes of a response.
  enum class Response : uint8_t {
    kGood,
    kWrongNonce,       // one that it does not remember
    kWrongType,        // of clusters it says that they are listeners
    kForeignResource,  // one more resource, of another type
    kDuplicates,       // each resource twice
    kGarbage,          // a gRPC message that is no DiscoveryResponse
    kBrokenFraming,    // bytes that are no gRPC message
    kTruncated,        // half of it, and the end of the stream
  };
  Response response = Response::kGood;
  // Bytes by which it is longer, in a field that nobody knows.
  size_t padding = 0;
  absl::Duration delay;  // before each response
  // Of responses of this type only; empty: of all.
  std::string type_url;
  // Of so many responses, then of none.
  uint64_t times = UINT64_MAX;

  // A stream ends after so many responses; 0: at once.
  uint64_t end_after = UINT64_MAX;
  StreamEnd end;
  // Hears everything and answers nothing. When it is over, clients get what
  // they have missed.
  bool silent = false;
};

// What a control plane has seen since its start; a value.
struct ControlPlaneCounts {
  struct Type {
    uint64_t requests = 0;
    uint64_t responses = 0;
    uint64_t acks = 0;
    uint64_t nacks = 0;
    uint64_t stale = 0;  // answers to responses before the last one
    std::vector<std::string> nack_errors;
    // As the last request said it.
    bool all = false;  // asks for all resources
    std::set<std::string> names;
    // Of the last ACK and of what is served.
    std::string acked_version;
    std::string version;

    // Whether the last that is served was accepted.
    bool current() const {
      return !version.empty() && acked_version == version;
    }
  };

  uint64_t connections = 0;
  uint64_t open_connections = 0;
  uint64_t failed_handshakes = 0;
  uint64_t closed_at_once = 0;  // by AcceptAndClose()
  uint64_t streams = 0;
  uint64_t open_streams = 0;
  uint64_t requests = 0;
  uint64_t responses = 0;
  uint64_t acks = 0;
  uint64_t nacks = 0;
  std::map<std::string, Type> types;  // by type URL
  std::string node_id;                // of the last stream that said one

  // One with zeros if nothing was heard of it.
  Type Of(const std::string& type_url) const;
};

// An xDS control plane to test a mesh against: serves resources over ADS (state
// of the world) at an address, on a thread of its own, and misbehaves when it
// is told to.
//
//   auto control_plane = ControlPlane::Start().value();
//   control_plane->Set(R"(
//       "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
//       name: echo
//       ...)");
//
// A version is given to a type whenever its resources change: "1", "2", ...
// Thread-safe. What is set holds for what comes after the call has returned.
class ControlPlane {
 public:
  static absl::StatusOr<std::unique_ptr<ControlPlane>> Start(
      ControlPlaneOptions options = {});
  // Resets what is open.
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // With its port; stays when it does not listen.
  const std::string& address() const;
  int port() const;  // 0 for Unix-domain sockets

  // --- What it serves ---
  // Texts are YAML or JSON in Envoy's form: one resource with "@type", several
  // documents, a list of them, below `resources:` or not, or a bootstrap, whose
  // static_resources are taken. All of a text is served at once. `version`, if
  // not empty, is the one of all types that the text has.

  // Adds resources, in the place of others of their names. InvalidArgument
  // lists every problem; nothing is changed then.
  absl::Status Set(std::string_view text, std::string version = "");
  // The same, and nothing else any more.
  absl::Status Replace(std::string_view text, std::string version = "");
  // As Set(), whatever the values are: only what is not readable at all is an
  // error.
  absl::Status SetUnchecked(std::string_view text, std::string version = "");
  // Any bytes in the place of a serialized message.
  void SetBytes(const std::string& type_url, const std::string& name,
                std::string bytes);
  void Remove(const std::string& type_url, const std::string& name);
  void Clear();
  void SetVersion(const std::string& type_url, std::string version);

  // --- How it misbehaves ---

  // From now on, in the place of what was said before.
  void SetFaults(ControlPlaneFaults faults);
  // Of all streams, now.
  void EndStreams(const StreamEnd& end = {});
  // Connections are refused from now on; those that there are stay.
  void StopListening();
  // Listens again, at the same address.
  absl::Status Resume();
  // Closes each connection that comes.
  void AcceptAndClose(bool on);
  // Clients may connect again.
  void ResetConnections();
  // As SIGKILL would: StopListening() and ResetConnections().
  void Kill();
  // Kill() and Resume() in turns, each after `period`; zero ends it, and it
  // listens.
  void Flap(absl::Duration period);

  ControlPlaneCounts Counts() const;
  // Waits in real time; false if it did not come to that.
  bool WaitFor(absl::AnyInvocable<bool(const ControlPlaneCounts&)> condition,
               absl::Duration timeout = absl::Seconds(10)) const;

 private:
  class Impl;
  explicit ControlPlane(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_CONTROL_PLANE_H_

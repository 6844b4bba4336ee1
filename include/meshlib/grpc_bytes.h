#ifndef MESHLIB_GRPC_BYTES_H_
#define MESHLIB_GRPC_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "meshlib/export.h"
#include "meshlib/http.h"
#include "meshlib/mesh.h"

// gRPC calls of messages that are just bytes, for those who have no generated
// stubs: gateways, scripting languages, other serializations. No gRPC library
// is needed. The cluster must speak HTTP/2.
//
//   auto client = meshlib::grpc_bytes::Client::Create(*mesh);
//   auto result = client->Unary(
//       "http://greeter.shop:50051/helloworld.Greeter/SayHello", request);
//   if (result.status.ok()) Parse(result.message);
//
// A call ends with a status, whose codes are gRPC's own: the host's, or what
// meshlib says where the host said none. A response without a grpc-status has
// the code that gRPC gives to its HTTP status.

namespace meshlib::client {
class GrpcReader;
}  // namespace meshlib::client

namespace meshlib::http {
class Stream;
}  // namespace meshlib::http

namespace meshlib::grpc_bytes {

// Names are lower case. The values of names that end in "-bin" are any bytes
// (base64 on the wire), those of others printable ASCII. Names that begin with
// "grpc-" are gRPC's.
using Metadata = http::Headers;

struct CallOptions {
  Metadata metadata;
  // For all of it, retries included; the host is told (grpc-timeout).
  absl::Duration timeout = absl::InfiniteDuration();
  // What ring hash and Maglev place the call by.
  std::optional<uint64_t> hash;
};

struct ClientOptions {
  // A larger message is ResourceExhausted.
  size_t max_receive_bytes = size_t{4} << 20;
};

// What came of a unary call. A value.
struct Result {
  absl::Status status;
  std::string message;  // if status is OK
  Metadata initial_metadata;
  Metadata trailing_metadata;
  uint32_t attempts = 0;  // how many hosts were asked
  std::string host;       // the address of the last one
  std::string cluster;
};

// A call with any number of messages each way: server streaming (one Write()),
// client streaming (one Read()) and both. Blocks. One thread may write while
// another one reads; Cancel() is thread-safe. Movable. May outlive its mesh,
// whose shutdown ends it.
class MESHLIB_EXPORT Stream {
 public:
  // Cancels what is not over.
  ~Stream();
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;

  // --- The writer ---

  // Waits for room. False: the call is over, Finish() says how.
  bool Write(std::string_view message);
  void WritesDone();

  // --- The reader ---

  // Waits until the host begins to answer, or the call is over.
  const Metadata& ReadInitialMetadata();
  // Waits for the next message. False: there is none, Finish() says why.
  bool Read(std::string& message);
  // Waits for the end, passes over messages that nobody has read. May be
  // called again.
  absl::Status Finish();
  // After Finish().
  const Metadata& trailing_metadata() const;

  void Cancel();

 private:
  friend class Client;
  Stream(http::Stream stream, size_t max_receive_bytes);

  std::unique_ptr<http::Stream> stream_;  // null: moved from
  std::unique_ptr<client::GrpcReader> reader_;
};

// Thread-safe. Cheap to copy. May outlive its mesh; what is sent then is
// FailedPrecondition.
class MESHLIB_EXPORT Client {
 public:
  static absl::StatusOr<Client> Create(Mesh& mesh, ClientOptions options = {});

  // `method` is a URL: "http://AUTHORITY/PACKAGE.SERVICE/METHOD"; what an
  // authority may be is said at Mesh::Resolve(). Blocks.
  Result Unary(std::string_view method, std::string_view message,
               const CallOptions& options = {}) const;
  // Called once, on an I/O thread of the mesh. It should not block.
  using Callback = absl::AnyInvocable<void(Result)>;
  http::CallHandle UnaryAsync(std::string_view method, std::string_view message,
                              const CallOptions& options, Callback done) const;

  // Does not wait for the host. InvalidArgument, NotFound: the method or the
  // metadata. For streams without threads that block, put gRPC's five-byte
  // prefixes on an http::AsyncStream.
  absl::StatusOr<Stream> Open(std::string_view method,
                              const CallOptions& options = {}) const;

 private:
  Client(http::Client client, ClientOptions options)
      : client_(std::move(client)), options_(options) {}

  http::Client client_;
  ClientOptions options_;
};

}  // namespace meshlib::grpc_bytes

#endif  // MESHLIB_GRPC_BYTES_H_

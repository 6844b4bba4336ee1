#ifndef MESHLIB_HTTP_H_
#define MESHLIB_HTTP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "meshlib/export.h"
#include "meshlib/http_filter.h"
#include "meshlib/mesh.h"
#include "meshlib/request.h"

// An HTTP client whose requests go through a mesh: routed, balanced, retried
// on other hosts, over HTTP/1.1 or HTTP/2 as the cluster says.
//
//   auto mesh = meshlib::Mesh::Create(options);
//   auto client = meshlib::http::Client::Create(**mesh);
//   auto response = client->Get("http://echo.shop.global:8080/hello");
//   if (response.ok()) std::cout << response->status << response->body;

namespace meshlib::client {
class HttpCall;
}  // namespace meshlib::client

namespace meshlib::http {

class AsyncStream;
class Stream;
class StreamObserver;

// A list of headers, in order, that owns its bytes. Names keep the form they
// were given in and compare without regard to case. Copyable; not
// thread-safe.
class MESHLIB_EXPORT Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> headers) {
    for (const Header& header : headers) Add(header.name, header.value);
  }

  void Add(std::string_view name, std::string_view value);
  // The only value of that name, at the place of the first.
  void Set(std::string_view name, std::string_view value);
  // All of that name; false: there is none.
  bool Remove(std::string_view name);
  // The first value of that name. The view ends with the next change.
  std::optional<std::string_view> Get(std::string_view name) const;
  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  // Views that end with the next change.
  Header operator[](size_t index) const;
  void Clear();
  // Makes room for so many, of so many bytes in all.
  void Reserve(size_t count, size_t bytes);

 private:
  struct Entry {
    uint32_t at, name_size, value_size;
  };
  std::string bytes_;
  std::vector<Entry> entries_;
};

// What to send. A value.
struct Request {
  std::string method = "GET";
  // "http://echo.shop.global:8080/hello?x=1". The authority is resolved as
  // Mesh::Resolve() does it ("http://cluster:NAME/hello" names a cluster).
  // Whether a connection uses TLS is the cluster's matter, not the URL's.
  std::string url;
  // What belongs to one connection (connection, keep-alive, te other than
  // "trailers", transfer-encoding, proxy-connection) is left out; "host" takes
  // the place of the URL's authority on the wire and in routing.
  Headers headers;
  std::string body;
  // For all of it, retries included. The route's timeout holds too.
  absl::Duration timeout = absl::InfiniteDuration();
  // What ring hash and Maglev place the request by.
  std::optional<uint64_t> hash;
};

// How a response begins, and whence it comes. A value.
struct ResponseHead {
  int status = 0;
  Headers headers;
  uint32_t attempts = 0;  // how many hosts were asked; 0: the mesh answered
  std::string host;       // the address of the last one
  std::string cluster;
  // What fault filters did, in Envoy's letters: "DI" (delayed), "FI" (aborted),
  // "DI,FI"; empty: nothing. A constant.
  std::string_view flags;
  // Why the mesh answered in the host's place, in Envoy's words:
  // "fault_filter_abort"; empty: it did not, or the route says it. A constant.
  std::string_view details;

  bool ok() const { return status >= 200 && status < 300; }
};

// What came back. A value.
struct Response : ResponseHead {
  std::string body;
  Headers trailers;
};

struct ClientOptions {
  // A response with a larger body is ResourceExhausted. Bytes.
  size_t max_response_body = size_t{64} << 20;
  // What every call passes, in this order: meshlib/http_filter.h.
  std::vector<FilterFactory> filters;
};

// Cancels the call that it stands for. Copyable; may outlive it. Thread-safe.
class MESHLIB_EXPORT CallHandle {
 public:
  CallHandle() = default;
  // The callback comes with Cancelled, unless the call is over.
  void Cancel();

 private:
  friend class Client;
  std::weak_ptr<client::HttpCall> call_;
};

// Thread-safe. Cheap to copy; copies share what they have resolved. May outlive
// its mesh; what is sent then is FailedPrecondition.
//
// Errors: NotFound (no route or target), Unavailable (no host, or none that
// answered), DeadlineExceeded, ResourceExhausted (breakers, sizes), Cancelled,
// InvalidArgument (the request), FailedPrecondition (the mesh was shut down).
// A response of a host is never an error, whatever its status is.
class MESHLIB_EXPORT Client {
 public:
  // FailedPrecondition after the mesh's Shutdown(); else what the system
  // refuses.
  static absl::StatusOr<Client> Create(Mesh& mesh, ClientOptions options = {});
  ~Client();
  Client(const Client&);
  Client& operator=(const Client&);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // Blocks the calling thread, which writes its request and reads its answer
  // itself where it can. With MeshOptions::own_thread false it does what
  // RunPending() does until the answer is there, so that callbacks of other
  // calls run in it.
  absl::StatusOr<Response> Send(const Request& request) const;
  absl::StatusOr<Response> Get(std::string_view url) const;
  absl::StatusOr<Response> Post(std::string_view url, std::string_view body,
                                std::string_view content_type) const;

  // Called once, on an I/O thread of the mesh (with own_thread false: in
  // RunPending()); if the mesh is shut down or the process was forked, before
  // SendAsync() returns. It should not block, and may start other calls; a
  // blocking one is FailedPrecondition there. It may shut down or destroy the
  // mesh, see Mesh::Shutdown(). What it throws is logged and goes no further.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Response>)>;
  CallHandle SendAsync(Request request, Callback done) const;

  // Bodies that come piece by piece: meshlib/http_stream.h.
  enum class Body : uint8_t {
    kFollows,  // what is written follows request.body
    kWhole,    // request.body is all of it
  };
  // Does not wait for the host. What goes wrong with it is told by the
  // stream's functions; an error here is one of the request.
  absl::StatusOr<Stream> Open(Request request,
                              Body body = Body::kFollows) const;
  // Any error comes to the observer.
  AsyncStream OpenAsync(Request request,
                        std::shared_ptr<StreamObserver> observer,
                        Body body = Body::kFollows) const;

 private:
  class Impl;
  explicit Client(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

}  // namespace meshlib::http

#endif  // MESHLIB_HTTP_H_

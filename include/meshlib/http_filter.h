#ifndef MESHLIB_HTTP_FILTER_H_
#define MESHLIB_HTTP_FILTER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "meshlib/export.h"

// Code of the application that every call of a client passes: to add headers,
// to check or change them, to answer in the hosts' place, to measure.

namespace meshlib::http {

class Headers;
struct Response;
struct ResponseHead;

// What a filter may look at and change of a request, before it is routed.
struct FilteredRequest {
  std::string& method;
  std::string& path;           // with the query
  std::string_view authority;  // of the URL; a "host" header takes its place
  Headers& headers;
};

// A filter as one call meets it. Each call has one of its own, made when the
// call begins: what it must remember from the request to the response are
// its members, and nothing needs a lock.
//
// Once for each call, whatever it is (blocking, callback, stream, coroutine,
// gRPC of bytes): the request passes the filters in the order of
// ClientOptions::filters, then it is routed, meets the fault filters of the
// configuration and is tried and retried, each time with the same headers; what
// comes of that passes the filters in the opposite order. The copies of
// request_mirror_policies pass none.
//
// OnRequest() runs on the thread that begins the call, the other two on a
// thread of the mesh, or on the caller's if it blocks; one at a time, each
// after what came before has returned. They should not block, must not wait for
// another call, and get no body: a stream may not have one yet.
class MESHLIB_EXPORT Filter {
 public:
  virtual ~Filter() = default;

  // Lets the request go on (std::nullopt), answers it, or fails the call. An
  // answer passes the filters before this one as a host's would; those after
  // it never hear of the call.
  using Verdict = absl::StatusOr<std::optional<Response>>;
  virtual Verdict OnRequest(FilteredRequest& request);

  // The response begins, and no retry follows: the application has seen
  // nothing of it yet. Not if there is none.
  virtual void OnResponse(ResponseHead& head) {}

  // The end of the call, once if OnRequest() was called. OK: the response is
  // whole (a host's answer is never an error, whatever its status is), and
  // `trailers` are what the application will see.
  virtual void OnEnd(const absl::Status& status, Headers& trailers) {}
};

// Makes the filter of one call; null: this call needs none. Called on any
// thread that begins calls, several at a time.
using FilterFactory = std::function<std::unique_ptr<Filter>()>;

}  // namespace meshlib::http

#endif  // MESHLIB_HTTP_FILTER_H_

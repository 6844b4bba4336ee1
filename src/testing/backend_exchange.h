#ifndef MESHLIB_TESTING_BACKEND_EXCHANGE_H_
#define MESHLIB_TESTING_BACKEND_EXCHANGE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "event/loop.h"
#include "meshlib/testing/backend.h"
#include "net/server_stream.h"
#include "testing/backend_core.h"

namespace meshlib::testing {

// One request to a backend, and what the backend makes of it.
class BackendExchange final : public net::ServerHandler {
 public:
  explicit BackendExchange(BackendCore& core) : core_(core) {}
  ~BackendExchange() override;

  void OnRequest(net::ServerStream& stream, absl::Span<const Header> headers,
                 bool end_stream) override;
  void OnData(net::ServerStream& stream, std::string_view bytes) override;
  void OnTrailers(net::ServerStream& stream,
                  absl::Span<const Header> trailers) override;
  void OnEnd(net::ServerStream& stream) override;
  void OnWritable(net::ServerStream& stream) override { SendBody(); }
  void OnReset(net::ServerStream& stream,
               const net::StreamReset& reset) override;

  // Answers after all.
  void Release();

 private:
  void Keep(absl::Span<const Header> headers);
  void Begin();
  void Act();
  // False if that was the end of it.
  bool ActBeforeHeaders();
  void SendHead();
  void SendBody();
  void SendEcho();
  void Finish();
  void ResetStream();
  void Later(absl::Duration delay, absl::AnyInvocable<void()> task);

  BackendCore& core_;
  net::ServerStream* stream_ = nullptr;  // null when it is over
  const std::shared_ptr<BackendRequest> seen_ =
      std::make_shared<BackendRequest>();
  BackendAnswer answer_;
  bool began_ = false;
  bool headers_sent_ = false;
  bool done_ = false;
  std::string_view left_;  // of answer_.body
  std::string echo_;       // not written yet
  std::optional<event::Loop::TimerId> timer_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_BACKEND_EXCHANGE_H_

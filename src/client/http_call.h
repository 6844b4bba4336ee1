#ifndef MESHLIB_CLIENT_HTTP_CALL_H_
#define MESHLIB_CLIENT_HTTP_CALL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/call_runner.h"
#include "meshlib/http.h"

namespace meshlib::client {

// A request and a response that are whole in memory. Either Run() on the
// calling thread, or Begin() and the loops. One use.
class HttpCall final : public CallRunner {
 public:
  // `path` is of request.url.
  HttpCall(std::shared_ptr<const CallEnvironment> environment, Target target,
           http::Request request, std::string_view path)
      : CallRunner(std::move(environment), std::move(target),
                   std::move(request), path, false) {}

  // Blocks.
  absl::StatusOr<http::Response> Run();

  // `done` is called once; before this returns if the mesh takes no more calls.
  // The call must be held by a shared_ptr.
  void Begin(http::Client::Callback done);

 private:
  void FillBody(net::WireRequest& wire,
                net::ClientExchange::Options& options) override;
  bool CanRepeat(size_t limit) const override {
    return request_.body.size() <= limit;
  }
  void OnWhole() override;
  void OnAnswered(http::Response response) override {
    result_ = std::move(response);
  }
  void OnFailed(absl::Status status) override { result_ = std::move(status); }
  void Tell(Origin origin) override;
  // Calls `done_`, and the call is over.
  void CallBack();

  uint32_t AwaitedEvents() const;

  std::optional<absl::StatusOr<http::Response>> result_;
  // Of Begin().
  http::Client::Callback done_;
  bool blocking_ = true;
  bool told_ = false;
};

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_HTTP_CALL_H_

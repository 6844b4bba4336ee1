#include "client/http_call.h"

#include <thread>
#include <utility>

namespace meshlib::client {

using net::ClientExchange;

absl::StatusOr<http::Response> HttpCall::Run() {
  if (environment_->transport->OnIoThread()) {
    return absl::FailedPreconditionError(
        "a blocking call from a callback would wait for its own thread");
  }
  const absl::Status status = Prepare(true);
  if (!status.ok()) return status;
  while (true) {
    Step();
    if (phase_ == Phase::kDone) return *std::move(result_);
    if (phase_ == Phase::kAwait) {
      exchange_->Wait(AwaitedEvents(), WaitUntil());
    } else {
      const absl::Duration left = WaitUntil() - Now();
      if (left > absl::ZeroDuration()) {
        std::this_thread::sleep_for(absl::ToChronoNanoseconds(left));
      }
    }
  }
}

uint32_t HttpCall::AwaitedEvents() const {
  // A plain success is of interest once it is whole.
  return (exchange_->events() & ClientExchange::kHeaders) != 0
             ? uint32_t{ClientExchange::kComplete}
             : uint32_t{ClientExchange::kHeaders};
}

void HttpCall::Begin(http::Client::Callback done) {
  done_ = std::move(done);
  blocking_ = false;
  Launch(true);
}

void HttpCall::Tell(Origin origin) {
  if (phase_ != Phase::kDone || std::exchange(told_, true)) return;
  // Not on the stack of whoever starts or cancels a call.
  if (origin == Origin::kLoop) {
    std::exchange(done_, nullptr)(*std::move(result_));
    return;
  }
  const auto self = std::static_pointer_cast<HttpCall>(shared_from_this());
  loop().Post([self] {
    std::exchange(self->done_, nullptr)(*std::move(self->result_));
  });
}

void HttpCall::FillBody(net::WireRequest& wire,
                        ClientExchange::Options& options) {
  wire.body = request_.body;
  if (!blocking_) {
    options.sink = std::static_pointer_cast<HttpCall>(shared_from_this());
  }
}

void HttpCall::OnWhole() {
  http::Response response;
  FillHead(response);
  Append(exchange_->trailers(), response.trailers);
  exchange_->TakeBody(response.body);
  result_ = std::move(response);
}

}  // namespace meshlib::client

#include "client/http_call.h"

#include <utility>

namespace meshlib::client {

using net::ClientExchange;

absl::StatusOr<http::Response> HttpCall::Run() {
  absl::Status status = MayBlock(*environment_);
  if (status.ok()) status = Prepare(true);
  if (!status.ok()) return status;
  if (!Enlist()) return environment_->core->gate().Check();
  while (true) {
    Step();
    if (phase_ == Phase::kDone) {
      Conclude();  // before the destructor begins: a shutdown may look at it
      return *std::move(result_);
    }
    if (phase_ == Phase::kAwait) {
      exchange_->Wait(AwaitedEvents(), WaitUntil());
    } else {
      const absl::Duration left = WaitUntil() - Now();
      if (left > absl::ZeroDuration()) {
        environment_->core->calls().Sleep(left);
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
  if (origin == Origin::kLoop) return CallBack();
  const auto self = std::static_pointer_cast<HttpCall>(shared_from_this());
  loop().Post([self] { self->CallBack(); });
}

void HttpCall::CallBack() {
  RunCallback(*environment_->core,
              [this] { std::exchange(done_, nullptr)(*std::move(result_)); });
  Conclude();
}

void HttpCall::FillBody(net::WireRequest& wire,
                        ClientExchange::Options& options) {
  wire.body = request_.body;
  if (!blocking_) {
    options.sink = std::static_pointer_cast<HttpCall>(shared_from_this());
  }
  options.undisturbed = blocking_;  // nobody else knows of it
}

void HttpCall::OnWhole() {
  http::Response response;
  FillHead(response);
  Append(exchange_->trailers(), response.trailers);
  exchange_->TakeBody(response.body);
  EndFilters(absl::OkStatus(), response.trailers);
  result_ = std::move(response);
}

}  // namespace meshlib::client

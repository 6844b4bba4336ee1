// How a call ends, for what began it see call_runner.cc.
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "client/call_runner.h"

namespace meshlib::client {

void CallRunner::Cancel() {
  if (forked()) return;
  cancelled_.store(true, std::memory_order_release);
  Poke(Origin::kElsewhere);
}

void CallRunner::OnAbort() {
  const auto self = std::static_pointer_cast<CallRunner>(shared_from_this());
  loop().Post([self] { self->Poke(Origin::kLoop); });
}

void CallRunner::FillHead(http::ResponseHead& head) {
  head.status = exchange_->status();
  head.attempts = call_.attempts();
  head.host = std::string(host_->address_view());
  head.cluster = cluster_;
  if (delayed_) head.flags = "DI";
  if (route_ == nullptr || (!route_->rewrites_responses() &&
                            !route_->include_attempt_count_in_response())) {
    Append(exchange_->headers(), head.headers);
    if (filters_ != nullptr) filters_->OnResponse(head);
    return;
  }
  routing::ClusterChoice choice;
  choice.name = cluster_;
  choice.weighted_index = weighted_index_;
  routing::HeaderList headers(exchange_->headers());
  if (route_->include_attempt_count_in_response()) {
    headers.Set(kAttemptCount, absl::StrCat(call_.attempts()));
  }
  route_->RewriteResponse(routed_, choice, headers);
  Append(headers.headers(), head.headers);
  if (filters_ != nullptr) filters_->OnResponse(head);
}

void CallRunner::FinishFailed(Outcome::Kind kind) {
  if (exchange_ != nullptr && !reported_) {
    call_.End(Outcome::Failure(kind));
    reported_ = true;
  }
  if (kind == Outcome::Kind::kCancelled) {
    return FinishWith(absl::CancelledError("the call was cancelled"));
  }
  const absl::Duration taken = Now() - started_;
  FinishWith(absl::DeadlineExceededError(absl::StrCat(
      "target \"", target_.authority(), "\": no response within ",
      absl::FormatDuration(taken), " (attempt ", call_.attempts(),
      cluster_.empty() ? "" : absl::StrCat(", cluster \"", cluster_, "\""),
      kind == Outcome::Kind::kPerTryTimeout ? ", per_try_timeout)" : ")")));
}

void CallRunner::FinishAborted() {
  if (exchange_ != nullptr && !reported_) {
    call_.End(Outcome::Failure(Outcome::Kind::kCancelled));
    reported_ = true;
  }
  FinishWith(absl::FailedPreconditionError(absl::StrCat(
      "target \"", target_.authority(), "\": the mesh is shut down (after ",
      call_.attempts(), " attempts)")));
}

void CallRunner::FinishWith(absl::Status status) {
  http::Headers none;
  EndFilters(status, none);
  OnFailed(std::move(status));
  Finish();
}

void CallRunner::Finish() {
  phase_ = Phase::kDone;
  DropExchange();
  call_.Release();
}

// A pool may hold it still, and must not look at the request any more.
void CallRunner::DropExchange() {
  if (exchange_ == nullptr) return;
  exchange_->Cancel();
  exchange_.reset();
}

}  // namespace meshlib::client

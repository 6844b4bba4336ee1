// What answers a call in its hosts' place, or holds it up: the application's
// filters, injected faults, redirects and direct responses.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/call_runner.h"
#include "mesh/target_state.h"
#include "model/headers.h"
#include "net/grpc_status.h"

namespace meshlib::client {
namespace {

// How often a call looks whether its target is known by now.
constexpr absl::Duration kLook = absl::Milliseconds(5);

// As Envoy answers by itself.
http::Response FaultResponse(const resilience::FaultAnswer& answer,
                             const Request& request, bool delayed) {
  http::Response response;
  response.flags = delayed ? "DI,FI" : "FI";
  response.details = "fault_filter_abort";
  if (model::IsGrpc(request)) {
    response.status = 200;
    response.headers.Add("content-type", net::kGrpcContentType);
    response.headers.Add("grpc-status",
                         absl::StrCat(*answer.GrpcStatusFor(request)));
    response.headers.Add("grpc-message", net::PercentEncode(answer.body));
    return response;
  }
  response.status = answer.http_status;
  response.headers.Add("content-length", absl::StrCat(answer.body.size()));
  response.headers.Add("content-type", "text/plain");
  if (request.method != "HEAD") response.body = std::string(answer.body);
  return response;
}

}  // namespace

bool CallRunner::PassFilters() {
  filters_ = std::make_unique<CallFilters>();
  http::FilteredRequest request{request_.method, path_,
                                mesh::TargetAccess::HostOf(target_),
                                request_.headers};
  http::Filter::Verdict verdict =
      filters_->OnRequest(environment_->options.filters, request);
  if (!verdict.ok()) {
    FinishWith(verdict.status());
    return false;
  }
  if (!verdict->has_value()) return true;
  Answer(**std::move(verdict));
  Finish();
  return false;
}

void CallRunner::TellFilters(const absl::Status& status,
                             http::Headers& trailers) {
  const auto filters = std::exchange(filters_, nullptr);
  RunCallback(*environment_->core, [&] { filters->OnEnd(status, trailers); });
}

void CallRunner::Answer(http::Response response) {
  if (filters_ != nullptr) {
    filters_->OnResponse(response);
    TellFilters(absl::OkStatus(), response.trailers);
  }
  OnAnswered(std::move(response));
}

// The timeouts of the route begin when the request has waited.
void CallRunner::Delayed(absl::Duration delay) {
  delayed_ = true;
  retry_at_ = std::min(Now() + delay, deadline_);
  phase_ = Phase::kBackoff;
}

void CallRunner::Aborted(const resilience::FaultAnswer& answer,
                         const Request& request) {
  answered_ = true;
  Answer(FaultResponse(answer, request, delayed_));
}

void CallRunner::NotForwarded(const routing::CompiledRoute& route,
                              const Request& request) {
  http::Response response;
  if (route.redirect() != nullptr) {
    response.status = static_cast<int>(route.redirect()->response_code());
    response.headers.Add("location", route.redirect()->Location(request));
  } else if (const auto* direct = route.direct_response()) {
    response.status = static_cast<int>(direct->status);
    response.body = direct->body;
  } else {
    return;
  }
  answered_ = true;
  Answer(std::move(response));
}

void CallRunner::Fail(PickFailure reason) {
  if (answered_) return Finish();
  if (reason == PickFailure::kDelayed) return;
  cluster::Engine& engine = environment_->core->engine();
  if (mesh::WaitsForNews(reason) && engine.awaits_news()) {
    retry_at_ = Now() + kLook;
    phase_ = Phase::kBackoff;
    return;
  }
  const absl::Status status =
      environment_->core->StatusOf(reason, target_.authority());
  if (call_.attempts() == 0) return FinishWith(status);
  FinishWith(absl::Status(status.code(),
                          absl::StrCat(status.message(), " (after ",
                                       call_.attempts(), " attempts)")));
}

}  // namespace meshlib::client

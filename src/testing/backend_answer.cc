#include "testing/backend_answer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/strings.h"
#include "net/grpc_framing.h"

namespace meshlib::testing {
namespace {

using Fault = BackendAnswer::Fault;

struct FaultName {
  std::string_view name;
  Fault fault;
};
constexpr FaultName kFaults[] = {
    {"none", Fault::kNone},
    {"reset-before-headers", Fault::kResetBeforeHeaders},
    {"reset-after-headers", Fault::kResetAfterHeaders},
    {"reset-in-body", Fault::kResetInBody},
    {"abort-before-headers", Fault::kAbortBeforeHeaders},
    {"abort-in-body", Fault::kAbortInBody},
    {"stall", Fault::kStall},
    {"stall-after-headers", Fault::kStallAfterHeaders},
    {"go-away", Fault::kGoAway},
    {"go-away-error", Fault::kGoAwayError},
    {"short-body", Fault::kShortBody},
    {"long-body", Fault::kLongBody},
    {"garbage", Fault::kGarbage},
};

constexpr std::string_view kPrefix = "x-backend-";
constexpr size_t kMostBodyBytes = size_t{1} << 30;

template <typename T, typename Use>
void IfNumber(std::string_view text, const Use& use) {
  T number = 0;
  if (absl::SimpleAtoi(base::ToAbsl(text), &number)) use(number);
}

void Apply(std::string_view name, std::string_view value,
           BackendAnswer& answer) {
  if (name == "status") {
    IfNumber<int>(value, [&](int status) { answer.status = status; });
  } else if (name == "body") {
    answer.body = value;
  } else if (name == "body-bytes") {
    IfNumber<size_t>(value, [&](size_t bytes) {
      answer.body.assign(std::min(bytes, kMostBodyBytes), 'x');
    });
  } else if (name == "delay-ms") {
    IfNumber<int>(value,
                  [&](int ms) { answer.delay = absl::Milliseconds(ms); });
  } else if (name == "grpc-status") {
    IfNumber<int>(value, [&](int code) { answer = BackendAnswer::Grpc(code); });
  } else if (name == "echo") {
    answer.echo = true;
  } else if (name == "early") {
    answer.early = true;
  } else if (name == "error-code") {
    IfNumber<uint32_t>(value, [&](uint32_t code) { answer.error_code = code; });
  } else if (name == "fault") {
    for (const FaultName& known : kFaults) {
      if (known.name == value) answer.fault = known.fault;
    }
  }
}

}  // namespace

void ApplyHeaders(const BackendRequest& request, BackendAnswer& answer) {
  for (const auto& [name, value] : request.headers) {
    if (std::string_view(name).substr(0, kPrefix.size()) != kPrefix) continue;
    Apply(std::string_view(name).substr(kPrefix.size()), value, answer);
  }
}

std::string_view BackendRequest::Get(std::string_view name) const {
  for (const auto& h : headers) {
    if (h.first == name) return h.second;
  }
  return {};
}

BackendAnswer BackendAnswer::Status(int status, std::string body) {
  BackendAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

BackendAnswer BackendAnswer::Failing(Fault fault, uint32_t error_code) {
  BackendAnswer answer;
  answer.fault = fault;
  answer.error_code = error_code;
  return answer;
}

BackendAnswer BackendAnswer::After(absl::Duration delay) {
  BackendAnswer answer;
  answer.delay = delay;
  return answer;
}

BackendAnswer BackendAnswer::Echo() {
  BackendAnswer answer;
  answer.echo = true;
  return answer;
}

BackendAnswer BackendAnswer::Grpc(int code, std::optional<std::string> message,
                                  std::string text) {
  BackendAnswer answer;
  answer.headers = {{"content-type", "application/grpc"}};
  auto& status = message.has_value() ? answer.trailers : answer.headers;
  status.emplace_back("grpc-status", std::to_string(code));
  if (!text.empty()) status.emplace_back("grpc-message", std::move(text));
  if (message.has_value()) {
    net::AppendGrpcMessage(*message, false, net::kGrpcDefaultMaxMessageBytes,
                           answer.body)
        .IgnoreError();
  }
  return answer;
}

}  // namespace meshlib::testing

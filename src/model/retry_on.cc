#include "model/retry_on.h"

#include <cstddef>

#include "model/route.h"

namespace meshlib::model {
namespace {

struct Condition {
  std::string_view name;
  uint32_t bit;
};

constexpr Condition kConditions[] = {
    {"5xx", kRetryOn5xx},
    {"gateway-error", kRetryOnGatewayError},
    {"reset", kRetryOnReset},
    {"reset-before-request", kRetryOnResetBeforeRequest},
    {"connect-failure", kRetryOnConnectFailure},
    {"envoy-ratelimited", kRetryOnEnvoyRateLimited},
    {"retriable-4xx", kRetryOnRetriable4xx},
    {"refused-stream", kRetryOnRefusedStream},
    {"retriable-status-codes", kRetryOnRetriableStatusCodes},
    {"retriable-headers", kRetryOnRetriableHeaders},
    {"http3-post-connect-failure", kRetryOnHttp3PostConnectFailure},
    {"cancelled", kRetryOnGrpcCancelled},
    {"deadline-exceeded", kRetryOnGrpcDeadlineExceeded},
    {"internal", kRetryOnGrpcInternal},
    {"resource-exhausted", kRetryOnGrpcResourceExhausted},
    {"unavailable", kRetryOnGrpcUnavailable},
};

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n\f\v";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

uint32_t RetryOnBit(std::string_view name) {
  for (const Condition& condition : kConditions) {
    if (condition.name == name) return condition.bit;
  }
  return 0;
}

std::string_view CutRetryOnName(std::string_view& text) {
  std::string_view name;
  while (name.empty() && !text.empty()) {
    const size_t comma = text.find(',');
    name = Trimmed(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size()
                                                       : comma + 1);
  }
  return name;
}

}  // namespace meshlib::model

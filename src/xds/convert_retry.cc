#include "xds/convert_retry.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "meshlib/xds/envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts.pb.h"
#include "meshlib/xds/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config.pb.h"
#include "meshlib/xds/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "meshlib/xds/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb.h"
#include "model/retry_on.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace route = envoy::config::route::v3;
namespace retry = envoy::extensions::retry;
using retry::host::omit_canary_hosts::v3::OmitCanaryHostsPredicate;
using retry::host::omit_host_metadata::v3::OmitHostMetadataConfig;
using retry::host::previous_hosts::v3::PreviousHostsPredicate;
using retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;

// Names that are not known are passed over, as Envoy does.
uint32_t ConvertRetryOn(std::string_view text, FieldErrors& errors) {
  uint32_t bits = 0;
  for (std::string_view name = model::CutRetryOnName(text); !name.empty();
       name = model::CutRetryOnName(text)) {
    const uint32_t bit = model::RetryOnBit(name);
    if (bit == 0) {
      errors.WarningAt(
          "retry_on",
          absl::StrCat("unknown condition ", Quoted(name), "; it never holds"));
    }
    bits |= bit;
  }
  return bits;
}

void ConvertOmitHostMetadata(const OmitHostMetadataConfig& in,
                             model::RetryPolicy& out) {
  const auto filter = in.metadata_match().filter_metadata().find("envoy.lb");
  if (filter == in.metadata_match().filter_metadata().end()) return;
  for (const auto& [key, value] : filter->second.fields()) {
    out.omit_host_metadata.emplace_back(key, ConvertValue(value));
  }
  std::sort(out.omit_host_metadata.begin(), out.omit_host_metadata.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
}

// Extensions that old configurations name without a typed_config.
bool IsOldName(std::string_view name, std::string_view extension,
               FieldErrors& errors) {
  if (name != extension) return false;
  errors.Outdated(absl::StrCat("old form; today ", Quoted(name),
                               " needs its typed_config"));
  return true;
}

void ConvertHostPredicate(const route::RetryPolicy::RetryHostPredicate& in,
                          FieldErrors& errors, model::RetryPolicy& out) {
  if (!in.has_typed_config()) {
    if (IsOldName(in.name(), "envoy.retry_host_predicates.previous_hosts",
                  errors)) {
      out.previous_hosts = true;
    } else if (IsOldName(in.name(),
                         "envoy.retry_host_predicates.omit_canary_hosts",
                         errors)) {
      out.omit_canary_hosts = true;
    } else {
      errors.ErrorAt("typed_config", "is required");
    }
    return;
  }
  ScopedField scope(errors, "typed_config");
  if (HoldsA<PreviousHostsPredicate>(in.typed_config())) {
    out.previous_hosts = true;
  } else if (HoldsA<OmitCanaryHostsPredicate>(in.typed_config())) {
    out.omit_canary_hosts = true;
  } else if (HoldsA<OmitHostMetadataConfig>(in.typed_config())) {
    OmitHostMetadataConfig config;
    if (UnpackInto(in.typed_config(), config, errors)) {
      ConvertOmitHostMetadata(config, out);
    }
  } else {
    errors.Error(absl::StrCat("retry host predicate ",
                              Quoted(AnyTypeName(in.typed_config())),
                              " is not supported"));
  }
}

void ConvertRetryPriority(const route::RetryPolicy::RetryPriority& in,
                          FieldErrors& errors, model::RetryPolicy& out) {
  ScopedField scope(errors, "retry_priority");
  if (!in.has_typed_config()) {
    errors.ErrorAt("typed_config", "is required");
    return;
  }
  ScopedField config_scope(errors, "typed_config");
  if (!HoldsA<PreviousPrioritiesConfig>(in.typed_config())) {
    errors.Error(absl::StrCat("retry priority ",
                              Quoted(AnyTypeName(in.typed_config())),
                              " is not supported"));
    return;
  }
  PreviousPrioritiesConfig config;
  if (!UnpackInto(in.typed_config(), config, errors)) return;
  out.previous_priorities_update_frequency =
      static_cast<uint32_t>(std::max(config.update_frequency(), 0));
}

// Those of Envoy are passed over, others can only be mistaken.
void CheckOptionsPredicates(const route::RetryPolicy& in, FieldErrors& errors) {
  for (int i = 0; i < in.retry_options_predicates_size(); ++i) {
    ScopedField scope(errors, "retry_options_predicates", i);
    const std::string_view type =
        AnyTypeName(in.retry_options_predicates(i).typed_config());
    if (type.substr(0, 6) == "envoy.") {
      errors.Unsupported("is not supported; passed over");
    } else {
      errors.ErrorAt("typed_config",
                     absl::StrCat("retry options predicate ", Quoted(type),
                                  " is not supported"));
    }
  }
}

// Envoy's smallest back-off is a millisecond.
absl::Duration AtLeastAMillisecond(absl::Duration duration) {
  return std::max(duration, absl::Milliseconds(1));
}

void ConvertBackOff(const route::RetryPolicy::RetryBackOff& in,
                    FieldErrors& errors, model::RetryPolicy& out) {
  ScopedField scope(errors, "retry_back_off");
  if (const auto base =
          ConvertOptionalDuration(in.has_base_interval(), in.base_interval(),
                                  "base_interval", errors)) {
    out.base_interval = AtLeastAMillisecond(*base);
  }
  if (const auto max = ConvertOptionalDuration(
          in.has_max_interval(), in.max_interval(), "max_interval", errors)) {
    out.max_interval = AtLeastAMillisecond(*max);
    // Compared as milliseconds, as Envoy keeps them.
    if (absl::ToInt64Milliseconds(*out.max_interval) <
        absl::ToInt64Milliseconds(out.base_interval)) {
      errors.ErrorAt(
          "max_interval",
          absl::StrCat("max_interval ", absl::FormatDuration(*out.max_interval),
                       " < base_interval ",
                       absl::FormatDuration(out.base_interval)));
    }
  }
}

void ConvertRateLimited(const route::RetryPolicy::RateLimitedRetryBackOff& in,
                        FieldErrors& errors, model::RetryPolicy& out) {
  ScopedField scope(errors, "rate_limited_retry_back_off");
  model::RateLimitedRetryBackOff& limited = out.rate_limited.emplace();
  for (const auto& header : in.reset_headers()) {
    limited.reset_headers.push_back(
        {header.name(), header.format() == route::RetryPolicy::UNIX_TIMESTAMP
                            ? model::ResetHeader::Format::kUnixTimestamp
                            : model::ResetHeader::Format::kSeconds});
  }
  if (const auto max = ConvertOptionalDuration(
          in.has_max_interval(), in.max_interval(), "max_interval", errors)) {
    limited.max_interval = AtLeastAMillisecond(*max);
  }
}

void ConvertSelectionAttempts(const route::RetryPolicy& in, FieldErrors& errors,
                              model::RetryPolicy& out) {
  const int64_t attempts = in.host_selection_retry_max_attempts();
  if (attempts < 0) {
    errors.WarningAt("host_selection_retry_max_attempts",
                     absl::StrCat("is ", attempts, ", which counts as 1"));
  }
  if (attempts > 0) {
    out.host_selection_retry_max_attempts =
        static_cast<uint32_t>(std::min<int64_t>(attempts, UINT32_MAX));
  }
}

}  // namespace

model::RetryPolicy ConvertRetryPolicy(const route::RetryPolicy& in,
                                      const RouteContext& context) {
  FieldErrors& errors = context.errors;
  model::RetryPolicy out;
  out.retry_on = ConvertRetryOn(in.retry_on(), errors);
  out.num_retries = ValueOr(in.has_num_retries(), in.num_retries(), 1u);
  out.per_try_timeout =
      ConvertOptionalDuration(in.has_per_try_timeout(), in.per_try_timeout(),
                              "per_try_timeout", errors)
          .value_or(absl::ZeroDuration());
  out.per_try_idle_timeout =
      ConvertOptionalDuration(in.has_per_try_idle_timeout(),
                              in.per_try_idle_timeout(), "per_try_idle_timeout",
                              errors)
          .value_or(absl::ZeroDuration());
  out.retriable_status_codes.assign(in.retriable_status_codes().begin(),
                                    in.retriable_status_codes().end());
  out.retriable_headers = ConvertHeaderMatchers(in.retriable_headers(),
                                                "retriable_headers", context);
  out.retriable_request_headers = ConvertHeaderMatchers(
      in.retriable_request_headers(), "retriable_request_headers", context);
  for (int i = 0; i < in.retry_host_predicate_size(); ++i) {
    ScopedField scope(errors, "retry_host_predicate", i);
    ConvertHostPredicate(in.retry_host_predicate(i), errors, out);
  }
  ConvertSelectionAttempts(in, errors, out);
  if (in.has_retry_priority()) {
    ConvertRetryPriority(in.retry_priority(), errors, out);
  }
  if (in.has_retry_back_off()) ConvertBackOff(in.retry_back_off(), errors, out);
  if (in.has_rate_limited_retry_back_off()) {
    ConvertRateLimited(in.rate_limited_retry_back_off(), errors, out);
  }
  CheckOptionsPredicates(in, errors);
  return out;
}

model::HedgePolicy ConvertHedgePolicy(const route::HedgePolicy& in,
                                      FieldErrors& errors) {
  model::HedgePolicy out;
  out.initial_requests =
      ValueOr(in.has_initial_requests(), in.initial_requests(), 1u);
  out.hedge_on_per_try_timeout = in.hedge_on_per_try_timeout();
  // Envoy has both fields without an implementation too.
  if (out.initial_requests > 1) {
    errors.UnsupportedAt("initial_requests",
                         "is not implemented by Envoy "
                         "either; one request is made");
  }
  if (in.additional_request_chance().numerator() > 0) {
    errors.UnsupportedAt("additional_request_chance",
                         "is not implemented by Envoy either");
  }
  return out;
}

}  // namespace meshlib::xds

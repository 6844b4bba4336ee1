#include "xds/convert_fault.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "meshlib/xds/envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "xds/convert_matchers.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace common = envoy::extensions::filters::common::fault::v3;
namespace http = envoy::extensions::filters::http::fault::v3;
using envoy::config::route::v3::FilterConfig;

model::Fraction ConvertPercentage(const envoy::type::v3::FractionalPercent& in,
                                  const std::string& key,
                                  std::string_view default_key) {
  envoy::config::core::v3::RuntimeFractionalPercent percentage;
  *percentage.mutable_default_value() = in;
  model::Fraction out = ConvertFraction(percentage);
  out.runtime_key = key.empty() ? std::string(default_key) : key;
  return out;
}

model::FaultDelay ConvertDelay(const http::HTTPFault& in, FieldErrors& errors) {
  ScopedField scope(errors, "delay");
  model::FaultDelay out;
  out.percentage =
      ConvertPercentage(in.delay().percentage(), in.delay_percent_runtime(),
                        "fault.http.delay.fixed_delay_percent");
  if (in.delay().has_fixed_delay()) {
    ScopedField fixed(errors, "fixed_delay");
    // Envoy counts in milliseconds.
    out.fixed = absl::Floor(ConvertDuration(in.delay().fixed_delay(), errors),
                            absl::Milliseconds(1));
  }
  return out;
}

model::FaultAbort ConvertAbort(const http::HTTPFault& in) {
  model::FaultAbort out;
  const http::FaultAbort& abort = in.abort();
  out.percentage =
      ConvertPercentage(abort.percentage(), in.abort_percent_runtime(),
                        "fault.http.abort.abort_percent");
  if (abort.error_type_case() == http::FaultAbort::kHttpStatus) {
    out.http_status = abort.http_status();
  } else if (abort.error_type_case() == http::FaultAbort::kGrpcStatus) {
    out.grpc_status = abort.grpc_status();
  }
  if (!abort.response_body().empty()) {
    out.response_body = abort.response_body();
  }
  return out;
}

void SetKey(const std::string& from, std::string& to) {
  if (!from.empty()) to = from;
}

// One entry; false: it says nothing that matters here.
bool ConvertOverride(const ::google::protobuf::Any& any, FieldErrors& errors,
                     DeferredChecks* deferred, model::FilterOverride& out) {
  if (HoldsFault(any)) {
    out.fault = ConvertFault(any, errors, deferred);
    return out.fault != nullptr;
  }
  errors.Unsupported(absl::StrCat("configuration of the filter ",
                                  Quoted(out.filter), " is not supported yet"));
  return true;
}

bool ConvertOverride(const FilterConfig& in, FieldErrors& errors,
                     DeferredChecks* deferred, model::FilterOverride& out) {
  if (in.disabled()) {
    out.disabled = true;
    return true;
  }
  if (!in.has_config()) {
    errors.Error("needs disabled or config");
    return false;
  }
  // An empty one only enables the filter.
  if (in.config().type_url().empty()) return true;
  ScopedField scope(errors, "config");
  return ConvertOverride(in.config(), errors, deferred, out);
}

}  // namespace

bool HoldsFault(const ::google::protobuf::Any& any) {
  return HoldsA<http::HTTPFault>(any);
}

std::shared_ptr<const model::Fault> ConvertFault(
    const ::google::protobuf::Any& any, FieldErrors& errors,
    DeferredChecks* deferred) {
  http::HTTPFault in;
  if (!UnpackInto(any, in, errors)) return nullptr;
  auto out = std::make_shared<model::Fault>();
  if (in.has_delay()) out->delay = ConvertDelay(in, errors);
  if (in.has_abort()) out->abort = ConvertAbort(in);
  out->upstream_cluster = in.upstream_cluster();
  out->headers =
      ConvertHeaderMatchers(in.headers(), "headers", {errors, deferred});
  out->downstream_nodes.assign(in.downstream_nodes().begin(),
                               in.downstream_nodes().end());
  if (in.has_max_active_faults()) {
    out->max_active_faults = in.max_active_faults().value();
  }
  SetKey(in.delay_duration_runtime(), out->delay_duration_runtime);
  SetKey(in.abort_http_status_runtime(), out->abort_http_status_runtime);
  SetKey(in.abort_grpc_status_runtime(), out->abort_grpc_status_runtime);
  SetKey(in.max_active_faults_runtime(), out->max_active_faults_runtime);
  return out;
}

std::vector<model::FilterOverride> ConvertFilterOverrides(
    const ::google::protobuf::Map<std::string, ::google::protobuf::Any>& in,
    FieldErrors& errors, DeferredChecks* deferred) {
  std::vector<model::FilterOverride> overrides;
  for (const auto& [name, any] : in) {
    ScopedField scope(errors, "typed_per_filter_config", name);
    model::FilterOverride out;
    out.filter = name;
    bool kept = false;
    if (HoldsA<FilterConfig>(any)) {
      FilterConfig config;
      kept = UnpackInto(any, config, errors) &&
             ConvertOverride(config, errors, deferred, out);
    } else {
      kept = ConvertOverride(any, errors, deferred, out);
    }
    if (kept) overrides.push_back(std::move(out));
  }
  return overrides;
}

}  // namespace meshlib::xds

#include "xds/convert_listener.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "meshlib/xds/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "meshlib/xds/envoy/extensions/filters/network/rbac/v3/rbac.pb.h"
#include "meshlib/xds/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "xds/convert_endpoints.h"
#include "xds/convert_filter_chain_match.h"
#include "xds/convert_filters.h"
#include "xds/convert_hcm.h"
#include "xds/convert_transport.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
namespace listener = envoy::config::listener::v3;
using envoy::extensions::filters::network::http_connection_manager::v3::
    HttpConnectionManager;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using NetworkRbac = envoy::extensions::filters::network::rbac::v3::RBAC;

FilterKind ConvertFilter(const listener::Filter& in, FieldErrors& errors,
                         DeferredChecks* deferred, model::FilterChain& out) {
  if (!HasFilterConfig(in, errors)) return FilterKind::kUnknown;
  ScopedField scope(errors, "typed_config");
  const auto& any = in.typed_config();
  if (HoldsA<HttpConnectionManager>(any)) {
    HttpConnectionManager config;
    if (UnpackInto(any, config, errors)) {
      out.http = ConvertHttpConnectionManager(config, errors, deferred);
    }
    return FilterKind::kTerminal;
  }
  if (HoldsA<TcpProxy>(any)) {
    TcpProxy config;
    if (UnpackInto(any, config, errors)) {
      out.tcp = ConvertTcpProxy(config, errors, deferred);
    }
    return FilterKind::kTerminal;
  }
  if (IsUnknownExtension(any)) {
    errors.Unsupported(UnknownExtension(any));
    return FilterKind::kUnknown;
  }
  const std::string name = Quoted(AnyTypeName(any));
  if (HoldsA<NetworkRbac>(any)) {
    errors.Warning(absl::StrCat("the network filter ", name,
                                " is not supported yet: what it forbids is "
                                "not refused"));
    return FilterKind::kOther;
  }
  errors.Unsupported(absl::StrCat("the network filter ", name,
                                  " is not supported yet; passed over"));
  return FilterKind::kUnknown;
}

model::FilterChain ConvertFilterChain(const listener::FilterChain& in,
                                      FieldErrors& errors,
                                      DeferredChecks* deferred) {
  model::FilterChain out;
  out.name = in.name();
  for (int i = 0; i < in.filters_size(); ++i) {
    ScopedField scope(errors, "filters", i);
    const FilterKind kind = ConvertFilter(in.filters(i), errors, deferred, out);
    const bool last = i + 1 == in.filters_size();
    CheckFilterPlace(kind, in.filters(i).name(), last, "", errors);
  }
  if (in.has_transport_socket()) {
    out.tls = ConvertListenerTransport(in.transport_socket(), errors, deferred);
  }
  ConvertOptionalDuration(in.has_transport_socket_connect_timeout(),
                          in.transport_socket_connect_timeout(),
                          "transport_socket_connect_timeout", errors);
  return out;
}

void ConvertFilterChains(const listener::Listener& in, FieldErrors& errors,
                         DeferredChecks* deferred, model::Listener& out) {
  FilterChainMatches matches;
  for (int i = 0; i < in.filter_chains_size(); ++i) {
    ScopedField scope(errors, "filter_chains", i);
    matches.Add(in.filter_chains(i), errors);
    out.filter_chains.push_back(
        ConvertFilterChain(in.filter_chains(i), errors, deferred));
  }
  if (in.has_default_filter_chain()) {
    ScopedField scope(errors, "default_filter_chain");
    out.filter_chains.push_back(
        ConvertFilterChain(in.default_filter_chain(), errors, deferred));
  }
}

void CheckHasFilterChains(const listener::Listener& in, bool legacy,
                          FieldErrors& errors) {
  if (in.filter_chains_size() == 0 && !in.has_default_filter_chain() &&
      !in.has_api_listener() && !legacy) {
    errors.ErrorAt("filter_chains", "no filter chains specified");
  }
}

void ConvertApiListener(const listener::Listener& in, FieldErrors& errors,
                        DeferredChecks* deferred, model::Listener& out) {
  ScopedField scope(errors, "api_listener");
  ScopedField field(errors, "api_listener");
  const auto& any = in.api_listener().api_listener();
  if (!HoldsA<HttpConnectionManager>(any)) {
    errors.Error(absl::StrCat("wants an HttpConnectionManager, got ",
                              Quoted(AnyTypeName(any))));
    return;
  }
  HttpConnectionManager config;
  if (!UnpackInto(any, config, errors)) return;
  out.api_listener = ConvertHttpConnectionManager(config, errors, deferred);
}

void ConvertListenerAddress(const listener::Listener& in, FieldErrors& errors,
                            model::Listener& out) {
  if (in.has_internal_listener()) {
    errors.UnsupportedAt("internal_listener",
                         "internal listeners are not supported yet");
    return;
  }
  if (!in.has_address()) {
    if (!in.has_api_listener()) errors.ErrorAt("address", "is required");
    return;
  }
  {
    ScopedField scope(errors, "address");
    out.address = ConvertAddress(in.address(), AddressUse::kListener, errors);
  }
  if (in.address().has_socket_address()) {
    out.port = in.address().socket_address().port_value();
  }
  for (int i = 0; i < in.additional_addresses_size(); ++i) {
    ScopedField scope(errors, "additional_addresses", i);
    ScopedField field(errors, "address");
    ConvertAddress(in.additional_addresses(i).address(), AddressUse::kListener,
                   errors);
  }
}

// UDP has no connections that a filter chain could serve; HTTP/3, which has,
// needs udp_listener_config.
void CheckUdp(const listener::Listener& in, FieldErrors& errors) {
  if (in.filter_chains_size() == 0 ||
      in.address().socket_address().protocol() != core::SocketAddress::UDP) {
    return;
  }
  errors.ErrorAt("filter_chains",
                 "cannot be combined with an address of protocol UDP");
}

void CheckListenerFilters(const listener::Listener& in, FieldErrors& errors) {
  for (int i = 0; i < in.listener_filters_size(); ++i) {
    const auto& filter = in.listener_filters(i);
    if (filter.has_typed_config() || filter.has_config_discovery()) continue;
    ScopedField scope(errors, "listener_filters", i);
    // Old configurations name the usual ones only.
    if (filter.name().rfind("envoy.", 0) == 0) {
      errors.Outdated(absl::StrCat("old form; today ", Quoted(filter.name()),
                                   " needs its typed_config"));
    } else {
      errors.ErrorAt("typed_config", "is required");
    }
  }
}

model::TrafficDirection ConvertDirection(core::TrafficDirection direction) {
  switch (direction) {
    case core::INBOUND:
      return model::TrafficDirection::kInbound;
    case core::OUTBOUND:
      return model::TrafficDirection::kOutbound;
    default:
      return model::TrafficDirection::kUnspecified;
  }
}

}  // namespace

std::shared_ptr<const model::Listener> ConvertListener(
    const listener::Listener& in, FieldErrors& errors, DeferredChecks* deferred,
    bool legacy) {
  const size_t errors_before = errors.error_count();
  auto out = std::make_shared<model::Listener>();
  out->name = in.name();
  out->traffic_direction = ConvertDirection(in.traffic_direction());
  out->bind_to_port = ValueOr(in.has_bind_to_port(), in.bind_to_port(), true);
  ConvertListenerAddress(in, errors, *out);
  if (in.has_api_listener()) {
    ConvertApiListener(in, errors, deferred, *out);
  }
  ConvertFilterChains(in, errors, deferred, *out);
  CheckHasFilterChains(in, legacy, errors);
  CheckUdp(in, errors);
  CheckListenerFilters(in, errors);
  if (errors.error_count() != errors_before) return nullptr;
  return out;
}

}  // namespace meshlib::xds

#include "xds/convert_http_options.h"

#include "absl/strings/ascii.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

void ConvertCommon(const core::HttpProtocolOptions& in, FieldErrors& errors,
                   model::UpstreamHttp& out) {
  out.idle_timeout = ConvertOptionalDuration(
      in.has_idle_timeout(), in.idle_timeout(), "idle_timeout", errors);
  out.max_connection_duration = ConvertOptionalDuration(
      in.has_max_connection_duration(), in.max_connection_duration(),
      "max_connection_duration", errors);
  out.max_stream_duration = ConvertOptionalDuration(
      in.has_max_stream_duration(), in.max_stream_duration(),
      "max_stream_duration", errors);
  if (in.has_max_requests_per_connection()) {
    out.max_requests_per_connection = in.max_requests_per_connection().value();
  }
  if (in.has_max_response_headers_kb()) {
    out.max_response_headers_kb = in.max_response_headers_kb().value();
  }
  if (in.has_max_headers_count()) {
    out.max_headers_count = in.max_headers_count().value();
  }
}

void ConvertServerName(const core::UpstreamHttpProtocolOptions& in,
                       model::UpstreamHttp& out) {
  out.auto_sni = in.auto_sni();
  out.auto_san_validation = in.auto_san_validation();
  out.override_auto_sni_header =
      absl::AsciiStrToLower(in.override_auto_sni_header());
}

void ConvertHttp2(const core::Http2ProtocolOptions& in, FieldErrors& errors,
                  model::UpstreamHttp& out) {
  if (in.has_hpack_table_size()) {
    out.hpack_table_size = in.hpack_table_size().value();
  }
  if (in.has_max_concurrent_streams()) {
    out.max_concurrent_streams = in.max_concurrent_streams().value();
  }
  if (in.has_initial_stream_window_size()) {
    out.initial_stream_window_size = in.initial_stream_window_size().value();
  }
  if (in.has_initial_connection_window_size()) {
    out.initial_connection_window_size =
        in.initial_connection_window_size().value();
  }
  if (!in.has_connection_keepalive()) return;
  ScopedField scope(errors, "connection_keepalive");
  const core::KeepaliveSettings& keepalive = in.connection_keepalive();
  out.keepalive_interval = ConvertOptionalDuration(
      keepalive.has_interval(), keepalive.interval(), "interval", errors);
  out.keepalive_timeout =
      ConvertOptionalDuration(keepalive.has_timeout(), keepalive.timeout(),
                              "timeout", errors)
          .value_or(out.keepalive_timeout);
}

template <typename Config>
model::UpstreamProtocol ConvertChoice(const Config& in,
                                      model::UpstreamProtocol with_http2,
                                      FieldErrors& errors,
                                      model::UpstreamHttp& out) {
  if (!in.has_http2_protocol_options()) {
    return model::UpstreamProtocol::kHttp1;
  }
  ScopedField scope(errors, "http2_protocol_options");
  ConvertHttp2(in.http2_protocol_options(), errors, out);
  return with_http2;
}

void ConvertExtension(const HttpProtocolOptions& in, FieldErrors& errors,
                      model::UpstreamHttp& out) {
  using model::UpstreamProtocol;
  {
    ScopedField scope(errors, "common_http_protocol_options");
    ConvertCommon(in.common_http_protocol_options(), errors, out);
  }
  ConvertServerName(in.upstream_http_protocol_options(), out);
  if (in.has_explicit_http_config()) {
    ScopedField scope(errors, "explicit_http_config");
    out.protocol = ConvertChoice(in.explicit_http_config(),
                                 UpstreamProtocol::kHttp2, errors, out);
  } else if (in.has_use_downstream_protocol_config()) {
    ScopedField scope(errors, "use_downstream_protocol_config");
    out.protocol = ConvertChoice(in.use_downstream_protocol_config(),
                                 UpstreamProtocol::kCaller, errors, out);
  } else if (in.has_auto_config()) {
    ScopedField scope(errors, "auto_config");
    ConvertChoice(in.auto_config(), UpstreamProtocol::kAlpn, errors, out);
    out.protocol = UpstreamProtocol::kAlpn;
  }
}

void ConvertOlderFields(const Cluster& in, FieldErrors& errors,
                        model::UpstreamHttp& out) {
  {
    ScopedField scope(errors, "common_http_protocol_options");
    ConvertCommon(in.common_http_protocol_options(), errors, out);
  }
  ConvertServerName(in.upstream_http_protocol_options(), out);
  const model::UpstreamProtocol with_http2 =
      in.protocol_selection() == Cluster::USE_DOWNSTREAM_PROTOCOL
          ? model::UpstreamProtocol::kCaller
          : model::UpstreamProtocol::kHttp2;
  out.protocol = ConvertChoice(in, with_http2, errors, out);
}

}  // namespace

model::UpstreamHttp ConvertUpstreamHttp(const Cluster& in,
                                        const HttpProtocolOptions* extension,
                                        FieldErrors& errors) {
  model::UpstreamHttp out;
  if (in.has_max_requests_per_connection()) {
    out.max_requests_per_connection = in.max_requests_per_connection().value();
  }
  if (extension == nullptr) {
    ConvertOlderFields(in, errors, out);
  } else {
    ScopedField scope(errors, "typed_extension_protocol_options",
                      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions");
    ConvertExtension(*extension, errors, out);
  }
  return out;
}

}  // namespace meshlib::xds

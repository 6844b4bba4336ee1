#include "xds/convert_control_plane.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/util/json_util.h"
#include "meshlib/xds/envoy/config/core/v3/base.pb.h"
#include "meshlib/xds/envoy/config/core/v3/config_source.pb.h"
#include "meshlib/xds/envoy/config/core/v3/grpc_service.pb.h"
#include "xds/convert_endpoints.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

namespace core = envoy::config::core::v3;
using Bootstrap = envoy::config::bootstrap::v3::Bootstrap;
using ::google::protobuf::Struct;

// Not HTTP/2's pings: gRPC's servers end connections of clients who ping more
// often than they were told to expect, by default every five minutes.
constexpr uint32_t kKeepaliveTime = 30;  // seconds
constexpr uint32_t kKeepaliveInterval = 5;
constexpr uint32_t kKeepaliveProbes = 3;
constexpr char kUserAgent[] = "meshlib";
// What servers may do for this client.
constexpr std::array<const char*, 1> kFeatures = {
    "xds.config.resource-in-sotw"};

std::string NodeBytes(core::Node node) {
  node.set_user_agent_name(kUserAgent);
  for (const char* feature : kFeatures) node.add_client_features(feature);
  return node.SerializeAsString();
}

// Whether the resources of that source come over the ADS stream.
bool FromAds(const core::ConfigSource& source, std::string_view field,
             FieldErrors& errors) {
  if (source.has_ads()) return true;
  if (source.has_api_config_source() || source.has_self()) {
    errors.UnsupportedAt(field, "of control planes only ADS is asked");
  }
  return false;
}

void TakeFetchTimeout(const core::ConfigSource& source, FieldErrors& errors,
                      model::ControlPlane& out) {
  const auto timeout = ConvertOptionalDuration(
      source.has_initial_fetch_timeout(), source.initial_fetch_timeout(),
      "initial_fetch_timeout", errors);
  if (timeout.has_value()) out.initial_fetch_timeout = *timeout;
}

// --- gRPC's ---

std::string_view StripScheme(std::string_view uri, std::string_view scheme) {
  uri.remove_prefix(scheme.size());
  // An authority (a DNS server, mostly) is not used.
  if (uri.substr(0, 2) == "//") {
    const size_t path = uri.find('/', 2);
    uri = path == std::string_view::npos ? "" : uri.substr(path + 1);
  }
  return uri;
}

struct ServerAddress {
  std::string host;     // without brackets; empty: a Unix-domain socket
  std::string address;  // as model::Endpoint has it
  bool by_name = false;
};

// gRPC's names: "host:port", "dns:///host:port", "ipv4:10.0.0.1:80",
// "unix:/path", "unix:///path".
absl::StatusOr<ServerAddress> AddressOf(std::string_view uri) {
  ServerAddress out;
  std::string_view name = uri;
  if (name.rfind("unix:", 0) == 0) {
    std::string_view path = name.substr(5);
    if (path.rfind("///", 0) == 0) path.remove_prefix(2);
    out.address = absl::StrCat("unix:", base::ToAbsl(path));
    return out;
  }
  for (const std::string_view scheme : {"dns:", "ipv4:", "ipv6:"}) {
    if (name.rfind(scheme, 0) == 0) name = StripScheme(name, scheme);
  }
  const size_t colon = name.rfind(':');
  const bool port = colon != std::string_view::npos &&
                    name.find(']', colon) == std::string_view::npos &&
                    (name.find(':') == colon || name[colon - 1] == ']');
  out.host = std::string(port ? name.substr(0, colon) : name);
  if (out.host.size() > 2 && out.host.front() == '[') {
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  if (out.host.empty() || absl::StrContains(out.host, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("server_uri: got ", Quoted(uri),
                     ", want \"host:port\", \"dns:///host:port\" or "
                     "\"unix:/path\""));
  }
  const std::string ip = CanonicalIp(out.host);
  out.by_name = ip.empty();
  out.address =
      absl::StrCat(out.by_name ? out.host : ip, ":",
                   base::ToAbsl(port ? name.substr(colon + 1) : "443"));
  return out;
}

// The files of gRFC A65.
absl::StatusOr<std::shared_ptr<const model::UpstreamTls>> TlsOf(
    const GrpcBootstrap::Credentials& credentials, const std::string& host) {
  auto tls = std::make_shared<model::UpstreamTls>();
  Struct config;
  if (!::google::protobuf::util::JsonStringToMessage(credentials.config_json,
                                                     &config)
           .ok()) {
    return absl::InvalidArgumentError(
        "channel_creds: the config of \"tls\" is no JSON object");
  }
  const auto file = [&config](const char* name) {
    const auto found = config.fields().find(name);
    return found == config.fields().end() ? std::string()
                                          : found->second.string_value();
  };
  tls->common.alpn_protocols = {"h2"};
  if (const std::string ca = file("ca_certificate_file"); !ca.empty()) {
    tls->common.validation.trusted_ca = model::DataSource::File(ca);
  } else {
    tls->common.validation.system_root_certs = true;
  }
  const std::string certificate = file("certificate_file");
  const std::string key = file("private_key_file");
  if (certificate.empty() != key.empty()) {
    return absl::InvalidArgumentError(
        "channel_creds: \"tls\" needs certificate_file and private_key_file, "
        "or neither");
  }
  if (!certificate.empty()) {
    tls->common.certificate.certificate_chain =
        model::DataSource::File(certificate);
    tls->common.certificate.private_key = model::DataSource::File(key);
  }
  tls->sni = host;
  tls->auto_sni_san_validation = true;
  return tls;
}

}  // namespace

std::shared_ptr<const model::ControlPlane> ConvertControlPlane(
    const Bootstrap& in, FieldErrors& errors) {
  const auto& dynamic = in.dynamic_resources();
  ScopedField scope(errors, "dynamic_resources");
  model::ControlPlane out;
  out.all_clusters = FromAds(dynamic.cds_config(), "cds_config", errors);
  out.all_listeners = FromAds(dynamic.lds_config(), "lds_config", errors);
  if (!dynamic.has_ads_config()) return nullptr;
  ScopedField ads(errors, "ads_config");
  const auto& config = dynamic.ads_config();
  // Others are refused.
  if (config.grpc_services_size() != 1) return nullptr;
  const core::GrpcService& service = config.grpc_services(0);
  if (!service.has_envoy_grpc()) {
    errors.UnsupportedAt("grpc_services[0].google_grpc",
                         "only envoy_grpc leads to control planes");
    return nullptr;
  }
  if (config.api_type() == core::ApiConfigSource::DELTA_GRPC) {
    errors.UnsupportedAt("api_type",
                         "delta xDS is not spoken yet; the control plane is "
                         "asked for the state of the world");
  }
  out.cluster = service.envoy_grpc().cluster_name();
  out.authority = service.envoy_grpc().authority().empty()
                      ? out.cluster
                      : service.envoy_grpc().authority();
  for (const auto& header : service.initial_metadata()) {
    out.initial_metadata.emplace_back(header.key(), header.value());
  }
  out.node = NodeBytes(in.node());
  TakeFetchTimeout(dynamic.lds_config(), errors, out);
  TakeFetchTimeout(dynamic.cds_config(), errors, out);
  return std::make_shared<const model::ControlPlane>(std::move(out));
}

absl::StatusOr<GrpcControlPlane> ConvertGrpcControlPlane(
    const GrpcBootstrap& in) {
  const GrpcBootstrap::Server& server = in.xds_servers.front();
  auto address = AddressOf(server.server_uri);
  if (!address.ok()) return address.status();

  auto cluster = std::make_shared<model::Cluster>();
  cluster->name = absl::StrCat("xds_server:", server.server_uri);
  cluster->type = address->by_name ? model::DiscoveryType::kStrictDns
                                   : model::DiscoveryType::kStatic;
  cluster->http.protocol = model::UpstreamProtocol::kHttp2;
  auto endpoints = std::make_shared<model::Endpoints>();
  endpoints->cluster_name = cluster->name;
  endpoints->localities.emplace_back();
  endpoints->localities.back().endpoints.emplace_back().address =
      address->address;
  cluster->endpoints = std::move(endpoints);
  for (const GrpcBootstrap::Credentials& credentials : server.channel_creds) {
    if (credentials.type == "insecure") break;
    if (credentials.type != "tls" && credentials.type != "google_default") {
      continue;
    }
    auto tls = TlsOf(credentials, address->host);
    if (!tls.ok()) return tls.status();
    cluster->tls = *std::move(tls);
    break;
  }

  auto out = std::make_shared<model::ControlPlane>();
  out->cluster = cluster->name;
  out->authority = address->host.empty() ? "localhost" : address->address;
  core::Node node;
  node.set_id(in.node.id);
  node.set_cluster(in.node.cluster);
  node.mutable_locality()->set_region(in.node.region);
  node.mutable_locality()->set_zone(in.node.zone);
  node.mutable_locality()->set_sub_zone(in.node.sub_zone);
  *node.mutable_metadata() = in.node.metadata;
  out->node = NodeBytes(std::move(node));
  out->by_target = true;
  out->listener_template = in.client_default_listener_resource_name_template;
  return GrpcControlPlane{std::move(out), WithKeepalive(std::move(cluster))};
}

std::shared_ptr<const model::Cluster> WithKeepalive(
    std::shared_ptr<const model::Cluster> cluster) {
  if (cluster->http.keepalive_interval.has_value() ||
      cluster->connections.tcp_keepalive.has_value()) {
    return cluster;
  }
  auto out = std::make_shared<model::Cluster>(*cluster);
  out->connections.tcp_keepalive = {kKeepaliveProbes, kKeepaliveTime,
                                    kKeepaliveInterval};
  return out;
}

}  // namespace meshlib::xds

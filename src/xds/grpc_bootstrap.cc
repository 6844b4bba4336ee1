#include "xds/grpc_bootstrap.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/util/json_util.h"

namespace meshlib::xds {
namespace {

using ::google::protobuf::ListValue;
using ::google::protobuf::Struct;
using ::google::protobuf::Value;

std::string_view TypeName(const Value& value) {
  switch (value.kind_case()) {
    case Value::kNumberValue:
      return "a number";
    case Value::kStringValue:
      return "a string";
    case Value::kBoolValue:
      return "a boolean";
    case Value::kStructValue:
      return "a map";
    case Value::kListValue:
      return "a list";
    default:
      return "null";
  }
}

std::string Below(const std::string& path, std::string_view key) {
  return absl::StrCat(path, path.empty() ? "" : ".", base::ToAbsl(key));
}

std::string Entry(std::string_view path, std::string_view key) {
  return absl::StrCat(base::ToAbsl(path), "[\"", base::ToAbsl(key), "\"]");
}

std::string Json(const Struct& fields) {
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(fields, &json).ok()) {
    return "{}";
  }
  return json;
}

bool IsKnownCredential(std::string_view type) {
  return type == "google_default" || type == "insecure" || type == "tls";
}

class Reader {
 public:
  Reader(std::string_view file, const LineIndex& lines, Problems& problems)
      : file_(file), lines_(lines), problems_(problems) {}

  bool Read(const Struct& top, GrpcBootstrap& out);

 private:
  void Error(const std::string& path, std::string message) {
    ok_ = false;
    problems_.AddError(file_, lines_.Find(path), path, std::move(message));
  }

  void WrongType(const std::string& path, const Value& value,
                 std::string_view want) {
    Error(path, absl::StrCat("got ", base::ToAbsl(TypeName(value)), ", want ",
                             base::ToAbsl(want)));
  }

  // Null if the key is absent.
  static const Value* Find(const Struct& from, std::string_view key) {
    const auto it = from.fields().find(std::string(key));
    return it == from.fields().end() ? nullptr : &it->second;
  }

  // What gRPC passes over, but for typing errors worth a word.
  void NoteUnknown(const std::string& path, const Struct& from,
                   std::initializer_list<std::string_view> known);

  // Each leaves `out` as it is if the key is absent (and not required).
  void String(const std::string& path, const Struct& from, std::string_view key,
              std::string& out, bool required = false);
  const Struct* Map(const std::string& path, const Struct& from,
                    std::string_view key);
  const Struct* AsMap(const std::string& path, const Value& value);
  const ListValue* List(const std::string& path, const Struct& from,
                        std::string_view key);

  void Servers(const std::string& path, const Struct& from,
               std::vector<GrpcBootstrap::Server>& out);
  void Server(const std::string& path, const Struct& from,
              GrpcBootstrap::Server& out);
  void ChannelCreds(const std::string& path, const Struct& from,
                    GrpcBootstrap::Server& out);
  void Node(const Struct& from, GrpcBootstrap::Node& out);
  void Providers(const Struct& from, GrpcBootstrap& out);
  void Authorities(const Struct& from, GrpcBootstrap& out);

  std::string_view file_;
  const LineIndex& lines_;
  Problems& problems_;
  bool ok_ = true;
};

void Reader::NoteUnknown(const std::string& path, const Struct& from,
                         std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : from.fields()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string at = Below(path, key);
    const Position position = lines_.Find(at);
    problems_.Add({Severity::kNote, ProblemKind::kUnsupported,
                   std::string(file_), position.line, position.column, at,
                   absl::StrCat("unknown key \"", base::Excerpt(key),
                                "\" ignored, as gRPC does")});
  }
}

void Reader::String(const std::string& path, const Struct& from,
                    std::string_view key, std::string& out, bool required) {
  const Value* value = Find(from, key);
  if (value == nullptr) {
    if (required) {
      Error(path, absl::StrCat("no \"", base::ToAbsl(key), "\""));
    }
  } else if (!value->has_string_value()) {
    WrongType(Below(path, key), *value, "a string");
  } else {
    out = value->string_value();
    if (required && out.empty()) Error(Below(path, key), "is empty");
  }
}

const Struct* Reader::Map(const std::string& path, const Struct& from,
                          std::string_view key) {
  const Value* value = Find(from, key);
  return value == nullptr ? nullptr : AsMap(Below(path, key), *value);
}

const Struct* Reader::AsMap(const std::string& path, const Value& value) {
  if (value.has_struct_value()) return &value.struct_value();
  WrongType(path, value, "a map");
  return nullptr;
}

const ListValue* Reader::List(const std::string& path, const Struct& from,
                              std::string_view key) {
  const Value* value = Find(from, key);
  if (value == nullptr) return nullptr;
  if (value->has_list_value()) return &value->list_value();
  WrongType(Below(path, key), *value, "a list");
  return nullptr;
}

void Reader::ChannelCreds(const std::string& path, const Struct& from,
                          GrpcBootstrap::Server& out) {
  const ListValue* creds = List(path, from, "channel_creds");
  if (creds == nullptr || creds->values().empty()) {
    if (creds != nullptr || Find(from, "channel_creds") == nullptr) {
      Error(path, "no \"channel_creds\", want at least one");
    }
    return;
  }
  // gRPC takes the first whose type it knows, and refuses a server without.
  bool typed = true;
  bool known = false;
  for (int i = 0; i < creds->values_size(); ++i) {
    const std::string at = absl::StrCat(path, ".channel_creds[", i, "]");
    const Struct* fields = AsMap(at, creds->values(i));
    if (fields == nullptr) {
      typed = false;
      continue;
    }
    GrpcBootstrap::Credentials credentials{"", "{}"};
    String(at, *fields, "type", credentials.type, true);
    typed = typed && !credentials.type.empty();
    known = known || IsKnownCredential(credentials.type);
    const Struct* config = Map(at, *fields, "config");
    if (config != nullptr) credentials.config_json = Json(*config);
    out.channel_creds.push_back(std::move(credentials));
  }
  if (typed && !known) {
    Error(absl::StrCat(path, ".channel_creds"),
          "has no known type, want google_default, insecure or tls");
  }
}

void Reader::Server(const std::string& path, const Struct& from,
                    GrpcBootstrap::Server& out) {
  NoteUnknown(path, from, {"server_uri", "channel_creds", "server_features"});
  String(path, from, "server_uri", out.server_uri, true);
  ChannelCreds(path, from, out);
  const ListValue* features = List(path, from, "server_features");
  if (features == nullptr) return;
  // gRPC passes over what is not a string.
  for (const Value& feature : features->values()) {
    if (feature.has_string_value()) {
      out.server_features.push_back(feature.string_value());
    }
  }
}

void Reader::Servers(const std::string& path, const Struct& from,
                     std::vector<GrpcBootstrap::Server>& out) {
  const ListValue* servers = List(path, from, "xds_servers");
  if (servers == nullptr) return;
  for (int i = 0; i < servers->values_size(); ++i) {
    const std::string at =
        absl::StrCat(Below(path, "xds_servers"), "[", i, "]");
    const Struct* fields = AsMap(at, servers->values(i));
    if (fields == nullptr) continue;
    Server(at, *fields, out.emplace_back());
  }
}

void Reader::Node(const Struct& from, GrpcBootstrap::Node& out) {
  NoteUnknown("node", from, {"id", "cluster", "locality", "metadata"});
  String("node", from, "id", out.id);
  String("node", from, "cluster", out.cluster);
  if (const Struct* locality = Map("node", from, "locality")) {
    NoteUnknown("node.locality", *locality, {"region", "zone", "sub_zone"});
    String("node.locality", *locality, "region", out.region);
    String("node.locality", *locality, "zone", out.zone);
    String("node.locality", *locality, "sub_zone", out.sub_zone);
  }
  if (const Struct* metadata = Map("node", from, "metadata")) {
    out.metadata = *metadata;
  }
}

void Reader::Providers(const Struct& from, GrpcBootstrap& out) {
  for (const auto& [name, value] : from.fields()) {
    const std::string at = Entry("certificate_providers", name);
    const Struct* fields = AsMap(at, value);
    if (fields == nullptr) continue;
    GrpcBootstrap::CertificateProvider provider{name, "", "{}"};
    NoteUnknown(at, *fields, {"plugin_name", "config"});
    String(at, *fields, "plugin_name", provider.plugin_name, true);
    const Struct* config = Map(at, *fields, "config");
    if (config != nullptr) provider.config_json = Json(*config);
    out.certificate_providers.push_back(std::move(provider));
  }
  std::sort(out.certificate_providers.begin(), out.certificate_providers.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
}

void Reader::Authorities(const Struct& from, GrpcBootstrap& out) {
  for (const auto& [name, value] : from.fields()) {
    const std::string at = Entry("authorities", name);
    const Struct* fields = AsMap(at, value);
    if (fields == nullptr) continue;
    GrpcBootstrap::Authority authority;
    authority.name = name;
    NoteUnknown(at, *fields,
                {"client_listener_resource_name_template", "xds_servers"});
    std::string& pattern = authority.client_listener_resource_name_template;
    String(at, *fields, "client_listener_resource_name_template", pattern);
    const std::string prefix = absl::StrCat("xdstp://", name, "/");
    if (!pattern.empty() && pattern.rfind(prefix, 0) != 0) {
      Error(Below(at, "client_listener_resource_name_template"),
            absl::StrCat("got \"", base::Excerpt(pattern),
                         "\", want it to begin with ", prefix));
    }
    Servers(at, *fields, authority.xds_servers);
    out.authorities.push_back(std::move(authority));
  }
  std::sort(out.authorities.begin(), out.authorities.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
}

bool Reader::Read(const Struct& top, GrpcBootstrap& out) {
  NoteUnknown("", top,
              {"xds_servers", "node", "certificate_providers", "authorities",
               "client_default_listener_resource_name_template",
               "server_listener_resource_name_template"});
  Servers("", top, out.xds_servers);
  if (out.xds_servers.empty() && ok_) {
    Error("xds_servers", "no server, want at least one");
  }
  if (const Struct* node = Map("", top, "node")) Node(*node, out.node);
  if (const Struct* providers = Map("", top, "certificate_providers")) {
    Providers(*providers, out);
  }
  if (const Struct* authorities = Map("", top, "authorities")) {
    Authorities(*authorities, out);
  }
  String("", top, "client_default_listener_resource_name_template",
         out.client_default_listener_resource_name_template);
  String("", top, "server_listener_resource_name_template",
         out.server_listener_resource_name_template);
  return ok_;
}

}  // namespace

bool ReadGrpcBootstrap(const Struct& fields, std::string_view file,
                       const LineIndex& lines, GrpcBootstrap& out,
                       Problems& problems) {
  return Reader(file, lines, problems).Read(fields, out);
}

}  // namespace meshlib::xds

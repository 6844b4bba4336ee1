#ifndef MESHLIB_XDS_GRPC_BOOTSTRAP_H_
#define MESHLIB_XDS_GRPC_BOOTSTRAP_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "google/protobuf/struct.pb.h"
#include "xds/line_index.h"
#include "xds/problem.h"

namespace meshlib::xds {

// The bootstrap file of proxyless gRPC (GRPC_XDS_BOOTSTRAP; gRFC A27, A29, A36,
// A47), as it stands in the file. A value.
struct GrpcBootstrap {
  struct Credentials {
    std::string type;         // "insecure", "tls", "google_default", ...
    std::string config_json;  // "{}" if there is none
  };
  struct Server {
    std::string server_uri;
    std::vector<Credentials> channel_creds;  // in the order of preference
    std::vector<std::string> server_features;
  };
  struct Node {
    std::string id;
    std::string cluster;
    std::string region;
    std::string zone;
    std::string sub_zone;
    ::google::protobuf::Struct metadata;
  };
  struct CertificateProvider {
    std::string name;
    std::string plugin_name;  // "file_watcher"
    std::string config_json;
  };
  struct Authority {
    std::string name;
    std::string client_listener_resource_name_template;  // may be empty
    std::vector<Server> xds_servers;  // empty: those of the top level
  };

  std::vector<Server> xds_servers;
  Node node;
  std::vector<CertificateProvider> certificate_providers;  // by name
  std::vector<Authority> authorities;                      // by name
  std::string client_default_listener_resource_name_template;
  std::string server_listener_resource_name_template;
};

// Reads a bootstrap out of the fields of its document; `lines` are theirs.
// Keys that are not known are notes, as gRPC passes over them. Returns whether
// there was no error.
bool ReadGrpcBootstrap(const ::google::protobuf::Struct& fields,
                       std::string_view file, const LineIndex& lines,
                       GrpcBootstrap& out, Problems& problems);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_GRPC_BOOTSTRAP_H_

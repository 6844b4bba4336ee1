#ifndef MESHLIB_EXAMPLES_ECHO_MESH_H_
#define MESHLIB_EXAMPLES_ECHO_MESH_H_

#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "meshlib/mesh.h"
#include "meshlib/testing/backend.h"

namespace examples {

// A mesh of one cluster, "echo", whose one host is a test server in this very
// process: examples need nothing else. Real programs have a file instead.
struct EchoMesh {
  std::unique_ptr<meshlib::testing::Backend> backend;
  std::unique_ptr<meshlib::Mesh> mesh;
};

inline EchoMesh MakeEchoMesh(meshlib::testing::BackendAnswer answer,
                             meshlib::MeshOptions options = {}) {
  EchoMesh made;
  made.backend = *meshlib::testing::Backend::Start();
  made.backend->SetAnswer(std::move(answer));
  options.config_text = R"(static_resources:
  clusters:
  - name: echo
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: echo
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: )" +
                        std::to_string(made.backend->port()) + "}}}\n";
  auto mesh = meshlib::Mesh::Create(std::move(options));
  if (mesh.ok()) {
    made.mesh = *std::move(mesh);
  } else {
    std::cerr << mesh.status() << "\n";
  }
  return made;
}

}  // namespace examples

#endif  // MESHLIB_EXAMPLES_ECHO_MESH_H_

// A user's test program: a backend and a client, from what is installed.
#include <cstdio>
#include <string>
#include <utility>

#include "meshlib/http.h"
#include "meshlib/testing/backend.h"

namespace {

std::string Config(int port) {
  return R"(
static_resources:
  clusters:
  - name: echo
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: echo
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: {address: 127.0.0.1, port_value: )" +
         std::to_string(port) + "}\n";
}

int Fail(const absl::Status& status) {
  std::printf("failed: %s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main() {
  auto backend = meshlib::testing::Backend::Start();
  if (!backend.ok()) return Fail(backend.status());
  (*backend)->SetAnswer(meshlib::testing::BackendAnswer::Echo());
  meshlib::MeshOptions options;
  options.config_text = Config((*backend)->port());
  auto mesh = meshlib::Mesh::Create(std::move(options));
  if (!mesh.ok()) return Fail(mesh.status());
  auto client = meshlib::http::Client::Create(**mesh);
  if (!client.ok()) return Fail(client.status());
  auto response = client->Post("http://cluster:echo/", "hello", "text/plain");
  if (!response.ok()) return Fail(response.status());
  if (response->body != "hello" || (*backend)->Counts().requests != 1) return 1;
  std::puts("meshlib::testing works");
  return 0;
}

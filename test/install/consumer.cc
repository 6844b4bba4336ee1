// A user's program, built without exceptions and RTTI: the public headers ask
// for neither, and the library links with all that it needs.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "meshlib/clock.h"
#include "meshlib/explain.h"
#include "meshlib/export.h"
#include "meshlib/load_balancer.h"
#include "meshlib/mesh.h"
#include "meshlib/outcome.h"
#include "meshlib/pick.h"
#include "meshlib/request.h"
#include "meshlib/target.h"

namespace {

constexpr char kConfig[] = R"(
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
              socket_address: {address: 10.0.0.1, port_value: 8080}
)";

int Fail(const std::string& what) {
  std::printf("failed: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main() {
  meshlib::MeshOptions options;
  options.config_text = kConfig;
  absl::StatusOr<std::unique_ptr<meshlib::Mesh>> mesh =
      meshlib::Mesh::Create(std::move(options));
  if (!mesh.ok()) return Fail(mesh.status().ToString());
  absl::StatusOr<meshlib::Target> target = (*mesh)->Resolve("cluster:echo");
  if (!target.ok()) return Fail(target.status().ToString());
  meshlib::PickResult pick = target->Pick();
  if (!pick.ok()) return Fail(pick.status().ToString());
  if (pick.address != "10.0.0.1:8080") return Fail(std::string(pick.address));
  target->Report(pick.token, meshlib::Outcome::Ok());
  std::puts("meshlib works");
  return 0;
}

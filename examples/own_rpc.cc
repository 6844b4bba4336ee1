#include "meshlib/mesh.h"
#include "send.h"  // yours: sends to an address, says how that went; waits

int main() {
  meshlib::MeshOptions options;
  options.config_path = "mesh.yaml";
  auto mesh = meshlib::Mesh::Create(std::move(options)).value();
  auto echo = mesh->Resolve("echo.shop.global:8080").value();
  auto pick = echo.Pick();
  while (pick.ok()) {
    auto next = echo.Report(pick.token, Send(pick.address));
    if (!next.retry) break;
    Wait(next.after);
    pick = echo.Pick({}, std::move(pick.token));
  }
}

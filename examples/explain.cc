// Asks a mesh where a request would go, and why:
//
//   explain echo.yaml echo.example /admin

#include <iostream>
#include <utility>

#include "meshlib/mesh.h"

namespace {

void Print(const meshlib::Explanation& found) {
  for (const auto& rejected : found.rejected) {
    std::cout << "not route " << rejected.route << ": " << rejected.reason
              << "\n";
  }
  std::cout << "route " << found.route << " to cluster " << found.cluster
            << "\n";
  for (const auto& priority : found.priorities) {
    std::cout << "priority " << priority.priority << " takes "
              << priority.healthy_load + priority.degraded_load << " %\n";
  }
  for (const auto& host : found.hosts) {
    std::cout << host.address << " in " << host.zone << " is " << host.health
              << (host.available ? "" : ", not to be picked") << "\n";
  }
  std::cout << "pick: " << found.pick.value_or(found.failure) << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: explain CONFIG AUTHORITY PATH\n";
    return 2;
  }
  meshlib::MeshOptions options;
  options.config_path = argv[1];
  const auto mesh = meshlib::Mesh::Create(std::move(options));
  if (!mesh.ok()) return std::cerr << mesh.status() << "\n", 1;
  const auto target = (*mesh)->Resolve(argv[2]);
  if (!target.ok()) return std::cerr << target.status() << "\n", 1;
  meshlib::Request request;
  request.path = argv[3];
  Print(target->Explain(request));
  return 0;
}

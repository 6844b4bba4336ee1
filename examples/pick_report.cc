// Picks a host for a request, sends, reports, and tries again as the route's
// retry policy says:
//
//   pick_report echo.yaml echo.example

#include <iostream>
#include <utility>

#include "meshlib/mesh.h"

namespace {

int Run(const char* config, const char* authority) {
  meshlib::MeshOptions options;
  options.config_path = config;
  auto mesh = meshlib::Mesh::Create(std::move(options));
  if (!mesh.ok()) return std::cerr << mesh.status() << "\n", 1;
  auto echo = (*mesh)->Resolve(authority);
  if (!echo.ok()) return std::cerr << echo.status() << "\n", 1;

  meshlib::PickResult pick = echo->Pick();
  while (pick.ok()) {
    std::cout << "attempt " << pick.attempt << " to " << pick.address << "\n";
    // Here the application sends its request; this one fails at first.
    const auto outcome =
        pick.attempt == 1
            ? meshlib::Outcome::Failure(meshlib::Outcome::Kind::kConnectFailure)
            : meshlib::Outcome::Ok();
    const meshlib::RetryDecision next = echo->Report(pick.token, outcome);
    if (!next.retry) return std::cout << "done\n", 0;
    // ... and waits for next.after.
    pick = echo->Pick({}, std::move(pick.token));
  }
  return std::cerr << pick.status() << "\n", 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: pick_report CONFIG AUTHORITY\n";
    return 2;
  }
  return Run(argv[1], argv[2]);
}

// A mesh without threads, beside the application's own descriptors in poll(2).
// For loops that can watch one descriptor and have timers this is less to
// write than a HostLoop.
//
//   poll_descriptor

#include <poll.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "echo_mesh.h"
#include "meshlib/http.h"

int main() {
  meshlib::MeshOptions options;
  options.own_thread = false;
  const examples::EchoMesh echo = examples::MakeEchoMesh(
      meshlib::testing::BackendAnswer::Status(200, "hello"),
      std::move(options));
  if (echo.mesh == nullptr) return 1;
  const auto client = meshlib::http::Client::Create(*echo.mesh);
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;

  bool done = false;
  meshlib::http::Request request;
  request.url = "http://cluster:echo/";
  client->SendAsync(request, [&](auto response) {
    if (response.ok()) std::cout << "called back: " << response->body << "\n";
    done = true;
  });
  while (true) {
    const absl::Time next = echo.mesh->RunPending();
    if (done) return 0;
    const absl::Duration wait =
        std::clamp(next - absl::Now(), absl::ZeroDuration(), absl::Hours(1));
    pollfd polled[] = {{echo.mesh->PollDescriptor(), POLLIN, 0}};  // and others
    poll(polled, 1,
         static_cast<int>(absl::ToInt64Milliseconds(
             absl::Ceil(wait, absl::Milliseconds(1)))));
  }
}

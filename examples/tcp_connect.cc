// Connects to one of the hosts of mesh.yaml and speaks a protocol of its own
// (here a few lines of HTTP/1.0) over the connection.

#include <iostream>
#include <string>

#include "meshlib/mesh.h"
#include "meshlib/tcp.h"

namespace {

absl::Status Run() {
  meshlib::MeshOptions options;
  options.config_path = "mesh.yaml";
  const auto mesh = meshlib::Mesh::Create(std::move(options));
  if (!mesh.ok()) return mesh.status();
  auto stream = meshlib::tcp::Connect(**mesh, "db.shop.global:5432");
  if (!stream.ok()) return stream.status();
  std::cout << "connected to cluster " << stream->peer().cluster << "\n";
  absl::Status status = stream->Write("GET /rows HTTP/1.0\r\n\r\n");
  if (!status.ok()) return status;
  std::string answer, piece;
  while (true) {
    const auto more = stream->Read(piece, absl::Now() + absl::Seconds(10));
    if (!more.ok()) return more.status();
    if (!*more) break;
    answer += piece;
  }
  std::cout << answer.substr(answer.find("\r\n\r\n") + 4) << "\n";
  return absl::OkStatus();
}

}  // namespace

int main() {
  const absl::Status status = Run();
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}

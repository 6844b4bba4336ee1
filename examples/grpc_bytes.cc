// gRPC calls without stubs: messages are bytes that the application makes and
// reads itself.

#include <iostream>
#include <string>

#include "echo_mesh.h"
#include "meshlib/grpc_bytes.h"

namespace {

constexpr char kMethod[] = "http://cluster:echo/greeter.Greeter/Hello";

}  // namespace

int main() {
  const examples::EchoMesh echo = examples::MakeEchoMesh(
      meshlib::testing::BackendAnswer::Grpc(0, "hello from the host"));
  if (echo.mesh == nullptr) return 1;
  const auto client = meshlib::grpc_bytes::Client::Create(*echo.mesh);
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;

  meshlib::grpc_bytes::CallOptions options;
  options.timeout = absl::Seconds(5);
  options.metadata = {{"x-caller", "example"}};
  const auto result = client->Unary(kMethod, "hello", options);
  if (!result.status.ok()) return std::cerr << result.status << "\n", 1;
  std::cout << "unary: " << result.message << "\n";

  auto stream = client->Open(kMethod, options);
  if (!stream.ok()) return std::cerr << stream.status() << "\n", 1;
  if (!stream->Write("one") || !stream->Write("two")) return 1;
  stream->WritesDone();
  std::string message;
  while (stream->Read(message)) std::cout << "stream: " << message << "\n";
  const absl::Status status = stream->Finish();
  if (!status.ok()) return std::cerr << status << "\n", 1;
  return 0;
}

#include <iostream>

#include "meshlib/http.h"

int main() {
  meshlib::MeshOptions options;
  options.config_path = "mesh.yaml";  // an Envoy bootstrap
  auto mesh = meshlib::Mesh::Create(std::move(options)).value();
  auto client = meshlib::http::Client::Create(*mesh).value();
  auto response = client.Get("http://echo.shop.global:8080/hello");
  if (!response.ok()) return std::cerr << response.status() << "\n", 1;
  std::cout << response->status << " " << response->body << "\n";
}

// Code of the application that every call passes: one filter brings a token
// along and answers for what it forbids, another one measures.

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "echo_mesh.h"
#include "meshlib/http.h"

namespace {

using meshlib::http::Filter;
using meshlib::http::FilteredRequest;

class Guard final : public Filter {
 public:
  Verdict OnRequest(FilteredRequest& request) override {
    if (request.path == "/admin") {
      meshlib::http::Response forbidden;
      forbidden.status = 403;
      forbidden.body = "not from here";
      return forbidden;
    }
    request.headers.Set("authorization", "Bearer secret");
    return std::nullopt;
  }
};

// One object for each call: it may remember what it likes.
class AccessLog final : public Filter {
 public:
  Verdict OnRequest(FilteredRequest& request) override {
    line_ = request.method + " " + request.path;
    return std::nullopt;
  }
  void OnResponse(meshlib::http::ResponseHead& head) override {
    line_ += " " + std::to_string(head.status);
  }
  void OnEnd(const absl::Status& status,
             meshlib::http::Headers& trailers) override {
    std::cout << line_ << " " << absl::StatusCodeToString(status.code())
              << "\n";
  }

 private:
  std::string line_;
};

}  // namespace

int main() {
  const examples::EchoMesh echo =
      examples::MakeEchoMesh(meshlib::testing::BackendAnswer::Status(200));
  if (echo.mesh == nullptr) return 1;
  meshlib::http::ClientOptions options;
  options.filters = {[] { return std::make_unique<AccessLog>(); },
                     [] { return std::make_unique<Guard>(); }};
  const auto client = meshlib::http::Client::Create(*echo.mesh, options);
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;
  for (const char* path : {"/hello", "/admin"}) {
    const auto response =
        client->Get(std::string("http://cluster:echo") + path);
    if (!response.ok()) return std::cerr << response.status() << "\n", 1;
  }
  const auto seen = echo.backend->LastRequest();
  std::cout << "the host saw " << seen->path << " with "
            << seen->Get("authorization") << "\n";
  return 0;
}

#ifndef MESHLIB_TEST_LIFECYCLE_LIFECYCLE_FIXTURE_H_
#define MESHLIB_TEST_LIFECYCLE_LIFECYCLE_FIXTURE_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "meshlib/http.h"
#include "meshlib/mesh.h"
#include "meshlib/testing/backend.h"
#include "test/client/test_mesh.h"

namespace meshlib {

using Answer = absl::StatusOr<http::Response>;

// What a mesh says that is shut down, or another process's.
inline constexpr auto kOver = absl::StatusCode::kFailedPrecondition;

// The names of the threads of this process that are called "mesh-...".
inline std::multiset<std::string> MeshThreads() {
  std::multiset<std::string> out;
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.rfind("mesh-", 0) == 0) out.insert(name);
  }
  return out;
}

// The kernel may list a thread a moment longer than it runs.
inline void WaitForNoMeshThread() {
  while (!MeshThreads().empty()) std::this_thread::yield();
}

// A mesh of one backend, and a client.
class LifecycleTest : public ::testing::Test {
 protected:
  void StartBackend() {
    backends_ = *meshlib::testing::StartBackends(1);
    text_.addresses = meshlib::testing::BackendAddresses(backends_);
  }
  void StartMesh(MeshOptions options = {}) {
    options.config_text = text_.ToString();
    auto mesh = Mesh::Create(std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
    auto client = http::Client::Create(*mesh_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
  }
  void Start(MeshOptions options = {}) {
    StartBackend();
    StartMesh(std::move(options));
  }
  void Stall() {
    using meshlib::testing::BackendAnswer;
    backends_[0]->SetAnswer(
        BackendAnswer::Failing(BackendAnswer::Fault::kStall));
  }
  void SendAsync(http::Client::Callback done) {
    http::Request request;
    request.url = "http://echo/";
    client_->SendAsync(std::move(request), std::move(done));
  }

  client::MeshText text_;
  std::vector<std::unique_ptr<meshlib::testing::Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<http::Client> client_;
};

}  // namespace meshlib

#endif  // MESHLIB_TEST_LIFECYCLE_LIFECYCLE_FIXTURE_H_

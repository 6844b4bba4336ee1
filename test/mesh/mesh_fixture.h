#ifndef MESHLIB_TEST_MESH_MESH_FIXTURE_H_
#define MESHLIB_TEST_MESH_MESH_FIXTURE_H_

#include <memory>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"
#include "mesh/core.h"
#include "meshlib/mesh.h"
#include "meshlib/testing/fake_clock.h"
#include "model/config.h"

namespace meshlib {

// A mesh on virtual time, of a configuration that the test makes.
class MeshTest : public ::testing::Test {
 protected:
  std::shared_ptr<model::Config> config_ = std::make_shared<model::Config>();
  meshlib::testing::FakeClock clock_;
  std::unique_ptr<Mesh> mesh_;

  void Start() {
    MeshOptions options;
    options.clock = &clock_;
    options.seed = 1;
    options.own_thread = false;
    auto mesh = mesh::MeshFactory::Create(config_, std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
  }

  Target Resolve(std::string_view authority) {
    auto target = mesh_->Resolve(authority);
    EXPECT_TRUE(target.ok()) << target.status();
    return *std::move(target);
  }

  void Apply(std::shared_ptr<model::Config> config) {
    const absl::Status status =
        mesh::MeshFactory::CoreOf(*mesh_).Apply(std::move(config));
    EXPECT_TRUE(status.ok()) << status;
  }
};

}  // namespace meshlib

#endif  // MESHLIB_TEST_MESH_MESH_FIXTURE_H_

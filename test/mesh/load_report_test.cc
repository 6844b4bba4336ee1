// Load reports, from Report() to the weights of
// client_side_weighted_round_robin (gRFC A58).

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "mesh/core.h"
#include "meshlib/mesh.h"
#include "meshlib/testing/fake_clock.h"
#include "test/cluster/test_config.h"

namespace meshlib {
namespace {

using Counts = std::map<std::string, int>;

class LoadReportTest : public ::testing::Test {
 protected:
  static std::shared_ptr<model::Cluster> MakeWrr(uint32_t hosts) {
    auto cluster = test::MakeCluster("a", hosts);
    cluster->lb.policy = model::LbPolicy::kClientSideWeightedRoundRobin;
    return cluster;
  }

  void Start(std::shared_ptr<model::Cluster> cluster) {
    auto config = std::make_shared<model::Config>();
    config->clusters.push_back(std::move(cluster));
    MeshOptions options;
    options.clock = &clock_;
    options.seed = 1;
    options.own_thread = false;
    auto mesh = mesh::MeshFactory::Create(config, std::move(options));
    ASSERT_TRUE(mesh.ok()) << mesh.status();
    mesh_ = *std::move(mesh);
    target_ = std::make_unique<Target>(*mesh_->Resolve("cluster:a"));
  }

  void Apply(std::shared_ptr<model::Cluster> cluster) {
    auto config = std::make_shared<model::Config>();
    config->clusters.push_back(std::move(cluster));
    ASSERT_TRUE(
        mesh::MeshFactory::CoreOf(*mesh_).Apply(std::move(config)).ok());
  }

  void Pass(absl::Duration time) {
    clock_.Advance(time);
    mesh_->RunPending();
  }

  // Hosts report a qps of 10, 20, 30, ... by the last part of their address,
  // by answers of that status.
  Counts Send(int requests, int status = 200) {
    Counts counts;
    for (int i = 0; i < requests; ++i) {
      PickResult pick = target_->Pick();
      EXPECT_TRUE(pick.ok()) << pick.status();
      const std::string address(pick.address);
      ++counts[address];
      LoadReport report;
      report.application_utilization = 1;
      report.qps = 10 * (address[7] - '0');
      Outcome outcome = Outcome::Http(status);
      outcome.load_report = &report;
      target_->Report(pick.token, outcome);
    }
    return counts;
  }

  // `requests` in the shares 1 : 2 : 3.
  static Counts Weighted(int requests) {
    return {{"10.0.0.1:80", requests / 6},
            {"10.0.0.2:80", requests / 3},
            {"10.0.0.3:80", requests / 2}};
  }
  static Counts Alike(int requests) {
    return {{"10.0.0.1:80", requests / 3},
            {"10.0.0.2:80", requests / 3},
            {"10.0.0.3:80", requests / 3}};
  }

  testing::FakeClock clock_;
  std::unique_ptr<Mesh> mesh_;
  std::unique_ptr<Target> target_;
};

TEST_F(LoadReportTest, WeighsAfterTheBlackoutAndNoLongerAfterTheExpiration) {
  Start(MakeWrr(3));
  EXPECT_EQ(Send(600), Alike(600));
  Pass(absl::Milliseconds(9900));
  EXPECT_EQ(Send(600), Alike(600));
  Pass(absl::Milliseconds(1100));
  EXPECT_EQ(Send(600), Weighted(600));
  Pass(absl::Minutes(2));
  EXPECT_EQ(Send(600), Weighted(600));
  Pass(absl::Minutes(4));
  EXPECT_EQ(Send(600), Alike(600));
}

TEST_F(LoadReportTest, CountsWhateverTheAnswerWas) {
  auto cluster = MakeWrr(3);
  cluster->lb.load_report_weights.blackout_period = absl::ZeroDuration();
  Start(std::move(cluster));
  Send(600, 503);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Send(600), Weighted(600));
}

TEST_F(LoadReportTest, WeightsAreUpdatedOncePerPeriod) {
  auto cluster = MakeWrr(3);
  cluster->lb.load_report_weights.blackout_period = absl::ZeroDuration();
  cluster->lb.load_report_weights.weight_update_period = absl::Seconds(5);
  Start(std::move(cluster));
  Pass(absl::Seconds(4));
  EXPECT_EQ(Send(600), Alike(600));
  EXPECT_EQ(Send(600), Alike(600));
  Pass(absl::Seconds(1));
  EXPECT_EQ(Send(600), Weighted(600));
}

// Beside an interval of outlier detection that is further away.
TEST_F(LoadReportTest, APolicyThatComesLaterBeginsAtOnce) {
  auto before = test::MakeCluster("a", 3);
  before->outlier_detection.emplace();
  before->outlier_detection->interval = absl::Hours(1);
  Start(before);
  EXPECT_EQ(Send(600), Alike(600));
  auto cluster = std::make_shared<model::Cluster>(*before);
  cluster->lb.policy = model::LbPolicy::kClientSideWeightedRoundRobin;
  cluster->lb.load_report_weights.blackout_period = absl::ZeroDuration();
  Apply(cluster);
  EXPECT_EQ(Send(600), Alike(600));
  Pass(absl::Seconds(1));
  EXPECT_EQ(Send(600), Weighted(600));
  Apply(before);
  EXPECT_EQ(Send(600), Alike(600));
}

TEST_F(LoadReportTest, HostsKeepTheirWeightsWhenEndpointsChange) {
  auto cluster = MakeWrr(2);
  cluster->lb.load_report_weights.blackout_period = absl::ZeroDuration();
  Start(cluster);
  Send(600);
  auto more = std::make_shared<model::Cluster>(*cluster);
  more->endpoints = test::MakeEndpoints("a", 3);
  Apply(more);
  // The third gets the mean of 10 and 20, and no time has passed.
  EXPECT_EQ(Send(900), (Counts{{"10.0.0.1:80", 200},
                               {"10.0.0.2:80", 400},
                               {"10.0.0.3:80", 300}}));
}

TEST_F(LoadReportTest, ExplainTellsTheWeights) {
  auto cluster = MakeWrr(2);
  Start(std::move(cluster));
  Send(100);
  EXPECT_EQ(target_->Explain({}).hosts[1].reported_weight, 0);
  Pass(absl::Seconds(10));
  const Explanation explanation = target_->Explain({});
  EXPECT_EQ(explanation.policy, "CLIENT_SIDE_WEIGHTED_ROUND_ROBIN");
  EXPECT_EQ(explanation.hosts[0].reported_weight, 10);
  EXPECT_EQ(explanation.hosts[1].reported_weight, 20);
}

TEST_F(LoadReportTest, OtherPoliciesDoNotCare) {
  Start(test::MakeCluster("a", 3));
  EXPECT_EQ(Send(600), Alike(600));
  Pass(absl::Minutes(1));
  EXPECT_EQ(Send(600), Alike(600));
  EXPECT_EQ(target_->Explain({}).hosts[1].reported_weight, 0);
}

}  // namespace
}  // namespace meshlib

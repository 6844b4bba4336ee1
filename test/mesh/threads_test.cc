// Requests on several threads while the configuration changes under them: for
// ThreadSanitizer and AddressSanitizer as much as for the assertions.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "mesh/core.h"
#include "meshlib/mesh.h"
#include "test/cluster/test_config.h"

namespace meshlib {
namespace {

constexpr int kThreads = 4;
constexpr int kRequests = 3000;
constexpr int kUpdates = 40;

// Version `n`: hosts come and go, and every other version changes the policy.
std::shared_ptr<const model::Config> Version(int n) {
  auto cluster = test::MakeCluster("a", 3 + n % 5);
  cluster->lb.policy = n % 2 == 0 ? model::LbPolicy::kRoundRobin
                                  : model::LbPolicy::kLeastRequest;
  cluster->outlier_detection.emplace();
  cluster->outlier_detection->consecutive_5xx = 3;
  cluster->circuit_breakers.thresholds[0].max_requests = 64;
  auto config = std::make_shared<model::Config>();
  config->clusters.push_back(cluster);
  config->listeners.push_back(
      test::MakeListener({test::MakeRetryRoute("a", model::kRetryOn5xx, 2)}));
  return config;
}

struct Counts {
  std::atomic<int> succeeded{0};
  std::atomic<int> failed{0};
  std::atomic<int> not_picked{0};
};

// One request with its retries; every seventh attempt fails.
void Send(const Target& target, int number, Counts& counts) {
  PickResult pick = target.Pick();
  for (int attempt = 0; pick.ok(); ++attempt) {
    const bool good = (number + attempt) % 7 != 0;
    const RetryDecision decision =
        target.Report(pick.token, good ? Outcome::Ok() : Outcome::Http(503));
    if (good) {
      ++counts.succeeded;
      return;
    }
    if (!decision.retry) {
      ++counts.failed;
      return;
    }
    pick = target.Pick({}, std::move(pick.token));
  }
  ++counts.not_picked;
}

void RunWhileUpdating(uint32_t stripes) {
  MeshOptions options;
  options.seed = 7;
  options.thread_stripes = stripes;
  auto mesh = mesh::MeshFactory::Create(Version(0), std::move(options));
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  auto target = (*mesh)->Resolve("any.host");
  ASSERT_TRUE(target.ok()) << target.status();
  Counts counts;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRequests; ++i) Send(*target, i + t, counts);
    });
  }
  for (int n = 1; n <= kUpdates; ++n) {
    const absl::Status status =
        mesh::MeshFactory::CoreOf(**mesh).Apply(Version(n));
    EXPECT_TRUE(status.ok()) << status;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counts.succeeded + counts.failed + counts.not_picked,
            kThreads * kRequests);
  EXPECT_EQ(counts.not_picked, 0) << "some version always has hosts";
  EXPECT_GT(counts.succeeded, kThreads * kRequests * 8 / 10);
}

TEST(MeshThreads, PickWhileTheConfigurationChanges) { RunWhileUpdating(8); }

TEST(MeshThreads, ShareAStripeWhenThereAreTooFew) { RunWhileUpdating(1); }

TEST(MeshThreads, ATokenMayBeReportedOnAnotherThread) {
  MeshOptions options;
  options.seed = 7;
  auto mesh = mesh::MeshFactory::Create(Version(0), std::move(options));
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  auto target = (*mesh)->Resolve("cluster:a");
  ASSERT_TRUE(target.ok()) << target.status();
  for (int round = 0; round < 100; ++round) {
    std::vector<PickResult> picks;
    // All of max_requests: the next round needs every one of them back.
    for (int i = 0; i < 64; ++i) {
      picks.push_back(target->Pick());
      ASSERT_TRUE(picks.back().ok()) << round << " " << i;
    }
    std::thread([&] {
      for (PickResult& pick : picks) {
        target->Report(pick.token, Outcome::Ok());
      }
      picks.clear();
    }).join();
  }
}

}  // namespace
}  // namespace meshlib

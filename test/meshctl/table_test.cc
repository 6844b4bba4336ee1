#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/meshctl/run_meshctl.h"

namespace meshlib::meshctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

rapidjson::Document Table(const std::string& cluster) {
  return RunJson(
      {"table", "-c", Testdata("policies.yaml"), "--cluster", cluster});
}

// The one address that all requests with this hash go to.
std::string HostOfHash(const std::string& cluster, uint64_t hash) {
  const rapidjson::Document answer =
      RunJson({"simulate", "-c", Testdata("policies.yaml"), "--authority",
               "cluster:" + cluster, "--requests", "20", "--hash",
               std::to_string(hash)});
  std::string address;
  for (const auto& [host, requests] : Requests(answer, "hosts", "address")) {
    if (requests == 0) continue;
    EXPECT_EQ(requests, 20u);
    address = host;
  }
  return address;
}

const uint64_t kHashes[] = {0,
                            1,
                            250,
                            251,
                            1234567890123456789u,
                            9223372036854775808u,
                            18446744073709551615u};

TEST(Table, SortsTheEntriesOfARing) {
  const rapidjson::Document table = Table("ring");
  EXPECT_THAT(Keys(table),
              ElementsAre("cluster", "policy", "priority", "size", "entries"));
  EXPECT_STREQ(table["policy"].GetString(), "RING_HASH");
  ASSERT_GE(table["entries"].Size(), 64u);
  EXPECT_EQ(table["entries"].Size(), table["size"].GetUint64());
  uint64_t last = 0;
  std::map<std::string, int> entries;
  for (const auto& entry : table["entries"].GetArray()) {
    const uint64_t hash = std::stoull(entry["hash"].GetString());
    EXPECT_GE(hash, last);
    last = hash;
    ++entries[entry["address"].GetString()];
  }
  // Weights 1, 2 and 3.
  EXPECT_NEAR(entries["10.0.0.2:80"], 2 * entries["10.0.0.1:80"], 2);
  EXPECT_NEAR(entries["10.0.0.3:80"], 3 * entries["10.0.0.1:80"], 3);
}

TEST(Table, OfARingSaysWhereAHashGoes) {
  const rapidjson::Document table = Table("ring");
  std::vector<uint64_t> hashes(std::begin(kHashes), std::end(kHashes));
  // On an entry, and on both sides of it.
  const uint64_t entry = std::stoull(table["entries"][5]["hash"].GetString());
  hashes.insert(hashes.end(), {entry - 1, entry, entry + 1});
  for (const uint64_t hash : hashes) {
    std::string want = table["entries"][0]["address"].GetString();
    for (const auto& candidate : table["entries"].GetArray()) {
      if (std::stoull(candidate["hash"].GetString()) >= hash) {
        want = candidate["address"].GetString();
        break;
      }
    }
    EXPECT_EQ(HostOfHash("ring", hash), want) << hash;
  }
}

TEST(Table, OfMaglevSaysWhereAHashGoes) {
  const rapidjson::Document table = Table("maglev");
  EXPECT_THAT(Keys(table),
              ElementsAre("cluster", "policy", "priority", "size", "slots"));
  EXPECT_STREQ(table["policy"].GetString(), "MAGLEV");
  const std::vector<std::string> slots = Strings(table, "slots");
  ASSERT_EQ(slots.size(), 251u);
  for (const uint64_t hash : kHashes) {
    EXPECT_EQ(HostOfHash("maglev", hash), slots[hash % 251]) << hash;
  }
  const auto share = [&slots](const char* address) {
    return std::count(slots.begin(), slots.end(), address);
  };
  EXPECT_NEAR(share("10.0.0.1:80"), 251 / 6.0, 2);
  EXPECT_NEAR(share("10.0.0.3:80"), 251 / 2.0, 2);
}

TEST(Table, RefusesOtherPoliciesAndPriorities) {
  const ProgramRun policy = RunMeshctl(
      {"table", "-c", Testdata("policies.yaml"), "--cluster", "round_robin"});
  EXPECT_EQ(policy.exit_code, 1);
  EXPECT_THAT(policy.err, HasSubstr("ROUND_ROBIN"));
  const ProgramRun priority =
      RunMeshctl({"table", "-c", Testdata("policies.yaml"), "--cluster", "ring",
                  "--priority", "1"});
  EXPECT_EQ(priority.exit_code, 1);
  EXPECT_THAT(priority.err, HasSubstr("1 priority, counted from 0"));
}

TEST(Table, AnswersErrorsWithAnObject) {
  const ProgramRun run = RunMeshctl({"table", "-c", Testdata("policies.yaml"),
                                     "--cluster", "none", "--json"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(Keys(ParseObject(run.out)), ElementsAre("error"));
}

// Printed as a whole, a million entries took 150 MB more than the ring.
TEST(Table, OfManyPlacesNeedsNoMemoryForItsText) {
  const std::string file = Testdata("large_ring.yaml");
  const ProgramRun json =
      RunMeshctl({"table", "-c", file, "--cluster", "large", "--json"});
  const ProgramRun text =
      RunMeshctl({"table", "-c", file, "--cluster", "large"});
  const ProgramRun ring =
      RunMeshctl({"explain", "-c", file, "--authority", "cluster:large"});
  for (const ProgramRun* run : {&json, &text}) {
    EXPECT_EQ(run->exit_code, 0) << run->err;
    EXPECT_GT(run->out.size(), size_t{30} << 20);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LT(run->most_memory_mb, ring.most_memory_mb + 40);
#endif
  }
  EXPECT_EQ(ParseObject(json.out)["entries"].Size(), 1u << 20);
}

TEST(Table, PrintsColumnsForPeople) {
  const ProgramRun run = RunMeshctl(
      {"table", "-c", Testdata("policies.yaml"), "--cluster", "maglev"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, HasSubstr("SLOT  ADDRESS\n"));
  EXPECT_THAT(run.out, HasSubstr("Policy    MAGLEV\n"));
}

}  // namespace
}  // namespace meshlib::meshctl

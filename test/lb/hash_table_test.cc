#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/hash.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "lb/bounded_load.h"
#include "lb/hash_weights.h"
#include "lb/maglev/maglev.h"
#include "lb/ring_hash/ring.h"
#include "test/lb/fake_cluster.h"

namespace meshlib::lb {
namespace {

struct RingVector {
  uint64_t hash;
  const char* address;
};

#include "test/lb/hash_vectors.inc"

class HashTables : public ::testing::Test {
 protected:
  HashTables() {
    for (int port = 90; port < 96; ++port) {
      six_.push_back(cluster_.NewHost(absl::StrCat("127.0.0.1:", port)));
    }
  }

  static std::vector<WeightedHost> Flat(std::vector<const model::Host*> hosts,
                                        std::vector<uint32_t> weights) {
    HashGroup group;
    group.hosts = std::move(hosts);
    group.weights = std::move(weights);
    return NormalizeWeights({group});
  }
  std::vector<WeightedHost> Equal() { return Flat(six_, {1, 1, 1, 1, 1, 1}); }
  std::vector<WeightedHost> Weighted() {
    return Flat(six_, {1, 2, 3, 4, 5, 6});
  }
  std::vector<WeightedHost> Localities() {
    HashGroup a{3, {six_[0], six_[1]}, {1, 2}};
    HashGroup b{0, {six_[2]}, {5}};
    HashGroup c{7, {six_[3], six_[4], six_[5]}, {2, 2, 2}};
    return NormalizeWeights({a, b, c});
  }
  std::vector<WeightedHost> Many(bool equal) {
    std::vector<const model::Host*> hosts;
    std::vector<uint32_t> weights;
    for (int i = 0; i < 1000; ++i) {
      hosts.push_back(cluster_.NewHost(
          absl::StrCat("10.0.", i / 250, ".", i % 250, ":8080")));
      weights.push_back(equal ? 1 : 1 + i % 7);
    }
    return Flat(hosts, weights);
  }

  template <size_t n>
  static void ExpectRing(const Ring& ring, const RingVector (&wanted)[n]) {
    ASSERT_EQ(ring.size(), n);
    for (size_t i = 0; i < n; ++i) {
      EXPECT_EQ(ring.HashAt(i), wanted[i].hash) << i;
      EXPECT_EQ(ring.HostAt(i)->address(), wanted[i].address) << i;
    }
  }
  template <size_t n>
  static void ExpectTable(const MaglevTable& table,
                          const char* const (&wanted)[n]) {
    ASSERT_EQ(table.size(), n);
    for (size_t i = 0; i < n; ++i) {
      EXPECT_EQ(table.HostAt(i)->address(), wanted[i]) << i;
    }
  }
  static uint64_t Fold(const HashTable& table, bool with_hash) {
    std::vector<std::string> parts;
    for (size_t i = 0; i < table.size(); ++i) {
      parts.push_back(with_hash ? absl::StrCat(table.HashAt(i), " ",
                                               table.HostAt(i)->address())
                                : table.HostAt(i)->address());
    }
    return base::XxHash64(absl::StrJoin(parts, ","));
  }

  FakeCluster cluster_;
  std::vector<const model::Host*> six_;
};

TEST_F(HashTables, RingHasEnvoysEntries) {
  Ring::Options options;
  options.minimum_size = 12;
  ExpectRing(Ring(Equal(), options), kRingEqual);
  options.minimum_size = 30;
  ExpectRing(Ring(Weighted(), options), kRingWeighted);
  options.minimum_size = 64;
  options.maximum_size = 8;
  ExpectRing(Ring(Equal(), options), kRingCapped);
  options.minimum_size = 20;
  options.maximum_size = 8388608;
  ExpectRing(Ring(Localities(), options), kRingLocalities);
}

TEST_F(HashTables, RingOfAThousandWeightedHostsIsExact) {
  Ring::Options options;
  options.minimum_size = 5000;
  const Ring ring(Many(false), options);
  EXPECT_EQ(ring.size(), kRingManySize);
  EXPECT_EQ(Fold(ring, true), kRingManyFold);
}

TEST_F(HashTables, RingPicksTheFirstEntryAtOrAboveTheHash) {
  Ring::Options options;
  options.minimum_size = 5000;
  const Ring ring(Many(false), options);
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < ring.size(); ++i) hashes.push_back(ring.HashAt(i));
  ASSERT_TRUE(std::is_sorted(hashes.begin(), hashes.end()));
  std::vector<uint64_t> asked = {0, 1, UINT64_MAX, UINT64_MAX - 1,
                                 uint64_t{1} << 63};
  base::Random random(7);
  for (int i = 0; i < 20000; ++i) asked.push_back(random.Next());
  for (const uint64_t hash : hashes) {
    asked.insert(asked.end(), {hash - 1, hash, hash + 1});
  }
  for (const uint64_t hash : asked) {
    for (const uint32_t attempt : {0u, 1u, 5u, 100000u}) {
      const size_t place =
          std::lower_bound(hashes.begin(), hashes.end(), hash) - hashes.begin();
      const size_t first = place == hashes.size() ? 0 : place;
      ASSERT_EQ(ring.Pick(hash, attempt),
                ring.HostAt((first + attempt) % hashes.size()))
          << hash;
    }
  }
}

TEST_F(HashTables, RingWithMurmurHash2HasEnvoysEntries) {
  // The positions of Envoy's test of the same ring.
  Ring::Options options;
  options.minimum_size = 12;
  options.function = model::RingHashFunction::kMurmurHash2;
  const Ring ring(Equal(), options);
  ASSERT_EQ(ring.size(), 12u);
  for (size_t i = 0; i < ring.size(); ++i) {
    bool found = false;
    for (int n = 0; n < 2; ++n) {
      found =
          found || base::MurmurHash2(absl::StrCat(ring.HostAt(i)->address(),
                                                  "_", n)) == ring.HashAt(i);
    }
    EXPECT_TRUE(found) << i;
  }
}

TEST_F(HashTables, MaglevHasEnvoysSlots) {
  MaglevTable::Options options;
  options.table_size = 17;
  ExpectTable(MaglevTable(Equal(), options), kMaglevEqual);
  options.table_size = 31;
  ExpectTable(MaglevTable(Weighted(), options), kMaglevWeighted);
  options.table_size = 23;
  ExpectTable(MaglevTable(Localities(), options), kMaglevLocalities);
}

TEST_F(HashTables, MaglevOfAThousandHostsIsExact) {
  const MaglevTable::Options options;
  EXPECT_EQ(Fold(MaglevTable(Many(false), options), false), kMaglevManyFold);
  EXPECT_EQ(Fold(MaglevTable(Many(true), options), false),
            kMaglevManyEqualFold);
}

TEST_F(HashTables, MaglevChangesTheHashForRefusedHosts) {
  MaglevTable::Options options;
  const MaglevTable table(Equal(), options);
  base::Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t hash = random.Next();
    EXPECT_EQ(table.Pick(hash, 0), table.HostAt(hash % 65537));
    for (uint64_t k = 1; k < 5; ++k) {
      const uint64_t changed = hash ^ (~uint64_t{0} - k + 1);
      EXPECT_EQ(table.Pick(hash, static_cast<uint32_t>(k)),
                table.HostAt(changed % 65537));
    }
  }
}

TEST_F(HashTables, MaglevMovesFewRequestsWhenAHostLeaves) {
  MaglevTable::Options options;
  const MaglevTable all(Many(true), options);
  std::vector<WeightedHost> fewer = Flat(six_, {1, 1, 1, 1, 1, 1});
  const MaglevTable before(fewer, options);
  fewer = Flat({six_.begin(), six_.begin() + 5}, {1, 1, 1, 1, 1});
  const MaglevTable after(fewer, options);
  int moved = 0;
  for (size_t i = 0; i < after.size(); ++i) {
    if (before.HostAt(i) != six_[5] && before.HostAt(i) != after.HostAt(i)) {
      ++moved;
    }
  }
  EXPECT_LT(moved, 65537 / 10);
}

TEST_F(HashTables, MaglevTablesWithOneHeavyHostAreBuiltInReasonableTime) {
  std::vector<WeightedHost> hosts = Many(true);
  std::vector<const model::Host*> plain;
  std::vector<uint32_t> weights(hosts.size(), 1);
  for (const WeightedHost& host : hosts) plain.push_back(host.host);
  weights[500] = 1000000;
  const MaglevTable table(Flat(plain, weights), {});
  size_t heavy = 0;
  for (size_t i = 0; i < table.size(); ++i) {
    if (table.HostAt(i) == plain[500]) ++heavy;
  }
  EXPECT_EQ(heavy, 65537u - 999u);  // every host has one slot at least
}

TEST_F(HashTables, AreEmptyWithoutHosts) {
  EXPECT_EQ(Ring({}, {}).Pick(1, 0), nullptr);
  EXPECT_EQ(MaglevTable({}, {}).Pick(1, 0), nullptr);
}

TEST_F(HashTables, HashByMetadataThenHostNameThenAddress) {
  auto metadata = std::make_shared<model::Metadata>();
  model::Value& lb = metadata->filters["envoy.lb"];
  lb.kind = model::Value::Kind::kStruct;
  lb.fields["hash_key"].kind = model::Value::Kind::kString;
  lb.fields["hash_key"].string = "pinned";
  auto number = std::make_shared<model::Metadata>(*metadata);
  number->filters["envoy.lb"].fields["hash_key"].kind =
      model::Value::Kind::kNumber;
  EXPECT_EQ(
      HashKey(*cluster_.NewHost("1.1.1.1:1", {}, 0, "name", metadata), true),
      "pinned");
  EXPECT_EQ(
      HashKey(*cluster_.NewHost("1.1.1.1:1", {}, 0, "name", number), true),
      "name");
  EXPECT_EQ(HashKey(*cluster_.NewHost("1.1.1.1:1", {}, 0, "name"), false),
            "1.1.1.1:1");
  EXPECT_EQ(HashKey(*cluster_.NewHost("1.1.1.1:1"), true), "1.1.1.1:1");
}

TEST(FastModulo, IsExact) {
  base::Random random(11);
  for (const uint64_t divisor :
       {uint64_t{2}, uint64_t{3}, uint64_t{17}, uint64_t{65537},
        uint64_t{4194304}, uint64_t{5000011}, (uint64_t{1} << 63) + 1}) {
    const FastModulo modulo(divisor);
    for (const uint64_t value : {uint64_t{0}, divisor - 1, divisor, divisor + 1,
                                 UINT64_MAX, UINT64_MAX - 1}) {
      EXPECT_EQ(modulo(value), value % divisor) << value << " " << divisor;
    }
    for (int i = 0; i < 10000; ++i) {
      const uint64_t value = random.Next();
      ASSERT_EQ(modulo(value), value % divisor) << value << " " << divisor;
    }
  }
}

// Maps every hash to the first host.
class OneHostTable final : public HashTable {
 public:
  explicit OneHostTable(const model::Host* host) : host_(*host) {}
  const PlacedHost* Find(uint64_t, uint32_t) const override { return &host_; }
  size_t size() const override { return 1; }
  const model::Host* HostAt(size_t) const override { return host_.host; }
  uint64_t HashAt(size_t) const override { return 0; }

 private:
  PlacedHost host_;
};

class BoundedLoads : public ::testing::Test {
 protected:
  static constexpr uint64_t kHash = 0x1234567889abcdef;

  BoundedLoads() : scratch_(12) {
    HashGroup group;
    for (int i = 0; i < 12; ++i) {
      hosts_.push_back(cluster_.NewHost(absl::StrCat("10.0.0.", i, ":80")));
      group.hosts.push_back(hosts_.back());
      group.weights.push_back(1);
    }
    bounded_ = std::make_unique<BoundedLoad>(
        std::make_shared<OneHostTable>(hosts_[4]), NormalizeWeights({group}),
        120, cluster_.active());
  }
  void SetActive(size_t host, uint32_t active) {
    cluster_.SetActive(*hosts_[host], active);
  }
  const model::Host* Pick(int64_t cluster_active) {
    return bounded_->Pick(kHash, 0, cluster_active, absl::MakeSpan(scratch_));
  }

  FakeCluster cluster_;
  std::vector<model::Host*> hosts_;
  std::unique_ptr<BoundedLoad> bounded_;
  std::vector<uint32_t> scratch_;
};

TEST_F(BoundedLoads, KeepTheHashedHostUntilItIsFull) {
  // 12 hosts, 120 %: with 59 requests in flight (60 * 120 + 99) / 100 = 72
  // slots, 6 for each host.
  SetActive(4, 6);
  EXPECT_EQ(Pick(59), hosts_[4]);
  SetActive(4, 7);
  EXPECT_NE(Pick(59), hosts_[4]);
  EXPECT_EQ(Pick(60), hosts_[4]);  // 74 slots: 7 for each
}

TEST_F(BoundedLoads, ProbeInTheOrderOfTheSeededTwister) {
  SetActive(4, 1000);
  for (const uint32_t next : kProbeOrder) {
    if (next == 4) continue;
    EXPECT_EQ(Pick(59), hosts_[next]);
    SetActive(next, 1000);
  }
}

TEST_F(BoundedLoads, FallBackToTheLeastOverloaded) {
  for (size_t i = 0; i < hosts_.size(); ++i) SetActive(i, 100);
  EXPECT_EQ(Pick(59), hosts_[4]);  // none is better
  SetActive(9, 99);
  EXPECT_EQ(Pick(59), hosts_[9]);
}

TEST_F(BoundedLoads, CountTheHostsWithoutAClusterCount) {
  SetActive(4, 2);  // 3 * 120 % = 4 slots, 1 each
  EXPECT_NE(Pick(-1), hosts_[4]);
  for (size_t i = 0; i < hosts_.size(); ++i) SetActive(i, 2);
  EXPECT_EQ(Pick(-1), hosts_[4]);  // 25 * 120 % = 30 slots, 3 each
}

TEST_F(BoundedLoads, TryFewerHostsWithoutRoomForAll) {
  SetActive(4, 1000);
  scratch_.resize(3);
  std::set<const model::Host*> seen;
  for (int i = 0; i < 3; ++i) {
    const model::Host* host = Pick(59);
    ASSERT_NE(host, nullptr);
    seen.insert(host);
    cluster_.SetActive(*host, 1000);
  }
  EXPECT_GE(seen.size(), 2u);
  scratch_.clear();
  EXPECT_EQ(Pick(59), hosts_[4]);
}

}  // namespace
}  // namespace meshlib::lb

#include "event/ares_resolver.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "event/epoll_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "test/event/dns_server.h"

namespace meshlib::event {
namespace {

using base::DnsLookupFamily;
using test::DnsServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Type = DnsServer::Type;

// Time stands still but for what a test asks for; the sockets are real.
class AresResolverTest : public ::testing::Test {
 protected:
  AresResolverTest()
      : loop_(*EpollLoop::Create(&clock_)), server_(loop_.get()) {
    options_.resolvers = {server_.address()};
    options_.no_default_search_domain = true;
    options_.query_timeout = absl::Hours(1);
  }

  using Result = std::optional<absl::StatusOr<Resolution>>;

  Resolver::LookupId Start(Result& result, std::string_view name,
                           DnsLookupFamily family = DnsLookupFamily::kAuto) {
    if (resolver_ == nullptr) {
      resolver_ = std::make_unique<AresResolver>(loop_.get(), options_);
    }
    return resolver_->Resolve(name, 80, family,
                              [&result](absl::StatusOr<Resolution> got) {
                                EXPECT_FALSE(result.has_value());
                                result = std::move(got);
                              });
  }
  absl::StatusOr<Resolution> Resolve(
      std::string_view name, DnsLookupFamily family = DnsLookupFamily::kAuto) {
    Result result;
    Start(result, name, family);
    EXPECT_FALSE(result.has_value());
    while (!result.has_value()) loop_->RunOnce(absl::Seconds(10));
    return *std::move(result);
  }
  // Lets everything happen that happens without time.
  void Settle() {
    for (int i = 0; i < 20; ++i) loop_->RunOnce(absl::Milliseconds(1));
  }

  testing::FakeClock clock_;
  std::unique_ptr<EpollLoop> loop_;
  DnsServer server_;
  base::DnsResolverOptions options_;
  std::unique_ptr<AresResolver> resolver_;
};

TEST_F(AresResolverTest, AsksForTheFamiliesOfThePolicy) {
  server_.SetAddresses("both.example", Type::kA, {"10.0.0.1", "10.0.0.2"}, 60);
  server_.SetAddresses("both.example", Type::kAaaa, {"2001:db8::1"}, 30);
  server_.SetAddresses("v4.example", Type::kA, {"10.0.0.3"}, 60);
  server_.SetAddresses("v6.example", Type::kAaaa, {"2001:db8::2"}, 60);
  struct Case {
    const char* name;
    DnsLookupFamily family;
    std::vector<std::string> addresses;
    int ttl;
  };
  const std::string v6 = "[2001:db8::1]:80";
  const Case kCases[] = {
      {"both.example", DnsLookupFamily::kAuto, {v6}, 30},
      {"both.example", DnsLookupFamily::kV6Only, {v6}, 30},
      {"both.example",
       DnsLookupFamily::kV4Only,
       {"10.0.0.1:80", "10.0.0.2:80"},
       60},
      {"both.example",
       DnsLookupFamily::kV4Preferred,
       {"10.0.0.1:80", "10.0.0.2:80"},
       60},
      {"both.example",
       DnsLookupFamily::kAll,
       {v6, "10.0.0.1:80", "10.0.0.2:80"},
       30},
      {"v4.example", DnsLookupFamily::kAuto, {"10.0.0.3:80"}, 60},
      {"v4.example", DnsLookupFamily::kV6Only, {}, 0},
      {"v4.example", DnsLookupFamily::kAll, {"10.0.0.3:80"}, 60},
      {"v6.example", DnsLookupFamily::kV4Preferred, {"[2001:db8::2]:80"}, 60},
      {"v6.example", DnsLookupFamily::kV4Only, {}, 0},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name + std::to_string(static_cast<int>(c.family)));
    const auto result = Resolve(c.name, c.family);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->addresses, c.addresses);
    EXPECT_EQ(result->ttl, absl::Seconds(c.ttl));
  }
}

TEST_F(AresResolverTest, TheSmallestTtlOnTheWayCounts) {
  DnsServer::Reply reply;
  reply.records = {{"", Type::kCname, "real.example", 7},
                   {"real.example", Type::kA, "10.0.0.1", 60},
                   {"real.example", Type::kA, "10.0.0.2", 20}};
  server_.Set("alias.example", Type::kA, reply);
  auto result = Resolve("alias.example", DnsLookupFamily::kV4Only);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->addresses, ElementsAre("10.0.0.1:80", "10.0.0.2:80"));
  EXPECT_EQ(result->ttl, absl::Seconds(7));

  reply.records[0].ttl = 100;
  server_.Set("alias.example", Type::kA, reply);
  result = Resolve("alias.example", DnsLookupFamily::kV4Only);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->ttl, absl::Seconds(20));
}

TEST_F(AresResolverTest, AnAddressThatStandsTwiceCountsOnce) {
  server_.SetAddresses("twice.example", Type::kA,
                       {"10.0.0.1", "10.0.0.2", "10.0.0.1"}, 1);
  const auto result = Resolve("twice.example");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->addresses, ElementsAre("10.0.0.1:80", "10.0.0.2:80"));
}

TEST_F(AresResolverTest, NoSuchNameIsAnAnswerWithoutAddresses) {
  for (const auto family : {DnsLookupFamily::kAuto, DnsLookupFamily::kV4Only,
                            DnsLookupFamily::kV6Only, DnsLookupFamily::kAll}) {
    const auto result = Resolve("nothing.example", family);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(result->addresses, IsEmpty());
    EXPECT_EQ(result->ttl, absl::ZeroDuration());
  }
}

TEST_F(AresResolverTest, AServerThatFailsIsUnavailable) {
  DnsServer::Reply reply;
  reply.rcode = 2;
  server_.Set("bad.example", Type::kA, reply);
  server_.Set("bad.example", Type::kAaaa, reply);
  const auto result = Resolve("bad.example");
  EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
  EXPECT_THAT(result.status().message(), HasSubstr("bad.example"));
  // One family that is known to be empty says nothing of the other.
  server_.Set("bad.example", Type::kA, {});
  EXPECT_TRUE(absl::IsUnavailable(Resolve("bad.example").status()));
  // An address of either is an answer.
  server_.SetAddresses("bad.example", Type::kA, {"10.0.0.1"}, 5);
  const auto half = Resolve("bad.example");
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_THAT(half->addresses, ElementsAre("10.0.0.1:80"));
}

TEST_F(AresResolverTest, LookupsThatAreNotAnsweredEnd) {
  DnsServer::Reply silent, wrong_id, wrong_name, garbage;
  silent.silent = true;
  wrong_id.wrong_id = true;
  wrong_id.records = {{"", Type::kA, "10.6.6.6", 60}};
  wrong_name.wrong_name = true;
  wrong_name.records = {{"", Type::kA, "10.6.6.6", 60}};
  garbage.garbage = true;
  const std::pair<const char*, DnsServer::Reply> kCases[] = {
      {"silent.example", silent},
      {"id.example", wrong_id},
      {"name.example", wrong_name},
      {"garbage.example", garbage},
  };
  for (const auto& [name, reply] : kCases) {
    SCOPED_TRACE(name);
    server_.Set(name, Type::kA, reply);
    Result result;
    Start(result, name, DnsLookupFamily::kV4Only);
    Settle();
    clock_.Advance(options_.lookup_timeout);
    Settle();
    ASSERT_TRUE(result.has_value());
    EXPECT_FALSE(result->ok()) << (*result)->addresses.size();
  }
}

TEST_F(AresResolverTest, AFamilyThatIsNotAnsweredDoesNotCostTheOther) {
  DnsServer::Reply silent;
  silent.silent = true;
  server_.Set("half.example", Type::kAaaa, silent);
  server_.SetAddresses("half.example", Type::kA, {"10.0.0.1"}, 9);
  Result result;
  Start(result, "half.example");
  Settle();
  EXPECT_FALSE(result.has_value()) << "IPv6 is preferred";
  clock_.Advance(options_.lookup_timeout);
  Settle();
  ASSERT_TRUE(result.has_value());
  ASSERT_TRUE(result->ok()) << result->status();
  EXPECT_THAT((*result)->addresses, ElementsAre("10.0.0.1:80"));
  // The other way round nothing has to be waited for.
  EXPECT_TRUE(Resolve("half.example", DnsLookupFamily::kV4Preferred).ok());
}

TEST_F(AresResolverTest, ATruncatedAnswerIsAskedForAgainOverTcp) {
  DnsServer::Reply reply;
  reply.truncate_udp = true;
  for (int i = 0; i < 4000; ++i) {
    reply.records.push_back(
        {"", Type::kA,
         "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250),
         60});
  }
  server_.Set("many.example", Type::kA, reply);
  const auto result = Resolve("many.example", DnsLookupFamily::kV4Only);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->addresses, SizeIs(4000));
  EXPECT_EQ(server_.tcp_queries(), 1);
}

TEST_F(AresResolverTest, UsesTcpWhereThatIsAskedFor) {
  options_.use_tcp_for_dns_lookups = true;
  server_.SetAddresses("a.example", Type::kA, {"10.0.0.1"}, 5);
  EXPECT_TRUE(Resolve("a.example").ok());
  EXPECT_EQ(server_.udp_queries(), 0);
  EXPECT_EQ(server_.tcp_queries(), 2);
}

TEST_F(AresResolverTest, CnamesThatLeadInACircleEnd) {
  DnsServer::Reply reply;
  reply.records = {{"", Type::kCname, "b.example", 60},
                   {"b.example", Type::kCname, "a.example", 60}};
  server_.Set("a.example", Type::kA, reply);
  server_.Set("a.example", Type::kAaaa, reply);
  const auto result = Resolve("a.example");
  EXPECT_TRUE(!result.ok() || result->addresses.empty());
}

TEST_F(AresResolverTest, AnAddressIsItsOwnAnswer) {
  const std::pair<const char*, const char*> kCases[] = {
      {"10.0.0.1", "10.0.0.1:80"},
      {"::1", "[::1]:80"},
      {"[2001:db8::1]", "[2001:db8::1]:80"},
      {"fe80::1%eth0", "[fe80::1%eth0]:80"},
  };
  for (const auto& [name, address] : kCases) {
    const auto result = Resolve(name, DnsLookupFamily::kV4Only);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(result->addresses, ElementsAre(address));
    EXPECT_EQ(result->ttl, absl::InfiniteDuration());
  }
  EXPECT_EQ(server_.udp_queries(), 0);
}

TEST_F(AresResolverTest, RefusesWhatCannotBeAName) {
  const std::string kNames[] = {"", std::string(300, 'a'),
                                std::string("a\0b", 3), "a..b.example",
                                std::string(64, 'x') + ".example"};
  for (const std::string& name : kNames) {
    const auto result = Resolve(name);
    EXPECT_FALSE(result.ok()) << name;
  }
}

TEST_F(AresResolverTest, ReportsResolversThatAreNoAddresses) {
  options_.resolvers = {"not an address"};
  const auto result = Resolve("a.example");
  EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
}

TEST_F(AresResolverTest, ReadsTheHostsFile) {
  const auto result = Resolve("localhost", DnsLookupFamily::kV4Only);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->addresses, ::testing::Contains("127.0.0.1:80"));
  EXPECT_EQ(server_.udp_queries(), 0);
}

TEST_F(AresResolverTest, AServerThatIsDownIsUnavailable) {
  auto down = std::make_unique<DnsServer>(loop_.get());
  options_.resolvers = {down->address()};
  down = nullptr;  // and its port is free
  const auto refused = Resolve("a.example");
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
}

TEST_F(AresResolverTest, ACancelledLookupIsNotHeardOf) {
  server_.SetAddresses("a.example", Type::kAaaa, {"::1"}, 5);
  Result result;
  resolver_ = std::make_unique<AresResolver>(loop_.get(), options_);
  const auto at_once = Start(result, "10.0.0.1");
  resolver_->Cancel(at_once);
  resolver_->Cancel(at_once);
  const auto under_way = Start(result, "a.example");
  resolver_->Cancel(under_way);
  Settle();
  EXPECT_FALSE(result.has_value());
  // Others go on.
  Result kept;
  Start(kept, "a.example");
  resolver_->Cancel(Start(result, "a.example"));
  Settle();
  EXPECT_FALSE(result.has_value());
  EXPECT_TRUE(kept.has_value() && kept->ok());
}

TEST_F(AresResolverTest, NothingIsHeardOfADestroyedResolver) {
  Result at_once, under_way;
  Start(at_once, "10.0.0.1");
  Start(under_way, "a.example");
  resolver_ = nullptr;
  clock_.Advance(absl::Hours(1));
  Settle();
  EXPECT_FALSE(at_once.has_value());
  EXPECT_FALSE(under_way.has_value());
}

TEST_F(AresResolverTest, ACallbackMayDestroyTheResolver) {
  server_.SetAddresses("a.example", Type::kAaaa, {"::1"}, 5);
  resolver_ = std::make_unique<AresResolver>(loop_.get(), options_);
  Result other;
  Start(other, "b.example");
  resolver_->Resolve("a.example", 80, DnsLookupFamily::kAuto,
                     [this](const auto&) { resolver_ = nullptr; });
  while (resolver_ != nullptr) loop_->RunOnce(absl::Seconds(10));
  Settle();
}

}  // namespace
}  // namespace meshlib::event

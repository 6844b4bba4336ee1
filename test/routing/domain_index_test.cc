#include "routing/domain_index.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "test/routing/route_builders.h"

namespace meshlib::routing {
namespace {

struct Case {
  std::string host;
  std::string domain;  // "": none
};

void ExpectAll(const std::vector<std::string>& domains,
               const std::vector<Case>& cases) {
  DomainIndex index;
  for (uint32_t i = 0; i < domains.size(); ++i) {
    ASSERT_TRUE(index.Add(domains[i], i).ok()) << domains[i];
  }
  for (const Case& c : cases) {
    const uint32_t found = index.Find(c.host);
    EXPECT_EQ(found == DomainIndex::kNone ? "" : domains[found], c.domain)
        << c.host.substr(0, 100);
  }
}

TEST(DomainIndex, TakesExactThenSuffixThenPrefixThenAny) {
  ExpectAll(
      {"*", "foo.com", "*.foo.com", "*-bar.foo.com", "*.com", "foo.*",
       "foo.bar.*", "www.foo.com:8080"},
      {
          {"foo.com", "foo.com"},
          {"FOO.com", "foo.com"},
          {"a.foo.com", "*.foo.com"},
          {"A.B.Foo.Com", "*.foo.com"},
          {"x-bar.foo.com", "*-bar.foo.com"},
          {"-bar.foo.com", "*.foo.com"},  // a wildcard is one byte or more
          {".foo.com", "*.com"},
          {"bar.com", "*.com"},
          {"foo.org", "foo.*"},
          {"foo.bar.org", "foo.bar.*"},
          {"foo.bar.com", "*.com"},  // a suffix before any prefix
          {"foo.", "*"},
          {"www.foo.com:8080", "www.foo.com:8080"},
          {"www.foo.com", "*.foo.com"},
          {"www.foo.com:80", "*"},
          {"", "*"},
          {"localhost", "*"},
      });
}

TEST(DomainIndex, FindsNothingWithoutAny) {
  ExpectAll({"foo.com", "*.foo.com"}, {{"bar.com", ""}, {"", ""}});
}

TEST(DomainIndex, FindsAlsoHostsThatNoBufferHolds) {
  const std::string longest(5000, 'x');
  ExpectAll({"*.foo.com", "foo.*", longest, "*"},
            {
                {longest + ".FOO.com", "*.foo.com"},
                {"FOO." + longest, "foo.*"},
                {std::string(5000, 'X'), longest},
                {std::string(100000, 'y'), "*"},
            });
}

TEST(DomainIndex, RefusesADomainThatIsThereAlready) {
  for (const char* domain : {"a.com", "*.a.com", "a.*", "*"}) {
    DomainIndex index;
    ASSERT_TRUE(index.Add(domain, 0).ok());
    EXPECT_FALSE(index.Add(domain, 1).ok()) << domain;
  }
  DomainIndex index;
  ASSERT_TRUE(index.Add("a.com", 0).ok());
  EXPECT_FALSE(index.Add("A.com", 1).ok());
  EXPECT_FALSE(index.Add("", 1).ok());
}

TEST(RouteTableDomains, ADuplicateNamesTheVirtualHost) {
  const auto table = TryCompile(
      ConfigOf({Host("one", {"a.com"}), Host("two", {"b.com", "a.com"})}));
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.status().message(),
            "route config \"test\": virtual host \"two\": domain \"a.com\" "
            "stands more than once");
}

TEST(RouteTableDomains, ThePortCountsUnlessItIsIgnored) {
  model::RouteConfig config =
      ConfigOf({Host("plain", {"a.com", "[::1]"}), Host("port", {"b.com:80"})});
  const auto name = [](const std::shared_ptr<const RouteTable>& table,
                       std::string_view authority) -> std::string {
    const CompiledVirtualHost* host = table->FindVirtualHost(authority);
    return host == nullptr ? "" : host->config().name;
  };
  const auto strict = CompileTable(config);
  ASSERT_NE(strict, nullptr);
  EXPECT_EQ(name(strict, "a.com"), "plain");
  EXPECT_EQ(name(strict, "a.com:80"), "");
  EXPECT_EQ(name(strict, "b.com:80"), "port");
  EXPECT_EQ(name(strict, "[::1]"), "plain");
  config.ignore_port_in_host_matching = true;
  const auto lax = CompileTable(config);
  ASSERT_NE(lax, nullptr);
  EXPECT_EQ(name(lax, "a.com:80"), "plain");
  EXPECT_EQ(name(lax, "a.com"), "plain");
  EXPECT_EQ(name(lax, "b.com:80"), "");
  EXPECT_EQ(name(lax, "[::1]:8080"), "plain");
  EXPECT_EQ(name(lax, "[::1]"), "plain");
}

}  // namespace
}  // namespace meshlib::routing

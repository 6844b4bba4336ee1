#include "net/http1_client_codec.h"

#include <memory>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace meshlib::net {
namespace {

class Http1ClientCodecTest : public ::testing::Test {
 protected:
  std::shared_ptr<ClientExchange> Start(std::string_view method) {
    WireRequest request;
    request.method = method;
    request.scheme = "http";
    request.authority = "a";
    request.path = "/";
    auto exchange =
        std::make_shared<ClientExchange>(request, ClientExchange::Options());
    EXPECT_TRUE(codec_.Start(*exchange).ok());
    return exchange;
  }
  void Receive(std::string_view bytes) {
    EXPECT_TRUE(
        codec_.Receive({bytes.data(), bytes.size()}, absl::UnixEpoch()).ok());
  }
  // One whole exchange: the next one has a connection that was used.
  void Use() {
    const auto exchange = Start("GET");
    Receive("HTTP/1.1 204 No Content\r\n\r\n");
    ASSERT_EQ(exchange->events() & ClientExchange::kOver,
              ClientExchange::kComplete);
  }

  ChangedExchanges changed_;
  Http1ClientCodec codec_{Http1ClientOptions(), &changed_,
                          std::make_shared<UpstreamCounters>()};
};

TEST_F(Http1ClientCodecTest, KnowsARequestThatMetTheEndOfAnIdleConnection) {
  Use();
  const auto exchange = Start("GET");
  codec_.ReceiveEnd(false);
  EXPECT_EQ(exchange->failure(), ExchangeFailure::kConnectionLost);
  EXPECT_TRUE(exchange->unprocessed());
}

TEST_F(Http1ClientCodecTest, KnowsARequestThatMetTheResetOfAnIdleConnection) {
  Use();
  const auto exchange = Start("PUT");
  codec_.ConnectionLost(absl::UnavailableError("reset"), false);
  EXPECT_TRUE(exchange->unprocessed());
}

// What makes a request one that may have been acted on.
struct Case {
  const char* name;
  bool used;
  std::string_view method;
  std::string_view received;
  bool delivered;
};

class Http1ClientCodecActedOnTest : public Http1ClientCodecTest,
                                    public ::testing::WithParamInterface<Case> {
};

constexpr Case kCases[] = {
    {"Delivered", true, "GET", "", true},
    {"NotIdempotent", true, "POST", "", false},
    {"FirstOfItsConnection", false, "GET", "", false},
    {"ResponseBegun", true, "GET", "HTTP/1.1 2", false},
    {"Informational", true, "GET", "HTTP/1.1 102 Processing\r\n\r\n", false},
};
INSTANTIATE_TEST_SUITE_P(, Http1ClientCodecActedOnTest,
                         ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST_P(Http1ClientCodecActedOnTest, IsNotSentAgain) {
  const Case& c = GetParam();
  if (c.used) Use();
  const auto exchange = Start(c.method);
  ClientExchange::Place::Writes writes;
  writes.done = 1;
  exchange->place.writes = &writes;  // it was written
  Receive(c.received);
  codec_.ReceiveEnd(c.delivered);
  EXPECT_EQ(exchange->failure(), ExchangeFailure::kConnectionLost);
  EXPECT_FALSE(exchange->unprocessed());
}

}  // namespace
}  // namespace meshlib::net

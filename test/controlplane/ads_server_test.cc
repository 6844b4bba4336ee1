#include "controlplane/ads_server.h"

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/controlplane/ads_client.h"
#include "xds/resource_type.h"

namespace meshlib::controlplane {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kCds(xds::TypeUrlOf(xds::ResourceType::kCluster));
const std::string kEds(xds::TypeUrlOf(xds::ResourceType::kEndpoints));

// A server on a loop with a thread.
class AdsServerTest : public ::testing::Test, public AdsServerObserver {
 protected:
  void TearDown() override {
    loop_->RunNow([this] { server_.reset(); });
    loop_->Stop();
  }
  void Start(const AdsServerOptions& options = {}) {
    server_ = std::make_unique<AdsServer>(loop_.get(), options, this, nullptr);
    const auto address = server_->Listen(network_, "127.0.0.1:0");
    ASSERT_TRUE(address.ok()) << address.status();
    ASSERT_TRUE(loop_->Start().ok());
    client_ = std::make_unique<AdsClientPeer>(*address);
    address_ = *address;
  }
  void Serve(const std::string& type, const std::string& name,
             std::string bytes) {
    set_.Put(type, name, std::move(bytes));
    set_.VersionByContent();
    loop_->RunNow([this] {
      server_->SetResources(std::make_shared<const ResourceSet>(set_));
    });
  }

  void OnClose(const AdsClient&, const absl::Status& why) override {
    closed_ = why;
    ++closes_;
  }
  AdsDelivery OnResponse(const AdsClient& client,
                         const AdsResponse& response) override {
    ++responses_;
    return DeliveryOf(response);
  }

  const std::unique_ptr<event::EpollLoop> loop_ =
      event::EpollLoop::Create(SystemClock()).value();
  net::SocketNetwork network_{loop_.get()};
  std::unique_ptr<AdsServer> server_;
  std::unique_ptr<AdsClientPeer> client_;
  std::string address_;
  ResourceSet set_;
  std::atomic<int> responses_{0};
  absl::Status closed_;
  std::atomic<int> closes_{0};
};

TEST_F(AdsServerTest, ServesAStream) {
  Start();
  client_->Open();
  client_->Ask(kEds, {"a"});
  EXPECT_TRUE(client_->Quiet()) << "nothing is served yet";
  Serve(kEds, "a", "one");
  ASSERT_TRUE(client_->Read().has_value());
  EXPECT_EQ(client_->last().type_url(), kEds);
  ASSERT_EQ(client_->last().resources_size(), 1);
  EXPECT_EQ(client_->last().resources(0).value(), "one");
  client_->Reply("", {"a"});
  EXPECT_TRUE(client_->Quiet());
  Serve(kEds, "a", "two");
  ASSERT_TRUE(client_->Read().has_value());
  EXPECT_EQ(client_->last().resources(0).value(), "two");
  client_->Reply("bad", {"a"});
  EXPECT_TRUE(client_->Until([&] {
    return loop_->RunNow([&] {
      const auto clients = server_->Clients();
      return clients.size() == 1 && clients[0].status->node_id == "test" &&
             clients[0].status->types.at(kEds).nack_error == "bad";
    });
  }));
  // The client ends it in good order.
  client_->EndRequest();
  EXPECT_THAT(client_->ReadEnd(), HasSubstr("grpc-status=0\n"));
  EXPECT_EQ(closes_, 1);
  EXPECT_TRUE(loop_->RunNow([&] { return server_->Clients().empty(); }));
}

TEST_F(AdsServerTest, ServesManyStreamsApart) {
  Start();
  Serve(kEds, "a", "a1");
  Serve(kEds, "b", "b1");
  AdsClientPeer other(address_);
  client_->Open();
  other.Open();
  client_->Ask(kEds, {"a"});
  other.Ask(kEds, {"b"});
  ASSERT_TRUE(client_->Read().has_value());
  ASSERT_TRUE(other.Read().has_value());
  EXPECT_EQ(client_->last().resources(0).value(), "a1");
  EXPECT_EQ(other.last().resources(0).value(), "b1");
  Serve(kEds, "b", "b2");
  ASSERT_TRUE(other.Read().has_value());
  EXPECT_EQ(other.last().resources(0).value(), "b2");
  EXPECT_TRUE(client_->Quiet());
}

TEST_F(AdsServerTest, RefusesOtherMethodsAndProtocols) {
  Start();
  client_->Open(
      "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
      "DeltaAggregatedResources");
  EXPECT_THAT(client_->ReadEnd(),
              ::testing::AllOf(HasSubstr(":status=200\n"),
                               HasSubstr("grpc-status=12\n")));
  client_->Open("/grpc.health.v1.Health/Check");
  EXPECT_THAT(client_->ReadEnd(), HasSubstr("grpc-status=12\n"));
  for (const char* type : {"text/html", "application/grpcish", ""}) {
    client_->Open(kAdsPath, type);
    EXPECT_THAT(client_->ReadEnd(), HasSubstr(":status=415\n")) << type;
  }
  client_->Open(kAdsPath, "application/grpc+proto");
  Serve(kCds, "a", "");
  client_->Ask(kCds);
  EXPECT_TRUE(client_->Read().has_value());
  EXPECT_EQ(closes_, 0) << "what is no stream of ADS is not told";
}

TEST_F(AdsServerTest, EndsStreamsThatSendGarbage) {
  AdsServerOptions options;
  options.max_request_bytes = 100'000;
  options.limits.name_bytes = 50'000;
  Start(options);
  AdsClientPeer::Request large;
  large.set_type_url(kEds);
  large.add_resource_names(std::string(60'000, 'x'));
  struct Case {
    std::string bytes;
    const char* status;
  };
  const auto framed = [](std::string_view message, bool compressed = false) {
    std::string bytes;
    EXPECT_TRUE(
        net::AppendGrpcMessage(message, compressed, 1 << 20, bytes).ok());
    return bytes;
  };
  const Case cases[] = {
      {framed("\xff\xff garbage"), "grpc-status=3\n"},
      {framed(""), "grpc-status=3\n"},
      {"\x07 no prefix", "grpc-status=13\n"},
      {framed(std::string(100'001, 'x')), "grpc-status=8\n"},
      {framed(large.SerializeAsString()), "grpc-status=8\n"},
      {framed("zip", true), "grpc-status=12\n"},
  };
  for (const Case& c : cases) {
    client_->Open();
    client_->SendBytes(c.bytes);
    EXPECT_THAT(client_->ReadEnd(), HasSubstr(c.status));
  }
  client_->Open();
  client_->SendBytes(framed("half a message").substr(0, 8));
  client_->EndRequest();
  EXPECT_THAT(client_->ReadEnd(), HasSubstr("grpc-status=13\n"));
  // The connection lives through all of it.
  EXPECT_EQ(loop_->RunNow([&] { return server_->stats().connections; }), 1u);
}

TEST_F(AdsServerTest, HoldsOneResponseForASlowClient) {
  Start();
  const std::string padding(1'000'000, 'x');
  Serve(kEds, "a", "0" + padding);
  client_->Open();
  client_->answer().consume = false;
  client_->Ask(kEds, {"a"});
  // More than the client's window: the first one does not go out whole.
  EXPECT_TRUE(client_->Until([&] { return responses_ == 1; }));
  EXPECT_TRUE(
      client_->Until([&] { return client_->answer().body.size() > 200'000; }));
  for (int i = 1; i <= 50; ++i) Serve(kEds, "a", absl::StrCat(i, padding));
  for (int i = 0; i < 20; ++i) client_->Quiet();
  EXPECT_EQ(responses_, 1);
  client_->answer().consume = true;
  client_->answer().stream->Consume(client_->answer().body.size());
  client_->connection().Flush();
  ASSERT_TRUE(client_->Read().has_value());
  EXPECT_EQ(client_->last().resources(0).value(), "0" + padding);
  ASSERT_TRUE(client_->Read().has_value());
  EXPECT_EQ(client_->last().resources(0).value(), "50" + padding);
  EXPECT_EQ(responses_, 2);
}

TEST_F(AdsServerTest, LivesThroughFloodsOfRequests) {
  Start();
  Serve(kEds, "a", "one");
  client_->Open();
  AdsClientPeer::Request request;
  request.set_type_url(kEds);
  request.add_resource_names("a");
  for (int i = 0; i < 20'000; ++i) client_->Send(request);
  ASSERT_TRUE(client_->Read().has_value());
  EXPECT_TRUE(client_->Until([&] {
    return loop_->RunNow([&] {
      return server_->Clients()[0].status->types.at(kEds).requests == 20'000;
    });
  }));
  EXPECT_EQ(responses_, 1);
}

TEST_F(AdsServerTest, BoundsTheStreamsOfAConnection) {
  AdsServerOptions options;
  options.max_streams_per_connection = 2;
  Start(options);
  for (int i = 0; i < 5; ++i) client_->Open();
  EXPECT_TRUE(client_->Until([&] {
    return loop_->RunNow([&] { return server_->Clients().size() == 2; });
  }));
  EXPECT_TRUE(client_->Quiet());
  EXPECT_EQ(loop_->RunNow([&] { return server_->Clients().size(); }), 2u);
}

TEST_F(AdsServerTest, TellsWhoIsLeftWhenItGoes) {
  Start();
  client_->Open();
  client_->Ask(kEds, {"a"});
  EXPECT_TRUE(client_->Until([&] {
    return loop_->RunNow([&] { return server_->Clients().size() == 1; });
  }));
  std::promise<void> done;
  loop_->RunNow([&] {
    server_->Drain(loop_->Now() + absl::Seconds(10), [&] { done.set_value(); });
  });
  EXPECT_THAT(client_->ReadEnd(), HasSubstr("grpc-status=14\n"));
  EXPECT_TRUE(client_->Until([&] { return client_->connection().over(); }));
  done.get_future().wait();
  EXPECT_EQ(closed_.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(client_->connection().goaways, Not(::testing::IsEmpty()));
}

TEST_F(AdsServerTest, ForgetsClientsThatAreLost) {
  Start();
  client_->Open();
  client_->Ask(kEds, {"a"});
  EXPECT_TRUE(client_->Until([&] {
    return loop_->RunNow([&] { return server_->Clients().size() == 1; });
  }));
  client_->connection().ResetIt();
  EXPECT_TRUE(client_->Until([&] { return closes_ == 1; }));
  EXPECT_TRUE(loop_->RunNow([&] { return server_->Clients().empty(); }));
  Serve(kEds, "a", "one");
}

}  // namespace
}  // namespace meshlib::controlplane

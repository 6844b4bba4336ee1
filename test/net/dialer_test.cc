#include "net/dialer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "event/epoll_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "meshlib/testing/fake_clock.h"
#include "net/socket_network.h"
#include "testing/simulated_loop.h"
#include "testing/simulated_network.h"

namespace meshlib::net {
namespace {

using meshlib::testing::FakeClock;
using meshlib::testing::SimulatedLink;
using meshlib::testing::SimulatedLoop;
using meshlib::testing::SimulatedNetwork;
using ::testing::HasSubstr;

constexpr absl::Duration kLatency = absl::Milliseconds(10);
constexpr absl::Duration kStagger = absl::Milliseconds(250);

model::Host::Identity HostAt(std::vector<std::string> addresses) {
  model::Host::Identity identity;
  identity.address = addresses.front();
  identity.locality = std::make_shared<const model::Locality>();
  addresses.erase(addresses.begin());
  identity.addresses = std::make_unique<model::Host::Addresses>(
      model::Host::Addresses{"", std::move(addresses)});
  return identity;
}

std::shared_ptr<const DialEndpoint> EndpointAt(
    std::vector<std::string> addresses) {
  const model::Host host(0, HostAt(std::move(addresses)),
                         std::make_shared<model::HostState>());
  return std::make_shared<const DialEndpoint>(DialEndpoint::Of(host, {}, ""));
}

// What becomes of one dialling.
struct Dialled {
  std::optional<absl::StatusOr<Dialer::Connection>> result;
  absl::Time at;
};

TEST(DialEndpoint, TakesTheFamiliesInTurnsAndSeesChanges) {
  const std::vector<std::string> addresses = {"10.0.0.1:80", "10.0.0.2:80",
                                              "[fd00::1]:80"};
  const model::Host host(0, HostAt(addresses),
                         std::make_shared<model::HostState>());
  const DialEndpoint endpoint = DialEndpoint::Of(host, {}, "");
  EXPECT_THAT(
      endpoint.addresses,
      ::testing::ElementsAre("10.0.0.1:80", "[fd00::1]:80", "10.0.0.2:80"));
  EXPECT_TRUE(endpoint.IsOf(host));
  event::HappyEyeballsOrder order;
  order.first_address_family = event::HappyEyeballsOrder::Family::kV6;
  EXPECT_EQ(DialEndpoint::Of(host, order, "").addresses[0], "[fd00::1]:80");
  const model::Host fewer(0, HostAt({"10.0.0.1:80", "10.0.0.2:80"}),
                          std::make_shared<model::HostState>());
  EXPECT_FALSE(endpoint.IsOf(fewer));
}

class SimulatedDialer : public ::testing::Test {
 protected:
  SimulatedDialer() {
    link_.latency = kLatency;
    network_.SetDefaultLink(link_);
  }
  void Listen(const std::string& endpoint) {
    auto listener = network_.Listen(endpoint + ":80", [this](auto stream) {
      accepted_.push_back(std::move(stream));
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listeners_.push_back(*std::move(listener));
  }
  std::shared_ptr<Dialer> Dial(std::vector<std::string> addresses,
                               Dialled& dialled) {
    auto options = std::make_shared<UpstreamOptions>();
    options->connect_timeout = absl::Seconds(2);
    return Dialer::Begin(&loop_, &network_, options,
                         EndpointAt(std::move(addresses)), {},
                         [this, &dialled](auto result) {
                           EXPECT_FALSE(dialled.result.has_value());
                           dialled.result = std::move(result);
                           dialled.at = loop_.Now();
                         });
  }
  // Where the connection leads; "" if there is none.
  std::string PeerOf(const Dialled& dialled) {
    if (!dialled.result.has_value() || !dialled.result->ok()) return "";
    return (*dialled.result)->stream->PeerAddress();
  }
  uint64_t SentTo(const std::string& endpoint) {
    return network_.stats("client", endpoint).connects;
  }

  FakeClock clock_;
  SimulatedLoop loop_{&clock_};
  SimulatedNetwork network_{&loop_};
  SimulatedLink link_;
  std::vector<std::unique_ptr<event::Listener>> listeners_;
  std::vector<std::unique_ptr<event::Stream>> accepted_;
};

TEST_F(SimulatedDialer, AsksNobodyElseWhileTheFirstAnswersInTime) {
  Listen("a");
  Listen("b");
  Dialled dialled;
  const absl::Time start = loop_.Now();
  const auto dialer = Dial({"a:80", "b:80"}, dialled);
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(PeerOf(dialled), "a:80");
  EXPECT_EQ(dialled.at, start + 2 * kLatency);
  EXPECT_EQ(SentTo("b"), 0u);
}

TEST_F(SimulatedDialer, TriesTheNextOneAfter250Milliseconds) {
  Listen("a");
  Listen("b");
  network_.SetIsolated("a", true);
  Dialled dialled;
  const absl::Time start = loop_.Now();
  const auto dialer = Dial({"a:80", "b:80"}, dialled);
  loop_.RunFor(kStagger - absl::Milliseconds(1));
  EXPECT_EQ(SentTo("b"), 0u);
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(PeerOf(dialled), "b:80");
  EXPECT_EQ(dialled.at, start + kStagger + 2 * kLatency);
}

TEST_F(SimulatedDialer, TriesTheNextOneAtOnceWhenOneIsRefused) {
  Listen("c");
  Dialled dialled;
  const absl::Time start = loop_.Now();
  const auto dialer = Dial({"a:80", "b:80", "c:80"}, dialled);
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(PeerOf(dialled), "c:80");
  EXPECT_EQ(dialled.at, start + 6 * kLatency);
}

TEST_F(SimulatedDialer, ClosesTheOneThatComesLater) {
  Listen("a");
  Listen("b");
  link_.latency = absl::Milliseconds(200);
  network_.SetLink("client", "a", link_);
  Dialled dialled;
  const absl::Time start = loop_.Now();
  const auto dialer = Dial({"a:80", "b:80"}, dialled);
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(PeerOf(dialled), "b:80");
  EXPECT_EQ(dialled.at, start + kStagger + 2 * kLatency);
  EXPECT_EQ(network_.connections(), 1u);
}

TEST_F(SimulatedDialer, TakesTheSlowFirstOneIfItIsThereBeforeTheSecond) {
  Listen("a");
  Listen("b");
  link_.latency = absl::Milliseconds(126);
  network_.SetLink("client", "a", link_);
  Dialled dialled;
  const absl::Time start = loop_.Now();
  const auto dialer = Dial({"a:80", "b:80"}, dialled);
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(PeerOf(dialled), "a:80");
  EXPECT_EQ(dialled.at, start + absl::Milliseconds(252));
  EXPECT_EQ(network_.connections(), 1u);
  for (const auto& stream : accepted_) {
    if (stream->LocalAddress() != "b:80") continue;
    char byte;
    EXPECT_NE(stream->Read(absl::MakeSpan(&byte, 1)).code,
              event::IoResult::Code::kBlocked);
  }
}

TEST_F(SimulatedDialer, NamesEveryAddressThatFailed) {
  Dialled dialled;
  const auto dialer = Dial({"a:80", "b:80"}, dialled);
  loop_.RunFor(absl::Seconds(10));
  ASSERT_TRUE(dialled.result.has_value());
  const absl::Status& status = dialled.result->status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("a:80: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("; b:80: "));
}

TEST_F(SimulatedDialer, TakesNoLongerThanOneConnectTimeoutForAll) {
  network_.SetIsolated("a", true);
  network_.SetIsolated("b", true);
  Dialled dialled;
  const absl::Time start = loop_.Now();
  const auto dialer = Dial({"a:80", "b:80"}, dialled);
  loop_.RunFor(absl::Seconds(10));
  ASSERT_TRUE(dialled.result.has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(dialled.result->status()));
  EXPECT_EQ(dialled.at, start + absl::Seconds(2));
}

TEST_F(SimulatedDialer, TellsNobodyOnceItIsAbandoned) {
  Listen("b");
  network_.SetIsolated("a", true);
  Dialled dialled;
  const auto dialer = Dial({"a:80", "b:80"}, dialled);
  loop_.RunFor(kStagger + kLatency / 2);
  dialer->Abandon();
  loop_.RunFor(absl::Seconds(10));
  EXPECT_FALSE(dialled.result.has_value());
  accepted_.clear();
  loop_.RunFor(absl::Seconds(10));
  EXPECT_EQ(network_.connections(), 0u);
}

// A listener whose queue is full: what connects to it hears nothing.
class FullListener {
 public:
  FullListener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, any, size), 0);
    EXPECT_EQ(listen(fd_, 0), 0);
    EXPECT_EQ(getsockname(fd_, any, &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
    for (int& client : clients_) {
      client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      connect(client, any, size);
    }
  }
  ~FullListener() {
    for (const int client : clients_) close(client);
    close(fd_);
  }
  const std::string& address() const { return address_; }

 private:
  const int fd_;
  int clients_[4];
  std::string address_;
};

TEST(SocketDialer, GoesOnWithTheAddressThatAnswers) {
  const FullListener silent;
  auto loop = event::EpollLoop::Create(SystemClock());
  ASSERT_TRUE(loop.ok());
  SocketNetwork network(loop->get());
  auto listener = network.Listen("127.0.0.1:0", [](auto) {});
  ASSERT_TRUE(listener.ok()) << listener.status();
  auto options = std::make_shared<UpstreamOptions>();
  options->connect_timeout = absl::Seconds(30);
  Dialled dialled;
  const absl::Time start = absl::Now();
  const auto dialer =
      Dialer::Begin(loop->get(), &network, options,
                    EndpointAt({silent.address(), (*listener)->Address()}), {},
                    [&](auto result) { dialled.result = std::move(result); });
  while (!dialled.result.has_value()) (*loop)->RunOnce(absl::Seconds(1));
  ASSERT_TRUE(dialled.result->ok()) << dialled.result->status();
  EXPECT_EQ((*dialled.result)->stream->PeerAddress(), (*listener)->Address());
  EXPECT_GE(absl::Now() - start, kStagger);
  dialled.result.reset();
}

}  // namespace
}  // namespace meshlib::net

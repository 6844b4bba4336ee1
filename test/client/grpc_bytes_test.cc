#include "meshlib/grpc_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "net/grpc_framing.h"
#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using grpc_bytes::CallOptions;
using grpc_bytes::Client;
using grpc_bytes::Result;
using meshlib::testing::Backend;
using meshlib::testing::BackendAnswer;
using Fault = BackendAnswer::Fault;
using ::testing::HasSubstr;

constexpr char kMethod[] = "http://greeter/hello.Greeter/Hello";

class GrpcBytesTest : public ::testing::Test {
 protected:
  void Start(size_t count, const std::string& action = "timeout: 10s",
             grpc_bytes::ClientOptions client_options = {}) {
    backends_ = *meshlib::testing::StartBackends(count);
    MeshText text;
    text.http2 = true;
    text.addresses = meshlib::testing::BackendAddresses(backends_);
    text.action = action;
    mesh_ = MeshOf(text);
    ASSERT_NE(mesh_, nullptr);
    client_ = *Client::Create(*mesh_, client_options);
  }

  Backend& backend() { return *backends_[0]; }

  // Echoes messages, and ends with a status that is OK.
  static BackendAnswer EchoMessages() {
    BackendAnswer answer = BackendAnswer::Echo();
    answer.headers = {{"content-type", "application/grpc"}};
    answer.trailers = {{"grpc-status", "0"}, {"x-end", "yes"}};
    return answer;
  }

  static std::string Framed(std::string_view message) {
    std::string framed;
    EXPECT_TRUE(
        net::AppendGrpcMessage(message, false, size_t{1} << 30, framed).ok());
    return framed;
  }

  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<Client> client_;
};

TEST_F(GrpcBytesTest, GivesTheMessageAndTheMetadata) {
  Start(1);
  BackendAnswer answer = BackendAnswer::Grpc(0, "hello you");
  answer.headers.emplace_back("x-first", "1");
  answer.trailers.emplace_back("x-last-bin", "AAE=");
  backend().SetAnswer(answer);
  CallOptions options;
  options.timeout = absl::Seconds(20);
  options.metadata = {{"x-who", "me"}};
  const Result result = client_->Unary(kMethod, "you", options);
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.message, "hello you");
  EXPECT_EQ(result.initial_metadata.Get("x-first"), "1");
  EXPECT_EQ(result.trailing_metadata.Get("x-last-bin"),
            std::string_view("\0\1", 2));
  EXPECT_EQ(result.attempts, 1u);
  EXPECT_EQ(result.host, backend().address());
  const auto seen = backend().LastRequest();
  EXPECT_EQ(seen->path, "/hello.Greeter/Hello");
  EXPECT_EQ(seen->method, "POST");
  EXPECT_EQ(seen->body, Framed("you"));
  EXPECT_EQ(seen->Get("te"), "trailers");
  EXPECT_EQ(seen->Get("x-who"), "me");
  EXPECT_EQ(seen->Get("grpc-timeout"), "20000000u");
}

TEST_F(GrpcBytesTest, AnswersCallbacks) {
  Start(1);
  backend().SetAnswer(BackendAnswer::Grpc(0, "hi"));
  std::promise<Result> told;
  client_->UnaryAsync(kMethod, "x", {}, [&](Result result) {
    told.set_value(std::move(result));
  });
  const Result result = told.get_future().get();
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.message, "hi");

  CallOptions bad;
  bad.metadata = {{"grpc-x", "1"}};
  std::promise<Result> refused;
  client_->UnaryAsync(kMethod, "x", bad, [&](Result result) {
    refused.set_value(std::move(result));
  });
  const absl::Status status = refused.get_future().get().status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("grpc-x"));
}

TEST_F(GrpcBytesTest, GivesTheStatusOfTheHost) {
  Start(1);
  for (const bool trailers_only : {true, false}) {
    backend().SetAnswer(BackendAnswer::Grpc(
        5, trailers_only ? std::nullopt : std::optional<std::string>("part"),
        "no%20such%20thing"));
    const Result result = client_->Unary(kMethod, "x");
    EXPECT_EQ(result.status, absl::NotFoundError("no such thing"));
    EXPECT_EQ(result.message, "");
    auto stream = client_->Open(kMethod);
    ASSERT_TRUE(stream.ok()) << stream.status();
    EXPECT_EQ(stream->Finish(), absl::NotFoundError("no such thing"));
  }
}

TEST_F(GrpcBytesTest, MapsResponsesThatAreNoGrpc) {
  Start(1);
  backend().SetAnswer(BackendAnswer::Status(403, "<html>"));
  EXPECT_EQ(client_->Unary(kMethod, "x").status.code(),
            absl::StatusCode::kPermissionDenied);
  auto stream = client_->Open(kMethod);
  stream->WritesDone();
  std::string message;
  EXPECT_FALSE(stream->Read(message));
  EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kPermissionDenied);
  backend().SetAnswer(BackendAnswer::Status(200, "<html>"));
  EXPECT_EQ(client_->Unary(kMethod, "x").status.code(),
            absl::StatusCode::kUnknown);
}

TEST_F(GrpcBytesTest, EndsAtItsDeadline) {
  Start(1);
  backend().SetAnswer(BackendAnswer::Failing(Fault::kStall));
  CallOptions options;
  options.timeout = absl::Milliseconds(50);
  EXPECT_EQ(client_->Unary(kMethod, "x", options).status.code(),
            absl::StatusCode::kDeadlineExceeded);
  auto stream = client_->Open(kMethod, options);
  EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(GrpcBytesTest, CancelsCalls) {
  Start(1);
  backend().SetAnswer(BackendAnswer::Failing(Fault::kStall));
  std::promise<Result> told;
  http::CallHandle call = client_->UnaryAsync(
      kMethod, "x", {},
      [&](Result result) { told.set_value(std::move(result)); });
  ASSERT_TRUE(backend().WaitForRequests(1));
  call.Cancel();
  EXPECT_EQ(told.get_future().get().status.code(),
            absl::StatusCode::kCancelled);
  auto stream = client_->Open(kMethod);
  std::thread reader([&] {
    EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kCancelled);
  });
  ASSERT_TRUE(backend().WaitForRequests(2));
  stream->Cancel();
  reader.join();
}

TEST_F(GrpcBytesTest, RepeatsCallsOnTheConditionsOfGrpc) {
  Start(2, kRetries);
  // In the headers, so that it can be tried elsewhere.
  backends_[0]->SetAnswer(BackendAnswer::Grpc(14, std::nullopt));
  backends_[1]->SetAnswer(BackendAnswer::Grpc(0, "hi"));
  for (int i = 0; i < 6; ++i) {
    const Result result = client_->Unary(kMethod, "x");
    ASSERT_TRUE(result.status.ok()) << result.status;
    auto stream = client_->Open(kMethod);
    ASSERT_TRUE(stream->Write("abc"));
    stream->WritesDone();
    std::string message;
    ASSERT_TRUE(stream->Read(message)) << stream->Finish();
    EXPECT_EQ(message, "hi");
    EXPECT_EQ(backends_[1]->LastRequest()->body, Framed("abc"));
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_GE(backends_[0]->Counts().requests, 1u);
  // Not on others.
  for (const auto& backend : backends_) {
    backend->ResetCounts();
    backend->SetAnswer(BackendAnswer::Grpc(5, std::nullopt));
  }
  EXPECT_EQ(client_->Unary(kMethod, "x").status.code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(backends_[0]->Counts().requests + backends_[1]->Counts().requests,
            1u);
}

TEST_F(GrpcBytesTest, LimitsWhatItReceives) {
  grpc_bytes::ClientOptions options;
  options.max_receive_bytes = 1000;
  Start(1, "timeout: 10s", options);
  backend().SetAnswer(BackendAnswer::Grpc(0, std::string(1000, 'x')));
  EXPECT_TRUE(client_->Unary(kMethod, "x").status.ok());
  backend().SetAnswer(BackendAnswer::Grpc(0, std::string(1001, 'x')));
  EXPECT_EQ(client_->Unary(kMethod, "x").status.code(),
            absl::StatusCode::kResourceExhausted);
  auto stream = client_->Open(kMethod);
  stream->WritesDone();
  std::string message;
  EXPECT_FALSE(stream->Read(message));
  EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(GrpcBytesTest, StreamsMessagesBothWays) {
  Start(1);
  backend().SetAnswer(EchoMessages());
  auto stream = client_->Open(kMethod);
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string message;
  for (int i = 0; i < 50; ++i) {
    const std::string text = absl::StrCat("message ", i);
    ASSERT_TRUE(stream->Write(text));
    ASSERT_TRUE(stream->Read(message)) << stream->Finish();
    EXPECT_EQ(message, text);
  }
  EXPECT_EQ(stream->ReadInitialMetadata().Get("x-backend"),
            backend().address());
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(message));
  EXPECT_EQ(stream->Finish(), absl::OkStatus());
  EXPECT_EQ(stream->trailing_metadata().Get("x-end"), "yes");
  EXPECT_FALSE(stream->Write("more"));
}

TEST_F(GrpcBytesTest, StreamsFromTwoThreads) {
  Start(1);
  backend().SetAnswer(EchoMessages());
  auto stream = client_->Open(kMethod);
  std::thread writer([&] {
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE(stream->Write(std::string(i * 37, 'x')));
    }
    stream->WritesDone();
  });
  std::string message;
  size_t count = 0;
  while (stream->Read(message)) {
    EXPECT_EQ(message.size(), count * 37);
    ++count;
  }
  writer.join();
  EXPECT_EQ(count, 300u);
  EXPECT_EQ(stream->Finish(), absl::OkStatus());
}

TEST_F(GrpcBytesTest, SaysWhatIsWrongWithAStream) {
  Start(1);
  // A message that is cut off.
  BackendAnswer answer = EchoMessages();
  answer.echo = false;
  answer.body = Framed("hello").substr(0, 7);
  backend().SetAnswer(answer);
  auto cut = client_->Open(kMethod);
  EXPECT_EQ(cut->Finish().code(), absl::StatusCode::kInternal);
  // No status.
  answer.body = Framed("hello");
  answer.trailers = {{"x", "y"}};
  backend().SetAnswer(answer);
  auto silent = client_->Open(kMethod);
  silent->WritesDone();
  std::string message;
  EXPECT_TRUE(silent->Read(message));
  EXPECT_FALSE(silent->Read(message));
  EXPECT_EQ(silent->Finish().code(), absl::StatusCode::kUnknown);
  // Lost on the way.
  answer.fault = Fault::kAbortInBody;
  backend().SetAnswer(answer);
  auto lost = client_->Open(kMethod);
  EXPECT_EQ(lost->Finish().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(client_->Open("nothing").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace meshlib::client

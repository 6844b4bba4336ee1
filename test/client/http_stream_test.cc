#include "meshlib/http_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "test/client/test_mesh.h"

namespace meshlib::client {
namespace {

using http::AsyncStream;
using http::Client;
using meshlib::testing::Backend;
using meshlib::testing::BackendAnswer;
using Fault = BackendAnswer::Fault;
using ::testing::HasSubstr;

class HttpStreamTest : public ::testing::TestWithParam<bool> {
 protected:
  void Start(size_t count, const std::string& action = "timeout: 10s") {
    backends_ = *meshlib::testing::StartBackends(count);
    text_.http2 = GetParam();
    text_.addresses = meshlib::testing::BackendAddresses(backends_);
    text_.action = action;
    mesh_ = MeshOf(text_);
    ASSERT_NE(mesh_, nullptr);
    client_ = *Client::Create(*mesh_);
  }

  void SetAnswers(const BackendAnswer& answer) {
    for (const auto& backend : backends_) backend->SetAnswer(answer);
  }

  static http::Request Post(std::string body = "") {
    http::Request request;
    request.method = "POST";
    request.url = "http://echo/stream";
    request.body = std::move(body);
    return request;
  }

  http::Stream Open(Client::Body body = Client::Body::kFollows) {
    auto stream = client_->Open(Post(), body);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }

  // Reads to the end.
  static absl::StatusOr<std::string> ReadAll(http::Stream& stream) {
    std::string all;
    std::string piece;
    while (true) {
      const absl::StatusOr<bool> more = stream.Read(piece);
      if (!more.ok()) return more.status();
      if (!*more) return all;
      all += piece;
    }
  }

  // Reads at least so many bytes.
  static absl::StatusOr<std::string> ReadSome(http::Stream& stream,
                                              size_t bytes) {
    std::string all;
    std::string piece;
    while (all.size() < bytes) {
      const absl::StatusOr<bool> more = stream.Read(piece);
      if (!more.ok()) return more.status();
      if (!*more) return absl::OutOfRangeError("the end");
      all += piece;
    }
    return all;
  }

  uint64_t Requests() const {
    uint64_t sum = 0;
    for (const auto& backend : backends_) sum += backend->Counts().requests;
    return sum;
  }

  uint64_t Counted(std::string_view name) const {
    return CountedIn(*mesh_, name);
  }

  MeshText text_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Mesh> mesh_;
  std::optional<Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Http, HttpStreamTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Http2" : "Http1";
                         });

TEST_P(HttpStreamTest, GoesBothWaysAtATime) {
  Start(1);
  SetAnswers(BackendAnswer::Echo());
  http::Stream stream = Open();
  for (int i = 0; i < 20; ++i) {
    const std::string text = absl::StrCat("piece ", i);
    ASSERT_TRUE(stream.Write(text).ok());
    const auto back = ReadSome(stream, text.size());
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, text);
  }
  const auto head = stream.ReadHead();
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->attempts, 1u);
  EXPECT_EQ(head->host, backends_[0]->address());
  EXPECT_EQ(head->cluster, "c");
  ASSERT_TRUE(stream.CloseWrite().ok());
  const auto rest = ReadAll(stream);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, "");
  EXPECT_EQ(stream.Write("more").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(HttpStreamTest, CarriesTrailersBothWays) {
  Start(1);
  BackendAnswer answer = BackendAnswer::Status(200, "body");
  answer.trailers = {{"x-sum", "17"}};
  SetAnswers(answer);
  http::Stream stream = Open();
  ASSERT_TRUE(stream.Write("abc").ok());
  EXPECT_EQ(stream.CloseWrite({{"bad name", "x"}}).code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(stream.CloseWrite({{"X-Check", "yes"}}).ok());
  EXPECT_EQ(*ReadAll(stream), "body");
  EXPECT_EQ(stream.trailers().Get("x-sum"), "17");
  const auto seen = backends_[0]->LastRequest();
  EXPECT_EQ(seen->body, "abc");
  ASSERT_EQ(seen->trailers.size(), 1u);
  EXPECT_EQ(seen->trailers[0].first, "x-check");
}

TEST_P(HttpStreamTest, SendsAWholeBodyWithItsLength) {
  Start(1);
  auto stream = client_->Open(Post("12345"), Client::Body::kWhole);
  ASSERT_TRUE(stream->ReadHead().ok());
  const auto seen = backends_[0]->LastRequest();
  EXPECT_EQ(seen->body, "12345");
  EXPECT_EQ(seen->Get("transfer-encoding"), "");
  if (!GetParam()) {
    EXPECT_EQ(seen->Get("content-length"), "5");
  }
}

TEST_P(HttpStreamTest, SendsWhatTheRequestHasBeforeWhatIsWritten) {
  Start(1);
  auto stream = client_->Open(Post("first,"));
  ASSERT_TRUE(stream->Write("second").ok());
  ASSERT_TRUE(stream->CloseWrite().ok());
  ASSERT_TRUE(stream->ReadHead().ok());
  EXPECT_EQ(backends_[0]->LastRequest()->body, "first,second");
}

TEST_P(HttpStreamTest, EndsAnUploadThatWaitsForContinue) {
  Start(1);
  SetAnswers(BackendAnswer::Echo());
  for (const std::string_view body : {"", "all of it"}) {
    for (const bool trailers : {false, true}) {
      http::Request request = Post();
      request.headers.Add("expect", "100-continue");
      auto stream = client_->Open(request, Client::Body::kFollows);
      ASSERT_TRUE(stream.ok()) << stream.status();
      if (!body.empty()) ASSERT_TRUE(stream->Write(body).ok());
      http::Headers last;
      if (trailers) last.Add("x-last", "1");
      ASSERT_TRUE(stream->CloseWrite(last).ok());
      const auto all = ReadAll(*stream);
      ASSERT_TRUE(all.ok()) << all.status();
      EXPECT_EQ(*all, body);
    }
  }
}

TEST_P(HttpStreamTest, HoldsBackAWriterWhomNobodyReads) {
  Start(1);
  SetAnswers(BackendAnswer::Echo());
  http::Stream stream = Open();
  constexpr size_t kTotal = size_t{64} << 20;
  const std::string piece(size_t{1} << 20, 'x');
  std::atomic<size_t> written{0};
  std::thread writer([&] {
    while (written < kTotal) {
      ASSERT_TRUE(stream.Write(piece).ok());
      written += piece.size();
    }
    ASSERT_TRUE(stream.CloseWrite().ok());
  });
  ASSERT_TRUE(backends_[0]->WaitFor(
      [](const auto& counts) { return counts.bytes_received > 60000; }));
  size_t read = 0;
  size_t most = 0;
  std::string bytes;
  while (true) {
    const auto more = stream.Read(bytes);
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    read += bytes.size();
    const size_t so_far = written;
    most = std::max(most, so_far - std::min(so_far, read));
  }
  writer.join();
  EXPECT_EQ(read, kTotal);
  // Windows, and what the system holds of a connection.
  EXPECT_LT(most, size_t{32} << 20);
}

TEST_P(HttpStreamTest, ReadsOnlyWhatIsAskedFor) {
  Start(1);
  SetAnswers(BackendAnswer::Status(200, std::string(size_t{64} << 20, 'x')));
  http::Stream stream = Open(Client::Body::kWhole);
  ASSERT_TRUE(stream.ReadHead().ok());
  std::string first;
  ASSERT_TRUE(*stream.Read(first));
  EXPECT_EQ(backends_[0]->Counts().complete_responses, 0u);
  const auto rest = ReadAll(stream);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(first.size() + rest->size(), size_t{64} << 20);
}

TEST_P(HttpStreamTest, RepeatsElsewhereWhatWasWrittenSoFar) {
  Start(2, kRetries);
  BackendAnswer failing = BackendAnswer::Failing(Fault::kResetBeforeHeaders);
  failing.early = true;
  backends_[0]->SetAnswer(failing);
  backends_[1]->SetAnswer(BackendAnswer::Echo());
  for (int i = 0; i < 6; ++i) {
    http::Stream stream = Open();
    ASSERT_TRUE(stream.Write("abc").ok());
    const auto head = stream.ReadHead();
    ASSERT_TRUE(head.ok()) << head.status();
    EXPECT_EQ(head->host, backends_[1]->address());
    ASSERT_TRUE(stream.Write("def").ok());
    ASSERT_TRUE(stream.CloseWrite().ok());
    EXPECT_EQ(*ReadAll(stream), "abcdef");
  }
  EXPECT_GE(backends_[0]->Counts().requests, 1u);
}

TEST_P(HttpStreamTest, RepeatsAfterAnErrorThatThePolicyNames) {
  Start(2, kRetries);
  backends_[0]->SetAnswer(BackendAnswer::Status(503, "busy"));
  backends_[1]->SetAnswer(BackendAnswer::Status(200, "fine"));
  for (int i = 0; i < 4; ++i) {
    http::Stream stream = Open();
    ASSERT_TRUE(stream.Write("abc").ok());
    ASSERT_TRUE(stream.CloseWrite().ok());
    EXPECT_EQ(*ReadAll(stream), "fine");
    EXPECT_EQ(backends_[1]->LastRequest()->body, "abc");
  }
}

TEST_P(HttpStreamTest, DoesNotRepeatMoreThanTheRouteKeeps) {
  text_.virtual_host = "per_request_buffer_limit_bytes: 1000";
  Start(3, kRetries);
  SetAnswers(BackendAnswer::Failing(Fault::kResetBeforeHeaders));
  http::Stream stream = Open();
  ASSERT_TRUE(stream.Write(std::string(1001, 'x')).ok());
  ASSERT_TRUE(stream.CloseWrite().ok());
  EXPECT_EQ(stream.ReadHead().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Requests(), 1u);
  EXPECT_FALSE(client_->Send(Post(std::string(1001, 'x'))).ok());
  EXPECT_EQ(Requests(), 2u);
  EXPECT_FALSE(client_->Send(Post(std::string(1000, 'x'))).ok());
  EXPECT_EQ(Requests(), 5u);
}

TEST_P(HttpStreamTest, EndsWhenTheResponseDoesBeforeTheRequest) {
  Start(1);
  BackendAnswer answer = BackendAnswer::Status(413, "too much");
  answer.early = true;
  SetAnswers(answer);
  http::Stream stream = Open();
  const auto head = stream.ReadHead();
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->status, 413);
  EXPECT_EQ(*ReadAll(stream), "too much");
  const absl::Status status = stream.Write("more");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("wants no more"));
  EXPECT_TRUE(backends_[0]->WaitFor(
      [](const auto& counts) { return counts.open_requests == 0; }));
  // The next one is none the worse for it.
  EXPECT_EQ(client_->Send(Post())->status, 413);
}

TEST_P(HttpStreamTest, GivesWhatCameBeforeAResetThenTheError) {
  Start(2, kRetries);
  BackendAnswer answer = BackendAnswer::Status(200, std::string(1000, 'x'));
  answer.fault = Fault::kResetInBody;
  SetAnswers(answer);
  http::Stream stream = Open(Client::Body::kWhole);
  const auto head = stream.ReadHead();
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->status, 200);
  EXPECT_TRUE(ReadSome(stream, 500).ok());
  const absl::Status status = ReadSome(stream, 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:"));
  EXPECT_EQ(Requests(), 1u);
}

TEST_P(HttpStreamTest, CountsTheRoutesTimeoutFromTheEndOfTheRequest) {
  Start(1, "timeout: 0.05s");
  BackendAnswer answer = BackendAnswer::Echo();
  SetAnswers(answer);
  http::Stream stream = Open();
  const absl::Time until = absl::Now() + absl::Milliseconds(120);
  while (absl::Now() < until) {
    ASSERT_TRUE(stream.Write("ping").ok());
    ASSERT_TRUE(ReadSome(stream, 4).ok());
  }
  ASSERT_TRUE(stream.CloseWrite().ok());
  EXPECT_TRUE(ReadAll(stream).ok());

  SetAnswers(BackendAnswer::Failing(Fault::kStall));
  http::Stream stalled = Open();
  ASSERT_TRUE(stalled.CloseWrite().ok());
  EXPECT_EQ(stalled.ReadHead().status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_P(HttpStreamTest, EndsWhenNothingMoves) {
  Start(1, "timeout: 0s, idle_timeout: 0.05s");
  SetAnswers(BackendAnswer::Echo());
  http::Stream stream = Open();
  const absl::Time until = absl::Now() + absl::Milliseconds(120);
  while (absl::Now() < until) {
    ASSERT_TRUE(stream.Write("ping").ok());
    ASSERT_TRUE(ReadSome(stream, 4).ok());
  }
  EXPECT_EQ(ReadSome(stream, 1).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_P(HttpStreamTest, EndsWhenNothingMovesForAsLongAsTheListenerSays) {
  text_.connection_manager = "stream_idle_timeout: 0.05s";
  Start(1, "timeout: 0s");
  SetAnswers(BackendAnswer::Echo());
  http::Stream stream = Open();
  ASSERT_TRUE(stream.Write("ping").ok());
  ASSERT_TRUE(ReadSome(stream, 4).ok());
  EXPECT_EQ(ReadSome(stream, 1).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Counted("upstream_rq_timeout"), 1u);

  text_.action = "timeout: 0s, idle_timeout: 10s";  // wins
  ASSERT_TRUE(mesh_->ReloadText(text_.ToString()).ok());
  http::Stream longer = Open();
  ASSERT_TRUE(longer.Write("ping").ok());
  ASSERT_TRUE(ReadSome(longer, 4).ok());
  std::string piece;
  const absl::Time begun = absl::Now();
  std::thread waker([&] {
    while (absl::Now() < begun + absl::Milliseconds(120)) {
      std::this_thread::yield();
    }
    longer.Write("pong").IgnoreError();
  });
  EXPECT_TRUE(ReadSome(longer, 4).ok());
  waker.join();
}

TEST_P(HttpStreamTest, TriesElsewhereWhenATryMovesNothing) {
  Start(1,
        "timeout: 0s, retry_policy: {retry_on: reset, num_retries: 1, "
        "per_try_idle_timeout: 0.05s, "
        "retry_back_off: {base_interval: 0.001s}}");
  SetAnswers(BackendAnswer::Failing(Fault::kStall));
  http::Stream stream = Open();
  ASSERT_TRUE(stream.CloseWrite().ok());
  EXPECT_EQ(stream.ReadHead().status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Requests(), 2u);
  EXPECT_EQ(Counted("upstream_rq_per_try_idle_timeout"), 2u);

  // Once the response has begun there is no other try.
  BackendAnswer answer = BackendAnswer::Failing(Fault::kStallAfterHeaders);
  answer.body = "never";
  SetAnswers(answer);
  http::Stream begun = Open();
  ASSERT_TRUE(begun.CloseWrite().ok());
  ASSERT_TRUE(begun.ReadHead().ok());
  EXPECT_EQ(ReadAll(begun).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Requests(), 3u);
  EXPECT_EQ(Counted("upstream_rq_per_try_idle_timeout"), 3u);
}

TEST_P(HttpStreamTest, EndsAtTheListenersLongestDuration) {
  text_.connection_manager =
      "common_http_protocol_options: {max_stream_duration: 0.05s}";
  Start(1, "timeout: 0s");
  SetAnswers(BackendAnswer::Echo());
  http::Stream stream = Open();
  absl::Status status;
  while (status.ok()) {
    status = stream.Write("ping");
    if (status.ok()) status = ReadSome(stream, 4).status();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(HttpStreamTest, EndsAtItsLongestDuration) {
  Start(1, "timeout: 0s, max_stream_duration: {max_stream_duration: 0.05s}");
  SetAnswers(BackendAnswer::Echo());
  http::Stream stream = Open();
  absl::Status status;
  while (status.ok()) {
    status = stream.Write("ping");
    if (status.ok()) status = ReadSome(stream, 4).status();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
}

TEST_P(HttpStreamTest, CancelsFromAnotherThread) {
  Start(1);
  SetAnswers(BackendAnswer::Failing(Fault::kStall));
  http::Stream stream = Open();
  std::thread reader([&] {
    EXPECT_EQ(stream.ReadHead().status().code(), absl::StatusCode::kCancelled);
  });
  ASSERT_TRUE(backends_[0]->WaitForRequests(1));
  stream.Cancel();
  reader.join();
  EXPECT_TRUE(backends_[0]->WaitFor(
      [](const auto& counts) { return counts.open_requests == 0; }));
}

TEST_P(HttpStreamTest, EndsWhenTheMeshShutsDown) {
  Start(1);
  SetAnswers(BackendAnswer::Echo());
  http::Stream stream = Open();
  ASSERT_TRUE(stream.ReadHead().ok());
  std::thread reader([&] { EXPECT_FALSE(ReadAll(stream).ok()); });
  mesh_->Shutdown();
  reader.join();
  EXPECT_EQ(client_->Open(Post()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_P(HttpStreamTest, GivesWhatTheRouteAnswers) {
  text_.more_routes = R"(
              - match: {prefix: /stream}
                direct_response: {status: 418, body: {inline_string: tea}}
)";
  Start(1);
  http::Stream stream = Open();
  EXPECT_EQ(stream.ReadHead()->status, 418);
  EXPECT_EQ(*ReadAll(stream), "tea");
}

TEST_P(HttpStreamTest, LetsManyThreadsStream) {
  Start(2);
  SetAnswers(BackendAnswer::Echo());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 30; ++i) {
        http::Stream stream = Open();
        std::thread writer([&] {
          for (int k = 0; k < 20; ++k) {
            ASSERT_TRUE(stream.Write(std::string(1000, 'x')).ok());
          }
          ASSERT_TRUE(stream.CloseWrite().ok());
        });
        const auto all = ReadAll(stream);
        writer.join();
        ASSERT_TRUE(all.ok()) << all.status();
        EXPECT_EQ(all->size(), 20000u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// --- Without blocking ---

// Sends `total` bytes as there is room, and reads all that comes.
class Copier final : public http::StreamObserver {
 public:
  explicit Copier(size_t total) : left_(total) {}

  void OnHead(AsyncStream& stream, const http::ResponseHead& head) override {
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(heads_++, 0);
    Send(stream);
  }
  void OnReadable(AsyncStream& stream) override {
    EXPECT_EQ(heads_, 1);
    while (stream.Read(body_) == AsyncStream::ReadResult::kData) {
    }
  }
  void OnWritable(AsyncStream& stream) override { Send(stream); }
  void OnDone(AsyncStream& stream, const absl::Status& status) override {
    while (stream.Read(body_) == AsyncStream::ReadResult::kData) {
    }
    EXPECT_EQ(stream.Read(body_), AsyncStream::ReadResult::kEnd);
    done_.set_value(status);
  }

  absl::Status Wait() { return done_.get_future().get(); }
  size_t size() const { return body_.size(); }
  int heads() const { return heads_; }

 private:
  void Send(AsyncStream& stream) {
    while (left_ != 0) {
      const size_t take = std::min<size_t>(left_, 10000);
      left_ -= take;
      const bool room = stream.Write(std::string(take, 'y'));
      if (left_ == 0) return stream.CloseWrite().IgnoreError();
      if (!room) return;
    }
  }

  size_t left_;
  std::string body_;
  int heads_ = 0;
  std::promise<absl::Status> done_;
};

TEST_P(HttpStreamTest, TellsAnObserverWhenToGoOn) {
  Start(1);
  SetAnswers(BackendAnswer::Echo());
  const auto copier = std::make_shared<Copier>(5000000);
  client_->OpenAsync(Post(), copier);
  EXPECT_EQ(copier->Wait(), absl::OkStatus());
  EXPECT_EQ(copier->size(), 5000000u);
  EXPECT_EQ(copier->heads(), 1);
}

TEST_P(HttpStreamTest, TellsAnObserverHowItFailed) {
  Start(1);
  SetAnswers(BackendAnswer::Failing(Fault::kResetBeforeHeaders));
  const auto failed = std::make_shared<Copier>(0);
  client_->OpenAsync(Post(), failed, Client::Body::kWhole);
  EXPECT_EQ(failed->Wait().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(failed->heads(), 0);

  http::Request request;
  request.url = "nothing";
  const auto refused = std::make_shared<Copier>(0);
  client_->OpenAsync(request, refused);
  EXPECT_EQ(refused->Wait().code(), absl::StatusCode::kInvalidArgument);

  SetAnswers(BackendAnswer::Failing(Fault::kStall));
  const auto cancelled = std::make_shared<Copier>(0);
  AsyncStream stream = client_->OpenAsync(Post(), cancelled);
  ASSERT_TRUE(backends_[0]->WaitForRequests(2));
  stream.Cancel();
  EXPECT_EQ(cancelled->Wait().code(), absl::StatusCode::kCancelled);
}

TEST_P(HttpStreamTest, RefusesToBlockAnIoThread) {
  Start(1);
  std::promise<absl::Status> inner;
  client_->SendAsync(Post(), [&](auto response) {
    http::Stream stream = Open();
    inner.set_value(stream.ReadHead().status());
  });
  EXPECT_EQ(inner.get_future().get().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace meshlib::client

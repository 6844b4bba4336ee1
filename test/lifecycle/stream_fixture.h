#ifndef MESHLIB_TEST_LIFECYCLE_STREAM_FIXTURE_H_
#define MESHLIB_TEST_LIFECYCLE_STREAM_FIXTURE_H_

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "meshlib/http_stream.h"
#include "test/lifecycle/lifecycle_fixture.h"

namespace meshlib {

// Calls back, and keeps how it ended.
class Observer final : public http::StreamObserver {
 public:
  void OnHead(http::AsyncStream& stream,
              const http::ResponseHead& head) override {
    if (on_head) on_head();
  }
  void OnReadable(http::AsyncStream& stream) override {
    if (on_readable) on_readable();
  }
  void OnDone(http::AsyncStream& stream, const absl::Status& status) override {
    done_.set_value(status);
    if (on_done) on_done();
  }

  bool is_done() const {
    return result_.wait_for(std::chrono::seconds(0)) ==
           std::future_status::ready;
  }
  // Waits for it.
  absl::Status done() const { return result_.get(); }

  std::function<void()> on_head, on_readable, on_done;

 private:
  std::promise<absl::Status> done_;
  const std::shared_future<absl::Status> result_ = done_.get_future().share();
};

class StreamTest : public LifecycleTest {
 protected:
  void StartEcho(MeshOptions options = {}) {
    Start(std::move(options));
    backends_[0]->SetAnswer(meshlib::testing::BackendAnswer::Echo());
  }
  static http::Request Post() {
    http::Request request;
    request.method = "POST";
    request.url = "http://echo/stream";
    return request;
  }
  http::Stream Open(http::Client::Body body = http::Client::Body::kFollows) {
    auto stream = client_->Open(Post(), body);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }
  static void ExpectEcho(http::Stream& stream, std::string_view text) {
    const absl::Status written = stream.Write(text);
    EXPECT_TRUE(written.ok()) << written;
    std::string all, piece;
    while (all.size() < text.size()) {
      const absl::StatusOr<bool> more = stream.Read(piece);
      ASSERT_TRUE(more.ok() && *more) << more.status();
      all += piece;
    }
    EXPECT_EQ(all, text);
  }
};

}  // namespace meshlib

#endif  // MESHLIB_TEST_LIFECYCLE_STREAM_FIXTURE_H_

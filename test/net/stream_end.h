#ifndef MESHLIB_TEST_NET_STREAM_END_H_
#define MESHLIB_TEST_NET_STREAM_END_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "event/epoll_loop.h"
#include "event/stream.h"
#include "meshlib/testing/fake_clock.h"
#include "test/net/run_until.h"

namespace meshlib::net {

// One end of a connection: reads all that comes, and writes what it is given.
class StreamEnd final : public event::StreamHandler {
 public:
  void Take(std::unique_ptr<event::Stream> stream) {
    stream_ = std::move(stream);
    stream_->SetHandler(this);
  }
  void OnConnect(absl::Status status) override {
    ++connects;
    connected = std::move(status);
    if (on_connect) on_connect();
  }
  void OnReadable() override {
    static char buffer[100'000];
    const event::IoResult result =
        stream_->Read(absl::MakeSpan(buffer, read_size));
    received.append(buffer, result.bytes);
    if (result.code == event::IoResult::Code::kEnded ||
        result.code == event::IoResult::Code::kFailed) {
      ended = true;
      end = result.code;
      stream_->WantRead(false);
    }
    if (on_readable) on_readable();
  }
  void OnWritable() override {
    while (!unsent.empty()) {
      const std::string_view piece = unsent;
      const event::IoResult result = stream_->Write({&piece, 1});
      if (result.code != event::IoResult::Code::kDone) {
        ++blocked;
        return;
      }
      unsent.erase(0, result.bytes);
    }
    stream_->WantWrite(false);
  }
  void Send(std::string text) {
    unsent = std::move(text);
    stream_->WantWrite(true);
  }
  void Drop() { stream_.reset(); }
  event::Stream& stream() { return *stream_; }

  std::function<void()> on_connect;
  std::function<void()> on_readable;
  absl::Status connected = absl::UnknownError("not yet");
  std::string received;
  std::string unsent;
  size_t read_size = 100'000;
  int connects = 0;
  int blocked = 0;
  bool ended = false;
  event::IoResult::Code end = event::IoResult::Code::kDone;

 private:
  std::unique_ptr<event::Stream> stream_;
};

// A loop for one test, on the test's own thread.
struct TestLoop {
  // Runs it until something holds; false if it does not within seconds.
  bool Until(const std::function<bool()>& done) {
    return RunUntil(*loop, done);
  }

  testing::FakeClock clock;
  std::unique_ptr<event::EpollLoop> loop =
      event::EpollLoop::Create(&clock).value();
};

}  // namespace meshlib::net

#endif  // MESHLIB_TEST_NET_STREAM_END_H_

#ifndef MESHLIB_CLIENT_STREAM_CALL_H_
#define MESHLIB_CLIENT_STREAM_CALL_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "client/call_runner.h"
#include "client/wire_headers.h"
#include "meshlib/http_stream.h"

namespace meshlib::client {

// A request and a response that go piece by piece. The application's calls
// change what the lock guards and poke; everything else happens in Step().
class StreamCall final : public CallRunner {
 public:
  // With `anywhere` the observer may be called on any thread, also from within
  // calls of the application: one that does nothing but wake others.
  static std::shared_ptr<StreamCall> Make(
      std::shared_ptr<const CallEnvironment> environment, Target target,
      http::Request request, std::string_view path,
      std::shared_ptr<http::StreamObserver> observer, bool anywhere);

  // Needs a shared_ptr, like all that follows. `whole`: nothing is written.
  void Begin(bool whole);

  // As in http::AsyncStream. In the child of a fork() the stream is over.
  bool Write(std::string_view bytes);
  absl::Status CloseWrite(const http::Headers& trailers);
  http::AsyncStream::ReadResult Read(std::string& bytes);
  http::Headers trailers() const;

  bool closed() const {
    base::MutexLock lock(mutex_);
    return closed_;
  }
  const CallEnvironment& environment() const { return *environment_; }

 private:
  StreamCall(std::shared_ptr<const CallEnvironment> environment, Target target,
             http::Request request, std::string_view path,
             std::shared_ptr<http::StreamObserver> observer, bool anywhere);

  void FillBody(net::WireRequest& wire,
                net::ClientExchange::Options& options) override;
  bool CanRepeat(size_t limit) const override;
  void OnCommitted() override;
  void OnProgress() override;
  void OnWhole() override;
  void OnAnswered(http::Response response) override;
  void OnFailed(absl::Status status) override;
  void Tell(Origin origin) override;
  void OnExchange(net::ClientExchange& exchange) override;

  // Gives the exchange as much as it takes.
  void Pump() MESHLIB_REQUIRES(mutex_);
  void EndBody() MESHLIB_REQUIRES(mutex_);
  void Forget() MESHLIB_REQUIRES(mutex_);
  void TakeRest() MESHLIB_REQUIRES(mutex_);
  bool HasRoom() const MESHLIB_REQUIRES(mutex_);
  bool TakeReadable();
  bool TakeWritable();
  bool HasNews();
  void TellAll(const std::shared_ptr<StreamCall>& self);

  const bool anywhere_;
  std::atomic<bool> active_{true};  // since the idle timeout was looked at

  // Of Step() and Tell().
  std::shared_ptr<http::StreamObserver> observer_;
  std::optional<http::ResponseHead> head_;
  bool head_told_ = false;
  bool end_told_ = false;  // EndRequest() was called
  absl::Status status_;    // at the end

  mutable base::Mutex mutex_;
  // The request: buffer_ up to flushed_ is with the exchange, and is kept for
  // another attempt while that is possible.
  std::string buffer_ MESHLIB_GUARDED_BY(mutex_);
  size_t flushed_ MESHLIB_GUARDED_BY(mutex_) = 0;
  bool dropped_ MESHLIB_GUARDED_BY(mutex_) = false;  // a part of it is gone
  bool lent_ MESHLIB_GUARDED_BY(mutex_) = false;     // the exchange has a view
  bool closed_ MESHLIB_GUARDED_BY(mutex_) = false;   // by the application
  bool ended_ MESHLIB_GUARDED_BY(mutex_) = false;    // the exchange knows it
  bool wants_room_ MESHLIB_GUARDED_BY(mutex_) = false;
  http::Headers trailers_out_ MESHLIB_GUARDED_BY(mutex_);
  // The response.
  std::shared_ptr<net::ClientExchange> source_ MESHLIB_GUARDED_BY(mutex_);
  std::string rest_ MESHLIB_GUARDED_BY(mutex_);  // what the source left
  http::Headers trailers_ MESHLIB_GUARDED_BY(mutex_);
  bool told_readable_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool over_ MESHLIB_GUARDED_BY(mutex_) = false;
};

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_STREAM_CALL_H_

#ifndef MESHLIB_CLIENT_STREAM_WAITER_H_
#define MESHLIB_CLIENT_STREAM_WAITER_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "client/stream_call.h"
#include "meshlib/http_stream.h"

namespace meshlib::client {

// Lets threads wait for what happens to a stream: one that reads, one that
// writes. Thread-safe.
class StreamWaiter final : public http::StreamObserver {
 public:
  // As in http::Stream.
  absl::Status Write(StreamCall& call, std::string_view bytes);
  absl::StatusOr<http::ResponseHead> ReadHead(StreamCall& call);
  absl::StatusOr<bool> Read(StreamCall& call, std::string& bytes);

 private:
  void OnHead(http::AsyncStream& stream,
              const http::ResponseHead& head) override;
  void OnReadable(http::AsyncStream& stream) override;
  void OnWritable(http::AsyncStream& stream) override;
  void OnDone(http::AsyncStream& stream, const absl::Status& status) override;

  // Until something may have changed, or without a reason.
  void Wait(const StreamCall& call) MESHLIB_REQUIRES(mutex_);

  base::Mutex mutex_;
  base::CondVar changed_;
  std::optional<http::ResponseHead> head_ MESHLIB_GUARDED_BY(mutex_);
  bool readable_ MESHLIB_GUARDED_BY(mutex_) = false;
  bool writable_ MESHLIB_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> done_ MESHLIB_GUARDED_BY(mutex_);
};

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_STREAM_WAITER_H_

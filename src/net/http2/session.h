#ifndef MESHLIB_NET_HTTP2_SESSION_H_
#define MESHLIB_NET_HTTP2_SESSION_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "meshlib/request.h"
#include "net/http2/frame_guard.h"
#include "net/http2/options.h"
#include "net/http2/session_memory.h"
#include "net/http2/stream.h"

namespace meshlib::net {

// What happens to a whole session. Called as StreamHandler is.
class Http2SessionHandler {
 public:
  virtual ~Http2SessionHandler() = default;
  // Servers: a request came, whose OnHeaders() follows on the handler given
  // here. Null refuses it (REFUSED_STREAM: the client may try elsewhere).
  virtual StreamHandler* OnRequest(Http2Stream& stream) { return nullptr; }
  // The peer takes no new requests. Those that it will not serve get their
  // OnReset(), retriable, right after.
  virtual void OnGoAway(uint32_t error_code, int32_t last_stream_id) {}
  virtual void OnSettings() {}
};

// One side of an HTTP/2 connection, without any I/O: bytes go in and come
// out, times are passed in. Not thread-safe. Handlers are borrowed. Destroying
// it calls no handler; call ConnectionLost() first where that matters.
//
// After Receive() call TakeOutput() when HasOutput(): a connection error may
// show itself only there. After an error the rest of the output (a GOAWAY) may
// still be taken and sent, then the connection is to be closed.
class Http2Session {
 public:
  static std::unique_ptr<Http2Session> Client(const Http2Options& options,
                                              Http2SessionHandler& handler,
                                              absl::Time now);
  static std::unique_ptr<Http2Session> Server(const Http2Options& options,
                                              Http2SessionHandler& handler,
                                              absl::Time now);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Clients: starts a request. ResourceExhausted without capacity (too many
  // wait already), Unavailable when the connection takes no more requests;
  // the request may be sent elsewhere in both cases.
  absl::StatusOr<Http2Stream*> Request(absl::Span<const Header> headers,
                                       bool end_stream, StreamHandler& handler);

  // All bytes that came, in order. ResourceExhausted for floods, Internal for
  // a peer that breaks the protocol: all streams have been reset then.
  absl::Status Receive(absl::Span<const char> bytes, absl::Time now);

  bool HasOutput() const;
  // Appends at least all that is due, up to about `max_bytes`, to `out`.
  absl::Status TakeOutput(std::string& out, size_t max_bytes = 256 << 10);

  // Keepalive and the drain's progress. Unavailable when the peer does not
  // answer: all streams have been reset then.
  absl::Status Tick(absl::Time now);
  // When Tick() is due; infinite future if never.
  absl::Time NextTick() const;

  // Lets the streams that are there end, and takes no more. A server first
  // says that it is going to, waits for the ping to come back, and then says
  // which request is the last: none is lost on the way.
  void Drain(absl::Time now);
  // The drain is through, or both sides are done: nothing is left to do.
  bool Finished() const;

  // Gives back memory that only streams need, if there are none. For times
  // without any: the next one costs some page faults.
  void Trim();

  // The transport is gone: resets all streams. `reason` must not be OK.
  void ConnectionLost(const absl::Status& reason);

  // OK while the session works.
  const absl::Status& status() const { return status_; }
  // Requests can be started (or queued).
  bool AcceptsRequests() const;
  size_t open_streams() const { return open_; }
  size_t pending_requests() const { return pending_.size(); }
  uint32_t peer_max_concurrent_streams() const;
  const Http2Stats& stats() const { return stats_; }
  const Http2Options& options() const { return options_; }
  const SessionMemory& memory() const { return memory_; }

 private:
  friend class Http2Stream;
  struct Callbacks;

  Http2Session(const Http2Options& options, Http2SessionHandler& handler,
               bool server, absl::Time now);
  void Start();

  Http2Stream* NewStream();
  void Release(Http2Stream* stream);
  bool Submit(Http2Stream* stream, absl::Span<const Header> headers);
  // Whether it started a request that waited.
  bool PumpPending();
  bool HasRoomForRequest() const;
  void FailPending();
  void FailAll();
  void Close(Http2Stream* stream, const StreamReset* reset);
  // Ends the connection with a GOAWAY.
  void Terminate(uint32_t error_code, absl::Status status);
  absl::Status Settle();
  void Flush(std::string& out, size_t max_bytes);
  void SendFinalGoAway();
  bool TooMuchInVain() const;
  void Flooded(Http2Flood kind);
  // Views of `headers`.
  using NvList = absl::InlinedVector<nghttp2_nv, 16>;
  static NvList NvOf(absl::Span<const Header> headers);
  void DropBlock();
  bool TooLarge() const {
    return block_size_ > options_.max_header_list_size ||
           block_headers_ > options_.max_headers;
  }

  const Http2Options options_;
  Http2SessionHandler& handler_;
  const bool server_;
  SessionMemory memory_;
  nghttp2_session* h2_ = nullptr;
  absl::Status status_;
  FrameGuard guard_;
  Http2Stats stats_;

  // All stream objects; those not active are in free_.
  std::vector<std::unique_ptr<Http2Stream>> streams_;
  std::vector<Http2Stream*> free_;
  std::list<Http2Stream*> pending_;  // a deque takes memory while empty
  size_t open_ = 0;

  // The header block that is coming in: views into buffers_.
  std::vector<Header> block_;
  std::vector<nghttp2_rcbuf*> buffers_;
  size_t block_size_ = 0;
  size_t block_headers_ = 0;

  // Clients: bytes that came, and those of frames that meant something. What
  // is on its way when a stream is reset means nothing any more.
  int64_t received_ = 0;  // since vain_since_
  int64_t useful_ = 0;
  absl::Time vain_since_;
  int64_t resets_sent_ = 0;
  bool data_wanted_ = false;  // that of the present DATA frame

  // Where the DATA frames go while TakeOutput() runs.
  std::string* out_ = nullptr;
  size_t out_limit_ = 0;
  // Output that was made early, to be taken first.
  std::string spill_;

  bool in_call_ = false;
  bool dead_ = false;     // streams have been failed, nghttp2 is not used
  bool failed_ = false;   // status_ is bad, FailAll() is due
  bool suspect_ = false;  // nghttp2 has probably queued a GOAWAY
  bool calm_down_ = false;
  bool goaway_received_ = false;
  bool draining_ = false;
  bool final_goaway_ = false;

  absl::Time last_receive_;
  absl::Time ping_sent_ = absl::InfiniteFuture();  // keepalive's, if under way
  absl::Time drain_started_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP2_SESSION_H_

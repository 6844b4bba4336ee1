#ifndef MESHLIB_NET_HTTP2_SESSION_CALLBACKS_H_
#define MESHLIB_NET_HTTP2_SESSION_CALLBACKS_H_

#include <nghttp2/nghttp2.h>

#include "net/http2/session.h"

namespace meshlib::net {

inline constexpr uint8_t kKeepalivePing[8] = {'k', 'e', 'e', 'p'};
inline constexpr uint8_t kDrainPing[8] = {'d', 'r', 'a', 'i', 'n'};

// What nghttp2 calls; `user` is the session.
struct Http2Session::Callbacks {
  static void Register(nghttp2_session_callbacks* callbacks);
  static nghttp2_data_provider Body(Http2Stream* stream);
  static Http2Stream* StreamOf(nghttp2_session* h2, int32_t id);

  static int OnBeginHeaders(nghttp2_session* h2, const nghttp2_frame* frame,
                            void* user);
  static int OnHeader(nghttp2_session* h2, const nghttp2_frame* frame,
                      nghttp2_rcbuf* name, nghttp2_rcbuf* value, uint8_t flags,
                      void* user);
  static int OnFrameRecv(nghttp2_session* h2, const nghttp2_frame* frame,
                         void* user);
  static int OnDataChunk(nghttp2_session* h2, uint8_t flags, int32_t id,
                         const uint8_t* data, size_t size, void* user);
  static int OnStreamClose(nghttp2_session* h2, int32_t id, uint32_t error_code,
                           void* user);
  static int OnFrameSend(nghttp2_session* h2, const nghttp2_frame* frame,
                         void* user);
  static int OnInvalidFrame(nghttp2_session* h2, const nghttp2_frame* frame,
                            int error, void* user);
  static int OnError(nghttp2_session* h2, int error, const char* message,
                     size_t size, void* user);
  static ssize_t ReadBody(nghttp2_session* h2, int32_t id, uint8_t* buffer,
                          size_t size, uint32_t* flags,
                          nghttp2_data_source* source, void* user);
  static int SendData(nghttp2_session* h2, nghttp2_frame* frame,
                      const uint8_t* header, size_t size,
                      nghttp2_data_source* source, void* user);

 private:
  static void OnHeadersFrame(Http2Session& session,
                             const nghttp2_headers& frame);
  static void OnRequest(Http2Session& session, const nghttp2_headers& frame,
                        bool end_stream);
  static void RefuseTooLarge(Http2Session& session, int32_t id, bool request);
  static void CountPremature(Http2Session& session);
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP2_SESSION_CALLBACKS_H_

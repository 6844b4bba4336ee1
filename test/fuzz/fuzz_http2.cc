// Bytes from a hostile peer against both kinds of session. The first byte says
// which, and how large the pieces are.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "test/net/http2_pair.h"

namespace meshlib::net {
namespace {

void Fuzz(bool server, size_t piece, absl::Span<const char> input) {
  RecordingServer events;
  events.on_end = [](Http2Stream& stream) {
    (void)stream.SendHeaders({{":status", "200"}}, false);
    stream.Write("hello", false);
    (void)stream.SendTrailers({{"t", "1"}});
  };
  absl::Time now = absl::UnixEpoch();
  RecordingHandler answers[2];
  auto session = server ? Http2Session::Server({}, events, now)
                        : Http2Session::Client({}, events, now);
  if (!server) {
    (void)session->Request(Get(), true, answers[0]);
    if (auto stream = session->Request(Get(), false, answers[1]); stream.ok()) {
      (*stream)->Write("body", true);
    }
  }
  while (!input.empty()) {
    const auto now_in = input.subspan(0, piece);
    input.remove_prefix(now_in.size());
    std::string out;
    const bool ok = session->Receive(now_in, now).ok();
    if (!session->TakeOutput(out).ok() && session->open_streams() > 0) abort();
    if (!ok) break;
  }
  session->ConnectionLost(absl::UnavailableError("end"));
  if (session->open_streams() > 0) abort();
  for (const auto& request : events.requests) {
    if (request->closed != 1) abort();
  }
}

}  // namespace
}  // namespace meshlib::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  meshlib::net::Fuzz((data[0] & 1) != 0, size_t{1} + (data[0] >> 1) * 16,
                     {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}

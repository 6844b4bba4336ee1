// Reads messages of HTTP/1.1 in one piece and in small ones: the same must come
// out.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/http1/http1_parser.h"

namespace meshlib::net {
namespace {

class Recorder final : public Http1Handler {
 public:
  void OnHead(const Http1Head& head) override {
    text.append("head ").append(head.method).append(" ").append(head.target);
    text.append(std::to_string(head.status)).append(head.reason);
    Add(head.headers);
  }
  void OnBody(std::string_view piece) override { text += piece; }
  void OnTrailers(absl::Span<const Header> trailers) override { Add(trailers); }
  void OnEnd() override { text += " end"; }

  std::string text;

 private:
  void Add(absl::Span<const Header> headers) {
    for (const Header& header : headers) {
      text.append(header.name).append("=").append(header.value).append(";");
    }
  }
};

// Whether all of it was read without an error. `step` bytes at a time.
bool Read(Http1Parser::Kind kind, std::string_view bytes, size_t step,
          Recorder& recorder) {
  Http1Limits limits;
  limits.max_header_bytes = 512;
  limits.max_headers = 16;
  Http1Parser parser(kind, limits);
  while (!bytes.empty()) {
    const auto taken = parser.Feed(bytes.substr(0, step), recorder);
    if (!taken.ok()) return false;
    if (*taken > std::min(step, bytes.size())) std::abort();
    if (*taken == 0 && !parser.done()) std::abort();
    bytes.remove_prefix(*taken);
    if (parser.done()) parser.Next();
  }
  return parser.FeedEnd(recorder).ok();
}

}  // namespace
}  // namespace meshlib::net

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using meshlib::net::Http1Parser;
  if (size < 2) return 0;
  const auto kind = data[0] % 2 == 0 ? Http1Parser::Kind::kRequests
                                     : Http1Parser::Kind::kResponses;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2,
                               size - 2);
  meshlib::net::Recorder whole;
  meshlib::net::Recorder pieces;
  const bool one = Read(kind, bytes, bytes.size() + 1, whole);
  const bool other = Read(kind, bytes, 1 + data[1] % 8, pieces);
  // A line that is too long may be refused sooner when it comes in pieces.
  if (one && other && whole.text != pieces.text) std::abort();
  return 0;
}

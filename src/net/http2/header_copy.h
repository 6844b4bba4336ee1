#ifndef MESHLIB_NET_HTTP2_HEADER_COPY_H_
#define MESHLIB_NET_HTTP2_HEADER_COPY_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "meshlib/request.h"

namespace meshlib::net {

// Keeps a list of headers whose bytes belong to somebody else. Its memory is
// used again by the next Assign(). Not thread-safe.
class HeaderCopy {
 public:
  void Assign(absl::Span<const Header> headers) {
    size_t bytes = 0;
    for (const Header& h : headers) bytes += h.name.size() + h.value.size();
    bytes_.clear();
    bytes_.reserve(bytes);
    for (const Header& h : headers) bytes_.append(h.name).append(h.value);
    headers_.clear();
    headers_.reserve(headers.size());
    size_t at = 0;
    const std::string_view all = bytes_;
    for (const Header& h : headers) {
      headers_.push_back({all.substr(at, h.name.size()),
                          all.substr(at + h.name.size(), h.value.size())});
      at += h.name.size() + h.value.size();
    }
  }
  void Clear() {
    headers_.clear();
    bytes_.clear();
  }
  // Valid until the next Assign() or Clear(); not after a move.
  absl::Span<const Header> headers() const { return headers_; }

  HeaderCopy() = default;
  HeaderCopy(const HeaderCopy&) = delete;
  HeaderCopy& operator=(const HeaderCopy&) = delete;

 private:
  std::string bytes_;
  std::vector<Header> headers_;
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP2_HEADER_COPY_H_

#ifndef MESHLIB_SECURITY_TLS_BUFFER_H_
#define MESHLIB_SECURITY_TLS_BUFFER_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace meshlib::security {

// A queue of bytes in one piece, of at most `capacity`.
class TlsBuffer {
 public:
  explicit TlsBuffer(size_t capacity) : capacity_(capacity) {}

  std::string_view bytes() const {
    return std::string_view(bytes_).substr(begin_);
  }
  size_t room() const { return capacity_ - (bytes_.size() - begin_); }

  // At most room() bytes.
  void Append(std::string_view bytes) {
    if (begin_ > bytes_.size() / 2) {
      bytes_.erase(0, begin_);
      begin_ = 0;
    }
    bytes_.append(bytes);
  }

  // At most bytes().size().
  void Consume(size_t size) {
    begin_ += size;
    if (begin_ < bytes_.size()) return;
    bytes_.clear();
    begin_ = 0;
  }

 private:
  const size_t capacity_;
  std::string bytes_;
  size_t begin_ = 0;  // what is before it has been consumed
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_TLS_BUFFER_H_

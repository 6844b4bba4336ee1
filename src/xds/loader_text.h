#ifndef MESHLIB_XDS_LOADER_TEXT_H_
#define MESHLIB_XDS_LOADER_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "xds/event_sink.h"

namespace meshlib::xds {

// The largest text that the loader takes.
inline constexpr size_t kMaxTextBytes = size_t{512} << 20;

// Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool IsValidUtf8(std::string_view text);

// Turns offsets into lines and columns. Offsets that grow cost next to nothing.
class LineMap {
 public:
  // `text` must not be larger than kMaxTextBytes; it is not kept.
  explicit LineMap(std::string_view text);

  // Columns count bytes.
  Position At(size_t offset);

 private:
  std::vector<uint32_t> starts_;  // the offset of each line
  size_t line_ = 0;               // where the last question was
};

// What makes a text unreadable before its syntax is looked at: too large, not
// UTF-8, or control characters, which no configuration has.
struct TextFault {
  Position at;
  std::string message;  // empty: none
};
TextFault CheckText(std::string_view text);

// Memory for a text that is read once from front to back: what was read can be
// given back to the system, so that the memory of the text and of what is made
// of it are not needed at the same time. Followed by a NUL byte.
class TextRegion {
 public:
  // `capacity` bytes, all zero; data() is null if the system has none.
  explicit TextRegion(size_t capacity);
  ~TextRegion();
  TextRegion(const TextRegion&) = delete;
  TextRegion& operator=(const TextRegion&) = delete;

  char* data() { return data_; }
  size_t capacity() const { return capacity_; }
  // What lies before the offset is not read any more.
  void ReleaseBefore(size_t offset);

 private:
  char* data_ = nullptr;
  size_t capacity_;
  size_t mapped_ = 0;
  size_t released_ = 0;
};

// Readers call this now and then: the text before the offset is not needed any
// more. May be null.
using PassedFn = std::function<void(size_t offset)>;

// Without the byte order mark that some editors write.
std::string_view WithoutBom(std::string_view text);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_LOADER_TEXT_H_

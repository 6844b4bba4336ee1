#include "xds/loader_text.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace meshlib::xds {
namespace {

// The length of the well-formed sequence at `p`, 0 if it is none. `left` > 0.
size_t Utf8Sequence(const unsigned char* p, size_t left) {
  const unsigned char lead = p[0];
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || left < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((p[i] & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  if (lead == 0xe0 && p[1] < 0xa0) return 0;
  if (lead == 0xed && p[1] > 0x9f) return 0;
  if (lead == 0xf0 && p[1] < 0x90) return 0;
  if (lead == 0xf4 && p[1] > 0x8f) return 0;
  return length;
}

constexpr uint64_t kHighBits = 0x8080808080808080u;

// Eight bytes, none of them above 0x7f nor below 0x20.
bool IsPlainWord(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return (((word - 0x2020202020202020u) | word) & kHighBits) == 0;
}

// The offset of the first byte that is wrong, or the size.
size_t FirstFault(std::string_view text) {
  const char* data = text.data();
  size_t i = 0;
  while (i < text.size()) {
    while (i + 8 <= text.size() && IsPlainWord(data + i)) i += 8;
    if (i == text.size()) break;
    const auto byte = static_cast<unsigned char>(data[i]);
    if (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') return i;
    const size_t length = Utf8Sequence(
        reinterpret_cast<const unsigned char*>(data + i), text.size() - i);
    if (length == 0) return i;
    i += length;
  }
  return i;
}

Position PositionOf(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_start) + 1};
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Sequence(p + i, text.size() - i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

LineMap::LineMap(std::string_view text) : starts_{0} {
  const char* begin = text.data();
  const char* end = begin + text.size();
  for (const char* p = begin; p < end;) {
    p = static_cast<const char*>(std::memchr(p, '\n', end - p));
    if (p == nullptr) break;
    starts_.push_back(static_cast<uint32_t>(++p - begin));
  }
}

Position LineMap::At(size_t offset) {
  if (offset < starts_[line_]) line_ = 0;
  while (line_ + 1 < starts_.size() && starts_[line_ + 1] <= offset) ++line_;
  return {static_cast<int>(line_) + 1,
          static_cast<int>(offset - starts_[line_]) + 1};
}

TextFault CheckText(std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    return {{},
            absl::StrCat("the text has ", text.size(), " bytes; at most ",
                         kMaxTextBytes, " are taken")};
  }
  if (text.size() >= 2 &&
      (text.substr(0, 2) == "\xff\xfe" || text.substr(0, 2) == "\xfe\xff")) {
    return {{1, 1}, "the text is UTF-16; want UTF-8"};
  }
  const size_t fault = FirstFault(text);
  if (fault == text.size()) return {};
  const auto byte = static_cast<unsigned char>(text[fault]);
  const std::string shown =
      absl::StrCat("0x", absl::Hex(byte, absl::kZeroPad2));
  return {PositionOf(text, fault),
          byte >= 0x80 ? absl::StrCat("byte ", shown, " is not valid UTF-8")
                       : absl::StrCat("control character ", shown,
                                      "; is this a text file?")};
}

TextRegion::TextRegion(size_t capacity) : capacity_(capacity) {
  void* const memory = mmap(nullptr, capacity + 1, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  data_ = static_cast<char*>(memory);
  mapped_ = capacity + 1;
}

TextRegion::~TextRegion() {
  if (data_ != nullptr) munmap(data_, mapped_);
}

void TextRegion::ReleaseBefore(size_t offset) {
  // A system call for each page would cost more than the page.
  constexpr size_t kStep = size_t{1} << 20;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (data_ == nullptr || offset < released_ + kStep) return;
  offset -= offset % page;
  // Should it fail, nothing is lost but memory.
  madvise(data_ + released_, offset - released_, MADV_DONTNEED);
  released_ = offset;
}

std::string_view WithoutBom(std::string_view text) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  return text;
}

}  // namespace meshlib::xds

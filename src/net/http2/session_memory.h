#ifndef MESHLIB_NET_HTTP2_SESSION_MEMORY_H_
#define MESHLIB_NET_HTTP2_SESSION_MEMORY_H_

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>
#include <vector>

namespace meshlib::net {

// The memory of one nghttp2 session. Small blocks are used again without
// asking the system's allocator; the large ones, which an idle session does
// not need (the buffer for the frame to send, the table of streams), have
// pages of their own that Trim() gives back. Not thread-safe.
class SessionMemory {
 public:
  SessionMemory();
  // Everything must have been freed.
  ~SessionMemory();
  SessionMemory(const SessionMemory&) = delete;
  SessionMemory& operator=(const SessionMemory&) = delete;

  // For nghttp2_session_*_new3().
  nghttp2_mem* mem() { return &mem_; }
  // From here on no block is the frame buffer any more.
  void Created() { creating_ = false; }

  // Gives back the pages that hold nothing. No frame may be on its way out.
  void Trim();

  // For tests: of the large blocks, resident now.
  size_t resident_bytes() const;

 private:
  struct Large {
    char* at;
    size_t size;    // as asked for
    size_t mapped;  // whole pages
    bool scratch;   // holds nothing between two frames
  };
  struct Free {
    Free* next;
  };
  static constexpr size_t kLarge = 4096;
  static constexpr size_t kStep = 32;  // classes of small blocks
  static constexpr size_t kClasses = 16;
  // Which small block is the first to be kept: of a session that has little to
  // do the next session shall have them.
  static constexpr size_t kFirstKept = 64;
  // What may wait to be used again: that of about a hundred streams.
#ifdef __SANITIZE_ADDRESS__
  static constexpr size_t kMostFree = 0;  // lets it see what is used too late
#else
  static constexpr size_t kMostFree = size_t{64} << 10;
#endif

  void* Allocate(size_t size);
  void* AllocateZeroed(size_t size);
  void* AllocateLarge(size_t size);
  void* Resize(void* block, size_t size);
  void Release(void* block);
  void FreeCached();
  Large* FindLarge(const void* block);
  size_t SizeOf(void* block);

  nghttp2_mem mem_;
  bool creating_ = true;
  std::vector<Large> large_;
  std::array<Free*, kClasses> free_{};
  size_t free_bytes_ = 0;
  size_t released_ = 0;  // small blocks
};

}  // namespace meshlib::net

#endif  // MESHLIB_NET_HTTP2_SESSION_MEMORY_H_

#include "net/http2/session_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace meshlib::net {
namespace {

constexpr size_t kPage = 4096;
// nghttp2's buffer for one frame: 16 KB, the frame's header and padding.
constexpr size_t kFrameBuffer = size_t{16} << 10;
constexpr size_t kFrameExtra = 64;

// Stands before each small block.
struct alignas(16) Head {
  size_t size;  // what the block has room for
};

size_t Pages(size_t size) { return (size + kPage - 1) / kPage * kPage; }

Head* HeadOf(void* block) { return static_cast<Head*>(block) - 1; }

bool IsZero(const char* page) {
  // Each byte is that before it, and the first is 0.
  return page[0] == 0 && memcmp(page, page + 1, kPage - 1) == 0;
}

void* Map(size_t size) {
  void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

SessionMemory::SessionMemory()
    : mem_{this,
           [](size_t size, void* self) {
             return static_cast<SessionMemory*>(self)->Allocate(size);
           },
           [](void* block, void* self) {
             static_cast<SessionMemory*>(self)->Release(block);
           },
           [](size_t count, size_t size, void* self) -> void* {
             if (size != 0 && count > SIZE_MAX / size) return nullptr;
             return static_cast<SessionMemory*>(self)->AllocateZeroed(count *
                                                                      size);
           },
           [](void* block, size_t size, void* self) {
             return static_cast<SessionMemory*>(self)->Resize(block, size);
           }} {}

SessionMemory::~SessionMemory() { FreeCached(); }

void* SessionMemory::Allocate(size_t size) {
  if (size >= kLarge) {
    void* const large = AllocateLarge(size);
    if (large != nullptr) return large;
  }
  const size_t place = (std::max<size_t>(size, 1) - 1) / kStep;
  if (place < kClasses) {
    size = (place + 1) * kStep;
    if (Free* const block = free_[place]) {
      free_[place] = block->next;
      free_bytes_ -= size;
      return block;
    }
  }
  auto* const head = static_cast<Head*>(malloc(sizeof(Head) + size));
  if (head == nullptr) return nullptr;
  head->size = size;
  return head + 1;
}

void* SessionMemory::AllocateLarge(size_t size) {
  if (size > SIZE_MAX - kPage) return nullptr;
  const size_t mapped = Pages(size);
  auto* const at = static_cast<char*>(Map(mapped));
  if (at == nullptr) return nullptr;
  large_.push_back({at, size, mapped,
                    creating_ && size >= kFrameBuffer &&
                        size <= kFrameBuffer + kFrameExtra});
  return at;
}

void* SessionMemory::AllocateZeroed(size_t size) {
  void* const block = Allocate(size);
  if (block == nullptr) return nullptr;
  // Pages come as zeros.
  if (size < kLarge || FindLarge(block) == nullptr) memset(block, 0, size);
  return block;
}

SessionMemory::Large* SessionMemory::FindLarge(const void* block) {
  if (reinterpret_cast<uintptr_t>(block) % kPage != 0) return nullptr;
  for (Large& large : large_) {
    if (large.at == block) return &large;
  }
  return nullptr;
}

size_t SessionMemory::SizeOf(void* block) {
  const Large* const large = FindLarge(block);
  return large != nullptr ? large->size : HeadOf(block)->size;
}

void* SessionMemory::Resize(void* block, size_t size) {
  if (block == nullptr) return Allocate(size);
  const size_t old = SizeOf(block);
  if (size <= old) return block;
  void* const made = Allocate(size);
  if (made == nullptr) return nullptr;
  memcpy(made, block, old);
  Release(block);
  return made;
}

void SessionMemory::Release(void* block) {
  if (block == nullptr) return;
  if (Large* const large = FindLarge(block)) {
    munmap(large->at, large->mapped);
    *large = large_.back();
    large_.pop_back();
    return;
  }
  const size_t size = HeadOf(block)->size;
  if (size > kClasses * kStep || free_bytes_ + size > kMostFree ||
      ++released_ < kFirstKept) {
    return free(HeadOf(block));
  }
  free_bytes_ += size;
  const size_t place = size / kStep - 1;
  free_[place] = new (block) Free{free_[place]};
}

void SessionMemory::FreeCached() {
  for (Free*& first : free_) {
    while (first != nullptr) {
      Free* const block = first;
      first = block->next;
      free(HeadOf(block));
    }
  }
  free_bytes_ = 0;
}

void SessionMemory::Trim() {
  FreeCached();
  if (sysconf(_SC_PAGESIZE) != long{kPage}) return;
  for (const Large& large : large_) {
    for (size_t i = 0; i < large.mapped; i += kPage) {
      // A page of zeros reads the same when it is gone.
      if (large.scratch || IsZero(large.at + i)) {
        madvise(large.at + i, kPage, MADV_DONTNEED);
      }
    }
  }
}

size_t SessionMemory::resident_bytes() const {
  size_t resident = 0;
  for (const Large& large : large_) {
    std::vector<unsigned char> pages(large.mapped / kPage);
    if (mincore(large.at, large.mapped, pages.data()) != 0) continue;
    resident += kPage * static_cast<size_t>(std::count_if(
                            pages.begin(), pages.end(),
                            [](unsigned char page) { return page & 1; }));
  }
  return resident;
}

}  // namespace meshlib::net

#include "net/http2/session_memory.h"

#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "test/net/http2_pair.h"

namespace meshlib::net {
namespace {

constexpr size_t kFrameBuffer = (size_t{16} << 10) + 10;

bool SmallPages() { return sysconf(_SC_PAGESIZE) == 4096; }

void* Allocate(SessionMemory& memory, size_t size) {
  return memory.mem()->malloc(size, memory.mem()->mem_user_data);
}
char* AllocateZeroed(SessionMemory& memory, size_t size) {
  return static_cast<char*>(
      memory.mem()->calloc(1, size, memory.mem()->mem_user_data));
}
void* Resize(SessionMemory& memory, void* block, size_t size) {
  return memory.mem()->realloc(block, size, memory.mem()->mem_user_data);
}
void Free(SessionMemory& memory, void* block) {
  memory.mem()->free(block, memory.mem()->mem_user_data);
}

TEST(SessionMemory, KeepsWhatIsInItAtEverySize) {
  SessionMemory memory;
  std::vector<std::pair<char*, size_t>> blocks;
  for (int round = 0; round < 3; ++round) {
    for (size_t size = 0; size < 20000; size = size * 3 / 2 + 1) {
      auto* const block = static_cast<char*>(Allocate(memory, size));
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 16, 0u);
      memset(block, static_cast<int>(size % 251), size);
      blocks.emplace_back(block, size);
    }
    memory.Trim();
    for (const auto& [block, size] : blocks) {
      EXPECT_EQ(std::string(block, size),
                std::string(size, static_cast<char>(size % 251)));
      Free(memory, block);
    }
    blocks.clear();
  }
}

TEST(SessionMemory, ZeroedBlocksAreZeroHoweverOftenUsed) {
  SessionMemory memory;
  for (const size_t size : {1, 40, 500, 3000, 4096, 9000}) {
    for (int i = 0; i < 3; ++i) {
      char* const block = AllocateZeroed(memory, size);
      EXPECT_EQ(std::string(block, size), std::string(size, '\0'));
      memset(block, 'x', size);
      Free(memory, block);
    }
  }
}

TEST(SessionMemory, ResizingKeepsTheBeginning) {
  SessionMemory memory;
  void* block = Resize(memory, nullptr, 10);
  memcpy(block, "0123456789", 10);
  for (const size_t size : {20, 700, 5000, 40000, 50}) {
    block = Resize(memory, block, size);
    EXPECT_EQ(std::string(static_cast<char*>(block), 10), "0123456789");
  }
  Free(memory, block);
}

TEST(SessionMemory, TrimGivesBackTheFrameBufferAndPagesOfZeros) {
  if (!SmallPages()) GTEST_SKIP();
  SessionMemory memory;
  char* const zeros = AllocateZeroed(memory, 8192);
  auto* const frame = static_cast<char*>(Allocate(memory, kFrameBuffer));
  memory.Created();
  auto* const later = static_cast<char*>(Allocate(memory, kFrameBuffer));
  zeros[1] = 'z';
  zeros[1] = '\0';
  zeros[5000] = 'k';
  frame[0] = 'f';
  later[kFrameBuffer - 1] = 'l';
  EXPECT_EQ(memory.resident_bytes(), 4u * 4096);
  memory.Trim();
  // Only the page with the k, and that of a block that is no frame buffer.
  EXPECT_EQ(memory.resident_bytes(), 2u * 4096);
  EXPECT_EQ(zeros[5000], 'k');
  EXPECT_EQ(later[kFrameBuffer - 1], 'l');
  Free(memory, zeros);
  Free(memory, frame);
  Free(memory, later);
  EXPECT_EQ(memory.resident_bytes(), 0u);
}

TEST(SessionMemory, SessionsWorkAfterEachTrim) {
  Http2Pair p;
  p.server_events.on_headers = [](Http2Stream& stream) {
    ASSERT_TRUE(stream.SendHeaders({{":status", "200"}}, false).ok());
    EXPECT_EQ(stream.Write("body", true), 4u);
  };
  for (int i = 0; i < 5; ++i) {
    RecordingHandler answer;
    ASSERT_TRUE(p.client->Request(Get(), true, answer).ok());
    p.client->Trim();  // does nothing now
    p.Run();
    EXPECT_EQ(answer.log, "[:status=200 ]");
    EXPECT_EQ(answer.body, "body");
    EXPECT_EQ(answer.closed, 1);
    if (SmallPages()) {
      EXPECT_GT(p.client->memory().resident_bytes(), 0u);
    }
    p.client->Trim();
    p.server->Trim();
    if (SmallPages()) {
      EXPECT_EQ(p.client->memory().resident_bytes(), 0u);
    }
  }
}

}  // namespace
}  // namespace meshlib::net

#include "net/grpc_framing.h"

#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace meshlib::net {
namespace {

// Decodes `body` cut at seeded places; messages that are compressed get a "z"
// in front.
absl::Status Decode(std::string_view body, size_t max_piece, uint64_t seed,
                    size_t max_message, std::vector<std::string>& out) {
  GrpcDecoder decoder(max_message);
  base::Random random(seed);
  while (!body.empty()) {
    size_t n = 1 + static_cast<size_t>(random.Next() % max_piece);
    // A piece of its own, that a read past its end or a stale view shows.
    const std::string piece(body.substr(0, n));
    body.remove_prefix(piece.size());
    decoder.Add(piece);
    while (true) {
      auto message = decoder.Next();
      if (!message.ok()) return message.status();
      if (!message->has_value()) break;
      out.push_back(((*message)->compressed ? "z" : "") +
                    std::string((*message)->bytes));
    }
  }
  return decoder.Finish();
}

TEST(GrpcFraming, PrefixIsAFlagAndFourBytesBigEndian) {
  std::string out = "kept";
  ASSERT_TRUE(AppendGrpcMessage(std::string(258, 'x'), true, 1000, out).ok());
  EXPECT_EQ(out.substr(0, 9), std::string("kept\x01\x00\x00\x01\x02", 9));
  EXPECT_EQ(out.size(), 4u + 5 + 258);
}

TEST(GrpcFraming, MessagesSurviveAnyCut) {
  const std::vector<std::string> messages = {"", "a", std::string(70000, 'b'),
                                             "", "ccc"};
  std::string body;
  for (const std::string& m : messages) {
    ASSERT_TRUE(AppendGrpcMessage(m, false, 1 << 20, body).ok());
  }
  for (size_t max_piece : {1, 2, 7, 4000, 200000}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      std::vector<std::string> got;
      ASSERT_TRUE(Decode(body, max_piece, seed, 1 << 20, got).ok());
      ASSERT_EQ(got, messages) << max_piece << " " << seed;
    }
  }
}

TEST(GrpcFraming, CompressedFlagIsPassedOn) {
  std::string body;
  ASSERT_TRUE(AppendGrpcMessage("one", true, 10, body).ok());
  ASSERT_TRUE(AppendGrpcMessage("two", false, 10, body).ok());
  std::vector<std::string> got;
  ASSERT_TRUE(Decode(body, 3, 1, 10, got).ok());
  EXPECT_EQ(got, (std::vector<std::string>{"zone", "two"}));
}

TEST(GrpcFraming, TooLargeIsResourceExhaustedBothWays) {
  std::string out;
  EXPECT_EQ(AppendGrpcMessage("12345", false, 4, out).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(out.empty());
  ASSERT_TRUE(AppendGrpcMessage("12345", false, 5, out).ok());
  std::vector<std::string> got;
  EXPECT_TRUE(Decode(out, 99, 0, 5, got).ok());
  EXPECT_EQ(Decode(out, 99, 0, 4, got).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(GrpcFraming, RefusesWithThePrefixAlone) {
  GrpcDecoder decoder(1000);
  decoder.Add(std::string_view("\0\xff\xff\xff\xff", 5));
  EXPECT_EQ(decoder.Next().status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_LE(decoder.buffered_bytes(), kGrpcPrefixBytes);
  decoder.Add("more");
  EXPECT_FALSE(decoder.Next().ok());
  EXPECT_FALSE(decoder.Finish().ok());
}

TEST(GrpcFraming, AnUnknownFlagIsAnError) {
  std::vector<std::string> got;
  EXPECT_EQ(Decode(std::string_view("\2\0\0\0\0", 5), 9, 0, 9, got).code(),
            absl::StatusCode::kInternal);
}

TEST(GrpcFraming, AnEndWithinAMessageIsAnError) {
  std::string body;
  ASSERT_TRUE(AppendGrpcMessage("1234", false, 9, body).ok());
  for (size_t n = 1; n < body.size(); ++n) {
    std::vector<std::string> got;
    EXPECT_EQ(Decode(std::string_view(body).substr(0, n), 9, 0, 9, got).code(),
              absl::StatusCode::kInternal)
        << n;
  }
}

}  // namespace
}  // namespace meshlib::net

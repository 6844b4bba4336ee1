#include "net/http1/http1_writer.h"

#include <string>

#include "gtest/gtest.h"

namespace meshlib::net {
namespace {

TEST(Http1Writer, WritesARequest) {
  const Header headers[] = {{"host", "shop"}, {"x-empty", ""}};
  std::string out;
  ASSERT_TRUE(AppendRequestHead("GET", "/a?b", headers, out).ok());
  EXPECT_EQ(out, "GET /a?b HTTP/1.1\r\nhost: shop\r\nx-empty: \r\n\r\n");
}

TEST(Http1Writer, WritesAResponseInChunks) {
  const Header headers[] = {{"transfer-encoding", "chunked"}};
  const Header trailers[] = {{"grpc-status", "0"}};
  std::string out;
  ASSERT_TRUE(AppendResponseHead(200, headers, out).ok());
  AppendChunk("0123456789abcdef", out);
  AppendChunk("", out);
  ASSERT_TRUE(AppendLastChunk(trailers, out).ok());
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            "10\r\n0123456789abcdef\r\n0\r\ngrpc-status: 0\r\n\r\n");
}

TEST(Http1Writer, WritesStatusesThatNobodyRegistered) {
  std::string out;
  ASSERT_TRUE(AppendResponseHead(299, {}, out).ok());
  EXPECT_EQ(out, "HTTP/1.1 299 \r\n\r\n");
}

TEST(Http1Writer, RefusesWhatWouldEndALineEarly) {
  std::string out;
  const auto request = [&](std::string_view method, std::string_view target,
                           Header header) {
    return AppendRequestHead(method, target, {&header, 1}, out).code();
  };
  const auto refused = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(request("GET", "/", {"a", "b\r\nc: d"}), refused);
  EXPECT_EQ(request("GET", "/", {"a", std::string_view("b\0c", 3)}), refused);
  EXPECT_EQ(request("GET", "/", {"a b", "c"}), refused);
  EXPECT_EQ(request("GET", "/", {"", "c"}), refused);
  EXPECT_EQ(request("GET", "/", {":path", "/"}), refused);
  EXPECT_EQ(request("GET", "/a b", {"a", "b"}), refused);
  EXPECT_EQ(request("GET", "/\r\n", {"a", "b"}), refused);
  EXPECT_EQ(request("GET", "", {"a", "b"}), refused);
  EXPECT_EQ(request("G T", "/", {"a", "b"}), refused);
  EXPECT_EQ(AppendResponseHead(99, {}, out).code(), refused);
  EXPECT_EQ(AppendResponseHead(1000, {}, out).code(), refused);
  const Header bad = {"a", "b\n"};
  EXPECT_EQ(AppendLastChunk({&bad, 1}, out).code(), refused);
  EXPECT_EQ(out, "");
  EXPECT_EQ(request("GET", "/\xc3\xa4", {"a", "b\tc \xff"}),
            absl::StatusCode::kOk);
}

}  // namespace
}  // namespace meshlib::net

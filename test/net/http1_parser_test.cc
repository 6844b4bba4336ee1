#include "net/http1/http1_parser.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace meshlib::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Http1Parser::Kind;

// Writes down what it is told, the body in one piece.
class Recorder final : public Http1Handler {
 public:
  void OnHead(const Http1Head& head) override {
    std::string line =
        head.status != 0
            ? absl::StrCat(head.status, " ", base::ToAbsl(head.reason))
            : absl::StrCat(base::ToAbsl(head.method), " ",
                           base::ToAbsl(head.target));
    absl::StrAppend(&line, " 1.", head.version - 10);
    if (head.content_length) {
      absl::StrAppend(&line, " length ", *head.content_length);
    }
    if (head.chunked) line += " chunked";
    if (!head.keep_alive) line += " close";
    if (head.expects_continue) line += " continue";
    if (head.upgrade) line += " upgrade";
    events.push_back(line);
    for (const Header& header : head.headers) Add("", header);
  }
  void OnBody(std::string_view piece) override { body += piece; }
  void OnTrailers(absl::Span<const Header> trailers) override {
    for (const Header& trailer : trailers) Add("trailer ", trailer);
  }
  void OnEnd() override { events.push_back("end"); }

  std::vector<std::string> events;
  std::string body;

 private:
  void Add(absl::string_view what, const Header& header) {
    events.push_back(absl::StrCat(what, base::ToAbsl(header.name), "=",
                                  base::ToAbsl(header.value)));
  }
};

absl::Status ErrorOf(Kind kind, std::string_view text,
                     Http1Limits limits = {}) {
  Http1Parser parser(kind, limits);
  Recorder recorder;
  const auto taken = parser.Feed(text, recorder);
  return taken.ok() ? parser.FeedEnd(recorder) : taken.status();
}

TEST(Http1Parser, ReadsARequestWithABody) {
  Http1Parser parser(Kind::kRequests, {});
  Recorder recorder;
  const std::string text =
      "POST /a?b=c HTTP/1.1\r\nHost: shop\r\nX-Name:  some value \r\n"
      "Content-Length: 5\r\n\r\nhello";
  EXPECT_EQ(*parser.Feed(text, recorder), text.size());
  EXPECT_TRUE(parser.done());
  EXPECT_THAT(recorder.events,
              ElementsAre("POST /a?b=c 1.1 length 5", "host=shop",
                          "x-name=some value", "content-length=5", "end"));
  EXPECT_EQ(recorder.body, "hello");
}

TEST(Http1Parser, ReadsChunksAndTrailers) {
  Http1Parser parser(Kind::kResponses, {});
  Recorder recorder;
  const std::string text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5;name=value\r\nhello\r\n1\r\n!\r\n0\r\nGrpc-Status: 0\r\n\r\n";
  EXPECT_EQ(*parser.Feed(text, recorder), text.size());
  EXPECT_TRUE(parser.done());
  EXPECT_THAT(recorder.events,
              ElementsAre("200 OK 1.1 chunked", "transfer-encoding=Chunked",
                          "trailer grpc-status=0", "end"));
  EXPECT_EQ(recorder.body, "hello!");
}

TEST(Http1Parser, GivesTheSameForAnyPieces) {
  const std::string text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\nA: 2\r\n\r\n"
      "5\r\nhello\r\na\r\n0123456789\r\n0\r\nT: 1\r\n\r\n";
  Recorder whole;
  {
    Http1Parser parser(Kind::kResponses, {});
    ASSERT_TRUE(parser.Feed(text, whole).ok());
  }
  base::Random random(1);
  for (int run = 0; run < 300; ++run) {
    Http1Parser parser(Kind::kResponses, {});
    Recorder recorder;
    const size_t most = run == 0 ? 1 : 1 + random.Next() % 20;
    for (size_t at = 0; at < text.size();) {
      const size_t size = 1 + random.Next() % most;
      const std::string_view piece = std::string_view(text).substr(at, size);
      const auto taken = parser.Feed(piece, recorder);
      ASSERT_TRUE(taken.ok()) << taken.status();
      ASSERT_EQ(*taken, piece.size());
      at += *taken;
    }
    EXPECT_TRUE(parser.done());
    EXPECT_EQ(recorder.events, whole.events);
    EXPECT_EQ(recorder.body, whole.body);
  }
}

TEST(Http1Parser, ReadsALastChunkThatIsTheFirstByteByByte) {
  Http1Parser parser(Kind::kResponses, {});
  Recorder recorder;
  for (const char c :
       std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "0\r\nT: 1\r\n\r\n")) {
    ASSERT_EQ(*parser.Feed(std::string_view(&c, 1), recorder), 1u);
  }
  EXPECT_TRUE(parser.done());
  EXPECT_THAT(recorder.events,
              ElementsAre("200 OK 1.1 chunked", "transfer-encoding=chunked",
                          "trailer t=1", "end"));
}

TEST(Http1Parser, LeavesTheNextMessageAlone) {
  Http1Parser parser(Kind::kRequests, {});
  Recorder recorder;
  const std::string first = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string second = "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
  const std::string both = first + second;
  // Also when the first ends in a later piece than it begins in.
  ASSERT_EQ(*parser.Feed(both.substr(0, 10), recorder), 10u);
  EXPECT_TRUE(parser.started());
  EXPECT_EQ(*parser.Feed(both.substr(10), recorder), first.size() - 10);
  EXPECT_TRUE(parser.done());
  parser.Next();
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(*parser.Feed(second, recorder), second.size());
  EXPECT_THAT(recorder.events, ElementsAre("GET /1 1.1", "host=a", "end",
                                           "GET /2 1.1", "host=b", "end"));
}

TEST(Http1Parser, KnowsResponsesWithoutABody) {
  for (const char* status :
       {"100 Continue", "204 No Content", "304 Not Modified"}) {
    Http1Parser parser(Kind::kResponses, {});
    Recorder recorder;
    const std::string text =
        absl::StrCat("HTTP/1.1 ", status, "\r\n\r\nHTTP/1.1 200 OK\r\n");
    ASSERT_TRUE(parser.Feed(text, recorder).ok()) << status;
    EXPECT_TRUE(parser.done()) << status;
    EXPECT_EQ(recorder.body, "") << status;
  }
  // The answer to HEAD has the headers of a body, and none.
  Http1Parser parser(Kind::kResponses, {});
  parser.Next(/*no_body=*/true);
  Recorder recorder;
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
  EXPECT_EQ(*parser.Feed(head + "HTTP/1.1", recorder), head.size());
  EXPECT_TRUE(parser.done());
}

TEST(Http1Parser, LeavesTheBytesAfterAnUpgradeToOthers) {
  Http1Parser parser(Kind::kResponses, {});
  Recorder recorder;
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
      "Upgrade: websocket\r\n\r\n";
  EXPECT_EQ(*parser.Feed(head + "\x81\x05hello", recorder), head.size());
  EXPECT_TRUE(parser.done());
  EXPECT_THAT(recorder.events[0], HasSubstr("upgrade"));
}

TEST(Http1Parser, ABodyWithoutLengthGoesOnUntilTheEnd) {
  Http1Parser parser(Kind::kResponses, {});
  Recorder recorder;
  ASSERT_TRUE(parser.Feed("HTTP/1.0 200 OK\r\n\r\nsome", recorder).ok());
  ASSERT_TRUE(parser.Feed("thing", recorder).ok());
  EXPECT_FALSE(parser.done());
  EXPECT_TRUE(parser.FeedEnd(recorder).ok());
  EXPECT_TRUE(parser.done());
  EXPECT_THAT(recorder.events, ElementsAre("200 OK 1.0 close", "end"));
  EXPECT_EQ(recorder.body, "something");
}

TEST(Http1Parser, ToldThatTheConnectionEnds) {
  Recorder recorder;
  // Between messages that is all right.
  Http1Parser idle(Kind::kRequests, {});
  EXPECT_TRUE(idle.FeedEnd(recorder).ok());
  for (const char* cut :
       {"G", "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello"}) {
    const Kind kind = cut[0] == 'G' ? Kind::kRequests : Kind::kResponses;
    EXPECT_THAT(std::string(ErrorOf(kind, cut).message()),
                HasSubstr("cut short"))
        << cut;
  }
}

TEST(Http1Parser, SeesWhatAClientExpects) {
  Http1Parser parser(Kind::kRequests, {});
  Recorder recorder;
  ASSERT_TRUE(parser
                  .Feed("PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                        "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
                        recorder)
                  .ok());
  EXPECT_EQ(recorder.events[0], "PUT / 1.1 length 1 close continue");
}

TEST(Http1Parser, RefusesWhatOthersMightFrameDifferently) {
  const std::string host = "Host: a\r\n";
  for (const std::string& request : {
           "POST / HTTP/1.1\r\n" + host +
               "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
           "POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello",
           "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n",
           "POST / HTTP/1.1\r\n" + host + "Content-Length: 5x\r\n\r\nhello",
           "POST / HTTP/1.1\r\n" + host +
               "Content-Length: 99999999999999999999\r\n\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
               "\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.0\r\n" + host +
               "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
           "POST / HTTP/1.1\r\n" + host +
               "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
           std::string("GET / HTTP/1.1\r\n\r\n"),
           "GET / HTTP/1.1\r\n" + host + host + "\r\n",
           "GET / HTTP/1.1\r\n" + host + "a\rb: c\r\n\r\n",
           "GET / HTTP/1.1\r\n" + host + "a b: c\r\n\r\n",
           "GET / HTTP/1.1\r\n" + host + ": c\r\n\r\n",
           "GET / HTTP/1.1\r\n" + host + "a: b\rc\r\n\r\n",
           "GET / HTTP/1.1\r\n" + host + std::string("a: b\0c\r\n\r\n", 10),
           "GET / HTTP/2.0\r\n" + host + "\r\n",
           "GET /a b HTTP/1.1\r\n" + host + "\r\n",
           std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
       }) {
    const absl::Status error = ErrorOf(Kind::kRequests, request);
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument) << request;
    EXPECT_THAT(std::string(error.message()),
                testing::Not(HasSubstr("cut short")))
        << request;
  }
}

TEST(Http1Parser, StaysRefusedAfterAnError) {
  Http1Parser parser(Kind::kRequests, {});
  Recorder recorder;
  EXPECT_FALSE(parser.Feed("GET / HTTP/1.1\r\n\r\n", recorder).ok());
  EXPECT_FALSE(parser.Feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", recorder).ok());
  EXPECT_THAT(recorder.events, ElementsAre());
}

TEST(Http1Parser, BoundsWhatItKeeps) {
  Http1Limits limits;
  limits.max_header_bytes = 1000;
  limits.max_headers = 10;
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  std::string many = start;
  for (int i = 0; i < 10; ++i) many += "a: b\r\n";
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string trailers = chunked + "0\r\n";
  for (int i = 0; i < 11; ++i) trailers += "a: b\r\n";
  const auto exhausted = absl::StatusCode::kResourceExhausted;
  EXPECT_EQ(ErrorOf(Kind::kRequests, many + "\r\n", limits).code(), exhausted);
  EXPECT_EQ(
      ErrorOf(Kind::kRequests, start + "a: " + std::string(1000, 'x'), limits)
          .code(),
      exhausted);
  EXPECT_EQ(ErrorOf(Kind::kRequests, std::string(2000, 'x'), limits).code(),
            exhausted);
  EXPECT_EQ(ErrorOf(Kind::kResponses, trailers + "\r\n", limits).code(),
            exhausted);
  EXPECT_EQ(
      ErrorOf(Kind::kResponses, chunked + "5;" + std::string(2000, 'x'), limits)
          .code(),
      exhausted);
}

}  // namespace
}  // namespace meshlib::net

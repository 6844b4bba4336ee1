#include "client/grpc_wire.h"

#include <gtest/gtest.h>

#include <string>

#include "net/grpc_framing.h"
#include "net/grpc_status.h"
#include "routing/timeouts.h"

namespace meshlib::client {
namespace {

TEST(GrpcWire, SaysTimeoutsInAtMostEightDigitsRoundedUp) {
  struct Case {
    absl::Duration timeout;
    const char* text;
  };
  for (const Case& c :
       {Case{absl::ZeroDuration(), "0n"}, Case{absl::Nanoseconds(1), "1n"},
        Case{-absl::Seconds(1), "0n"},
        Case{absl::Nanoseconds(99999999), "99999999n"},
        Case{absl::Nanoseconds(100000001), "100001u"},
        Case{absl::Seconds(1), "1000000u"}, Case{absl::Seconds(100), "100000m"},
        Case{absl::Hours(27), "97200000m"}, Case{absl::Hours(28), "100800S"},
        Case{absl::Hours(100000000), "99999999H"}}) {
    EXPECT_EQ(GrpcTimeout(c.timeout), c.text);
    EXPECT_TRUE(routing::ParseGrpcTimeout(c.text).has_value()) << c.text;
  }
}

TEST(GrpcWire, DecodesMessagesAndKeepsWhatIsNoEscape) {
  EXPECT_EQ(net::PercentDecode("all%20fine"), "all fine");
  EXPECT_EQ(net::PercentDecode("%E4%bd%a0"), "\xe4\xbd\xa0");
  EXPECT_EQ(net::PercentDecode("100%"), "100%");
  EXPECT_EQ(net::PercentDecode("%zz%4"), "%zz%4");
  EXPECT_EQ(net::PercentDecode("%41"), "A");
}

TEST(GrpcWire, MapsHttpStatusesWhereThereIsNoOther) {
  struct Case {
    int http;
    absl::StatusCode code;
  };
  for (const Case& c : {Case{400, absl::StatusCode::kInternal},
                        Case{401, absl::StatusCode::kUnauthenticated},
                        Case{403, absl::StatusCode::kPermissionDenied},
                        Case{404, absl::StatusCode::kUnimplemented},
                        Case{429, absl::StatusCode::kUnavailable},
                        Case{502, absl::StatusCode::kUnavailable},
                        Case{503, absl::StatusCode::kUnavailable},
                        Case{504, absl::StatusCode::kUnavailable},
                        Case{500, absl::StatusCode::kUnknown},
                        Case{200, absl::StatusCode::kUnknown}}) {
    http::ResponseHead head;
    head.status = c.http;
    EXPECT_EQ(GrpcStatusOf(head, {}).code(), c.code) << c.http;
    // What was said counts more.
    EXPECT_EQ(GrpcStatusOf(head, {{"grpc-status", "9"}}).code(),
              absl::StatusCode::kFailedPrecondition);
  }
}

TEST(GrpcWire, ReadsStatuses) {
  EXPECT_FALSE(GrpcStatusOf(http::Headers{{"a", "b"}}).has_value());
  EXPECT_TRUE(GrpcStatusOf(http::Headers{{"grpc-status", "0"}})->ok());
  const auto status = GrpcStatusOf(
      http::Headers{{"grpc-status", "5"}, {"grpc-message", "no%20x"}});
  EXPECT_EQ(status, absl::NotFoundError("no x"));
  for (const char* bad : {"", "17", "-1", "ok", "99999999999"}) {
    EXPECT_EQ(GrpcStatusOf(http::Headers{{"grpc-status", bad}})->code(),
              absl::StatusCode::kUnknown)
        << bad;
  }
}

TEST(GrpcWire, PutsMetadataIntoHeadersAndBack) {
  grpc_bytes::CallOptions options;
  const std::string bytes("\0\xff\x10 x", 5);
  options.metadata = {{"x-text", "plain"}, {"x-data-bin", bytes}};
  const auto request = GrpcRequest("http://a/b", options);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->headers.Get("te"), "trailers");
  EXPECT_EQ(request->headers.Get("content-type"), "application/grpc");
  EXPECT_EQ(request->headers.Get("grpc-timeout"), std::nullopt);
  EXPECT_EQ(request->headers.Get("x-data-bin"), "AP8QIHg");
  const auto back = GrpcMetadata({{"content-type", "application/grpc"},
                                  {"grpc-status", "0"},
                                  {"grpc-status-details-bin", "AA"},
                                  {"x-data-bin", "AP8QIHg=,AA"},
                                  {"x-text", "plain"}});
  ASSERT_EQ(back.size(), 4u);
  EXPECT_EQ(back.Get("x-data-bin"), bytes);
  EXPECT_EQ(back[2].value, std::string_view("\0", 1));
  EXPECT_EQ(back.Get("x-text"), "plain");
}

TEST(GrpcWire, RefusesMetadataThatCannotBeSent) {
  for (const Header& header :
       {Header{"grpc-status", "0"}, Header{"", "x"}, Header{"Upper", "x"},
        Header{"a b", "x"}, Header{"x", "line\n"}, Header{":path", "/"}}) {
    grpc_bytes::CallOptions options;
    options.metadata = {header};
    EXPECT_EQ(GrpcRequest("http://a/b", options).status().code(),
              absl::StatusCode::kInvalidArgument)
        << header.name;
  }
}

TEST(GrpcWire, WantsExactlyOneMessage) {
  std::string body;
  ASSERT_TRUE(net::AppendGrpcMessage("one", false, 100, body).ok());
  EXPECT_EQ(*OnlyGrpcMessage(body, 100), "one");
  EXPECT_EQ(OnlyGrpcMessage(body, 2).status().code(),
            absl::StatusCode::kResourceExhausted);
  for (const std::string& bad :
       {std::string(), body.substr(0, 6), body + body, body + "x",
        "\1" + body.substr(1), "\2" + body.substr(1)}) {
    EXPECT_EQ(OnlyGrpcMessage(bad, 100).status().code(),
              absl::StatusCode::kInternal);
  }
}

}  // namespace
}  // namespace meshlib::client

#include "client/wire_headers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshlib::client {
namespace {

std::string Join(const WireHeaders& headers) {
  std::string out;
  for (const Header& header : headers.headers()) {
    out.append(header.name).append("=").append(header.value).append(";");
  }
  return out;
}

TEST(WireHeaders, KeepsWhatGoesToTheHost) {
  const std::vector<Header> given = {{"Content-Type", "a/b"},
                                     {"TE", "trailers"},
                                     {"te", "gzip"},
                                     {"Connection", "close"},
                                     {"proxy-connection", "x"},
                                     {"Transfer-Encoding", "chunked"},
                                     {"Host", "h"},
                                     {"X-Envoy-Retry-On", "5xx"},
                                     {"x-twice", "1"},
                                     {"x-twice", "2"}};
  WireHeaders wire;
  ASSERT_TRUE(wire.Assign(given, false).ok());
  EXPECT_EQ(Join(wire), "content-type=a/b;te=trailers;x-twice=1;x-twice=2;");
  EXPECT_EQ(wire.host(), "h");
  ASSERT_TRUE(wire.Assign(given, true).ok());
  EXPECT_EQ(wire.Find("x-envoy-retry-on"), "5xx");
}

TEST(WireHeaders, RefusesWhatWouldEndALine) {
  for (const Header& bad :
       {Header{"", "v"}, Header{"a:b", "v"}, Header{"a b", "v"},
        Header{"a", "v\n"}, Header{"a", "v\rw"},
        Header{"a", std::string_view("v\0w", 3)}, Header{"\xc3\xa4", "v"}}) {
    WireHeaders wire;
    EXPECT_FALSE(wire.Assign({bad}, false).ok()) << bad.name;
  }
}

}  // namespace
}  // namespace meshlib::client

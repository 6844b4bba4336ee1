#ifndef MESHLIB_TEST_NET_HTTP2_FRAMES_H_
#define MESHLIB_TEST_NET_HTTP2_FRAMES_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace meshlib::net {

inline constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum FrameType {
  kData,
  kHeaders,
  kPriority,
  kReset,
  kSettings,
  kPush,
  kPing,
  kGoAway,
  kWindowUpdate,
  kContinuation
};
inline constexpr int kEndStream = 1, kEndHeaders = 4;

// A frame of HTTP/2 as it goes over the wire, right or wrong.
inline std::string Frame(int type, int flags, uint32_t stream,
                         std::string_view payload) {
  std::string frame;
  for (int shift = 16; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(payload.size() >> shift));
  }
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(stream >> shift));
  }
  return frame.append(payload);
}

// A header that is not indexed; both parts are shorter than 127.
inline std::string Literal(std::string_view name, std::string_view value) {
  std::string s(1, '\0');
  s += static_cast<char>(name.size());
  s.append(name);
  s += static_cast<char>(value.size());
  return s.append(value);
}

inline std::string Repeat(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all.append(text);
  return all;
}

// A block with one entry of 4000 bytes, and then references to it.
inline std::string HeaderBomb(std::string_view before, size_t references) {
  return std::string(before) + std::string("\x40\x01x\x7f", 4) + "\xa1\x1e" +
         std::string(4000, 'v') + std::string(references, '\xbe');
}

}  // namespace meshlib::net

#endif  // MESHLIB_TEST_NET_HTTP2_FRAMES_H_

#ifndef MESHLIB_COUNTER_H_
#define MESHLIB_COUNTER_H_

#include <cstdint>
#include <string_view>

namespace meshlib {

// A count that only grows, under the name that Envoy gives it below
// "cluster.NAME.", for example "upstream_cx_protocol_error" or
// "http2.header_overflow". A value; the name is static.
struct Counter {
  std::string_view name;
  uint64_t value = 0;
};

}  // namespace meshlib

#endif  // MESHLIB_COUNTER_H_

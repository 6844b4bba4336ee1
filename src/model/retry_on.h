#ifndef MESHLIB_MODEL_RETRY_ON_H_
#define MESHLIB_MODEL_RETRY_ON_H_

#include <cstdint>
#include <string_view>

namespace meshlib::model {

// The RetryOn bit of a condition's name ("5xx", "unavailable"; HTTP's and
// gRPC's alike); 0: unknown.
uint32_t RetryOnBit(std::string_view name);

// Takes the first name off "5xx, connect-failure", without the blanks around
// it; empty ones are passed over. Empty at the end.
std::string_view CutRetryOnName(std::string_view& text);

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_RETRY_ON_H_

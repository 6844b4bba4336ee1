#ifndef MESHLIB_XDS_CONFIG_BUILDER_SCALARS_H_
#define MESHLIB_XDS_CONFIG_BUILDER_SCALARS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "xds/event_sink.h"

namespace meshlib::xds {

// A scalar as it was written.
struct ScalarText {
  ScalarStyle style;
  std::string_view text;
};

// What a plain YAML scalar stands for where the type is open, as Envoy reads
// it: booleans are y, yes, true, on and their opposites; integers are decimal,
// 0x... or 0... (octal); everything else, floats too, is text.
struct PlainValue {
  enum class Type { kBool, kInteger, kText };
  Type type = Type::kText;
  bool boolean = false;
  int64_t integer = 0;
};
PlainValue ReadPlain(std::string_view text);

// The following read a scalar as proto3's JSON form has it: numbers may be
// quoted, integers may be written as 1e3. On failure they return false and put
// "got ..., want ..." into `why`.
bool ReadString(ScalarText scalar, std::string_view& out, std::string& why);
bool ReadBool(ScalarText scalar, bool& out, std::string& why);
bool ReadSigned(ScalarText scalar, int64_t min, int64_t max, int64_t& out,
                std::string& why);
bool ReadUnsigned(ScalarText scalar, uint64_t max, uint64_t& out,
                  std::string& why);
bool ReadDouble(ScalarText scalar, double& out, std::string& why);
bool ReadFloat(ScalarText scalar, float& out, std::string& why);
// Base64, of either alphabet, with or without padding.
bool ReadBytes(ScalarText scalar, std::string& out, std::string& why);

struct SecondsAndNanos {
  int64_t seconds = 0;
  int32_t nanos = 0;
};
// "1.5s"; at most 315,576,000,000 s in either direction.
bool ReadDuration(ScalarText scalar, SecondsAndNanos& out, std::string& why);
// "2026-01-31T12:00:00.5Z"
bool ReadTimestamp(ScalarText scalar, SecondsAndNanos& out, std::string& why);

// Whether it is the value that a field has when it is not written: false, 0
// or empty text.
bool IsDefaultScalar(ScalarText scalar);

// The scalar for a message: numbers as they are, text in quotes, cut.
std::string Show(ScalarText scalar);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONFIG_BUILDER_SCALARS_H_

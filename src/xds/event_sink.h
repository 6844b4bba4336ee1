#ifndef MESHLIB_XDS_EVENT_SINK_H_
#define MESHLIB_XDS_EVENT_SINK_H_

#include <cstdint>
#include <string_view>

namespace meshlib::xds {

// Where something stands in a file; both count from 1.
struct Position {
  int line = 0;
  int column = 0;
};

// How a scalar was written, which decides what it may stand for.
enum class ScalarStyle : uint8_t {
  kString,  // JSON string, quoted or tagged YAML scalar
  kPlain,   // YAML scalar without quotes: its type follows from its text
  kNumber,  // JSON number, as written
  kBool,    // JSON: "true" or "false"
};

// What the YAML and the JSON reader make of a text. In a map each value
// follows its Key; End() closes the innermost map or list. Views are valid
// during the call only.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void BeginMap(Position at) = 0;
  virtual void BeginList(Position at) = 0;
  virtual void End() = 0;
  virtual void Key(Position at, std::string_view name) = 0;
  virtual void Scalar(Position at, ScalarStyle style,
                      std::string_view text) = 0;
  virtual void Null(Position at) = 0;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_EVENT_SINK_H_

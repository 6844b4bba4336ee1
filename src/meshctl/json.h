#ifndef MESHLIB_MESHCTL_JSON_H_
#define MESHLIB_MESHCTL_JSON_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace meshlib::meshctl {

// Writes one JSON object on one line. Keys and values are given in order:
//   json.Begin('{').Key("cluster").String("a").End('}');
// Text that is not UTF-8 is mended with U+FFFD, so that the output is JSON
// whatever a configuration holds. Not thread-safe.
class Json {
 public:
  Json() : writer_(buffer_) {}

  Json& Begin(char bracket);  // '{' or '['
  Json& End(char bracket);    // '}' or ']'
  Json& Key(std::string_view key);
  Json& String(std::string_view text);
  Json& Uint(uint64_t number);
  Json& Number(double number);  // null if it is not finite
  Json& Bool(bool value);
  Json& Null();

  // A key with its value.
  Json& Field(std::string_view key, std::string_view text) {
    return Key(key).String(text);
  }
  Json& Field(std::string_view key, const char* text) {
    return Key(key).String(text);
  }
  Json& Field(std::string_view key, uint64_t number) {
    return Key(key).Uint(number);
  }
  Json& Field(std::string_view key, bool value) { return Key(key).Bool(value); }

  // The region, zone and sub_zone of whatever has them.
  template <typename Place>
  Json& LocalityFields(const Place& place) {
    return Field("region", place.region)
        .Field("zone", place.zone)
        .Field("sub_zone", place.sub_zone);
  }

  // Moves what is written so far to `out` once it is long, so that a long
  // object is never held as a whole.
  void Spill(std::ostream& out);

  // The text that was not spilled, with a newline at its end. Call once, when
  // all is closed.
  std::string Finish();

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
};

// `text` with every byte that is not part of valid UTF-8 replaced by U+FFFD.
std::string MendUtf8(std::string_view text);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_JSON_H_

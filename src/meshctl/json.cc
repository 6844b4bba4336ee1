#include "meshctl/json.h"

#include <cmath>
#include <cstddef>

namespace meshlib::meshctl {
namespace {

constexpr size_t kSpillAt = 64 * 1024;

// The length of the UTF-8 sequence that `text` begins with; 0 if it is not
// one (Unicode 15, table 3-7).
size_t SequenceLength(std::string_view text) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto tail = [&byte](size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return tail(1) ? 2 : 0;
  if (lead < 0xf0) {
    const bool second = lead == 0xe0   ? byte(1) >= 0xa0 && tail(1)
                        : lead == 0xed ? byte(1) < 0xa0 && tail(1)
                                       : tail(1);
    return second && tail(2) ? 3 : 0;
  }
  if (lead < 0xf5) {
    const bool second = lead == 0xf0   ? byte(1) >= 0x90 && tail(1)
                        : lead == 0xf4 ? byte(1) < 0x90 && tail(1)
                                       : tail(1);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool IsPlain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

std::string MendUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

Json& Json::Begin(char bracket) {
  bracket == '{' ? writer_.StartObject() : writer_.StartArray();
  return *this;
}

Json& Json::End(char bracket) {
  bracket == '}' ? writer_.EndObject() : writer_.EndArray();
  return *this;
}

Json& Json::Key(std::string_view key) {
  writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  return *this;
}

Json& Json::String(std::string_view text) {
  if (IsPlain(text)) {
    writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    return *this;
  }
  const std::string mended = MendUtf8(text);
  writer_.String(mended.data(),
                 static_cast<rapidjson::SizeType>(mended.size()));
  return *this;
}

Json& Json::Uint(uint64_t number) {
  writer_.Uint64(number);
  return *this;
}

Json& Json::Number(double number) {
  std::isfinite(number) ? writer_.Double(number) : writer_.Null();
  return *this;
}

Json& Json::Bool(bool value) {
  writer_.Bool(value);
  return *this;
}

Json& Json::Null() {
  writer_.Null();
  return *this;
}

void Json::Spill(std::ostream& out) {
  if (buffer_.GetSize() < kSpillAt) return;
  out.write(buffer_.GetString(),
            static_cast<std::streamsize>(buffer_.GetSize()));
  buffer_.Clear();
}

std::string Json::Finish() {
  std::string out(buffer_.GetString(), buffer_.GetSize());
  out += '\n';
  return out;
}

}  // namespace meshlib::meshctl

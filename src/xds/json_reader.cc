#include "xds/json_reader.h"

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/loader_text.h"

// RapidJSON asserts on its own misuse only; it must not abort in any case.
#define RAPIDJSON_ASSERT(x) static_cast<void>(0)
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

namespace meshlib::xds {
namespace {

using Stream = rapidjson::InsituStringStream;

// Receives RapidJSON's events. Positions are those of the first byte of a
// token. Strings and numbers point into the text, at where they stand.
class Handler {
 public:
  using Ch = char;

  Handler(std::string_view text, DocumentSink& sink, const PassedFn& passed)
      : base_(text.data()),
        lines_(text),
        check_utf8_(text.find('\\') != std::string_view::npos),
        sink_(sink),
        passed_(passed) {}

  // RapidJSON calls handlers before it moves its stream on, except after
  // literals and brackets; hence the stream is asked where that is known.
  void set_stream(Stream* stream) { stream_ = stream; }

  bool Null() {
    sink_.Null(Before(4));
    return true;
  }
  bool Bool(bool value) {
    sink_.Scalar(Before(value ? 4 : 5), ScalarStyle::kBool,
                 value ? "true" : "false");
    return true;
  }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    sink_.Scalar(At(text), ScalarStyle::kNumber, {text, length});
    return true;
  }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    if (!Check(text, length)) return false;
    sink_.Scalar(At(text - 1), ScalarStyle::kString, {text, length});
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    if (!Check(text, length)) return false;
    sink_.Key(At(text - 1), {text, length});
    return true;
  }
  bool StartObject() {
    const Position at = Before(1);
    if (!Deeper(at)) return false;
    if (passed_ != nullptr) passed_(stream_->Tell());
    sink_.BeginMap(at);
    return true;
  }
  bool EndObject(rapidjson::SizeType) {
    --depth_;
    sink_.End();
    return true;
  }
  bool StartArray() {
    const Position at = Before(1);
    if (!Deeper(at)) return false;
    sink_.BeginList(at);
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    --depth_;
    sink_.End();
    return true;
  }
  // Numbers come as RawNumber; the reader is instantiated with these, too.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

  // Why a handler stopped the reader, and where.
  const std::string& stopped() const { return stopped_; }
  Position stopped_at() const { return stopped_at_; }
  Position At(size_t offset) { return lines_.At(offset); }

 private:
  Position At(const char* token) { return lines_.At(token - base_); }
  Position Before(size_t length) { return lines_.At(stream_->Tell() - length); }

  bool Deeper(Position at) {
    if (++depth_ <= kMaxJsonDepth) return true;
    stopped_ = absl::StrCat("nested deeper than ", kMaxJsonDepth, " levels");
    stopped_at_ = at;
    return false;
  }

  // Only an escape such as \udc00 can still make a string invalid.
  bool Check(const char* text, size_t length) {
    if (!check_utf8_ || IsValidUtf8({text, length})) return true;
    stopped_ = "a string has half of a surrogate pair";
    stopped_at_ = At(text - 1);
    return false;
  }

  const char* base_;
  LineMap lines_;
  bool check_utf8_;
  DocumentSink& sink_;
  const PassedFn& passed_;
  Stream* stream_ = nullptr;
  int depth_ = 0;
  std::string stopped_;
  Position stopped_at_;
};

// RapidJSON's messages are sentences with a full stop.
std::string Describe(rapidjson::ParseErrorCode code) {
  std::string message = rapidjson::GetParseError_En(code);
  if (!message.empty() && message.back() == '.') message.pop_back();
  return absl::StrCat("JSON syntax: ", message);
}

}  // namespace

bool ReadJson(char* text, size_t size, std::string_view file,
              DocumentSink& sink, Problems& problems, const PassedFn& passed) {
  const std::string_view whole(text, size);
  Handler handler(whole, sink, passed);
  const size_t bom = size - WithoutBom(whole).size();
  // Tell() counts from the stream's begin: blank the mark instead of skipping.
  for (size_t i = 0; i < bom; ++i) text[i] = ' ';
  Stream stream(text);
  handler.set_stream(&stream);
  rapidjson::Reader reader;
  sink.BeginDocument({1, 1});
  const rapidjson::ParseResult result =
      reader.Parse<rapidjson::kParseInsituFlag |
                   rapidjson::kParseNumbersAsStringsFlag>(stream, handler);
  if (!result.IsError()) {
    sink.EndDocument();
    return true;
  }
  sink.AbortDocument();
  if (handler.stopped().empty()) {
    problems.AddError(file, handler.At(result.Offset()), "",
                      Describe(result.Code()));
  } else {
    problems.AddError(file, handler.stopped_at(), "", handler.stopped());
  }
  return false;
}

}  // namespace meshlib::xds

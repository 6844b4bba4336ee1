#ifndef MESHLIB_TEST_XDS_EVENT_LOG_H_
#define MESHLIB_TEST_XDS_EVENT_LOG_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/document_sink.h"

namespace meshlib::xds {

// Writes down events: "doc {@1:1 key@1:2= value@1:7 } end". Strings are in
// quotes, plain scalars are bare, JSON numbers begin with # and booleans
// with ?.
class EventLog : public DocumentSink {
 public:
  void BeginDocument(Position) override { Add("doc"); }
  void EndDocument() override { Add("end"); }
  void AbortDocument() override { Add("abort"); }
  void BeginMap(Position at) override { Add("{" + Show(at)); }
  void BeginList(Position at) override { Add("[" + Show(at)); }
  void End() override {
    Add(close_.back());
    close_.pop_back();
  }
  void Key(Position at, std::string_view name) override {
    Add(std::string(name) + Show(at) + "=");
  }
  void Scalar(Position at, ScalarStyle style, std::string_view text) override {
    std::string shown(text);
    if (style == ScalarStyle::kString) shown = "\"" + shown + "\"";
    if (style == ScalarStyle::kNumber) shown = "#" + shown;
    if (style == ScalarStyle::kBool) shown = "?" + shown;
    Add(shown + Show(at));
  }
  void Null(Position at) override { Add("null" + Show(at)); }

  const std::string& text() const { return text_; }
  size_t count() const { return count_; }

 private:
  static std::string Show(Position at) {
    return absl::StrCat("@", at.line, ":", at.column);
  }
  void Add(const std::string& word) {
    if (word[0] == '{') close_.push_back("}");
    if (word[0] == '[') close_.push_back("]");
    ++count_;
    if (text_.size() > 100000) return;
    if (!text_.empty()) text_ += ' ';
    text_ += word;
  }

  std::string text_;
  std::vector<std::string> close_;
  size_t count_ = 0;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_TEST_XDS_EVENT_LOG_H_

#include "xds/yaml_reader.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <istream>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/event_buffer.h"
#include "xds/loader_text.h"

namespace meshlib::xds {
namespace {

// A stream over memory that is not copied.
class MemoryBuffer : public std::streambuf {
 public:
  MemoryBuffer(std::string_view text, size_t offset, const PassedFn& passed)
      : text_(text), next_(offset), passed_(passed) {}

 protected:
  // yaml-cpp keeps what it looks back at.
  int_type underflow() override {
    constexpr size_t kWindow = size_t{64} << 10;
    if (gptr() < egptr()) return traits_type::to_int_type(*gptr());
    if (passed_ != nullptr) passed_(next_);
    if (next_ == text_.size()) return traits_type::eof();
    const size_t length = std::min(kWindow, text_.size() - next_);
    // The get area is only read.
    char* const begin = const_cast<char*>(text_.data()) + next_;
    setg(begin, begin, begin + length);
    next_ += length;
    return traits_type::to_int_type(*begin);
  }

 private:
  std::string_view text_;
  size_t next_;
  const PassedFn& passed_;
};

// Tells keys from values: yaml-cpp reports both as nodes.
class KeySplitter : public EventSink {
 public:
  KeySplitter(EventSink& sink, std::string_view file, Problems& problems)
      : sink_(sink), file_(file), problems_(problems) {}

  void BeginMap(Position at) override { Begin(at, true); }
  void BeginList(Position at) override { Begin(at, false); }

  void End() override {
    if (skip_depth_ > 0) {
      --skip_depth_;
      return;
    }
    levels_.pop_back();
    sink_.End();
  }

  void Key(Position, std::string_view) override {}  // not a YAML event

  void Scalar(Position at, ScalarStyle style, std::string_view text) override {
    if (Skipped()) return;
    if (TakesKey()) return TakeKey(at, text);
    Value();
    sink_.Scalar(at, style, text);
  }

  void Null(Position at) override {
    if (Skipped()) return;
    if (TakesKey()) return TakeKey(at, "null");
    Value();
    sink_.Null(at);
  }

  // The next event is a key that is left out together with its value.
  void IgnoreKey() {
    if (skip_depth_ == 0 && skip_nodes_ == 0 && TakesKey()) skip_nodes_ = 2;
  }

  void Clear() {
    levels_.clear();
    skip_depth_ = 0;
    skip_nodes_ = 0;
  }

 private:
  struct Level {
    bool is_map;
    bool wants_key;
  };

  bool TakesKey() const {
    return !levels_.empty() && levels_.back().is_map &&
           levels_.back().wants_key;
  }

  void TakeKey(Position at, std::string_view name) {
    levels_.back().wants_key = false;
    sink_.Key(at, name);
  }

  void Value() {
    if (!levels_.empty()) levels_.back().wants_key = levels_.back().is_map;
  }

  bool Skipped() {
    if (skip_depth_ > 0) return true;
    if (skip_nodes_ == 0) return false;
    --skip_nodes_;
    return true;
  }

  void Begin(Position at, bool is_map) {
    if (Skipped()) {
      ++skip_depth_;
      return;
    }
    if (TakesKey()) {
      problems_.AddError(file_, at, "",
                         absl::StrCat("a ", is_map ? "map" : "list",
                                      " stands for a key; want a scalar"));
      skip_depth_ = 1;
      skip_nodes_ = 1;
      return;
    }
    Value();
    levels_.push_back({is_map, is_map});
    is_map ? sink_.BeginMap(at) : sink_.BeginList(at);
  }

  EventSink& sink_;
  std::string_view file_;
  Problems& problems_;
  std::vector<Level> levels_;
  int skip_depth_ = 0;  // how deep we are in a skipped node
  int skip_nodes_ = 0;  // how many nodes are still to be skipped after it
};

Position ToPosition(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

class Handler : public YAML::EventHandler {
 public:
  Handler(DocumentSink& sink, std::string_view file, Problems& problems)
      : sink_(sink),
        file_(file),
        problems_(problems),
        splitter_(sink, file, problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    // yaml-cpp takes a stray "," or "]" for an empty document, without moving
    // on: again and again.
    if (mark.pos == document_start_) {
      return Stop(ToPosition(mark), "YAML syntax: unexpected character");
    }
    document_start_ = mark.pos;
    anchors_.clear();
    tape_.Clear();
    splitter_.Clear();
    in_document_ = true;
    sink_.BeginDocument(ToPosition(mark));
  }

  void OnDocumentEnd() override {
    if (stopped_) return;
    in_document_ = false;
    sink_.EndDocument();
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (stopped_) return;
    OpenAnchor(anchor);
    const Position at = ToPosition(mark);
    if (recording_ > 0) tape_.Null(at);
    splitter_.Null(at);
    CloseAnchor(anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor, const std::string& value) override {
    if (stopped_) return;
    OpenAnchor(anchor);
    const Position at = ToPosition(mark);
    const bool text = tag == "!" || tag == "tag:yaml.org,2002:str";
    const auto style = text ? ScalarStyle::kString : ScalarStyle::kPlain;
    if (recording_ > 0) tape_.Scalar(at, style, value);
    if (tag == "!ignore") splitter_.IgnoreKey();
    splitter_.Scalar(at, style, value);
    CloseAnchor(anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Begin(ToPosition(mark), anchor, false);
  }
  void OnSequenceEnd() override { End(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&,
                  YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Begin(ToPosition(mark), anchor, true);
  }
  void OnMapEnd() override { End(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (stopped_) return;
    const Position at = ToPosition(mark);
    if (anchor >= anchors_.size() || !anchors_[anchor].closed) {
      Stop(at, "an alias stands inside of the node that it names");
      return;
    }
    const Range range = anchors_[anchor];
    alias_nodes_ += range.end - range.begin;
    alias_bytes_ += tape_.TextBytes(range.begin, range.end);
    if (alias_nodes_ > kMaxAliasNodes || alias_bytes_ > kMaxAliasBytes) {
      Stop(at, absl::StrCat("aliases expand to more than ", kMaxAliasNodes,
                            " nodes or ", kMaxAliasBytes, " bytes"));
      return;
    }
    tape_.Replay(range.begin, range.end, splitter_);
    if (recording_ > 0) tape_.Repeat(range.begin, range.end);
  }

  // Events are not passed on any more.
  bool stopped() const { return stopped_; }
  bool in_document() const { return in_document_; }

  void AddProblem(Position at, std::string message) {
    problems_.AddError(file_, at, "", std::move(message));
  }

 private:
  // Where the events of an anchored node stand on the tape.
  struct Range {
    size_t begin = 0;
    size_t end = 0;
    bool closed = false;
  };

  // yaml-cpp can be stopped by an exception only; the rest is passed over.
  void Stop(Position at, std::string message) {
    AddProblem(at, std::move(message));
    stopped_ = true;
  }

  void OpenAnchor(YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    if (anchor >= anchors_.size()) anchors_.resize(anchor + 1);
    anchors_[anchor] = {tape_.size(), 0, false};
    ++recording_;
  }

  void CloseAnchor(YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    anchors_[anchor].end = tape_.size();
    anchors_[anchor].closed = true;
    --recording_;
  }

  void Begin(Position at, YAML::anchor_t anchor, bool is_map) {
    if (stopped_) return;
    OpenAnchor(anchor);
    open_.push_back(anchor);
    if (recording_ > 0) is_map ? tape_.BeginMap(at) : tape_.BeginList(at);
    is_map ? splitter_.BeginMap(at) : splitter_.BeginList(at);
  }

  void End() {
    if (stopped_) return;
    if (recording_ > 0) tape_.End();
    splitter_.End();
    CloseAnchor(open_.back());
    open_.pop_back();
  }

  DocumentSink& sink_;
  std::string_view file_;
  Problems& problems_;
  KeySplitter splitter_;
  EventBuffer tape_;                  // the events of anchored nodes
  std::vector<Range> anchors_;        // by anchor
  std::vector<YAML::anchor_t> open_;  // of the maps and lists we are in
  int recording_ = 0;                 // how many anchored nodes are open
  int document_start_ = -1;
  size_t alias_nodes_ = 0;
  size_t alias_bytes_ = 0;
  bool stopped_ = false;
  bool in_document_ = false;
};

}  // namespace

bool ReadYaml(std::string_view text, std::string_view file, DocumentSink& sink,
              Problems& problems, const PassedFn& passed) {
  MemoryBuffer buffer(text, text.size() - WithoutBom(text).size(), passed);
  std::istream stream(&buffer);
  Handler handler(sink, file, problems);
  try {
    YAML::Parser parser(stream);
    while (!handler.stopped() && parser.HandleNextDocument(handler)) {
    }
  } catch (const YAML::DeepRecursion& e) {
    // Its own text is "bad file", and its mark is where it gave up.
    handler.AddProblem(
        ToPosition(e.mark),
        absl::StrCat("YAML syntax: maps and lists are nested deeper than ",
                     e.depth(), " levels"));
    if (handler.in_document()) sink.AbortDocument();
    return false;
  } catch (const YAML::Exception& e) {
    if (!handler.stopped()) {
      const Position at = e.mark.is_null() ? Position{} : ToPosition(e.mark);
      handler.AddProblem(at, absl::StrCat("YAML syntax: ", e.msg));
      if (handler.in_document()) sink.AbortDocument();
      return false;
    }
  } catch (const std::exception& e) {
    handler.AddProblem({}, absl::StrCat("YAML reader: ", e.what()));
    if (handler.in_document()) sink.AbortDocument();
    return false;
  }
  if (!handler.stopped()) return true;
  if (handler.in_document()) sink.AbortDocument();
  return false;
}

}  // namespace meshlib::xds

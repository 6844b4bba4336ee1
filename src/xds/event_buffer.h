#ifndef MESHLIB_XDS_EVENT_BUFFER_H_
#define MESHLIB_XDS_EVENT_BUFFER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "xds/event_sink.h"

namespace meshlib::xds {

// Events kept for later: the fields that stand before "@type", a document
// whose form is not known yet, anchored YAML nodes. Not thread-safe.
class EventBuffer : public EventSink {
 public:
  EventBuffer() = default;
  EventBuffer(EventBuffer&&) = default;
  EventBuffer& operator=(EventBuffer&&) = default;

  void BeginMap(Position at) override;
  void BeginList(Position at) override;
  void End() override;
  void Key(Position at, std::string_view name) override;
  void Scalar(Position at, ScalarStyle style, std::string_view text) override;
  void Null(Position at) override;

  size_t size() const { return events_.size(); }
  int depth() const { return depth_; }  // of maps and lists still open
  // Whether the event at `index` begins a map.
  bool is_map(size_t index = 0) const {
    return index < events_.size() && events_[index].kind == Kind::kMap;
  }
  // Bytes of text in the events [begin, end).
  size_t TextBytes(size_t begin, size_t end) const;

  // Appends the events [begin, end) of this buffer once more; their text is
  // shared.
  void Repeat(size_t begin, size_t end);

  // `sink` must not be this buffer, nor add to it.
  void Replay(size_t begin, size_t end, EventSink& sink) const;
  void Replay(EventSink& sink) const { Replay(0, size(), sink); }

  // The text of the scalar that follows the outermost map's key `name`, empty
  // if there is none.
  std::string_view FindScalar(std::string_view name) const;

  // Of a buffer with the fields of a map that is not in it: the events of the
  // field's value, nothing if there is no such field.
  struct Range {
    size_t begin = 0;
    size_t end = 0;
  };
  Range FindValue(std::string_view name) const;

  // Keeps the memory for the next use.
  void Clear();

 private:
  enum class Kind : uint8_t { kMap, kList, kEnd, kKey, kScalar, kNull };
  struct Event {
    Kind kind;
    ScalarStyle style;
    Position at;
    size_t offset;  // into text_
    size_t length;
  };

  // How an event changes the depth.
  static int Step(Kind kind) {
    if (kind == Kind::kEnd) return -1;
    return kind == Kind::kMap || kind == Kind::kList ? 1 : 0;
  }

  void Push(Kind kind, ScalarStyle style, Position at, std::string_view text);
  void Append(Event event);
  std::string_view Text(const Event& event) const {
    return std::string_view(text_).substr(event.offset, event.length);
  }

  std::vector<Event> events_;
  std::string text_;
  int depth_ = 0;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_EVENT_BUFFER_H_

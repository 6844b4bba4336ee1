#include "xds/event_buffer.h"

namespace meshlib::xds {

void EventBuffer::Push(Kind kind, ScalarStyle style, Position at,
                       std::string_view text) {
  Append({kind, style, at, text_.size(), text.size()});
  text_.append(text);
}

void EventBuffer::Append(Event event) {
  events_.push_back(event);
  depth_ += Step(event.kind);
}

void EventBuffer::BeginMap(Position at) {
  Push(Kind::kMap, ScalarStyle::kString, at, {});
}

void EventBuffer::BeginList(Position at) {
  Push(Kind::kList, ScalarStyle::kString, at, {});
}

void EventBuffer::End() { Push(Kind::kEnd, ScalarStyle::kString, {}, {}); }

void EventBuffer::Key(Position at, std::string_view name) {
  Push(Kind::kKey, ScalarStyle::kString, at, name);
}

void EventBuffer::Scalar(Position at, ScalarStyle style,
                         std::string_view text) {
  Push(Kind::kScalar, style, at, text);
}

void EventBuffer::Null(Position at) {
  Push(Kind::kNull, ScalarStyle::kString, at, {});
}

size_t EventBuffer::TextBytes(size_t begin, size_t end) const {
  size_t bytes = 0;
  for (size_t i = begin; i < end; ++i) bytes += events_[i].length;
  return bytes;
}

void EventBuffer::Repeat(size_t begin, size_t end) {
  events_.reserve(events_.size() + (end - begin));
  for (size_t i = begin; i < end; ++i) Append(events_[i]);
}

void EventBuffer::Replay(size_t begin, size_t end, EventSink& sink) const {
  for (size_t i = begin; i < end; ++i) {
    const Event& event = events_[i];
    switch (event.kind) {
      case Kind::kMap:
        sink.BeginMap(event.at);
        break;
      case Kind::kList:
        sink.BeginList(event.at);
        break;
      case Kind::kEnd:
        sink.End();
        break;
      case Kind::kKey:
        sink.Key(event.at, Text(event));
        break;
      case Kind::kScalar:
        sink.Scalar(event.at, event.style, Text(event));
        break;
      case Kind::kNull:
        sink.Null(event.at);
        break;
    }
  }
}

std::string_view EventBuffer::FindScalar(std::string_view name) const {
  int depth = 0;
  for (size_t i = 0; i + 1 < events_.size(); ++i) {
    const Event& event = events_[i];
    depth += Step(event.kind);
    if (depth == 1 && event.kind == Kind::kKey && Text(event) == name &&
        events_[i + 1].kind == Kind::kScalar) {
      return Text(events_[i + 1]);
    }
  }
  return {};
}

EventBuffer::Range EventBuffer::FindValue(std::string_view name) const {
  int depth = 0;
  size_t begin = 0;  // of the value being read; 0: of another field
  for (size_t i = 0; i < events_.size(); ++i) {
    const Event& event = events_[i];
    if (event.kind == Kind::kMap || event.kind == Kind::kList) ++depth;
    if (event.kind == Kind::kEnd) --depth;
    if (depth > 0) continue;
    if (event.kind == Kind::kKey) {
      begin = Text(event) == name ? i + 1 : 0;
    } else if (begin > 0) {
      return {begin, i + 1};
    }
  }
  return {};
}

void EventBuffer::Clear() {
  events_.clear();
  depth_ = 0;
  text_.clear();
}

}  // namespace meshlib::xds

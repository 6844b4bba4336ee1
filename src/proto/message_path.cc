#include "proto/message_path.h"

namespace meshlib::proto {

void AppendStep(std::string& path, std::string_view field, int index,
                const std::string_view* key) {
  if (!path.empty()) path.push_back('.');
  path.append(field);
  if (key != nullptr) {
    path.append("[\"").append(*key).append("\"]");
  } else if (index >= 0) {
    path.append("[").append(std::to_string(index)).append("]");
  }
}

std::string ToString(const std::vector<PathStep>& steps) {
  std::string out;
  for (const PathStep& step : steps) {
    const std::string_view key = step.key;
    AppendStep(out, step.field, step.index, step.is_map ? &key : nullptr);
  }
  return out;
}

std::vector<PathStep> PathStack::Steps() const {
  std::vector<PathStep> steps;
  steps.reserve(frames_.size() + 1);
  for (const Frame& frame : frames_) {
    PathStep step;
    step.field = frame.field->name();
    step.number = frame.field->number();
    step.index = frame.index;
    if (frame.key != nullptr) {
      step.is_map = true;
      step.key = *frame.key;
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace meshlib::proto

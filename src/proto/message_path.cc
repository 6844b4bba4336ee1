#include "proto/message_path.h"

namespace meshlib::proto {

std::string ToString(const std::vector<PathStep>& steps) {
  std::string out;
  for (const PathStep& step : steps) {
    if (!out.empty()) out.push_back('.');
    out.append(step.field);
    if (step.is_map) {
      out.append("[\"").append(step.key).append("\"]");
    } else if (step.index >= 0) {
      out.append("[").append(std::to_string(step.index)).append("]");
    }
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

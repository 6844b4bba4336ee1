#include "xds/line_index.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "base/strings.h"

namespace meshlib::xds {

void LineIndex::Clear(Position at) {
  nodes_.clear();
  keys_.clear();
  nodes_.push_back({-1, -1, at, {}, false});
}

int LineIndex::Push(Node node) {
  nodes_.push_back(node);
  return static_cast<int>(nodes_.size()) - 1;
}

int LineIndex::AddField(int parent, std::string_view name, Position at) {
  return Push({parent, -1, at, name, false});
}

int LineIndex::AddElement(int parent, int index, Position at) {
  return Push({parent, index, at, {}, false});
}

int LineIndex::AddEntry(int parent, std::string_view key, Position at) {
  return Push({parent, -1, at, keys_.emplace_back(key), false});
}

bool LineIndex::NextStep(std::string_view& path, Step& step) {
  step = {};
  if (!path.empty() && path.front() == '.') path.remove_prefix(1);
  if (path.empty()) return false;
  if (path.front() != '[') {
    const size_t end = std::min(path.find_first_of(".["), path.size());
    step.name = path.substr(0, end);
    path.remove_prefix(end);
    return true;
  }
  const bool quoted = path.size() > 1 && path[1] == '"';
  const std::string_view close = quoted ? "\"]" : "]";
  const size_t begin = quoted ? 2 : 1;
  const size_t end = path.find(close, begin);
  if (end == std::string_view::npos) return false;
  step.name = path.substr(begin, end - begin);
  if (!quoted && !absl::SimpleAtoi(base::ToAbsl(step.name), &step.index)) {
    step.index = -1;
  }
  path.remove_prefix(end + close.size());
  return true;
}

size_t LineIndex::SubtreeEnd(int node) const {
  size_t end = node + 1;
  while (end < nodes_.size() && nodes_[end].parent >= node) ++end;
  return end;
}

int LineIndex::FindChild(int parent, const Step& step) const {
  const size_t end = SubtreeEnd(parent);
  for (size_t i = parent + 1; i < end; ++i) {
    const Node& node = nodes_[i];
    if (node.parent != parent) continue;
    const bool found =
        node.index >= 0 ? node.index == step.index : node.name == step.name;
    if (found) return static_cast<int>(i);
  }
  return -1;
}

Position LineIndex::FindField(int node, std::string_view name) const {
  const int child = FindChild(node, {name, -1});
  return child < 0 ? Position{} : nodes_[child].at;
}

Position LineIndex::Find(std::string_view path) const {
  int node = 0;
  Step step;
  while (NextStep(path, step)) {
    const int child = FindChild(node, step);
    if (child < 0) break;
    node = child;
  }
  return nodes_[node].at;
}

bool LineIndex::IsBad(std::string_view path) const {
  int node = 0;
  Step step;
  bool whole = true;
  while (whole && !nodes_[node].bad && NextStep(path, step)) {
    const int child = FindChild(node, step);
    whole = child >= 0;
    if (whole) node = child;
  }
  if (nodes_[node].bad) return true;
  if (!whole) return false;
  const size_t end = SubtreeEnd(node);
  for (size_t i = node + 1; i < end; ++i) {
    if (nodes_[i].bad) return true;
  }
  return false;
}

}  // namespace meshlib::xds

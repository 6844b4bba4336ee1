#include "routing/path_trie.h"

#include <algorithm>
#include <utility>

namespace meshlib::routing {

void PathTrie::Add(std::string_view key, Kind kind, uint32_t position) {
  std::string folded(key);
  for (char& c : folded) c = Fold(c);
  uint32_t& list = drafts_[DraftFor(folded)].lists[static_cast<size_t>(kind)];
  if (list == kNoList) {
    list = static_cast<uint32_t>(lists_.size());
    lists_.emplace_back();
  }
  lists_[list].Add(position);
}

// The node whose labels from the root spell `key`, made if it is not there.
size_t PathTrie::DraftFor(std::string_view key) {
  if (drafts_.empty()) drafts_.emplace_back();
  size_t node = 0;
  while (!key.empty()) {
    const auto child = drafts_[node].children.find(key[0]);
    if (child == drafts_[node].children.end()) {
      const size_t leaf = drafts_.size();
      drafts_[node].children.emplace(key[0], leaf);
      drafts_.emplace_back();
      drafts_.back().label = std::string(key);
      return leaf;
    }
    node = child->second;
    const std::string& label = drafts_[node].label;
    const size_t limit = std::min(label.size(), key.size());
    const auto common = static_cast<size_t>(
        std::mismatch(label.begin(),
                      label.begin() + static_cast<std::ptrdiff_t>(limit),
                      key.begin())
            .first -
        label.begin());
    if (common < label.size()) Split(node, common);
    key.remove_prefix(common);
  }
  return node;
}

// Makes `draft` end after `keep` bytes of its label; a new child takes the
// rest.
void PathTrie::Split(size_t draft, size_t keep) {
  Draft rest = std::move(drafts_[draft]);
  Draft top;
  top.label = rest.label.substr(0, keep);
  rest.label.erase(0, keep);
  top.children.emplace(rest.label[0], drafts_.size());
  drafts_[draft] = std::move(top);
  drafts_.push_back(std::move(rest));
}

uint32_t PathTrie::Compact(uint32_t list) const {
  if (list == kNoList || lists_[list].positions().size() != 1) return list;
  return lists_[list].positions().front() | kOnlyOne;
}

void PathTrie::Build(
    const std::vector<std::unique_ptr<const CompiledRoute>>& routes) {
  if (drafts_.empty()) return;
  std::vector<size_t> order = {0};  // drafts, breadth first
  order.reserve(drafts_.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const Draft& draft = drafts_[order[i]];
    Node node;
    first_bytes_ += draft.label.empty() ? '\0' : draft.label[0];
    node.label_begin = static_cast<uint32_t>(labels_.size());
    if (!draft.label.empty()) {
      labels_.append(draft.label, 1, std::string::npos);
      node.label_size = static_cast<uint32_t>(draft.label.size() - 1);
    }
    node.first_child = static_cast<uint32_t>(order.size());
    node.child_count = static_cast<uint32_t>(draft.children.size());
    std::transform(std::begin(draft.lists), std::end(draft.lists), node.lists,
                   [this](uint32_t list) { return Compact(list); });
    nodes_.push_back(node);
    for (const auto& [first, child] : draft.children) order.push_back(child);
  }
  drafts_ = {};
  nodes_.shrink_to_fit();
  labels_.shrink_to_fit();
  first_bytes_.shrink_to_fit();
  for (Candidates& list : lists_) list.Index(routes);
}

}  // namespace meshlib::routing

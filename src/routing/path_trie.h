#ifndef MESHLIB_ROUTING_PATH_TRIE_H_
#define MESHLIB_ROUTING_PATH_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "routing/candidates.h"

namespace meshlib::routing {

// Routes by prefix, exact path and path-separated prefix: a radix tree laid
// out flat, so that one walk down a path meets every route whose path
// condition holds and no other. A walk takes time in the length of the path,
// not in the number of routes. With `ignore_case`, keys and paths meet in
// lower case. Add all routes, then Build; then immutable.
class PathTrie {
 public:
  explicit PathTrie(bool ignore_case) : ignore_case_(ignore_case) {}

  enum class Kind { kPrefix, kExact, kPathSeparatedPrefix };

  // Positions must come in ascending order.
  void Add(std::string_view key, Kind kind, uint32_t position);
  void Build(const std::vector<std::unique_ptr<const CompiledRoute>>& routes);

  // For each path condition that `path` meets, shortest first, calls
  // visit(uint32_t position) if one route has it, visit(const Candidates&) if
  // several have. Must not be called before Build.
  template <typename Visit>
  void Walk(std::string_view path, const Visit& visit) const {
    if (nodes_.empty()) return;
    const char* at = path.data();
    const char* const end = at + path.size();
    const Node* node = nodes_.data();
    for (;;) {
      VisitNode(*node, at, end, visit);
      if (at == end || node->child_count == 0) return;
      node = Child(*node, Fold(*at++));
      if (node == nullptr || !LabelMatches(*node, at, end)) return;
      at += node->label_size;
    }
  }

 private:
  static constexpr uint32_t kNoList = UINT32_MAX;
  // A list of one route stands in the node itself, as its position and this
  // bit: two cache lines less to read.
  static constexpr uint32_t kOnlyOne = uint32_t{1} << 31;

  // The tree while it is built: labels in full.
  struct Draft {
    std::string label;  // from the parent's end to this node's
    std::map<char, size_t> children;
    uint32_t lists[3] = {kNoList, kNoList, kNoList};
  };

  // 32 bytes. The first byte of the label stands in first_bytes_.
  struct Node {
    uint32_t label_begin = 0;
    uint32_t label_size = 0;  // without the first byte
    uint32_t first_child = 0;
    uint32_t child_count = 0;
    uint32_t lists[3] = {kNoList, kNoList, kNoList};  // by Kind
    uint32_t unused = 0;
  };

  template <typename Visit>
  void VisitNode(const Node& node, const char* at, const char* end,
                 const Visit& visit) const {
    const bool at_end = at == end;
    VisitList(node, Kind::kPrefix, visit);
    if (at_end || *at == '/') {
      VisitList(node, Kind::kPathSeparatedPrefix, visit);
    }
    if (at_end) VisitList(node, Kind::kExact, visit);
  }

  template <typename Visit>
  void VisitList(const Node& node, Kind kind, const Visit& visit) const {
    const uint32_t list = node.lists[static_cast<size_t>(kind)];
    if (list == kNoList) return;
    if ((list & kOnlyOne) != 0) {
      visit(list & ~kOnlyOne);
    } else {
      visit(lists_[list]);
    }
  }

  char Fold(char c) const { return ignore_case_ ? base::LowerAscii(c) : c; }

  const Node* Child(const Node& node, char first) const {
    const char* bytes = first_bytes_.data() + node.first_child;
    const void* found = std::memchr(bytes, first, node.child_count);
    if (found == nullptr) return nullptr;
    return &nodes_[node.first_child +
                   static_cast<size_t>(static_cast<const char*>(found) -
                                       bytes)];
  }

  bool LabelMatches(const Node& node, const char* at, const char* end) const {
    const size_t size = node.label_size;
    if (static_cast<size_t>(end - at) < size) return false;
    const char* label = labels_.data() + node.label_begin;
    if (!ignore_case_) return std::memcmp(at, label, size) == 0;
    for (size_t i = 0; i < size; ++i) {
      if (base::LowerAscii(at[i]) != label[i]) return false;
    }
    return true;
  }

  uint32_t Compact(uint32_t list) const;
  size_t DraftFor(std::string_view key);
  void Split(size_t draft, size_t keep);

  bool ignore_case_;
  std::vector<Draft> drafts_;  // empty after Build; the first is the root
  std::vector<Node> nodes_;    // breadth first; siblings stand together
  std::string first_bytes_;    // by node
  std::string labels_;
  std::vector<Candidates> lists_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_PATH_TRIE_H_

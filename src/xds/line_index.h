#ifndef MESHLIB_XDS_LINE_INDEX_H_
#define MESHLIB_XDS_LINE_INDEX_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "xds/event_sink.h"

namespace meshlib::xds {

// Where each field of one resource stands in its file: recorded while the
// resource is built, asked when a later check finds a problem. Paths are as
// users write them, relative to the resource:
//   load_assignment.endpoints[0].lb_endpoints[1].health_status
//   metadata.filter_metadata["envoy.lb"].canary
// A map's entry may be written [key], ["key"] or .key. The content of an Any
// stands directly below it.
//
// Not thread-safe. Recording costs one push_back for each field; Find() is
// linear in the size of the resource, as only problems ask.
class LineIndex {
 public:
  LineIndex() { Clear({}); }

  // Forgets everything; node 0 is the resource itself.
  void Clear(Position at);

  // A field whose name lives as long as the index. Returns its node.
  int AddField(int parent, std::string_view name, Position at);
  // An element of a list.
  int AddElement(int parent, int index, Position at);
  // A map's entry; the key is copied.
  int AddEntry(int parent, std::string_view key, Position at);

  // Something below the node was wrong or passed over, so that a check that
  // finds it missing says nothing new.
  void MarkBad(int node) { nodes_[node].bad = true; }

  // The field `name` of a node; line 0 if it is not recorded.
  Position FindField(int node, std::string_view name) const;

  // The position of the longest part of the path that is known.
  Position Find(std::string_view path) const;

  // Whether the path, a part of it or something below it was marked bad.
  bool IsBad(std::string_view path) const;

 private:
  struct Node {
    int parent;
    int index;  // -1: has a name
    Position at;
    std::string_view name;
    bool bad;
  };

  // One step of a path.
  struct Step {
    std::string_view name;
    int index = -1;
  };
  static bool NextStep(std::string_view& path, Step& step);

  int Push(Node node);
  int FindChild(int parent, const Step& step) const;
  // The nodes from `node` to the returned one (excluded) are its subtree.
  size_t SubtreeEnd(int node) const;

  std::vector<Node> nodes_;  // parents before their children
  std::deque<std::string> keys_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_LINE_INDEX_H_

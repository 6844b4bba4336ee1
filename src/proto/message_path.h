// Where in a message something stands, written as users write it:
// load_assignment.endpoints[0].lb_endpoints[1].endpoint.address
#ifndef MESHLIB_PROTO_MESSAGE_PATH_H_
#define MESHLIB_PROTO_MESSAGE_PATH_H_

#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace meshlib::proto {

// One step of a path: a field, an item of a list or an entry of a map. A value
// type. A step into a google.protobuf.Any goes on with the fields of the
// message inside, as in JSON.
struct PathStep {
  std::string_view field;  // the original's name, snake_case; valid for ever
  int number = 0;
  int index = -1;  // of a list's item
  bool is_map = false;
  std::string key;  // of a map's entry, as text

  friend bool operator==(const PathStep& a, const PathStep& b) {
    return a.field == b.field && a.number == b.number && a.index == b.index &&
           a.is_map == b.is_map && a.key == b.key;
  }
};

// Adds one step to a path as text: `index` of a list's item (-1: none), `key`
// of a map's entry (null: none).
void AppendStep(std::string& path, std::string_view field, int index,
                const std::string_view* key);

// a.b[2].c["key"].d
std::string ToString(const std::vector<PathStep>& steps);

// The path while a message is walked: cheap to push and pop, turned into steps
// only where there is something to report. Not thread-safe.
class PathStack {
 public:
  // Pops what it pushed when it goes out of scope. `key` is borrowed.
  class Scope {
   public:
    Scope(PathStack& stack, const google::protobuf::FieldDescriptor& field,
          int index = -1, const std::string* key = nullptr)
        : stack_(stack) {
      stack_.frames_.push_back({&field, index, key});
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { stack_.frames_.pop_back(); }

   private:
    PathStack& stack_;
  };

  std::vector<PathStep> Steps() const;

 private:
  struct Frame {
    const google::protobuf::FieldDescriptor* field;
    int index;
    const std::string* key;
  };

  std::vector<Frame> frames_;
};

}  // namespace meshlib::proto

#endif  // MESHLIB_PROTO_MESSAGE_PATH_H_

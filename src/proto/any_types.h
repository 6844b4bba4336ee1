// Messages inside google.protobuf.Any, by type URL.
#ifndef MESHLIB_PROTO_ANY_TYPES_H_
#define MESHLIB_PROTO_ANY_TYPES_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/message.h"

namespace meshlib::proto {

// How deep Any may stand in Any. A message inside costs its bytes once for each
// level, so that a limit keeps hostile input from costing memory and stack.
inline constexpr int kMaxAnyDepth = 16;

// Finds prototypes by type URL and remembers them. Not thread-safe.
class AnyTypes {
 public:
  // The default instance of our copy of the type; null if we have none. It
  // belongs to protobuf and lives as long as the process.
  const google::protobuf::Message* Prototype(const std::string& url);

 private:
  absl::flat_hash_map<std::string, const google::protobuf::Message*> known_;
};

}  // namespace meshlib::proto

#endif  // MESHLIB_PROTO_ANY_TYPES_H_

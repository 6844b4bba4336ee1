#ifndef MESHLIB_MODEL_METADATA_H_
#define MESHLIB_MODEL_METADATA_H_

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace meshlib::model {

// A JSON-like value, as google.protobuf.Value carries it in xDS metadata.
// A value type; ordered, so that dumps and comparisons are stable.
struct Value {
  enum class Kind { kNull, kBool, kNumber, kString, kList, kStruct };
  Kind kind = Kind::kNull;
  bool boolean = false;
  double number = 0;
  std::string string;
  std::vector<Value> list;
  std::map<std::string, Value, std::less<>> fields;

  friend bool operator==(const Value& a, const Value& b);
};

// filter_metadata of an endpoint, route or cluster: filter name -> struct.
struct Metadata {
  std::map<std::string, Value, std::less<>> filters;

  // The value at filters[filter][path[0]][path[1]]...; null if absent.
  const Value* Find(std::string_view filter,
                    std::initializer_list<std::string_view> path) const;

  friend bool operator==(const Metadata& a, const Metadata& b) {
    return a.filters == b.filters;
  }
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_METADATA_H_

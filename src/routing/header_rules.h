#ifndef MESHLIB_ROUTING_HEADER_RULES_H_
#define MESHLIB_ROUTING_HEADER_RULES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/route.h"
#include "routing/header_list.h"
#include "routing/value_format.h"

namespace meshlib::routing {

// The headers that one level (weighted cluster, route, virtual host, route
// configuration) removes and adds, in one direction. Envoy's order within a
// level: removals first; then every value is computed from what is left; then
// the overwriting ones are set, then the others added. A value that comes out
// empty is left out unless keep_empty_value. Immutable and thread-safe.
class HeaderRules {
 public:
  HeaderRules() = default;

  // InvalidArgument for pseudo-headers and `host`: only rewrites change those.
  static absl::StatusOr<HeaderRules> Compile(
      const std::vector<model::HeaderValueOption>& add,
      const std::vector<std::string>& remove);

  bool empty() const { return add_.empty() && remove_.empty(); }

  // `target` is one of the context's lists. The names in it view these rules.
  void Apply(const FormatContext& context, HeaderList& target) const;

 private:
  struct Addition {
    std::string name;
    ValueFormat value;
    model::AppendAction action;
    bool keep_empty_value;
  };

  std::vector<Addition> add_;
  std::vector<std::string> remove_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_HEADER_RULES_H_

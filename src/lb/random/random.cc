#include "lb/random/random.h"

namespace meshlib::lb {

const model::Host* RandomPolicy::Pick(const HostSource& source,
                                      SourceState& state, base::Random& random,
                                      const PickContext& context) const {
  if (source.size() >= kFarFrom) {
    return source.hosts[state.ahead.Far(source, random, 1, context.stripe)[0]];
  }
  if (source.size() >= kNearFrom) {
    return source.hosts[state.ahead.Near(source, random)];
  }
  return PickStateless(source, random, context);
}

const model::Host* RandomPolicy::PickStateless(
    const HostSource& source, base::Random& random,
    const PickContext& context) const {
  return source.hosts[DrawBelow(random, source.size())];
}

}  // namespace meshlib::lb

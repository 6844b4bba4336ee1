#include "lb/random/random.h"

namespace meshlib::lb {

const model::Host* RandomPolicy::Pick(const HostSource& source,
                                      SourceState& state, base::Random& random,
                                      const PickContext& context) const {
  if (source.size() >= kLookAheadFrom) {
    return source.hosts[state.ahead.Next(source, random, 1)[0]];
  }
  return PickStateless(source, random, context);
}

const model::Host* RandomPolicy::PickStateless(
    const HostSource& source, base::Random& random,
    const PickContext& context) const {
  return source.hosts[DrawBelow(random, source.size())];
}

}  // namespace meshlib::lb

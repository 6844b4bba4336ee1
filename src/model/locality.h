#ifndef MESHLIB_MODEL_LOCALITY_H_
#define MESHLIB_MODEL_LOCALITY_H_

#include <string>
#include <tuple>
#include <utility>

namespace meshlib::model {

// Where hosts are: region, zone and sub-zone, each possibly empty. A value.
struct Locality {
  std::string region;
  std::string zone;
  std::string sub_zone;

  bool empty() const {
    return region.empty() && zone.empty() && sub_zone.empty();
  }
  friend bool operator==(const Locality& a, const Locality& b) {
    return std::tie(a.region, a.zone, a.sub_zone) ==
           std::tie(b.region, b.zone, b.sub_zone);
  }
  friend bool operator!=(const Locality& a, const Locality& b) {
    return !(a == b);
  }
  friend bool operator<(const Locality& a, const Locality& b) {
    return std::tie(a.region, a.zone, a.sub_zone) <
           std::tie(b.region, b.zone, b.sub_zone);
  }
  template <typename H>
  friend H AbslHashValue(H h, const Locality& l) {
    return H::combine(std::move(h), l.region, l.zone, l.sub_zone);
  }
};

}  // namespace meshlib::model

#endif  // MESHLIB_MODEL_LOCALITY_H_

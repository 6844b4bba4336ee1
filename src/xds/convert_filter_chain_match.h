#ifndef MESHLIB_XDS_CONVERT_FILTER_CHAIN_MATCH_H_
#define MESHLIB_XDS_CONVERT_FILTER_CHAIN_MATCH_H_

#include <map>
#include <string>

#include "meshlib/xds/envoy/config/listener/v3/listener_components.pb.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// Holds the filter chains of one listener against each other: no connection
// may match two of them equally well. Prefixes count by the addresses that
// they cover, lists by each of their values, as in Envoy.
class FilterChainMatches {
 public:
  // The caller has entered the filter chain.
  void Add(const envoy::config::listener::v3::FilterChain& chain,
           FieldErrors& errors);

 private:
  std::map<std::string, std::string> owners_;  // combination -> chain's name
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_FILTER_CHAIN_MATCH_H_

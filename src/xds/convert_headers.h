#ifndef MESHLIB_XDS_CONVERT_HEADERS_H_
#define MESHLIB_XDS_CONVERT_HEADERS_H_

#include <string_view>
#include <utility>
#include <vector>

#include "meshlib/xds/envoy/config/core/v3/base.pb.h"
#include "model/route.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

using HeaderOptions = ::google::protobuf::RepeatedPtrField<
    envoy::config::core::v3::HeaderValueOption>;
using HeaderNames = ::google::protobuf::RepeatedPtrField<std::string>;

// `field` is the name of the list, for paths. Pseudo-headers and Host can
// neither be added nor removed.
std::vector<model::HeaderValueOption> ConvertHeadersToAdd(
    const HeaderOptions& in, std::string_view field, FieldErrors& errors);
std::vector<std::string> ConvertHeadersToRemove(const HeaderNames& in,
                                                std::string_view field,
                                                FieldErrors& errors);

// Of a RouteConfiguration, VirtualHost, Route or weighted cluster.
template <typename Message>
model::HeaderMutations ConvertHeaderMutations(const Message& in,
                                              FieldErrors& errors) {
  return {ConvertHeadersToAdd(in.request_headers_to_add(),
                              "request_headers_to_add", errors),
          ConvertHeadersToRemove(in.request_headers_to_remove(),
                                 "request_headers_to_remove", errors),
          ConvertHeadersToAdd(in.response_headers_to_add(),
                              "response_headers_to_add", errors),
          ConvertHeadersToRemove(in.response_headers_to_remove(),
                                 "response_headers_to_remove", errors)};
}

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_HEADERS_H_

#ifndef MESHLIB_XDS_CONVERT_FAULT_H_
#define MESHLIB_XDS_CONVERT_FAULT_H_

#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/map.h"
#include "model/fault.h"
#include "model/route.h"
#include "xds/convert_deferred.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// Whether the message is a fault filter's (HTTPFault).
bool HoldsFault(const ::google::protobuf::Any& any);

// Such a message; null for one that cannot be read. The caller has entered it.
std::shared_ptr<const model::Fault> ConvertFault(
    const ::google::protobuf::Any& any, FieldErrors& errors,
    DeferredChecks* deferred);

// A level's typed_per_filter_config. What it says of filters that are not
// supported is noted.
std::vector<model::FilterOverride> ConvertFilterOverrides(
    const ::google::protobuf::Map<std::string, ::google::protobuf::Any>& in,
    FieldErrors& errors, DeferredChecks* deferred);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_FAULT_H_

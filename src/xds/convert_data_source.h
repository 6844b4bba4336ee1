#ifndef MESHLIB_XDS_CONVERT_DATA_SOURCE_H_
#define MESHLIB_XDS_CONVERT_DATA_SOURCE_H_

#include <cstddef>
#include <optional>
#include <string>

#include "meshlib/xds/envoy/config/core/v3/base.pb.h"
#include "xds/convert_errors.h"

namespace meshlib::xds {

// What a DataSource holds or points at; of a file at most `limit` + 1 bytes.
// Nothing, with an error, if it cannot be read. Blocks while it reads a file.
std::optional<std::string> ReadDataSource(
    const envoy::config::core::v3::DataSource& in, size_t limit,
    FieldErrors& errors);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_DATA_SOURCE_H_

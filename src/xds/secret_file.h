#ifndef MESHLIB_XDS_SECRET_FILE_H_
#define MESHLIB_XDS_SECRET_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/tls.h"

namespace meshlib::xds {

// The Secret called `name` of a file that an sds_config's path_config_source
// names: a list of resources, or one, in any form that xds/loader.h reads.
// NotFound: it is not in it; InvalidArgument: the file cannot be read, or it
// has an error. Blocks while it reads. Thread-safe.
absl::StatusOr<model::TlsSecret> ReadSecretFile(const std::string& path,
                                                const std::string& name);

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_SECRET_FILE_H_

#ifndef MESHLIB_XDS_CONVERT_DEFERRED_H_
#define MESHLIB_XDS_CONVERT_DEFERRED_H_

#include <cstdint>
#include <string>
#include <vector>

namespace meshlib::xds {

// Questions about one resource that only the whole configuration can answer.
// The converters write them down; who holds the whole answers them.
struct DeferredChecks {
  // A cluster that must exist, by name.
  struct ClusterReference {
    std::string path;  // of the field, as in FieldProblem
    std::string cluster;
    bool required = true;  // false: its absence is only worth a warning
    // It leads to a control plane, and must be usable without one.
    bool local = false;
  };

  // A regex that is larger than Envoy allows by default (a program of 100
  // instructions; the runtime key re2.max_program_size.error_level).
  struct LargeRegex {
    std::string path;
    int program_size = 0;
  };

  // A file that holds resources (path_config_source).
  struct FileReference {
    std::string path;  // of the field
    std::string file;
  };

  // A secret of static_resources, which is named without an sds_config.
  struct SecretReference {
    std::string path;
    std::string name;
    bool certificate = false;  // else a validation context
  };

  std::vector<SecretReference> secrets;
  std::vector<ClusterReference> clusters;
  std::vector<FileReference> files;
  std::vector<LargeRegex> regexes;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_DEFERRED_H_

#ifndef MESHLIB_XDS_CONFIG_LOADER_H_
#define MESHLIB_XDS_CONFIG_LOADER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"
#include "model/config.h"
#include "xds/problem.h"

namespace meshlib::xds {

struct LoadOptions {
  // Names of the application's own load balancing policies.
  std::vector<std::string> custom_policies;
  // If not null, is given each resource too, as it was read; those that have
  // errors are among them.
  std::function<void(const ::google::protobuf::Message&)> on_resource;
};

struct LoadResult {
  // Null if there was an error.
  std::shared_ptr<const model::Config> config;
  // Everything that was found, also where the configuration is good.
  Problems problems;
};

// Loads a file or directory (see xds/loader.h for what they may hold) as a
// whole: each resource is checked and converted, then what they say about each
// other. Files that the configuration itself names (path_config_source of
// cds_config, lds_config, eds_config and rds) are loaded too; relative ones
// are looked for where the bootstrap is, then in the working directory.
// Blocks while it reads files. Thread-safe.
LoadResult LoadConfig(const std::string& path, const LoadOptions& options = {});

// The same with a text; `name` stands for a file's name in problems.
LoadResult LoadConfigText(std::string_view name, std::string text,
                          const LoadOptions& options = {});

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONFIG_LOADER_H_

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "mesh/core.h"
#include "xds/config_loader.h"

namespace meshlib::mesh {

std::vector<std::string> CustomPolicies(const MeshOptions& options) {
  std::vector<std::string> names;
  for (const auto& factory : options.load_balancers) {
    names.emplace_back(factory->name());
  }
  return names;
}

absl::StatusOr<std::shared_ptr<const model::Config>> LoadConfig(
    const MeshOptions& options, const std::string* text) {
  if (text == nullptr && options.config_path.empty()) {
    return absl::InvalidArgumentError(
        "no configuration: MeshOptions::config_path is empty");
  }
  xds::LoadOptions load;
  load.custom_policies = CustomPolicies(options);
  xds::LoadResult result = text != nullptr
                               ? xds::LoadConfigText("config_text", *text, load)
                               : xds::LoadConfig(options.config_path, load);
  if (result.config == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        result.problems.errors(), " problems:\n", result.problems.ToString()));
  }
  return result.config;
}

}  // namespace meshlib::mesh

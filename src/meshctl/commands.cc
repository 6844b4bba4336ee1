#include "meshctl/commands.h"

#include "meshctl/json.h"

namespace meshlib::meshctl {

std::string VersionText() { return "meshctl " MESHLIB_VERSION; }

std::string ErrorJson(const std::string& message) {
  Json json;
  json.Begin('{').Field("error", message).End('}');
  return json.Finish();
}

}  // namespace meshlib::meshctl

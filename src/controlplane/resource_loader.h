#ifndef MESHLIB_CONTROLPLANE_RESOURCE_LOADER_H_
#define MESHLIB_CONTROLPLANE_RESOURCE_LOADER_H_

#include <string>
#include <string_view>

#include "controlplane/resource_set.h"
#include "google/protobuf/message.h"
#include "xds/problem.h"

namespace meshlib::controlplane {

struct LoadedResources {
  ResourceSet resources;  // without versions
  xds::Problems problems;
};

// Adds a message of our own types, under the original's type URL. False: it is
// none that control planes send, or has no name.
bool PutMessage(const ::google::protobuf::Message& message,
                ResourceSet& resources);

// Loads a file or directory (see xds/loader.h for what they may hold):
// clusters, listeners, routes, endpoints and secrets, those of a bootstrap's
// static_resources too. Checked as `meshctl validate` checks: with errors there
// are no resources. Fields that meshlib passes over are not served; the
// problems name them. Blocks while it reads files.
LoadedResources LoadResources(const std::string& path);

// The same with a text; `name` stands for a file's name in problems. Each
// resource is checked by itself, not whether what it refers to exists. There
// are resources even where there are errors, as far as they could be read.
LoadedResources ReadResources(std::string_view name, std::string text);

}  // namespace meshlib::controlplane

#endif  // MESHLIB_CONTROLPLANE_RESOURCE_LOADER_H_

#include "controlplane/resource_loader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "xds/config_loader.h"
#include "xds/convert_resource.h"
#include "xds/convert_values.h"
#include "xds/loader.h"

namespace meshlib::controlplane {
namespace {

using ::google::protobuf::Message;

// Equal messages give equal bytes, also where they have maps.
std::string Serialize(const Message& message) {
  std::string bytes;
  ::google::protobuf::io::StringOutputStream stream(&bytes);
  ::google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

class Reader final : public xds::ResourceSink {
 public:
  explicit Reader(ResourceSet& resources) : resources_(resources) {}

  void OnResource(const Message& resource,
                  const xds::ResourceContext& context) override {
    if (PutMessage(resource, resources_)) return;
    context.Report(xds::Severity::kError, "",
                   "has no name, or is nothing that control planes send");
  }
  void OnBootstrap(const xds::envoy::config::bootstrap::v3::Bootstrap&,
                   const xds::ResourceContext&) override {}
  void OnGrpcBootstrap(const xds::GrpcBootstrap&,
                       const xds::ResourceContext& context) override {
    context.Report(xds::Severity::kError, "", "has no resources");
  }

 private:
  ResourceSet& resources_;
};

}  // namespace

bool PutMessage(const Message& message, ResourceSet& resources) {
  const std::string_view type = xds::OriginalNameOf(*message.GetDescriptor());
  const std::string name = xds::ResourceNameOf(message);
  if (!xds::IsResourceType(type) || name.empty()) return false;
  resources.Put(absl::StrCat("type.googleapis.com/", base::ToAbsl(type)), name,
                Serialize(message));
  return true;
}

LoadedResources LoadResources(const std::string& path) {
  LoadedResources loaded;
  xds::LoadOptions options;
  options.on_resource = [&loaded](const Message& resource) {
    PutMessage(resource, loaded.resources);
  };
  loaded.problems = xds::LoadConfig(path, options).problems;
  if (loaded.problems.has_errors()) loaded.resources = {};
  return loaded;
}

LoadedResources ReadResources(std::string_view name, std::string text) {
  LoadedResources loaded;
  Reader reader(loaded.resources);
  xds::Loader loader(reader, loaded.problems);
  loader.LoadText(name, std::move(text));
  return loaded;
}

}  // namespace meshlib::controlplane

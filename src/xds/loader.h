#ifndef MESHLIB_XDS_LOADER_H_
#define MESHLIB_XDS_LOADER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "xds/grpc_bootstrap.h"
#include "xds/line_index.h"
#include "xds/problem.h"

namespace meshlib::xds::envoy::config::bootstrap::v3 {
class Bootstrap;
}  // namespace meshlib::xds::envoy::config::bootstrap::v3

namespace meshlib::xds {

// Where a message came from; valid during the call that carries it.
struct ResourceContext {
  std::string_view file;
  std::string_view path;  // in its document: "static_resources.clusters[3]"
  int line = 0;           // its first
  // No error was reported for the message: neither its text nor the original
  // proto's validate.rules refuse it. Of others a part may be missing.
  bool valid = true;
  // The form of Envoy's v2 tutorials, where listeners may lack filter chains.
  bool legacy = false;
  const LineIndex* lines = nullptr;  // paths relative to the message
  Problems* problems = nullptr;

  // Adds a problem about a field of the message ("" for the message itself),
  // with its line and its whole path.
  void Report(Severity severity, std::string_view relative_path,
              std::string message,
              ProblemKind kind = ProblemKind::kInvalid) const;
};

// Takes what a configuration holds, as soon as each resource is complete: with
// ten thousand clusters there is one at a time in memory. Messages are of our
// copies of the xDS messages (meshlib.xds.envoy...) and valid during the call.
class ResourceSink {
 public:
  virtual ~ResourceSink() = default;

  // A cluster, listener or secret of static_resources, a resource of a
  // `resources:` list, one with "@type": look at its descriptor.
  virtual void OnResource(const ::google::protobuf::Message& resource,
                          const ResourceContext& context) = 0;

  // The rest of Envoy's bootstrap, after its static resources, which are not
  // in it any more.
  virtual void OnBootstrap(
      const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
      const ResourceContext& context) = 0;

  // Of proxyless gRPC. Not called if it has errors.
  virtual void OnGrpcBootstrap(const GrpcBootstrap& bootstrap,
                               const ResourceContext& context) = 0;
};

enum class TextFormat {
  kAuto,  // by the file's name, else by what it begins with
  kYaml,
  kJson,
};

// Reads configuration files into protobuf messages. A document is one of:
// - Envoy's bootstrap: static_resources, node, admin, cluster_manager, ...;
// - one resource, with "@type";
// - a list of resources, bare or below the key `resources`;
// - gRPC's bootstrap, with xds_servers;
// - what tutorials of Envoy's first years show: envoy: {config: {...}}, with a
//   warning.
// A YAML file may hold several. Every problem is reported, with path and line:
// what the text gets wrong, what the protos' validate.rules refuse, and a
// resource whose type and name an earlier one had in this loader.
//
// Not thread-safe. Blocks while it reads files.
class Loader {
 public:
  // Both are borrowed and must outlive the loader.
  Loader(ResourceSink& sink, Problems& problems);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // A file or a directory.
  void Load(const std::string& path);
  void LoadFile(const std::string& path);
  // All *.yaml, *.yml and *.json below it, in the order of their names; hidden
  // files and folders are passed over.
  void LoadDirectory(const std::string& path);
  // `name` stands for a file's name in problems.
  void LoadText(std::string_view name, std::string text,
                TextFormat format = TextFormat::kAuto);

  // Whether every text was read to its end. If not, what is missing may stand
  // in the rest.
  bool complete() const { return complete_; }

 private:
  class Documents;

  // `data` is followed by a NUL byte, and is overwritten.
  void LoadBytes(std::string_view name, char* data, size_t size,
                 TextFormat format, const std::function<void(size_t)>& passed);

  std::unique_ptr<Documents> documents_;
  Problems& problems_;
  bool complete_ = true;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_LOADER_H_

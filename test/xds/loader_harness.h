#ifndef MESHLIB_TEST_XDS_LOADER_HARNESS_H_
#define MESHLIB_TEST_XDS_LOADER_HARNESS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"
#include "meshlib/xds/envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "xds/loader.h"

namespace meshlib::xds {

// Keeps a copy of all that a loader passes on.
class Collector : public ResourceSink {
 public:
  struct Resource {
    std::unique_ptr<::google::protobuf::Message> message;
    std::string path;
    int line = 0;
    bool valid = false;
    bool legacy = false;
  };

  void OnResource(const ::google::protobuf::Message& resource,
                  const ResourceContext& context) override {
    Resource kept;
    kept.message.reset(resource.New());
    kept.message->CopyFrom(resource);
    kept.path = context.path;
    kept.line = context.line;
    kept.valid = context.valid;
    kept.legacy = context.legacy;
    resources.push_back(std::move(kept));
  }
  void OnBootstrap(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                   const ResourceContext& context) override {
    bootstraps.push_back(bootstrap);
  }
  void OnGrpcBootstrap(const GrpcBootstrap& bootstrap,
                       const ResourceContext& context) override {
    grpc_bootstraps.push_back(bootstrap);
  }

  std::vector<Resource> resources;
  std::vector<envoy::config::bootstrap::v3::Bootstrap> bootstraps;
  std::vector<GrpcBootstrap> grpc_bootstraps;
};

// A loader with what it said and passed on.
struct Loading {
  Collector sink;
  Problems problems;
  Loader loader{sink, problems};

  // "line:column: severity: path: message" of each problem.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (Problem problem : problems.list()) {
      problem.file.clear();
      std::string line = ToString(problem);
      if (problem.line > 0) line.erase(0, 1);
      lines.push_back(std::move(line));
    }
    return lines;
  }

  template <typename T>
  const T& Get(size_t i) const {
    return dynamic_cast<const T&>(*sink.resources.at(i).message);
  }
};

inline std::unique_ptr<Loading> LoadYaml(std::string text) {
  auto loading = std::make_unique<Loading>();
  loading->loader.LoadText("f.yaml", std::move(text));
  return loading;
}

inline std::unique_ptr<Loading> LoadJson(std::string text) {
  auto loading = std::make_unique<Loading>();
  loading->loader.LoadText("f.json", std::move(text));
  return loading;
}

}  // namespace meshlib::xds

#endif  // MESHLIB_TEST_XDS_LOADER_HARNESS_H_

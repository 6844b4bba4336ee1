#ifndef MESHLIB_TEST_FUZZ_FUZZ_LOADER_H_
#define MESHLIB_TEST_FUZZ_FUZZ_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "meshlib/xds/envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "xds/loader.h"

namespace meshlib::xds {

// Looks at all that the loader passes on, so that a sanitizer sees it.
class FuzzSink : public ResourceSink {
 public:
  void OnResource(const ::google::protobuf::Message& resource,
                  const ResourceContext& context) override {
    Look(resource, context);
  }
  void OnBootstrap(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                   const ResourceContext& context) override {
    Look(bootstrap, context);
  }
  void OnGrpcBootstrap(const GrpcBootstrap& bootstrap,
                       const ResourceContext&) override {
    if (bootstrap.xds_servers.empty()) abort();
  }

 private:
  static void Look(const ::google::protobuf::Message& message,
                   const ResourceContext& context) {
    // What was built can be written and read again.
    std::string bytes = message.SerializeAsString();
    const std::unique_ptr<::google::protobuf::Message> copy(message.New());
    if (context.valid && !copy->ParseFromString(bytes)) abort();
    const Position at = context.lines->Find("load_assignment.endpoints[0]");
    if (at.line < 0) abort();
  }
};

inline void FuzzLoader(const uint8_t* data, size_t size, TextFormat format) {
  FuzzSink sink;
  Problems problems;
  Loader loader(sink, problems);
  loader.LoadText(
      "fuzz", std::string(reinterpret_cast<const char*>(data), size), format);
  problems.Sort();
  if (problems.ToString().size() > (size_t{1} << 24)) abort();
}

}  // namespace meshlib::xds

#endif  // MESHLIB_TEST_FUZZ_FUZZ_LOADER_H_

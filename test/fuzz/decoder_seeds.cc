// decoder_seeds FOLDER FILE...: each resource of the configuration files as an
// input of fuzz_decoder. Files may have errors.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "proto/ledger.h"
#include "test/fuzz/decoder_input.h"
#include "xds/convert_values.h"
#include "xds/loader.h"

namespace meshlib::xds {
namespace {

class SeedWriter : public ResourceSink {
 public:
  explicit SeedWriter(std::string folder) : folder_(std::move(folder)) {}

  void OnResource(const ::google::protobuf::Message& resource,
                  const ResourceContext&) override {
    const auto type = OriginalNameOf(*resource.GetDescriptor());
    for (size_t i = 0; i < std::size(kFuzzedTypes); ++i) {
      if (type != kFuzzedTypes[i]) continue;
      std::ofstream file(folder_ + "/" + std::to_string(count_++),
                         std::ios::binary);
      file.put(static_cast<char>(i));
      file << resource.SerializeAsString();
    }
  }
  void OnBootstrap(const envoy::config::bootstrap::v3::Bootstrap&,
                   const ResourceContext&) override {}
  void OnGrpcBootstrap(const GrpcBootstrap&, const ResourceContext&) override {}

  int count() const { return count_; }

 private:
  std::string folder_;
  int count_ = 0;
};

}  // namespace
}  // namespace meshlib::xds

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  meshlib::xds::SeedWriter writer(argv[1]);
  for (int i = 2; i < argc; ++i) {
    meshlib::xds::Problems problems;
    meshlib::xds::Loader(writer, problems).LoadFile(argv[i]);
  }
  std::printf("%d seeds\n", writer.count());
  return writer.count() > 0 ? 0 : 1;
}

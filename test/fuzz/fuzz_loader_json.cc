#include "test/fuzz/fuzz_loader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  meshlib::xds::FuzzLoader(data, size, meshlib::xds::TextFormat::kJson);
  return 0;
}

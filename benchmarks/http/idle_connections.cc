// What idle connections cost: one request to each of so many hosts, one after
// the other, then a wait. Prints one line of JSON.
//
//   idle_connections CONFIG URL CONNECTIONS
#include <dirent.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "meshlib/http.h"

namespace {

// Of /proc/self/status.
double ResidentMegabytes() {
  FILE* const file = fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  char line[256];
  double kilobytes = 0;
  while (fgets(line, sizeof(line), file) != nullptr) {
    if (strncmp(line, "VmRSS:", 6) == 0) kilobytes = atof(line + 6);
  }
  fclose(file);
  return kilobytes / 1024;
}

int OpenDescriptors() {
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  int count = 0;
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

int Main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: idle_connections CONFIG URL CONNECTIONS\n");
    return 2;
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  meshlib::MeshOptions options;
  options.config_path = argv[1];
  auto mesh = meshlib::Mesh::Create(std::move(options));
  if (!mesh.ok()) {
    fprintf(stderr, "%s\n", mesh.status().ToString().c_str());
    return 1;
  }
  const auto client = meshlib::http::Client::Create(**mesh);
  if (!client.ok()) return 1;
  const int descriptors = OpenDescriptors();
  const double before = ResidentMegabytes();
  int failed = 0;
  for (int i = 0; i < atoi(argv[3]); ++i) {
    const auto response = client->Get(argv[2]);
    if (response.ok() && response->ok()) continue;
    if (failed++ == 0) {
      fprintf(stderr, "%s\n", response.status().ToString().c_str());
    }
  }
  const double busy = ResidentMegabytes();
  std::this_thread::sleep_for(std::chrono::seconds(4));
  printf(
      "{\"connections\": %d, \"failed\": %d, \"before_mb\": %.1f, "
      "\"at_once_mb\": %.1f, \"idle_mb\": %.1f}\n",
      OpenDescriptors() - descriptors, failed, before, busy,
      ResidentMegabytes());
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return Main(argc, argv); }

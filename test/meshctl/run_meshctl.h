#ifndef MESHLIB_TEST_MESHCTL_RUN_MESHCTL_H_
#define MESHLIB_TEST_MESHCTL_RUN_MESHCTL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <rapidjson/document.h>

namespace meshlib::meshctl {

// How a run of the meshctl program ended.
struct ProgramRun {
  int exit_code = -1;          // -1: it did not end by itself
  int64_t most_memory_mb = 0;  // resident
  std::string out;
  std::string err;
};

// Runs the program that was built and waits for its end.
ProgramRun RunMeshctl(const std::vector<std::string>& arguments);

// The path of a file in testdata.
std::string Testdata(const std::string& name);

// Standard output as one JSON object. What is not one fails the test and
// gives an empty object.
rapidjson::Document ParseObject(const std::string& text);

// Runs with --json; the exit code must be 0.
rapidjson::Document RunJson(std::vector<std::string> arguments);

// `requests` by `key` of the objects in the list document[list].
std::map<std::string, uint64_t> Requests(const rapidjson::Document& document,
                                         const char* list, const char* key);

// The strings of the list document[list].
std::vector<std::string> Strings(const rapidjson::Document& document,
                                 const char* list);

// The names of the members, in order.
std::vector<std::string> Keys(const rapidjson::Value& object);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_TEST_MESHCTL_RUN_MESHCTL_H_

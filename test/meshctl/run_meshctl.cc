#include "test/meshctl/run_meshctl.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

extern char** environ;

namespace meshlib::meshctl {
namespace {

// A file without a name in the way of others, deleted with the object. Files
// and not pipes: a child that writes a lot must not wait for its reader.
class Scratch {
 public:
  Scratch() : path_(absl::StrCat(::testing::TempDir(), "/meshctl.XXXXXX")) {
    const int fd = mkstemp(path_.data());
    if (fd >= 0) close(fd);
  }
  ~Scratch() { unlink(path_.c_str()); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const char* path() const { return path_.c_str(); }
  std::string Read() const {
    std::ifstream file(path_, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  std::string path_;
};

void WaitFor(pid_t child, ProgramRun& run) {
  int status = 0;
  rusage used = {};
  while (wait4(child, &status, 0, &used) < 0) {
    if (errno != EINTR) return;
  }
  if (WIFEXITED(status)) run.exit_code = WEXITSTATUS(status);
  run.most_memory_mb = used.ru_maxrss / 1024;
}

}  // namespace

ProgramRun RunMeshctl(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {MESHCTL_BINARY};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const Scratch out;
  const Scratch err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.path(), O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, err.path(), O_WRONLY, 0);
  ProgramRun run;
  pid_t child = 0;
  const int failed = posix_spawn(&child, MESHCTL_BINARY, &actions, nullptr,
                                 argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(failed, 0) << "cannot start " << MESHCTL_BINARY;
  if (failed != 0) return run;
  WaitFor(child, run);
  run.out = out.Read();
  run.err = err.Read();
  return run;
}

std::string Testdata(const std::string& name) {
  return absl::StrCat(MESHCTL_TESTDATA, "/", name);
}

rapidjson::Document ParseObject(const std::string& text) {
  rapidjson::Document document;
  // Without kParseStopWhenDoneFlag: text behind the object is an error.
  document.Parse<rapidjson::kParseValidateEncodingFlag>(text.data(),
                                                        text.size());
  EXPECT_FALSE(document.HasParseError())
      << "error " << document.GetParseError() << " at "
      << document.GetErrorOffset() << " of " << text.substr(0, 2000);
  if (document.HasParseError() || !document.IsObject()) {
    ADD_FAILURE() << "not an object: " << text.substr(0, 2000);
    document.SetObject();
  }
  return document;
}

rapidjson::Document RunJson(std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const ProgramRun run = RunMeshctl(arguments);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return ParseObject(run.out);
}

std::map<std::string, uint64_t> Requests(const rapidjson::Document& document,
                                         const char* list, const char* key) {
  std::map<std::string, uint64_t> requests;
  if (!document.HasMember(list) || !document[list].IsArray()) {
    ADD_FAILURE() << "no list " << list;
    return requests;
  }
  for (const rapidjson::Value& entry : document[list].GetArray()) {
    const rapidjson::Value& name = entry[key];
    const std::string text =
        name.IsString() ? name.GetString() : absl::StrCat(name.GetUint64());
    EXPECT_EQ(requests.count(text), 0u) << text << " stands twice";
    requests[text] = entry["requests"].GetUint64();
  }
  return requests;
}

std::vector<std::string> Strings(const rapidjson::Document& document,
                                 const char* list) {
  std::vector<std::string> strings;
  if (!document.HasMember(list) || !document[list].IsArray()) {
    ADD_FAILURE() << "no list " << list;
    return strings;
  }
  for (const rapidjson::Value& entry : document[list].GetArray()) {
    strings.push_back(entry.GetString());
  }
  return strings;
}

std::vector<std::string> Keys(const rapidjson::Value& object) {
  std::vector<std::string> keys;
  for (const auto& member : object.GetObject()) {
    keys.push_back(member.name.GetString());
  }
  return keys;
}

}  // namespace meshlib::meshctl

// Every case of envoy_oracle/ with the verdict that its manifest records. The
// manifest's verdicts were compared with those of Envoy itself; see
// envoy_oracle/compare.py.
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "xds/config_loader.h"

namespace meshlib::xds {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

fs::path Folder() {
  return fs::path(MESHLIB_SOURCE_DIR) / "test/xds/envoy_oracle";
}

struct Case {
  std::string name;
  std::string verdict;
  std::string text;
};

std::vector<Case> ReadManifest() {
  std::vector<Case> cases;
  std::ifstream file(Folder() / "manifest.txt");
  EXPECT_TRUE(file.is_open());
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> parts = absl::StrSplit(line, '|');
    if (parts.size() < 4) {
      ADD_FAILURE() << "manifest: " << line;
      continue;
    }
    Case c;
    c.name = std::string(absl::StripAsciiWhitespace(parts[0]));
    c.verdict = std::string(absl::StripAsciiWhitespace(parts[1]));
    c.text = std::string(absl::StripAsciiWhitespace(parts[2]));
    cases.push_back(std::move(c));
  }
  return cases;
}

std::string ErrorsOf(const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems.list()) {
    if (problem.severity != Severity::kError) continue;
    EXPECT_GT(problem.line, 0) << ToString(problem);
    out += ToString(problem) + "\n";
  }
  return out;
}

TEST(EnvoyOracle, EveryCaseHasItsRecordedVerdict) {
  size_t errors = 0;
  for (const Case& c : ReadManifest()) {
    SCOPED_TRACE(c.name);
    const LoadResult result = LoadConfig(Folder() / (c.name + ".yaml"));
    const std::string found = ErrorsOf(result.problems);
    if (c.verdict == "ok") {
      EXPECT_EQ(found, "");
      EXPECT_NE(result.config, nullptr);
    } else {
      ++errors;
      EXPECT_NE(found, "") << "no error";
      EXPECT_THAT(found, HasSubstr(c.text));
      EXPECT_EQ(result.config, nullptr);
    }
  }
  EXPECT_GT(errors, 100u);
}

TEST(EnvoyOracle, EveryFileIsInTheManifest) {
  std::set<std::string> names;
  for (const Case& c : ReadManifest()) names.insert(c.name);
  for (const auto& entry : fs::directory_iterator(Folder())) {
    if (entry.path().extension() != ".yaml") continue;
    EXPECT_EQ(names.count(entry.path().stem()), 1u) << entry.path();
  }
}

}  // namespace
}  // namespace meshlib::xds

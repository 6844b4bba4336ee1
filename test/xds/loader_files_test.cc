#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/xds/loader_harness.h"

namespace meshlib::xds {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class LoaderFiles : public ::testing::Test {
 protected:
  LoaderFiles() {
    std::string pattern = ::testing::TempDir() + "/loaderXXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~LoaderFiles() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void Write(const std::string& name, std::string_view text) {
    const std::filesystem::path path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::string Without(std::string text) const {
    return absl::StrReplaceAll(text, {{folder_, "DIR"}});
  }

  std::string folder_;
  Loading loading_;
};

constexpr char kClusterA[] =
    "\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n"
    "name: a\n";

TEST_F(LoaderFiles, LoadsAFolderInTheOrderOfNames) {
  Write("b.yaml", absl::StrReplaceAll(kClusterA, {{"name: a", "name: b"}}));
  Write("a/x.yml", kClusterA);
  Write("c.json", "{\"resources\": []}");
  Write(".hidden.yaml", "foo");
  Write(".git/x.yaml", "foo");
  Write("notes.txt", "foo");
  loading_.loader.Load(folder_);
  EXPECT_EQ(loading_.problems.ToString(), "");
  ASSERT_THAT(loading_.sink.resources, SizeIs(2));
  EXPECT_THAT(loading_.sink.resources[0].message->ShortDebugString(),
              HasSubstr("\"a\""));
}

TEST_F(LoaderFiles, DoesNotWaitForAPipeInAFolder) {
  Write("a.yaml", kClusterA);
  ASSERT_EQ(mkfifo((folder_ + "/b.yaml").c_str(), 0600), 0);
  loading_.loader.Load(folder_);
  EXPECT_EQ(Without(loading_.problems.ToString()),
            "DIR/b.yaml: error: is not a regular file\n");
}

TEST_F(LoaderFiles, NamesBothFilesOfADuplicate) {
  Write("a.yaml", kClusterA);
  Write("b.yaml", kClusterA);
  loading_.loader.Load(folder_);
  EXPECT_EQ(Without(loading_.problems.ToString()),
            "DIR/b.yaml:2:1: error: name: duplicate Cluster \"a\"; the first "
            "is in DIR/a.yaml:1\n");
}

TEST_F(LoaderFiles, GoesOnAfterABrokenFile) {
  Write("a.yaml", "a: [\n");
  Write("b.json", "{\"a\": }");
  Write("c.yaml", kClusterA);
  loading_.loader.Load(folder_);
  EXPECT_THAT(loading_.problems.list(), SizeIs(2));
  EXPECT_THAT(loading_.sink.resources, SizeIs(1));
}

TEST_F(LoaderFiles, ExplainsWhatCannotBeRead) {
  Write("empty.yaml", "");
  std::filesystem::create_directory(folder_ + "/none");
  loading_.loader.Load(folder_ + "/nope.yaml");
  loading_.loader.Load(folder_ + "/empty.yaml");
  loading_.loader.Load(folder_ + "/none");
  loading_.loader.Load("/dev/null");
  loading_.loader.LoadFile(folder_);
  loading_.loader.LoadDirectory(folder_ + "/nope");
  loading_.loader.LoadDirectory(folder_ + "/empty.yaml");
  EXPECT_EQ(Without(loading_.problems.ToString()),
            "DIR/nope.yaml: error: no such file\n"
            "DIR/empty.yaml: error: the file is empty\n"
            "DIR/none: error: has no *.yaml, *.yml or *.json file\n"
            "/dev/null: error: is not a regular file\n"
            "DIR: error: is a directory\n"
            "DIR/nope: error: no such directory\n"
            "DIR/empty.yaml: error: is not a directory\n");
}

TEST_F(LoaderFiles, FindsOutTheFormatOfOtherNames) {
  Write("a.conf", "{\"resources\": []\n, \"version_info\": \"\\u0031\"}");
  Write("b.conf", "{resources: []}");
  loading_.loader.Load(folder_ + "/a.conf");
  loading_.loader.Load(folder_ + "/b.conf");
  EXPECT_EQ(loading_.problems.ToString(), "");
}

TEST_F(LoaderFiles, TellsTheFormatByTheNameFirst) {
  // YAML, though it begins as JSON does.
  Write("a.yml",
        "{\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster, "
        "name: a}");
  loading_.loader.Load(folder_ + "/a.yml");
  EXPECT_EQ(loading_.problems.ToString(), "");
  EXPECT_THAT(loading_.sink.resources, SizeIs(1));
}

TEST_F(LoaderFiles, AByteOrderMarkHidesNoJson) {
  // YAML does not know these escapes.
  Write("a.conf",
        "\xef\xbb\xbf{\"resources\": [], \"version_info\": "
        "\"\\ud83d\\ude00\"}");
  loading_.loader.Load(folder_ + "/a.conf");
  EXPECT_EQ(loading_.problems.ToString(), "");
}

TEST_F(LoaderFiles, GoesThirtyTwoFoldersDeep) {
  std::string inner;
  for (int i = 0; i < 32; ++i) inner += "d/";
  Write(inner + "a.yaml", kClusterA);
  loading_.loader.Load(folder_);
  EXPECT_EQ(loading_.problems.ToString(), "");
  EXPECT_THAT(loading_.sink.resources, SizeIs(1));
  std::filesystem::create_directory(folder_ + "/" + inner + "d");
  Loading deeper;
  deeper.loader.Load(folder_);
  EXPECT_THAT(deeper.problems.ToString(), HasSubstr("deeper than 32"));
}

TEST_F(LoaderFiles, FollowsLinksToFilesButNotToFolders) {
  Write("real/a.yaml", kClusterA);
  std::filesystem::create_directory(folder_ + "/config");
  std::filesystem::create_symlink(folder_ + "/real/a.yaml",
                                  folder_ + "/config/b.yaml");
  std::filesystem::create_directory_symlink(folder_, folder_ + "/config/all");
  loading_.loader.Load(folder_ + "/config");
  EXPECT_EQ(loading_.problems.ToString(), "");
  EXPECT_THAT(loading_.sink.resources, SizeIs(1));
}

TEST_F(LoaderFiles, NoticesThatAFileIsLongerThanItSays) {
  // Files of the kernel say that they have 0 bytes.
  loading_.loader.LoadFile("/proc/self/status");
  EXPECT_EQ(loading_.problems.ToString(),
            "/proc/self/status: error: has grown while it was read\n");
}

}  // namespace
}  // namespace meshlib::xds

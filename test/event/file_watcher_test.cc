#include "event/file_watcher.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "event/epoll_loop.h"
#include "gtest/gtest.h"
#include "meshlib/clock.h"

namespace meshlib::event {
namespace {

namespace fs = std::filesystem;

class FileWatcherTest : public ::testing::Test {
 protected:
  FileWatcherTest() {
    std::string name = ::testing::TempDir() + "/watcher.XXXXXX";
    root_ = mkdtemp(name.data());
    fs::create_directory(root_ / "d");
  }
  ~FileWatcherTest() override {
    watcher_.reset();
    fs::remove_all(root_);
  }
  void Watch(const fs::path& path) {
    auto watcher =
        FileWatcher::Create(loop_.get(), path.string(), [this] { ++changes_; });
    ASSERT_TRUE(watcher.ok()) << watcher.status();
    watcher_ = *std::move(watcher);
  }
  void Write(const fs::path& path) { std::ofstream(path) << "text"; }
  // Whether a change is told of since the last question.
  bool Changed() {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    while (changes_ == 0 && absl::Now() < end) {
      loop_->RunOnce(absl::Milliseconds(10));
    }
    // What came with it.
    for (int i = 0; i < 3; ++i) loop_->RunOnce(absl::Milliseconds(15));
    return std::exchange(changes_, 0) > 0;
  }

  fs::path root_;
  const std::unique_ptr<EpollLoop> loop_ =
      EpollLoop::Create(SystemClock()).value();
  std::unique_ptr<FileWatcher> watcher_;
  int changes_ = 0;
};

TEST_F(FileWatcherTest, SeesFilesOfAFolderChange) {
  const fs::path d = root_ / "d";
  Watch(d);
  Write(d / "a");
  EXPECT_TRUE(Changed()) << "created";
  Write(d / "a");
  EXPECT_TRUE(Changed()) << "written";
  Write(root_ / "new");
  EXPECT_TRUE(Changed()) << "beside it";
  fs::rename(root_ / "new", d / "a");
  EXPECT_TRUE(Changed()) << "replaced";
  fs::remove(d / "a");
  EXPECT_TRUE(Changed()) << "deleted";
  fs::create_symlink("..2024", d / "..new");
  EXPECT_TRUE(Changed()) << "linked";
  fs::rename(d / "..new", d / "..data");
  EXPECT_TRUE(Changed()) << "link replaced";
}

TEST_F(FileWatcherTest, SeesFoldersInFoldersThatCameLater) {
  const fs::path d = root_ / "d";
  Watch(d);
  fs::create_directories(d / "x" / "y");
  EXPECT_TRUE(Changed());
  Write(d / "x" / "y" / "a");
  EXPECT_TRUE(Changed());
  fs::remove_all(d / "x");
  EXPECT_TRUE(Changed());
}

TEST_F(FileWatcherTest, SeesItsPathGoAndComeBack) {
  const fs::path d = root_ / "d";
  Watch(d);
  fs::rename(d, root_ / "elsewhere");
  EXPECT_TRUE(Changed());
  fs::create_directory(d);
  EXPECT_TRUE(Changed());
  Write(d / "a");
  EXPECT_TRUE(Changed());
}

TEST_F(FileWatcherTest, SeesAFileBeReplaced) {
  Watch(root_ / "d" / "file");
  Write(root_ / "d" / "new");
  EXPECT_TRUE(Changed());
  fs::rename(root_ / "d" / "new", root_ / "d" / "file");
  EXPECT_TRUE(Changed());
}

TEST_F(FileWatcherTest, TellsOnceOfManyChanges) {
  const fs::path d = root_ / "d";
  Watch(d);
  for (int i = 0; i < 1000; ++i) Write(d / std::to_string(i));
  for (int i = 0; i < 10; ++i) loop_->RunOnce(absl::Milliseconds(20));
  EXPECT_EQ(changes_, 1);
}

}  // namespace
}  // namespace meshlib::event

#include "event/file_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::event {
namespace {

namespace fs = std::filesystem;

// A file is looked at when who writes it has closed it.
constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                             IN_CREATE | IN_DELETE | IN_DELETE_SELF |
                             IN_MOVE_SELF;
// Programs that write several files, or one in several steps, are done after
// this; what they do later is another change.
constexpr absl::Duration kCalm = absl::Milliseconds(10);
// Of a folder that is no configuration.
constexpr size_t kMostFolders = 10'000;

}  // namespace

absl::StatusOr<std::unique_ptr<FileWatcher>> FileWatcher::Create(
    IoLoop* loop, std::string path, Callback on_change) {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("inotify: ", base::SystemError(errno)));
  }
  std::unique_ptr<FileWatcher> watcher(
      new FileWatcher(loop, std::move(path), std::move(on_change), fd));
  FileWatcher* const self = watcher.get();
  auto watch = loop->WatchFd(fd, {true, false},
                             [self](Interest) { self->OnReadable(); });
  if (!watch.ok()) return watch.status();
  self->watch_ = *watch;
  self->WatchAll();
  return watcher;
}

FileWatcher::FileWatcher(IoLoop* loop, std::string path, Callback on_change,
                         int fd)
    : loop_(loop),
      path_(std::move(path)),
      on_change_(std::move(on_change)),
      fd_(fd) {}

FileWatcher::~FileWatcher() {
  if (timer_ != 0) loop_->Cancel(timer_);
  if (watch_ != 0) loop_->Unwatch(watch_);
  close(fd_);
}

// Watching twice is watching once.
void FileWatcher::WatchOne(const std::string& folder) {
  inotify_add_watch(fd_, folder.c_str(), kEvents | IN_ONLYDIR);
}

void FileWatcher::WatchAll() {
  std::error_code error;
  // Its own name: where it is replaced, or comes back. A path that is gone is
  // watched for where it begins to be there.
  fs::path parent = fs::absolute(path_, error).lexically_normal();
  if (!parent.has_filename()) parent = parent.parent_path();
  do {
    parent = parent.parent_path();
  } while (!fs::is_directory(parent, error) && parent.has_relative_path());
  WatchOne(parent.string());
  if (!fs::is_directory(path_, error)) return;
  WatchOne(path_);
  size_t count = 0;
  auto it = fs::recursive_directory_iterator(
      path_, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator();
       it.increment(error)) {
    std::error_code gone;
    if (!it->is_directory(gone) || it->is_symlink(gone)) continue;
    if (++count > kMostFolders) return;
    WatchOne(it->path().string());
  }
}

void FileWatcher::OnReadable() {
  alignas(inotify_event) char events[4096];
  while (read(fd_, events, sizeof events) > 0) {
  }
  if (timer_ != 0) loop_->Cancel(timer_);
  timer_ = loop_->RunAt(loop_->Now() + kCalm, [this] {
    timer_ = 0;
    // Before the files are read: what comes into a new folder later is seen.
    WatchAll();
    on_change_();
  });
}

}  // namespace meshlib::event

#ifndef MESHLIB_EVENT_FILE_WATCHER_H_
#define MESHLIB_EVENT_FILE_WATCHER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "event/io_loop.h"

namespace meshlib::event {

// Tells when a file, or something below a folder, may have changed: written and
// closed, renamed (as editors and atomic writers do), linked, created, deleted;
// also when the path itself was put in place by a rename or came back after it
// was gone. Linux's inotify(7), so that files on network file systems that
// others change are not seen. May tell of changes that are none. Folders that
// symbolic links lead to are not watched, but the links are (Kubernetes'
// "..data").
//
// Belongs to its loop: made, called and destroyed there.
class FileWatcher {
 public:
  using Callback = absl::AnyInvocable<void()>;

  // `on_change` runs on the loop, once for many changes that come together. It
  // must not destroy the watcher.
  static absl::StatusOr<std::unique_ptr<FileWatcher>> Create(
      IoLoop* loop, std::string path, Callback on_change);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

 private:
  FileWatcher(IoLoop* loop, std::string path, Callback on_change, int fd);

  void WatchAll();
  void WatchOne(const std::string& folder);
  void OnReadable();

  IoLoop* const loop_;
  const std::string path_;
  Callback on_change_;
  const int fd_;  // inotify
  IoLoop::WatchId watch_ = 0;
  Loop::TimerId timer_ = 0;  // until things have calmed down
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_FILE_WATCHER_H_

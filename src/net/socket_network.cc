#include "net/socket_network.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "net/socket_address.h"
#include "net/socket_stream.h"

namespace meshlib::net {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsAtOnce = 64;  // then others have their turn
constexpr absl::Duration kPause = absl::Milliseconds(100);

// A listening socket.
class SocketListener final : public event::Listener {
 public:
  SocketListener(event::IoLoop* loop, event::Network::Accept accept)
      : loop_(loop), accept_(std::move(accept)) {}
  ~SocketListener() override {
    if (gone_ != nullptr) *gone_ = true;
    if (resume_ != 0) loop_->Cancel(resume_);
    if (watched_) loop_->Unwatch(watch_);
    if (fd_ < 0) return;
    close(fd_);
    if (!path_.empty()) unlink(path_.c_str());
  }

  absl::Status Open(const SocketAddress& address) {
    fd_ =
        socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return SocketError("socket", errno);
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd_, address.get(), address.size) != 0)
      return SocketError("bind", errno);
    const std::string text = address.ToString();
    if (address.family() == AF_UNIX && text.find("unix:@") != 0) {
      path_ = text.substr(text.find(':') + 1);
    }
    if (listen(fd_, kBacklog) != 0) return SocketError("listen", errno);
    auto watch = loop_->WatchFd(fd_, {true, false},
                                [this](event::Interest) { AcceptSome(); });
    if (!watch.ok()) return watch.status();
    watch_ = *watch;
    watched_ = true;
    return absl::OkStatus();
  }

  std::string Address() const override {
    SocketAddress address;
    address.size = sizeof(address.storage);
    if (getsockname(fd_, address.get(), &address.size) != 0) return "";
    return address.ToString();
  }

 private:
  void AcceptSome() {
    bool gone = false;
    gone_ = &gone;
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      const int fd =
          accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        accept_(std::make_unique<SocketStream>(loop_, fd));
        if (gone) return;
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                 errno == ENOMEM) {
        Pause();
        break;
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        break;
      }
      // Anything else is about a connection that is gone already.
    }
    gone_ = nullptr;
  }

  // Asking again at once would fail at once: others are to give something back.
  void Pause() {
    loop_->SetInterest(watch_, {});
    resume_ = loop_->RunAt(loop_->Now() + kPause, [this] {
      resume_ = 0;
      loop_->SetInterest(watch_, {true, false});
    });
  }

  event::IoLoop* const loop_;
  event::Network::Accept accept_;
  int fd_ = -1;
  bool watched_ = false;
  event::IoLoop::WatchId watch_ = 0;
  event::Loop::TimerId resume_ = 0;
  std::string path_;
  bool* gone_ = nullptr;  // set while accept_ runs: it may destroy this
};

}  // namespace

std::unique_ptr<event::Stream> SocketNetwork::Connect(
    std::string_view address, absl::Duration timeout,
    event::StreamHandler* handler) {
  return std::make_unique<SocketStream>(loop_, address, timeout, handler);
}

absl::StatusOr<std::unique_ptr<event::Listener>> SocketNetwork::Listen(
    std::string_view address, Accept accept) {
  const absl::StatusOr<SocketAddress> parsed = SocketAddress::Parse(address);
  if (!parsed.ok()) return parsed.status();
  auto listener = std::make_unique<SocketListener>(loop_, std::move(accept));
  const absl::Status opened = listener->Open(*parsed);
  if (!opened.ok()) {
    return absl::Status(opened.code(), absl::StrCat(base::ToAbsl(address), ": ",
                                                    opened.message()));
  }
  return absl::StatusOr<std::unique_ptr<event::Listener>>(std::move(listener));
}

}  // namespace meshlib::net

#include "meshlib/tcp.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/no_throw.h"
#include "base/strings.h"
#include "client/callbacks.h"
#include "client/tcp_call.h"
#include "mesh/target_state.h"

namespace meshlib::tcp {
namespace {

absl::StatusOr<std::shared_ptr<client::TcpCall>> Begin(
    const Target& target, const ConnectOptions& options,
    std::shared_ptr<StreamObserver> observer) {
  absl::StatusOr<mesh::Transport*> transport =
      mesh::TargetAccess::CoreOf(target)->GetTransport();
  if (!transport.ok()) return transport.status();
  if (observer == nullptr) {
    const absl::Status may =
        client::MayBlock(*mesh::TargetAccess::CoreOf(target), **transport);
    if (!may.ok()) return may;
  }
  auto call =
      client::TcpCall::Make(target, *transport, options, std::move(observer));
  call->Begin();
  return call;
}

}  // namespace

Stream::Stream(std::shared_ptr<client::TcpCall> call)
    : call_(std::move(call)) {}

Stream::~Stream() { Cancel(); }

Stream::Stream(Stream&& other) noexcept = default;

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this == &other) return *this;
  Cancel();
  call_ = std::move(other.call_);
  return *this;
}

absl::Status Stream::Write(std::string_view bytes, absl::Time deadline) {
  return base::NoThrow([&] { return call_->WriteAll(bytes, deadline); });
}

absl::Status Stream::CloseWrite() {
  call_->CloseWrite();
  return absl::OkStatus();
}

absl::StatusOr<bool> Stream::Read(std::string& bytes, absl::Time deadline) {
  return base::NoThrow([&] { return call_->ReadSome(bytes, deadline); });
}

Peer Stream::peer() const { return call_->peer(); }

Counts Stream::counts() const { return call_->counts(); }

void Stream::Cancel() {
  if (call_ != nullptr) call_->Cancel();
}

AsyncStream::AsyncStream(std::shared_ptr<client::TcpCall> call)
    : call_(std::move(call)) {}

bool AsyncStream::Write(std::string_view bytes) {
  return call_ != nullptr && call_->Write(bytes);
}

void AsyncStream::CloseWrite() {
  if (call_ != nullptr) call_->CloseWrite();
}

AsyncStream::ReadResult AsyncStream::Read(std::string& bytes) {
  return call_ == nullptr ? ReadResult::kEnd : call_->Read(bytes);
}

Peer AsyncStream::peer() const {
  return call_ == nullptr ? Peer() : call_->peer();
}

Counts AsyncStream::counts() const {
  return call_ == nullptr ? Counts() : call_->counts();
}

void AsyncStream::Cancel() {
  if (call_ != nullptr) call_->Cancel();
}

absl::StatusOr<Stream> Connect(const Target& target,
                               const ConnectOptions& options) {
  return base::NoThrow([&]() -> absl::StatusOr<Stream> {
    auto call = Begin(target, options, nullptr);
    if (!call.ok()) return call.status();
    // Closes it where it fails.
    Stream stream = client::TcpCall::StreamOf(*call);
    absl::Status status = (*call)->WaitConnected();
    if (!status.ok()) return status;
    return stream;
  });
}

absl::StatusOr<Stream> Connect(Mesh& mesh, std::string_view name,
                               const ConnectOptions& options) {
  const bool is_cluster = name.substr(0, 8) == "cluster:";
  const absl::StatusOr<Target> target =
      mesh.Resolve(is_cluster ? std::string(name)
                              : absl::StrCat("tcp://", base::ToAbsl(name)));
  if (!target.ok()) return target.status();
  return Connect(*target, options);
}

AsyncStream ConnectAsync(const Target& target,
                         std::shared_ptr<StreamObserver> observer,
                         const ConnectOptions& options) {
  auto call = base::NoThrow([&] { return Begin(target, options, observer); });
  if (call.ok()) return client::TcpCall::AsyncStreamOf(*std::move(call));
  // There are no loops.
  AsyncStream none;
  client::RunCallback(*mesh::TargetAccess::CoreOf(target),
                      [&] { observer->OnDone(none, call.status()); });
  return none;
}

}  // namespace meshlib::tcp

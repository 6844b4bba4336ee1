#include "net/client_connection.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "net/socket_address.h"

namespace meshlib::net {
namespace {

// How long a connection that threads read by themselves may go unused before
// the loop watches it again.
constexpr absl::Duration kSweep = absl::Milliseconds(50);
// How long until one that is not used gives back memory.
constexpr absl::Duration kTrim = absl::Seconds(1);
// What a thread that leads has to wait at least for the system to count it.
constexpr absl::Duration kWorthWaiting = absl::Milliseconds(20);
// Of one turn of the loop.
constexpr int kMostReads = 16;
constexpr size_t kReadBytes = size_t{16} << 10;
// What more exchanges than these do when they are told goes out in several
// writes: the peer works on one part while this side does on the next.
constexpr size_t kMostAtOnce = 40;
// More than that is given back when it is written.
constexpr size_t kKeptOutput = size_t{16} << 10;

timespec PollTime(absl::Duration wait) {
  return absl::ToTimespec(
      std::clamp(wait, absl::ZeroDuration(), absl::Hours(1)));
}

}  // namespace

ClientConnection::ClientConnection(event::IoLoop* loop,
                                   std::unique_ptr<event::Stream> stream,
                                   const Limits& limits, ConnectionOwner* owner)
    : loop_(loop),
      limits_(limits),
      expires_(loop->Now() + limits.max_duration),
      pollable_(stream->Descriptor() >= 0),
      owner_(owner),
      stream_(std::move(stream)),
      last_used_(loop->Now()) {}

std::shared_ptr<ClientConnection> ClientConnection::Create(
    event::IoLoop* loop, std::unique_ptr<event::Stream> stream,
    CodecFactory codec, const Limits& limits, ConnectionOwner* owner) {
  std::shared_ptr<ClientConnection> made(
      new ClientConnection(loop, std::move(stream), limits, owner));
  base::MutexLock lock(made->mutex_);
  made->codec_ = codec(&made->changed_);
  made->stream_->SetHandler(made.get());
  made->stream_->WantRead(true);
  made->Flush();
  made->Settle();
  return made;
}

ClientConnection::~ClientConnection() {
  if (wake_ >= 0) close(wake_);
}

absl::Status ClientConnection::Start(ClientExchange& exchange) {
  base::MutexLock lock(mutex_);
  if (closed_ || drain_ || codec_->draining()) {
    Settle();
    return absl::UnavailableError("the connection takes no more requests");
  }
  if (codec_->active() >= codec_->capacity()) {
    Settle();
    return absl::ResourceExhaustedError("the connection is in use");
  }
  // Before the codec looks at the request: its owner may cancel at any time.
  if (!exchange.Attach(shared_from_this())) return absl::OkStatus();
  exchange.place.writes_before = writes_.done;
  exchange.place.writes = &writes_;
  absl::Status status = codec_->Start(exchange);
  if (!status.ok()) {
    exchange.Detach();
    Settle();
    return status;
  }
  ++started_;
  trimmed_ = false;
  if (reader_ == Reader::kNobody && !exchange.blocking()) GiveToLoop();
  if (limits_.max_requests != 0 && started_ >= limits_.max_requests) {
    drain_ = true;
    codec_->Drain(loop_->Now());
  }
  Flush();
  Settle();
  return absl::OkStatus();
}

size_t ClientConnection::Write(ClientExchange& exchange, std::string_view bytes,
                               bool end) {
  base::MutexLock lock(mutex_);
  if (!exchange.place.active) return 0;
  const size_t taken = codec_->Write(exchange, bytes, end);
  Flush();
  Settle();
  return taken;
}

absl::Status ClientConnection::WriteTrailers(
    ClientExchange& exchange, absl::Span<const Header> trailers) {
  base::MutexLock lock(mutex_);
  if (!exchange.place.active) {
    return absl::FailedPreconditionError("the request is over");
  }
  absl::Status status = codec_->WriteTrailers(exchange, trailers);
  Flush();
  Settle();
  return status;
}

void ClientConnection::Consume(ClientExchange& exchange, size_t bytes) {
  base::MutexLock lock(mutex_);
  if (!exchange.place.active) return;
  codec_->Consume(exchange, bytes);
  if (reader_ == Reader::kLoop && !closed_) {
    stream_->WantRead(codec_->WantsInput());
  }
  Flush();
  Settle();
}

void ClientConnection::Cancel(ClientExchange& exchange) {
  base::MutexLock lock(mutex_);
  if (leader_ == &exchange) WakeLeader();
  if (!exchange.place.active) return;
  codec_->Cancel(exchange);
  Flush();
  Settle();
}

void ClientConnection::Drain() {
  base::MutexLock lock(mutex_);
  if (closed_ || drain_) return;
  drain_ = true;
  codec_->Drain(loop_->Now());
  Flush();
  Settle();
}

void ClientConnection::Close(const absl::Status& reason) {
  owner_ = nullptr;
  {
    base::MutexLock lock(mutex_);
    Fail(reason);
  }
  RunWork();
}

// --- Writing ---

// Gives to the system what the codec has. One thread at a time writes; what
// others add while it does, it takes along.
void ClientConnection::Flush() {
  if (batch_thread_ == std::this_thread::get_id()) return;  // at its end
  FlushNow();
}

void ClientConnection::FlushNow() {
  if (writing_ || blocked_ || closed_) return;
  writing_ = true;
  while (!closed_ && WritePending()) {
  }
  writing_ = false;
}

// Whether there may be more to write.
bool ClientConnection::WritePending() {
  if (out_at_ == out_.size()) {
    if (out_.capacity() > kKeptOutput) std::string().swap(out_);
    out_.clear();
    out_at_ = 0;
    if (!codec_->HasOutput()) return false;
    const absl::Status status = codec_->TakeOutput(out_);
    if (!status.ok()) {
      Fail(status);
      return false;
    }
    if (out_.empty()) return false;
  }
  writes_.under_way = true;
  mutex_.Unlock();
  const std::string_view rest = std::string_view(out_).substr(out_at_);
  const event::IoResult result = stream_->Write({rest});
  mutex_.Lock();
  writes_.under_way = false;
  if (result.bytes != 0) {
    out_at_ += result.bytes;
    ++writes_.done;
  }
  if (result.code == event::IoResult::Code::kDone) return true;
  if (result.code == event::IoResult::Code::kBlocked) {
    blocked_ = true;
    if (!closed_) stream_->WantWrite(true);
  } else {
    // What the peer said last may still be there to be read: the reader
    // finds the end.
    write_failed_ = true;
    blocked_ = true;
    if (reader_ == Reader::kNobody) GiveToLoop();
  }
  return false;
}

void ClientConnection::OnWritable() {
  const auto self = shared_from_this();
  {
    base::MutexLock lock(mutex_);
    stream_->WantWrite(false);
    if (!write_failed_) blocked_ = false;
    Flush();
  }
  RunWork();
}

// --- Reading ---

ClientConnection::Drive ClientConnection::ReadOnce(absl::Duration wait) {
  std::array<char, kReadBytes> buffer;  // NOLINT: filled by Read()
  reading_ = true;
  read_waits_ = wait > absl::ZeroDuration();
  mutex_.Unlock();
  const event::IoResult result =
      wait > absl::ZeroDuration()
          ? stream_->ReadWithin(absl::MakeSpan(buffer), wait)
          : stream_->Read(absl::MakeSpan(buffer));
  mutex_.Lock();
  reading_ = false;
  read_waits_ = false;
  if (closed_) return Drive::kStop;
  switch (result.code) {
    case event::IoResult::Code::kDone: {
      last_used_ = loop_->Now();
      const absl::Status status = codec_->Receive(
          absl::MakeConstSpan(buffer.data(), result.bytes), last_used_);
      if (!status.ok()) {
        FlushNow();  // the last word, a GOAWAY
        Fail(status);
        return Drive::kStop;
      }
      return (result.bytes == buffer.size() || limits_.read_until_blocked) &&
                     codec_->WantsInput()
                 ? Drive::kMore
                 : Drive::kStop;
    }
    case event::IoResult::Code::kBlocked:
      return Drive::kStop;
    case event::IoResult::Code::kEnded:
      codec_->ReceiveEnd(Delivered());
      Fail(absl::UnavailableError("the peer closed the connection"));
      return Drive::kStop;
    case event::IoResult::Code::kFailed:
      Fail(stream_->error());
      return Drive::kStop;
  }
  return Drive::kStop;
}

void ClientConnection::OnReadable() {
  const auto self = shared_from_this();
  std::vector<std::shared_ptr<ClientExchange>> changed;
  {
    base::MutexLock lock(mutex_);
    if (reader_ != Reader::kLoop || reading_ || closed_) return;
    batch_thread_ = std::this_thread::get_id();
    for (int i = 0; i < kMostReads && ReadOnce() == Drive::kMore; ++i) {
    }
    if (!closed_) stream_->WantRead(codec_->WantsInput());
    changed = changed_.Take();
    UpdateRoom();
  }
  struct Batch {
    // Whatever the application's callbacks throw.
    ~Batch() {
      base::MutexLock lock(connection->mutex_);
      connection->batch_thread_ = {};
      connection->Flush();
    }
    ClientConnection* connection;
  };
  {
    const Batch batch{this};
    const size_t pieces = changed.size() / kMostAtOnce + 1;
    const size_t piece = changed.size() / pieces + 1;
    for (size_t i = 0; i < changed.size(); ++i) {
      if (i != 0 && i % piece == 0) FlushBatch();
      changed[i]->Tell();
    }
  }
  RunWork();
}

void ClientConnection::FlushBatch() {
  base::MutexLock lock(mutex_);
  FlushNow();
}

bool ClientConnection::WaitFor(ClientExchange& exchange, uint32_t events,
                               absl::Time deadline) {
  base::MutexLock lock(mutex_);
  if (closed_) return true;
  last_used_ = loop_->Now();
  if (reader_ != Reader::kLeader && !reading_ && pollable_ &&
      codec_->active_async() == 0) {
    Lead(exchange, events, deadline);
  } else {
    Follow(exchange, events, deadline);
    last_used_ = loop_->Now();
  }
  Settle();
  return (exchange.events() & events) != 0 || loop_->Now() < deadline;
}

void ClientConnection::Lead(ClientExchange& exchange, uint32_t events,
                            absl::Time deadline) {
  if (reader_ == Reader::kLoop) stream_->WantRead(false);
  reader_ = Reader::kLeader;
  leader_ = &exchange;
  // What WaitFor() and ReadOnce() have asked the clock is new enough.
  for (absl::Time now = last_used_;
       !closed_ && (exchange.events() & events) == 0; now = loop_->Now()) {
    const absl::Duration left = deadline - now;
    if (left <= absl::ZeroDuration()) break;
    Drive drive = LeadOnce(exchange, left);
    while (drive == Drive::kMore) drive = ReadOnce();
    Flush();
    if (!changed_.empty()) PostWork();
  }
  leader_ = nullptr;
  reader_ = Reader::kNobody;
  HandOver();
}

// Waits for something to read, and reads it.
ClientConnection::Drive ClientConnection::LeadOnce(const ClientExchange& leader,
                                                   absl::Duration longest) {
  if (leader.options().undisturbed && longest >= kWorthWaiting &&
      stream_->CanWait()) {
    return ReadOnce(longest);
  }
  if (wake_ < 0) wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  mutex_.Unlock();
  const bool readable = PollOnce(longest);
  mutex_.Lock();
  return readable && !closed_ ? ReadOnce() : Drive::kStop;
}

bool ClientConnection::PollOnce(absl::Duration longest) {
  std::array<pollfd, 2> polled{
      {{stream_->Descriptor(), POLLIN, 0}, {wake_, POLLIN, 0}}};
  const timespec wait = PollTime(longest);
  if (ppoll(polled.data(), polled.size(), &wait, nullptr) <= 0) return false;
  if (polled[1].revents != 0) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_, &count, sizeof(count));
  }
  return polled[0].revents != 0;
}

void ClientConnection::Follow(ClientExchange& exchange, uint32_t events,
                              absl::Time deadline) {
  followers_.push_back(&exchange);
  mutex_.Unlock();
  {
    const uint32_t wanted = events | ClientExchange::kLead;
    base::MutexLock lock(exchange.mutex_);
    exchange.waiting_ = true;
    while ((exchange.events_ & wanted) == 0) {
      const absl::Duration left = deadline - loop_->Now();
      if (left <= absl::ZeroDuration()) break;
      exchange.changed_.WaitFor(exchange.mutex_,
                                std::min(left, absl::Hours(1)));
    }
    exchange.waiting_ = false;
    exchange.events_ &= ~ClientExchange::kLead;
  }
  mutex_.Lock();
  followers_.erase(std::find(followers_.begin(), followers_.end(), &exchange));
  // It may have been asked to lead, and has its answer already.
  if (reader_ == Reader::kNobody && (exchange.events() & events) != 0) {
    HandOver();
  }
}

// Nobody reads now: finds who shall.
void ClientConnection::HandOver() {
  if (closed_) return;
  if (codec_->active_async() > 0) {
    GiveToLoop();
  } else if (!followers_.empty()) {
    followers_.front()->Notify(ClientExchange::kLead);
  } else if (!sweeping_) {
    sweeping_ = true;
    PostWork();
  }
}

void ClientConnection::GiveToLoop() {
  reader_ = Reader::kLoop;
  stream_->WantRead(codec_->WantsInput());
}

void ClientConnection::WakeLeader() {
  if (wake_ < 0) return;  // it has not polled yet
  const uint64_t one = 1;
  // Fails only if it is readable already.
  [[maybe_unused]] const ssize_t put = write(wake_, &one, sizeof(one));
}

// --- What the loop has to do ---

// Asks the system, and only where an exchange is there to be told.
bool ClientConnection::Delivered() const {
  return codec_->active() == 0 || PeerHasAll(stream_->Descriptor());
}

void ClientConnection::Fail(const absl::Status& reason) {
  if (closed_) return;
  closed_ = true;
  codec_->ConnectionLost(reason, Delivered());
  if (leader_ != nullptr) WakeLeader();
  if (read_waits_) stream_->Interrupt();
  PostWork();
}

// Whether there is room where there was none.
bool ClientConnection::UpdateRoom() {
  const bool room = !closed_ && !drain_ && !codec_->draining() &&
                    codec_->active() < codec_->capacity();
  if (room == room_.load(std::memory_order_relaxed)) return false;
  room_.store(room, std::memory_order_seq_cst);
  return room;
}

void ClientConnection::Settle() {
  // Pairs with the pool, which says that it waits and looks once more.
  if (UpdateRoom() && owner_waits_.load(std::memory_order_seq_cst)) PostWork();
  const bool ending = !closed_ && (drain_ || codec_->draining());
  if (ending && (codec_->active() == 0 || !told_draining_)) PostWork();
  if (!changed_.empty() || (closed_ && stream_ != nullptr)) PostWork();
}

void ClientConnection::PostWork() {
  if (work_posted_) return;
  work_posted_ = true;
  loop_->Post([self = shared_from_this()] { self->RunWork(); });
}

void ClientConnection::RunWork() {
  const auto self = shared_from_this();
  std::vector<std::shared_ptr<ClientExchange>> changed;
  std::unique_ptr<event::Stream> stream;
  bool draining = false;
  bool closed = false;
  {
    base::MutexLock lock(mutex_);
    work_posted_ = false;
    changed = changed_.Take();
    if (!closed_ && (drain_ || codec_->draining())) {
      draining = !std::exchange(told_draining_, true);
      if (codec_->active() == 0) {
        Flush();
        Fail(absl::UnavailableError("the connection was drained"));
      }
    }
    // Whoever still uses the stream calls again.
    if (closed_ && !reading_ && !writing_ && leader_ == nullptr) {
      stream = std::move(stream_);
      closed = stream != nullptr;
    }
    UpdateRoom();
    if (!closed_) ArmTimer(NextTimer());
  }
  for (const auto& exchange : changed) exchange->Tell();
  if (owner_ != nullptr && draining) owner_->OnDraining(*this);
  if (owner_ != nullptr && !closed && HasRoom()) owner_->OnRoom(*this);
  if (!closed) return;
  if (timer_.has_value()) loop_->Cancel(*std::exchange(timer_, std::nullopt));
  stream.reset();
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->OnClosed(*this);
}

absl::Time ClientConnection::NextTimer() {
  absl::Time next = codec_->NextTick();
  // While it is in use, the timer comes back to see whether it still is.
  const absl::Time used = codec_->active() == 0 ? last_used_ : loop_->Now();
  next = std::min(next, used + limits_.idle_timeout);
  if (!drain_) next = std::min(next, expires_);
  if (!trimmed_) next = std::min(next, used + kTrim);
  if (sweeping_) next = std::min(next, loop_->Now() + kSweep);
  return next;
}

void ClientConnection::ArmTimer(absl::Time when) {
  if (timer_.has_value() && timer_at_ <= when) return;
  if (timer_.has_value()) loop_->Cancel(*std::exchange(timer_, std::nullopt));
  if (when == absl::InfiniteFuture()) return;
  timer_at_ = when;
  timer_ = loop_->RunAt(when, [this] {
    timer_.reset();
    OnTimer();
  });
}

void ClientConnection::OnTimer() {
  const auto self = shared_from_this();
  {
    base::MutexLock lock(mutex_);
    if (closed_) return;
    const absl::Time now = loop_->Now();
    const absl::Status status = codec_->Tick(now);
    if (!status.ok()) Fail(status);
    const bool idle =
        codec_->active() == 0 && now >= last_used_ + limits_.idle_timeout;
    if (!closed_ && !drain_ && (idle || now >= expires_)) {
      drain_ = true;
      codec_->Drain(now);
    }
    if (sweeping_ && now >= last_used_ + kSweep) {
      sweeping_ = false;
      if (reader_ == Reader::kNobody && !closed_) GiveToLoop();
    }
    Flush();
    if (!closed_ && !trimmed_ && codec_->active() == 0 &&
        now >= last_used_ + kTrim) {
      Trim();
    }
  }
  RunWork();
}

void ClientConnection::Trim() {
  trimmed_ = true;
  codec_->Trim();
  if (!writing_ && out_at_ == out_.size()) {
    std::string().swap(out_);
    out_at_ = 0;
  }
}

}  // namespace meshlib::net

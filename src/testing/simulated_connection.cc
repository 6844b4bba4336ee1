#include "testing/simulated_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "net/socket_address.h"
#include "testing/simulated_stream.h"

namespace meshlib::testing {
namespace {

using event::IoResult;
using net::SocketError;

constexpr int kMostTries = 7;  // of a connect

}  // namespace

SimulatedConnection::SimulatedConnection(std::shared_ptr<SimulatedWorld> world,
                                         std::string_view from,
                                         std::string_view address,
                                         event::StreamHandler* handler)
    : world_(std::move(world)) {
  base::MutexLock lock(world_->mutex);
  id_ = world_->next_id++;
  world_->connections.emplace(id_, this);
  End& client = ends_[kClient];
  client.address = absl::StrCat(base::ToAbsl(from), ":", world_->next_port++);
  client.handler = handler;
  client.way = &world_->links.Between(from, SimulatedEndpointOf(address));
  ends_[kServer].address = std::string(address);
  ends_[kServer].way =
      &world_->links.Between(SimulatedEndpointOf(address), from);
}

SimulatedConnection::~SimulatedConnection() {
  base::MutexLock lock(world_->mutex);
  world_->connections.erase(id_);
}

template <typename F>
event::Loop::TimerId SimulatedConnection::At(absl::Time when, F&& run) {
  return world_->loop->RunAt(
      when, [self = shared_from_this(), run = std::forward<F>(run)]() mutable {
        run(*self);
      });
}

const std::string& SimulatedConnection::EndpointOf(size_t end) const {
  base::MutexLock lock(world_->mutex);
  return ends_[end].way->from;  // never changes
}

// --- Connecting ---

std::unique_ptr<event::Stream> SimulatedConnection::Connect(
    const std::shared_ptr<SimulatedWorld>& world, std::string_view from,
    std::string_view address, absl::Duration timeout,
    event::StreamHandler* handler) {
  absl::Status refused;
  if (address.empty()) {
    refused = absl::InvalidArgumentError("no address");
  }
  {
    base::MutexLock lock(world->mutex);
    if (world->connections.size() >= world->options.max_connections) {
      refused = SocketError("connect", EMFILE);
    }
  }
  std::shared_ptr<SimulatedConnection> made(
      new SimulatedConnection(world, from, address, handler));
  made->Begin(timeout, std::move(refused));
  return std::make_unique<SimulatedStream>(std::move(made), kClient);
}

void SimulatedConnection::Begin(absl::Duration timeout, absl::Status refused) {
  if (!refused.ok()) return FinishLater(std::move(refused));
  if (timeout != absl::InfiniteDuration()) {
    connect_timer_ = At(Now() + timeout, [](SimulatedConnection& self) {
      self.connect_timer_.reset();
      self.Finish(absl::DeadlineExceededError("connect timeout"));
    });
  }
  {
    base::MutexLock lock(world_->mutex);
    ++ends_[kClient].way->stats.connects;
  }
  SendSyn(Try());
}

void SimulatedConnection::SendSyn(Try attempt) {
  base::MutexLock lock(world_->mutex);
  End& client = ends_[kClient];
  if (client.state != State::kConnecting) return;
  attempt.sent = Now();
  const auto fate = world_->links.Send(*client.way, 0, false, attempt.sent);
  if (!fate.arrival.has_value()) return RetrySyn(attempt);
  At(*fate.arrival,
     [attempt](SimulatedConnection& self) { self.ReceiveSyn(attempt); });
}

void SimulatedConnection::RetrySyn(const Try& attempt) {
  const absl::Time when = std::max(Now(), attempt.sent + attempt.timeout);
  if (attempt.number == kMostTries) {
    At(when, [](SimulatedConnection& self) {
      self.Finish(SocketError("connect", ETIMEDOUT));
    });
    return;
  }
  const Try next{attempt.number + 1, 2 * attempt.timeout, when};
  At(when, [next](SimulatedConnection& self) { self.SendSyn(next); });
}

void SimulatedConnection::ReceiveSyn(const Try& attempt) {
  base::MutexLock lock(world_->mutex);
  End& client = ends_[kClient];
  End& server = ends_[kServer];
  if (client.state != State::kConnecting) return;
  if (!world_->links.Arrives(*client.way)) return RetrySyn(attempt);
  const bool refused = world_->listeners.count(server.address) == 0;
  const auto fate = world_->links.Send(*server.way, 0, false, Now());
  if (!fate.arrival.has_value()) return RetrySyn(attempt);
  At(*fate.arrival, [attempt, refused](SimulatedConnection& self) {
    self.ReceiveSynAck(attempt, refused);
  });
}

void SimulatedConnection::ReceiveSynAck(const Try& attempt, bool refused) {
  {
    base::MutexLock lock(world_->mutex);
    if (ends_[kClient].state != State::kConnecting) return;
    if (!world_->links.Arrives(*ends_[kServer].way)) return RetrySyn(attempt);
    if (refused) ++ends_[kClient].way->stats.refused;
  }
  if (refused) return Finish(SocketError("connect", ECONNREFUSED));
  // Before the first data, which it so precedes.
  SendAck(Try());
  Finish(absl::OkStatus());
}

void SimulatedConnection::SendAck(Try attempt) {
  base::MutexLock lock(world_->mutex);
  End& client = ends_[kClient];
  if (attempt.number > kMostTries || client.aborted || !client.error.ok()) {
    return;
  }
  const auto fate = world_->links.Send(*client.way, 0, false, Now());
  if (fate.arrival.has_value()) {
    client.last_arrival = std::max(client.last_arrival, *fate.arrival);
    At(*fate.arrival,
       [attempt](SimulatedConnection& self) { self.ReceiveAck(attempt); });
    return;
  }
  const Try next{attempt.number + 1, 2 * attempt.timeout, Now()};
  At(Now() + attempt.timeout,
     [next](SimulatedConnection& self) { self.SendAck(next); });
}

void SimulatedConnection::ReceiveAck(const Try& attempt) {
  std::shared_ptr<SimulatedWorld::Listening> listening;
  {
    base::MutexLock lock(world_->mutex);
    End& server = ends_[kServer];
    if (!world_->links.Arrives(*ends_[kClient].way)) {
      const Try next{attempt.number + 1, 2 * attempt.timeout, Now()};
      At(Now() + attempt.timeout,
         [next](SimulatedConnection& self) { self.SendAck(next); });
      return;
    }
    if (server.state != State::kConnecting) return;
    const auto found = world_->listeners.find(server.address);
    if (found == world_->listeners.end()) {
      server.state = State::kOver;
      return SendReset(kServer);
    }
    listening = found->second;
    server.state = State::kOpen;
  }
  listening->accept(
      std::make_unique<SimulatedStream>(shared_from_this(), kServer));
}

void SimulatedConnection::FinishLater(absl::Status status) {
  if (connect_timer_.has_value()) world_->loop->Cancel(*connect_timer_);
  connect_timer_ =
      At(Now(), [status = std::move(status)](SimulatedConnection& self) {
        self.connect_timer_.reset();
        self.Finish(status);
      });
}

void SimulatedConnection::Finish(absl::Status status) {
  if (connect_timer_.has_value()) {
    world_->loop->Cancel(*std::exchange(connect_timer_, std::nullopt));
  }
  event::StreamHandler* handler = nullptr;
  {
    base::MutexLock lock(world_->mutex);
    End& client = ends_[kClient];
    if (client.state != State::kConnecting) return;
    client.state = status.ok() ? State::kOpen : State::kOver;
    client.error = status;
    handler = client.handler;
    Touch(kClient);
  }
  if (handler != nullptr) handler->OnConnect(std::move(status));
}

// --- The owners ---

IoResult SimulatedConnection::Read(size_t end, absl::Span<char> into) {
  base::MutexLock lock(world_->mutex);
  End& me = ends_[end];
  if (me.state == State::kConnecting) return {IoResult::Code::kBlocked, 0};
  if (me.state == State::kOver) return {IoResult::Code::kFailed, 0};
  const size_t unread = me.received.size() - me.read;
  if (unread == 0 && !me.error.ok()) return {IoResult::Code::kFailed, 0};
  if (unread == 0 && me.ended) return {IoResult::Code::kEnded, 0};
  if (unread == 0) return {IoResult::Code::kBlocked, 0};
  const size_t taken = me.received.copy(into.data(), into.size(), me.read);
  me.read += taken;
  if (me.read == me.received.size()) {
    me.received.clear();
    me.read = 0;
  }
  End& peer = ends_[1 - end];
  const absl::Time known = Now() + world_->links.Latency(*me.way);
  if (!peer.room.empty() && peer.room.back().when == known) {
    peer.room.back().bytes += taken;
  } else {
    peer.room.push_back({known, taken});
  }
  if (peer.wanted.write) Touch(1 - end);
  return {IoResult::Code::kDone, taken};
}

IoResult SimulatedConnection::Write(size_t end,
                                    absl::Span<const std::string_view> pieces) {
  base::MutexLock lock(world_->mutex);
  End& me = ends_[end];
  if (me.state == State::kConnecting) return {IoResult::Code::kBlocked, 0};
  if (me.error.ok() && me.end_wanted) me.error = SocketError("write", EPIPE);
  if (!me.error.ok()) return {IoResult::Code::kFailed, 0};
  size_t room = RoomOf(me);
  size_t taken = 0;
  bool all = true;
  for (const std::string_view piece : pieces) {
    const std::string_view part = piece.substr(0, room);
    me.unsent += part;
    taken += part.size();
    room -= part.size();
    all = all && part.size() == piece.size();
  }
  if (taken == 0 && !all) return {IoResult::Code::kBlocked, 0};
  me.held += taken;
  Touch(end);
  return {IoResult::Code::kDone, taken};
}

void SimulatedConnection::WantRead(size_t end, bool want) {
  base::MutexLock lock(world_->mutex);
  if (std::exchange(ends_[end].wanted.read, want) != want && want) Touch(end);
}

void SimulatedConnection::WantWrite(size_t end, bool want) {
  base::MutexLock lock(world_->mutex);
  if (std::exchange(ends_[end].wanted.write, want) != want && want) Touch(end);
}

void SimulatedConnection::CloseWrite(size_t end) {
  base::MutexLock lock(world_->mutex);
  if (ends_[end].state != State::kOpen) return;
  ends_[end].end_wanted = true;
  Touch(end);
}

void SimulatedConnection::ResetByOwner(size_t end) {
  if (end == kClient && connect_timer_.has_value()) {
    world_->loop->Cancel(*std::exchange(connect_timer_, std::nullopt));
  }
  base::MutexLock lock(world_->mutex);
  End& me = ends_[end];
  if (me.state == State::kOver) return;
  if (me.state == State::kOpen && me.error.ok()) SendReset(end);
  me.state = State::kOver;
  if (me.error.ok()) me.error = absl::CancelledError("reset by this side");
}

absl::Status SimulatedConnection::ErrorOf(size_t end) const {
  base::MutexLock lock(world_->mutex);
  return ends_[end].error;
}

void SimulatedConnection::SetHandler(size_t end,
                                     event::StreamHandler* handler) {
  base::MutexLock lock(world_->mutex);
  ends_[end].handler = handler;
  Touch(end);
}

std::string SimulatedConnection::AddressOf(size_t end) const {
  base::MutexLock lock(world_->mutex);
  return ends_[end].address;
}

void SimulatedConnection::Destroy(size_t end) {
  if (end == kClient && connect_timer_.has_value()) {
    world_->loop->Cancel(*std::exchange(connect_timer_, std::nullopt));
  }
  base::MutexLock lock(world_->mutex);
  End& me = ends_[end];
  if (me.state == State::kOpen && me.error.ok()) {
    if (me.read < me.received.size()) {
      SendReset(end);
    } else {
      me.end_wanted = true;
      Touch(end);
    }
  }
  me.state = State::kGone;
  me.handler = nullptr;
  if (me.room_timer.has_value()) {
    world_->loop->Cancel(*std::exchange(me.room_timer, std::nullopt));
  }
}

void SimulatedConnection::ResetBoth() {
  base::MutexLock lock(world_->mutex);
  ++ends_[kClient].way->stats.resets;
  for (const size_t end : {kClient, kServer}) {
    FailEnd(end, SocketError("read", ECONNRESET));
  }
}

void SimulatedConnection::Kill(size_t end) {
  base::MutexLock lock(world_->mutex);
  // What is not accepted yet finds that nobody listens.
  if (end == kServer && ends_[end].state == State::kConnecting) return;
  if (ends_[end].state == State::kOpen && ends_[end].error.ok()) {
    SendReset(end);
  }
  FailEnd(end, absl::UnavailableError("killed"));
}

// --- The loop ---

void SimulatedConnection::Touch(size_t end) {
  if (std::exchange(ends_[end].touched, true)) return;
  world_->loop->Post(
      [self = shared_from_this(), end] { self->RunTouched(end); });
}

event::Interest SimulatedConnection::ReadyOf(End& end) {
  event::Interest ready;
  if (end.state != State::kOpen || end.handler == nullptr) return ready;
  ready.read = end.wanted.read &&
               (end.read < end.received.size() || end.ended || !end.error.ok());
  // Not for every few bytes.
  ready.write =
      end.wanted.write && (!end.error.ok() || end.end_wanted ||
                           RoomOf(end) >= (world_->options.buffer + 2) / 3);
  return ready;
}

size_t SimulatedConnection::RoomOf(End& end) {
  while (!end.room.empty() && end.room.front().when <= Now()) {
    end.held -= end.room.front().bytes;
    end.room.pop_front();
  }
  return world_->options.buffer - end.held;
}

void SimulatedConnection::ArmRoomTimer(size_t at) {
  End& me = ends_[at];
  if (me.room.empty() || me.room_timer.has_value()) return;
  me.room_timer = At(me.room.front().when, [at](SimulatedConnection& self) {
    base::MutexLock lock(self.world_->mutex);
    self.ends_[at].room_timer.reset();
    self.Touch(at);
  });
}

void SimulatedConnection::RunTouched(size_t end) {
  event::StreamHandler* handler = nullptr;
  event::Interest ready;
  {
    base::MutexLock lock(world_->mutex);
    End& me = ends_[end];
    me.touched = false;
    Pump(end);
    ready = ReadyOf(me);
    handler = me.handler;
    if (me.state == State::kOpen && me.wanted.write && !ready.write) {
      ArmRoomTimer(end);
    }
  }
  if (ready.read) {
    handler->OnReadable();
    base::MutexLock lock(world_->mutex);
    ready = ReadyOf(ends_[end]);
    handler = ends_[end].handler;
  }
  if (ready.write) handler->OnWritable();
  base::MutexLock lock(world_->mutex);
  if (!ReadyOf(ends_[end]).none()) Touch(end);
}

// --- Segments ---

void SimulatedConnection::Pump(size_t at) {
  End& me = ends_[at];
  if (me.state == State::kConnecting || me.aborted) return;
  const size_t most = std::max<size_t>(world_->options.segment, 1);
  const bool ends = me.end_wanted && !me.end_sent;
  if (me.unsent.empty() && !ends) return;
  const absl::Duration timeout =
      world_->options.retransmit_timeout + 2 * world_->links.Latency(*me.way);
  size_t sent = 0;
  do {
    Segment segment;
    segment.bytes = me.unsent.substr(sent, most);
    sent += segment.bytes.size();
    segment.end = ends && sent == me.unsent.size();
    segment.timeout = timeout;
    segment.first_sent = Now();
    me.end_sent = me.end_sent || segment.end;
    me.flight.push_back(std::move(segment));
    SendSegment(at, me.first + me.flight.size() - 1);
  } while (sent < me.unsent.size());
  me.unsent.clear();
}

SimulatedConnection::Segment* SimulatedConnection::Find(End& end,
                                                        uint64_t number) {
  const bool found =
      number >= end.first && number - end.first < end.flight.size();
  return found ? &end.flight[number - end.first] : nullptr;
}

void SimulatedConnection::SendSegment(size_t at, uint64_t number) {
  End& me = ends_[at];
  Segment* const segment = Find(me, number);
  if (segment == nullptr || me.aborted) return;
  segment->last_sent = Now();
  const auto fate =
      world_->links.Send(*me.way, segment->bytes.size(), true, Now());
  if (!fate.arrival.has_value()) return RetrySegment(at, number);
  me.last_arrival = std::max(me.last_arrival, *fate.arrival);
  At(*fate.arrival,
     [at, number, reset = fate.reset](SimulatedConnection& self) {
       base::MutexLock lock(self.world_->mutex);
       self.ReceiveSegment(at, number, reset);
     });
}

void SimulatedConnection::RetrySegment(size_t at, uint64_t number) {
  End& me = ends_[at];
  if (me.aborted) return;
  Segment& segment = *Find(me, number);
  const absl::Time give_up = segment.first_sent + world_->options.user_timeout;
  const absl::Time when = std::max(Now(), segment.last_sent + segment.timeout);
  segment.timeout =
      std::min(2 * segment.timeout, world_->options.longest_retransmit_timeout);
  if (when < give_up) {
    At(when, [at, number](SimulatedConnection& self) {
      base::MutexLock lock(self.world_->mutex);
      self.SendSegment(at, number);
    });
    return;
  }
  At(std::max(Now(), give_up), [at, number](SimulatedConnection& self) {
    base::MutexLock lock(self.world_->mutex);
    if (Find(self.ends_[at], number) == nullptr) return;
    self.FailEnd(at, SocketError("write", ETIMEDOUT));
  });
}

void SimulatedConnection::ReceiveSegment(size_t at, uint64_t number,
                                         bool reset) {
  End& me = ends_[at];
  Segment* const segment = Find(me, number);
  if (segment == nullptr) return;
  if (!world_->links.Arrives(*me.way)) return RetrySegment(at, number);
  if (reset) {
    FailEnd(at, SocketError("read", ECONNRESET));
    FailEnd(1 - at, SocketError("read", ECONNRESET));
    return;
  }
  segment->arrived = true;
  Deliver(at);
}

void SimulatedConnection::Deliver(size_t at) {
  End& me = ends_[at];
  End& peer = ends_[1 - at];
  const bool heard =
      peer.state == State::kOpen || peer.state == State::kConnecting;
  bool to_nobody = false;
  while (!me.flight.empty() && me.flight.front().arrived) {
    const Segment segment = std::move(me.flight.front());
    me.flight.pop_front();
    ++me.first;
    if (heard) {
      peer.received += segment.bytes;
      peer.ended = peer.ended || segment.end;
    } else {
      me.held -= segment.bytes.size();
      to_nobody = to_nobody || !segment.bytes.empty();
    }
  }
  if (to_nobody) SendReset(1 - at);
  if (heard) Touch(1 - at);
}

// What is on its way already comes before it. It is not sent again.
void SimulatedConnection::SendReset(size_t at) {
  End& me = ends_[at];
  me.aborted = true;
  me.unsent.clear();
  ++me.way->stats.resets;
  const auto arrival = world_->links.SendSurely(*me.way, Now());
  if (!arrival.has_value()) return;
  At(std::max(*arrival, me.last_arrival), [at](SimulatedConnection& self) {
    base::MutexLock lock(self.world_->mutex);
    if (!self.world_->links.Arrives(*self.ends_[at].way)) return;
    self.FailEnd(1 - at, SocketError("read", ECONNRESET));
  });
}

void SimulatedConnection::Abort(End& end) {
  end.aborted = true;
  end.unsent.clear();
  end.first += end.flight.size();
  end.flight.clear();
}

// What came before can still be read.
void SimulatedConnection::FailEnd(size_t at, absl::Status status) {
  End& me = ends_[at];
  if (at == kClient && me.state == State::kConnecting) {
    return FinishLater(std::move(status));
  }
  Abort(me);
  if (me.state == State::kConnecting) me.state = State::kOver;
  if (me.error.ok()) me.error = std::move(status);
  Touch(at);
}

}  // namespace meshlib::testing

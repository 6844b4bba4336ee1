#include "event/timer_wheel.h"

#include <algorithm>
#include <utility>

namespace meshlib::event {

// The first tick that is not before `when`.
int64_t TimerWheel::TickOf(absl::Time when) const {
  if (when == absl::InfiniteFuture()) return INT64_MAX;
  // In numbers: absl::Duration's division would be the dearest part of Set().
  const int64_t since = absl::ToInt64Nanoseconds(when - start_);
  const int64_t tick = since / kTickNanos;
  return tick * kTickNanos < since ? tick + 1 : tick;
}

void TimerWheel::Set(const std::shared_ptr<WheelTimer>& timer,
                     absl::Time when) {
  base::MutexLock lock(mutex_);
  if (timer->slot_ != SIZE_MAX) Remove(*timer);
  if (when == absl::InfiniteFuture()) return;
  if (armed_tick_ == INT64_MAX) {  // empty: time went on without it
    now_tick_ = std::max(now_tick_, (loop_->Now() - start_) / kTick - 1);
  }
  timer->when_ = when;
  Insert(timer);
  WakeFor(std::max(TickOf(when), now_tick_ + 1));
}

void TimerWheel::Unset(WheelTimer& timer) {
  std::shared_ptr<WheelTimer> held;  // may be the last: not under the lock
  base::MutexLock lock(mutex_);
  if (timer.slot_ != SIZE_MAX) held = Remove(timer);
}

void TimerWheel::Insert(const std::shared_ptr<WheelTimer>& timer) {
  // Those beyond a turn of the wheel wait in its last slot.
  const int64_t tick = std::clamp(TickOf(timer->when_), now_tick_ + 1,
                                  now_tick_ + static_cast<int64_t>(kSlots) - 1);
  const size_t slot = static_cast<size_t>(tick) % kSlots;
  timer->slot_ = slot;
  timer->index_ = slots_[slot].size();
  slots_[slot].push_back(timer);
  used_[slot / kWordBits] |= uint64_t{1} << (slot % kWordBits);
}

std::shared_ptr<WheelTimer> TimerWheel::Remove(WheelTimer& timer) {
  auto& slot = slots_[timer.slot_];
  std::shared_ptr<WheelTimer> out = std::move(slot[timer.index_]);
  if (timer.index_ + 1 != slot.size()) {
    slot[timer.index_] = std::move(slot.back());
    slot[timer.index_]->index_ = timer.index_;
  }
  slot.pop_back();
  if (slot.empty()) {
    used_[timer.slot_ / kWordBits] &=
        ~(uint64_t{1} << (timer.slot_ % kWordBits));
  }
  timer.slot_ = SIZE_MAX;
  return out;
}

std::optional<int64_t> TimerWheel::NextTick() const {
  const size_t first = static_cast<size_t>(now_tick_ + 1) % kSlots;
  for (size_t i = 0; i <= used_.size(); ++i) {
    const size_t word = (first / kWordBits + i) % used_.size();
    uint64_t bits = used_[word];
    if (i == 0) bits &= ~uint64_t{0} << (first % kWordBits);
    if (i == used_.size()) bits &= ~(~uint64_t{0} << (first % kWordBits));
    if (bits == 0) continue;
    const size_t slot =
        word * kWordBits + static_cast<size_t>(__builtin_ctzll(bits));
    return now_tick_ + 1 +
           static_cast<int64_t>((slot + kSlots - first) % kSlots);
  }
  return std::nullopt;
}

void TimerWheel::WakeFor(int64_t tick) {
  if (tick >= armed_tick_) return;
  armed_tick_ = tick;
  loop_->Post([self = shared_from_this()] { self->Arm(); });
}

void TimerWheel::Arm() {
  absl::Time when;
  {
    base::MutexLock lock(mutex_);
    if (armed_tick_ == INT64_MAX) return;
    when = start_ + armed_tick_ * kTick;
  }
  if (timer_.has_value()) loop_->Cancel(*timer_);
  timer_ = loop_->RunAt(when, [self = shared_from_this()] {
    self->timer_.reset();
    self->Run();
  });
}

void TimerWheel::Run() {
  std::vector<std::shared_ptr<WheelTimer>> due;
  std::vector<std::shared_ptr<WheelTimer>> later;
  bool more = false;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = loop_->Now();
    const int64_t until = (now - start_) / kTick;
    for (auto next = NextTick(); next.has_value() && *next <= until;
         next = NextTick()) {
      now_tick_ = *next - 1;
      const size_t slot = static_cast<size_t>(*next) % kSlots;
      while (!slots_[slot].empty()) {
        WheelTimer& timer = *slots_[slot].back();
        (timer.when_ <= now ? due : later).push_back(Remove(timer));
      }
    }
    now_tick_ = std::max(now_tick_, until);
    for (const auto& timer : later) Insert(timer);
    const auto next = NextTick();
    more = next.has_value();
    armed_tick_ = next.value_or(INT64_MAX);
  }
  if (more) Arm();
  for (const auto& timer : due) timer->OnTimer();
}

}  // namespace meshlib::event

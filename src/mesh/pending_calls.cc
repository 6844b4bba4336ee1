#include "mesh/pending_calls.h"

#include <algorithm>
#include <vector>

namespace meshlib::mesh {

bool PendingCalls::Add(size_t stripe, PendingCall& call) {
  call.shard_ = stripe % shards_.size();
  Shard& shard = shards_[call.shard_];
  const base::MutexLock lock(shard.mutex);
  // Under the lock: who says Refuse() and then looks at the list sees either
  // the call there or nothing more to come.
  if (refusing()) return false;
  call.before_ = nullptr;
  call.after_ = shard.first;
  if (shard.first != nullptr) shard.first->before_ = &call;
  shard.first = &call;
  call.listed_ = true;
  return true;
}

void PendingCalls::Remove(PendingCall& call) {
  Shard& shard = shards_[call.shard_];
  {
    const base::MutexLock lock(shard.mutex);
    if (!call.listed_) return;
    call.listed_ = false;
    if (call.after_ != nullptr) call.after_->before_ = call.before_;
    (call.before_ != nullptr ? call.before_->after_ : shard.first) =
        call.after_;
  }
  if (!refusing()) return;
  const base::MutexLock lock(mutex_);
  changed_.NotifyAll();
}

void PendingCalls::Refuse() {
  refusing_.store(true, std::memory_order_release);
}

bool PendingCalls::empty() const {
  return std::all_of(shards_.begin(), shards_.end(), [](const Shard& shard) {
    const base::MutexLock lock(shard.mutex);
    return shard.first == nullptr;
  });
}

void PendingCalls::WaitEmpty(absl::Duration longest) {
  const base::MutexLock lock(mutex_);
  if (!empty()) changed_.WaitFor(mutex_, longest);
}

void PendingCalls::AbortAll() {
  {
    const base::MutexLock lock(mutex_);
    aborting_ = true;
    changed_.NotifyAll();
  }
  std::vector<std::shared_ptr<PendingCall>> held;
  for (Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    for (PendingCall* call = shard.first; call != nullptr;
         call = call->after_) {
      call->aborted_.store(true, std::memory_order_release);
      auto hold = call->Hold();
      if (hold != nullptr) held.push_back(std::move(hold));
    }
  }
  for (const auto& call : held) call->OnAbort();
}

void PendingCalls::Sleep(absl::Duration time) {
  const base::MutexLock lock(mutex_);
  if (!aborting_) changed_.WaitFor(mutex_, time);
}

}  // namespace meshlib::mesh

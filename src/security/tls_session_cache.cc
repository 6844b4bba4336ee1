#include "security/tls_session_cache.h"

#include <utility>

namespace meshlib::security {
namespace {

constexpr size_t kMaxSessionsOfKey = 4;

}  // namespace

void TlsSessionCache::Put(const std::string& key, SslSessionPtr session) {
  if (capacity_ == 0) return;
  const base::MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    last_used_first_.splice(last_used_first_.begin(), last_used_first_,
                            found->second);
  } else {
    last_used_first_.push_front({key, {}});
    by_key_[key] = last_used_first_.begin();
  }
  auto& sessions = last_used_first_.front().newest_first;
  sessions.push_front(std::move(session));
  if (sessions.size() > kMaxSessionsOfKey) sessions.pop_back();
  if (by_key_.size() > capacity_) {
    by_key_.erase(last_used_first_.back().key);
    last_used_first_.pop_back();
  }
}

SslSessionPtr TlsSessionCache::Take(const std::string& key) {
  const base::MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const auto entry = found->second;
  last_used_first_.splice(last_used_first_.begin(), last_used_first_, entry);
  SSL_SESSION* newest = entry->newest_first.front().get();
  if (SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(newest);
    return SslSessionPtr(newest);
  }
  SslSessionPtr session = std::move(entry->newest_first.front());
  entry->newest_first.pop_front();
  if (entry->newest_first.empty()) {
    by_key_.erase(found);
    last_used_first_.erase(entry);
  }
  return session;
}

}  // namespace meshlib::security

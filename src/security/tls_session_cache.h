#ifndef MESHLIB_SECURITY_TLS_SESSION_CACHE_H_
#define MESHLIB_SECURITY_TLS_SESSION_CACHE_H_

#include <cstddef>
#include <deque>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "security/openssl.h"

namespace meshlib::security {

// A client's sessions to resume, of at most `capacity` keys, the longest unused
// one dropped first. Of one key up to four are kept: a TLS 1.3 ticket is used
// once (RFC 8446, C.4), and a server sends some. Thread-safe.
class TlsSessionCache {
 public:
  explicit TlsSessionCache(size_t capacity) : capacity_(capacity) {}

  void Put(const std::string& key, SslSessionPtr session);
  // The newest for the key; null if there is none.
  SslSessionPtr Take(const std::string& key);

 private:
  struct Entry {
    std::string key;
    std::deque<SslSessionPtr> newest_first;
  };

  const size_t capacity_;
  base::Mutex mutex_;
  std::list<Entry> last_used_first_ MESHLIB_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> by_key_
      MESHLIB_GUARDED_BY(mutex_);
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_TLS_SESSION_CACHE_H_

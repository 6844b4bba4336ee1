#ifndef MESHLIB_SECURITY_CLIENT_TLS_SOURCES_H_
#define MESHLIB_SECURITY_CLIENT_TLS_SOURCES_H_

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "model/tls.h"
#include "security/client_tls_source.h"

namespace meshlib::security {

// One ClientTlsSource for each distinct configuration, and the thread that
// looks for new certificates. A source lives for as long as somebody holds it.
// Thread-safe, but for what is said otherwise.
class ClientTlsSources {
 public:
  explicit ClientTlsSources(ReadSecret read_secret = nullptr);
  ~ClientTlsSources();  // stops the thread
  ClientTlsSources(const ClientTlsSources&) = delete;
  ClientTlsSources& operator=(const ClientTlsSources&) = delete;

  // The source for an equal configuration, made if there is none. Never reads
  // files; wakes the thread to read those of a new one.
  std::shared_ptr<ClientTlsSource> Get(
      std::shared_ptr<const model::UpstreamTls> config);

  // Refreshes all sources that can change. The first error. Blocks.
  absl::Status RefreshAll();

  // Starts a thread that does RefreshAll() every `interval` of real time, and
  // at once for new sources. ResourceExhausted: there can be no thread.
  absl::Status Start(absl::Duration interval);
  // Waits for the thread to end. Not from it. Start() may follow.
  void Stop();

  // Of all sources that live.
  ClientTlsSource::Counts counts() const;

 private:
  using Sources = std::vector<std::shared_ptr<ClientTlsSource>>;
  Sources Living() const;
  void Run(absl::Duration interval);

  const ReadSecret read_secret_;

  base::Mutex refresh_mutex_;  // held while sources are refreshed
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  // By a hash of the configuration.
  absl::flat_hash_map<size_t, std::vector<std::weak_ptr<ClientTlsSource>>>
      sources_ MESHLIB_GUARDED_BY(mutex_);
  bool is_new_ MESHLIB_GUARDED_BY(mutex_) = false;  // a source to be read
  bool stop_ MESHLIB_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // of who calls Start() and Stop()
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_CLIENT_TLS_SOURCES_H_

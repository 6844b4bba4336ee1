#ifndef MESHLIB_EVENT_ARES_RESOLVER_H_
#define MESHLIB_EVENT_ARES_RESOLVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/dns.h"
#include "event/io_loop.h"
#include "event/resolver.h"

struct ares_addrinfo;
struct ares_channeldata;

namespace meshlib::event {

// A resolver on c-ares: the hosts file and resolv.conf as c-ares reads them,
// at the first lookup. Both families of a name are asked for at once; for
// kAuto and kV4Preferred the answer waits for the preferred one only. Every
// lookup ends within DnsResolverOptions::lookup_timeout, then with what is
// there.
class AresResolver final : public Resolver {
 public:
  // `loop` is borrowed.
  AresResolver(IoLoop* loop, base::DnsResolverOptions options);
  ~AresResolver() override;
  AresResolver(const AresResolver&) = delete;
  AresResolver& operator=(const AresResolver&) = delete;

  LookupId Resolve(std::string_view name, uint16_t port,
                   base::DnsLookupFamily family, Callback callback) override;
  void Cancel(LookupId lookup) override;

 private:
  struct Lookup;
  struct Query;  // of one family, known to c-ares until it has answered

  absl::Status OpenChannel();
  void CloseChannel();
  absl::Status SetServers();
  void StartQueries(LookupId id, Lookup& lookup);
  static void OnAresAnswer(void* query, int status, int timeouts,
                           ares_addrinfo* result);
  void OnAnswer(const Query& query, int status, const ares_addrinfo* result);
  void OnDeadline(LookupId id);
  void Finish(LookupId id, Lookup& lookup, absl::StatusOr<Resolution> result);
  void DropIdleQueries();
  void OnSocket(int fd, bool read, bool write);
  void Process(int read_fd, int write_fd);
  void UpdateTimer();

  IoLoop* const loop_;
  const base::DnsResolverOptions options_;
  ares_channeldata* channel_ = nullptr;  // owned; null: not open
  // Whether c-ares should forget its servers, for none took a query.
  bool stale_ = false;
  size_t queries_ = 0;                                 // that c-ares is at
  absl::flat_hash_map<int, IoLoop::WatchId> watches_;  // by descriptor
  Loop::TimerId timer_ = 0;                            // c-ares'; 0: none
  absl::flat_hash_map<LookupId, std::unique_ptr<Lookup>> lookups_;
  LookupId next_lookup_ = 1;
  // What posted tasks look at to see whether the resolver is still there.
  std::shared_ptr<AresResolver*> self_;
};

}  // namespace meshlib::event

#endif  // MESHLIB_EVENT_ARES_RESOLVER_H_

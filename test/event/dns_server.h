#ifndef MESHLIB_TEST_EVENT_DNS_SERVER_H_
#define MESHLIB_TEST_EVENT_DNS_SERVER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/io_loop.h"

namespace meshlib::test {

// A DNS server on loopback that answers from a script, over UDP and TCP. On
// its loop only.
class DnsServer {
 public:
  enum class Type : uint16_t { kA = 1, kCname = 5, kAaaa = 28 };
  struct Record {
    std::string owner;  // empty: the name that was asked for
    Type type;
    std::string data;  // an address or a name
    uint32_t ttl;
  };
  struct Reply {
    std::vector<Record> records;
    int rcode = 0;  // 2: SERVFAIL, 3: NXDOMAIN
    bool silent = false;
    bool wrong_id = false;
    bool wrong_name = false;
    bool truncate_udp = false;  // and leaves the records out
    bool garbage = false;
  };

  // `loop` is borrowed.
  explicit DnsServer(event::IoLoop* loop);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  std::string address() const;  // "127.0.0.1:port"

  // What is not set is NXDOMAIN.
  void Set(std::string name, Type type, Reply reply) {
    replies_[{std::move(name), type}] = std::move(reply);
  }
  // Addresses of one family, all with one TTL.
  void SetAddresses(const std::string& name, Type type,
                    const std::vector<std::string>& addresses, uint32_t ttl);

  int udp_queries() const { return udp_queries_; }
  int tcp_queries() const { return tcp_queries_; }

 private:
  struct Connection {
    event::IoLoop::WatchId watch;
    std::string in;
    std::string out;
  };

  void OnUdp();
  void OnAccept();
  void OnTcp(int fd);
  void Close(int fd);
  // Empty: no answer.
  std::string Answer(std::string_view query, bool udp) const;

  event::IoLoop* const loop_;
  int udp_ = -1;
  int tcp_ = -1;
  uint16_t port_ = 0;
  event::IoLoop::WatchId udp_watch_ = 0;
  event::IoLoop::WatchId tcp_watch_ = 0;
  std::map<std::pair<std::string, Type>, Reply> replies_;
  std::map<int, Connection> connections_;
  int udp_queries_ = 0;
  int tcp_queries_ = 0;
};

}  // namespace meshlib::test

#endif  // MESHLIB_TEST_EVENT_DNS_SERVER_H_

#include "test/event/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace meshlib::test {
namespace {

constexpr size_t kHeader = 12;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// The socket, bound to `*port` or, for 0, to one that the kernel gives; -1 if
// it is taken.
int Bind(int type, uint16_t* port) {
  const int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(*port);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) {
    close(fd);
    return -1;
  }
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  *port = ntohs(address.sin_port);
  return fd;
}

void Put16(std::string& out, size_t value) {
  out.push_back(static_cast<char>(value >> 8 & 0xff));
  out.push_back(static_cast<char>(value & 0xff));
}

uint16_t Get16(std::string_view in, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(in[at]) << 8 |
                               static_cast<unsigned char>(in[at + 1]));
}

std::string EncodeName(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out.push_back(static_cast<char>(label.size()));
    out.append(label);
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  out.push_back('\0');
  return out;
}

// The name at the head of the question; `*end` is behind it.
std::string DecodeName(std::string_view query, size_t* end) {
  std::string out;
  size_t at = kHeader;
  while (at < query.size() && query[at] != '\0') {
    const auto length = static_cast<unsigned char>(query[at]);
    if (!out.empty()) out.push_back('.');
    out.append(query.substr(at + 1, length));
    at += 1 + length;
  }
  *end = at + 1;
  return out;
}

std::string Data(const DnsServer::Record& record) {
  if (record.type == DnsServer::Type::kCname) return EncodeName(record.data);
  char bytes[16];
  const bool v4 = record.type == DnsServer::Type::kA;
  if (inet_pton(v4 ? AF_INET : AF_INET6, record.data.c_str(), bytes) != 1) {
    std::abort();
  }
  return std::string(bytes, v4 ? 4 : 16);
}

}  // namespace

DnsServer::DnsServer(event::IoLoop* loop) : loop_(loop) {
  while (tcp_ < 0) {
    port_ = 0;
    udp_ = Bind(SOCK_DGRAM, &port_);
    tcp_ = Bind(SOCK_STREAM, &port_);
    if (tcp_ < 0) close(udp_);
  }
  listen(tcp_, 16);
  udp_watch_ = *loop_->WatchFd(udp_, {true, false},
                               [this](event::Interest) { OnUdp(); });
  tcp_watch_ = *loop_->WatchFd(tcp_, {true, false},
                               [this](event::Interest) { OnAccept(); });
}

DnsServer::~DnsServer() {
  while (!connections_.empty()) Close(connections_.begin()->first);
  loop_->Unwatch(udp_watch_);
  loop_->Unwatch(tcp_watch_);
  close(udp_);
  close(tcp_);
}

std::string DnsServer::address() const {
  return "127.0.0.1:" + std::to_string(port_);
}

void DnsServer::SetAddresses(const std::string& name, Type type,
                             const std::vector<std::string>& addresses,
                             uint32_t ttl) {
  Reply reply;
  for (const std::string& address : addresses) {
    reply.records.push_back({"", type, address, ttl});
  }
  Set(name, type, std::move(reply));
}

void DnsServer::OnUdp() {
  char buffer[1500];
  sockaddr_in peer;
  socklen_t size = sizeof(peer);
  const ssize_t got = recvfrom(udp_, buffer, sizeof(buffer), 0,
                               reinterpret_cast<sockaddr*>(&peer), &size);
  if (got < static_cast<ssize_t>(kHeader)) return;
  ++udp_queries_;
  const std::string answer =
      Answer(std::string_view(buffer, static_cast<size_t>(got)), true);
  if (answer.empty()) return;
  sendto(udp_, answer.data(), answer.size(), 0,
         reinterpret_cast<sockaddr*>(&peer), size);
}

void DnsServer::OnAccept() {
  const int fd = accept4(tcp_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  connections_[fd].watch = *loop_->WatchFd(
      fd, {true, true}, [this, fd](event::Interest) { OnTcp(fd); });
}

void DnsServer::OnTcp(int fd) {
  Connection& connection = connections_.at(fd);
  char buffer[1500];
  const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
  if (got == 0) return Close(fd);
  if (got > 0) connection.in.append(buffer, static_cast<size_t>(got));
  while (connection.in.size() >= 2) {
    const size_t size = Get16(connection.in, 0);
    if (connection.in.size() < 2 + size) break;
    ++tcp_queries_;
    const std::string answer = Answer(connection.in.substr(2, size), false);
    connection.in.erase(0, 2 + size);
    if (answer.empty()) continue;
    Put16(connection.out, answer.size());
    connection.out += answer;
  }
  const ssize_t sent =
      send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
  if (sent > 0) connection.out.erase(0, static_cast<size_t>(sent));
  loop_->SetInterest(connection.watch, {true, !connection.out.empty()});
}

void DnsServer::Close(int fd) {
  loop_->Unwatch(connections_.at(fd).watch);
  connections_.erase(fd);
  close(fd);
}

std::string DnsServer::Answer(std::string_view query, bool udp) const {
  size_t end;
  const std::string name = DecodeName(query, &end);
  if (end + 4 > query.size()) return "";
  const auto type = static_cast<Type>(Get16(query, end));
  Reply reply;
  reply.rcode = 3;
  const auto found = replies_.find({name, type});
  if (found != replies_.end()) reply = found->second;
  if (reply.silent) return "";
  if (reply.garbage) return std::string(query.substr(0, 2)) + "\xff\xff\xff";
  const bool truncate = udp && reply.truncate_udp;
  if (truncate) reply.records.clear();

  std::string out;
  Put16(out, Get16(query, 0) + (reply.wrong_id ? 1u : 0u));
  Put16(out,
        0x8180u | (truncate ? 0x0200u : 0u) | static_cast<size_t>(reply.rcode));
  Put16(out, 1);
  Put16(out, reply.records.size());
  Put16(out, 0);
  Put16(out, 0);
  out += reply.wrong_name ? EncodeName("other.example")
                          : std::string(query.substr(kHeader, end - kHeader));
  out += query.substr(end, 4);
  for (const Record& record : reply.records) {
    if (record.owner.empty()) {
      Put16(out, 0xc000 | kHeader);  // the question's name
    } else {
      out += EncodeName(record.owner);
    }
    Put16(out, static_cast<size_t>(record.type));
    Put16(out, 1);
    Put16(out, record.ttl >> 16);
    Put16(out, record.ttl & 0xffff);
    const std::string data = Data(record);
    Put16(out, data.size());
    out += data;
  }
  return out;
}

}  // namespace meshlib::test

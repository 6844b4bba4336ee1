#include "event/ares_resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/strings.h"

namespace meshlib::event {
namespace {

using base::DnsLookupFamily;

constexpr size_t kMostNameBytes = 255;

bool Wants(DnsLookupFamily policy, int family) {
  if (policy == DnsLookupFamily::kV4Only) return family == AF_INET;
  if (policy == DnsLookupFamily::kV6Only) return family == AF_INET6;
  return true;
}

absl::Status StatusOf(std::string_view name, int ares_status) {
  const std::string text = absl::StrCat("DNS lookup of \"", base::ToAbsl(name),
                                        "\": ", ares_strerror(ares_status));
  switch (ares_status) {
    case ARES_ETIMEOUT:
      return absl::DeadlineExceededError(text);
    case ARES_EBADNAME:
      return absl::InvalidArgumentError(text);
    case ARES_ENOMEM:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

// Neither is an error: the servers know that there is nothing.
bool HasNoRecords(int ares_status) {
  return ares_status == ARES_ENODATA || ares_status == ARES_ENOTFOUND;
}

std::string AddressOf(const ares_addrinfo_node& node, uint16_t port) {
  char text[INET6_ADDRSTRLEN];
  if (node.ai_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(node.ai_addr);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    return absl::StrCat(text, ":", port);
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(node.ai_addr);
  inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  return absl::StrCat("[", text, "]:", port);
}

// What one family answered.
struct Answer {
  bool done = false;
  absl::Status status;
  std::vector<std::string> addresses;
  absl::Duration ttl = absl::InfiniteDuration();
};

void Read(const ares_addrinfo& result, int family, uint16_t port,
          Answer& answer) {
  const auto lower_ttl = [&](int ttl) {
    answer.ttl = std::min(answer.ttl, absl::Seconds(std::max(ttl, 0)));
  };
  absl::flat_hash_set<std::string> seen;
  for (const auto* node = result.nodes; node != nullptr; node = node->ai_next) {
    if (node->ai_family != family) continue;
    lower_ttl(node->ai_ttl);
    std::string address = AddressOf(*node, port);
    if (seen.insert(address).second) {
      answer.addresses.push_back(std::move(address));
    }
  }
  for (const auto* cname = result.cnames; cname != nullptr;
       cname = cname->next) {
    lower_ttl(cname->ttl);
  }
}

}  // namespace

struct AresResolver::Query {
  AresResolver* resolver;
  LookupId lookup;
  int family;
};

struct AresResolver::Lookup {
  std::string name;
  uint16_t port = 0;
  DnsLookupFamily family = DnsLookupFamily::kAuto;
  Callback callback;
  Loop::TimerId deadline = 0;
  bool finished = false;  // the callback is on its way
  Answer v4;
  Answer v6;

  // Whether nothing that could still come matters.
  bool Complete() const {
    if (family == DnsLookupFamily::kAuto && !v6.addresses.empty()) return true;
    if (family == DnsLookupFamily::kV4Preferred && !v4.addresses.empty()) {
      return true;
    }
    return v4.done && v6.done;
  }

  absl::StatusOr<Resolution> Result() const {
    Resolution out;
    out.ttl = absl::InfiniteDuration();
    const auto add = [&](const Answer& answer) {
      if (answer.addresses.empty()) return;
      out.addresses.insert(out.addresses.end(), answer.addresses.begin(),
                           answer.addresses.end());
      out.ttl = std::min(out.ttl, answer.ttl);
    };
    const bool v4_first = family == DnsLookupFamily::kV4Preferred;
    add(v4_first ? v4 : v6);
    if (family == DnsLookupFamily::kAll || out.addresses.empty()) {
      add(v4_first ? v6 : v4);
    }
    if (!out.addresses.empty()) return out;
    // That one family has no addresses says nothing about the other.
    if (!v6.status.ok()) return v6.status;
    if (!v4.status.ok()) return v4.status;
    out.ttl = absl::ZeroDuration();
    return out;
  }
};

// ares_library_init() is not called: it does nothing outside of Windows, and
// counts its calls without a lock.
AresResolver::AresResolver(IoLoop* loop, base::DnsResolverOptions options)
    : loop_(loop),
      options_(std::move(options)),
      self_(std::make_shared<AresResolver*>(this)) {}

AresResolver::~AresResolver() {
  for (const auto& [id, lookup] : lookups_) {
    if (lookup->deadline != 0) loop_->Cancel(lookup->deadline);
  }
  lookups_.clear();
  CloseChannel();
}

absl::Status AresResolver::OpenChannel() {
  if (stale_ && queries_ == 0) CloseChannel();
  if (channel_ != nullptr) return absl::OkStatus();
  ares_options options = {};
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
             ARES_OPT_SOCK_STATE_CB;
  if (options_.use_tcp_for_dns_lookups) options.flags |= ARES_FLAG_USEVC;
  if (options_.no_default_search_domain) options.flags |= ARES_FLAG_NOSEARCH;
  options.timeout = static_cast<int>(absl::ToInt64Milliseconds(
      std::min(options_.query_timeout, absl::Hours(1))));
  options.tries = static_cast<int>(std::min(options_.query_tries, 100u));
  mask |= options_.rotate_nameservers ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE;
  options.sock_state_cb = [](void* resolver, ares_socket_t fd, int read,
                             int write) {
    static_cast<AresResolver*>(resolver)->OnSocket(fd, read != 0, write != 0);
  };
  options.sock_state_cb_data = this;
  const int status = ares_init_options(&channel_, &options, mask);
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
    return absl::UnavailableError(
        absl::StrCat("c-ares: ", ares_strerror(status)));
  }
  stale_ = false;
  return SetServers();
}

absl::Status AresResolver::SetServers() {
  if (options_.resolvers.empty()) return absl::OkStatus();
  if (options_.use_resolvers_as_fallback) {
    // Where the system names none, c-ares asks this host.
    ares_addr_port_node* servers = nullptr;
    if (ares_get_servers_ports(channel_, &servers) != ARES_SUCCESS) {
      servers = nullptr;
    }
    const bool none = servers == nullptr ||
                      (servers->next == nullptr && servers->family == AF_INET &&
                       servers->addr.addr4.s_addr == htonl(INADDR_LOOPBACK));
    if (servers != nullptr) ares_free_data(servers);
    if (!none) return absl::OkStatus();
  }
  const std::string list = absl::StrJoin(options_.resolvers, ",");
  const int status = ares_set_servers_ports_csv(channel_, list.c_str());
  if (status == ARES_SUCCESS) return absl::OkStatus();
  CloseChannel();
  return absl::InvalidArgumentError(
      absl::StrCat("DNS resolvers \"", list, "\": ", ares_strerror(status)));
}

void AresResolver::CloseChannel() {
  if (channel_ == nullptr) return;
  // Every query is answered from within, every socket closed.
  ares_destroy(std::exchange(channel_, nullptr));
  UpdateTimer();
}

Resolver::LookupId AresResolver::Resolve(std::string_view name, uint16_t port,
                                         DnsLookupFamily family,
                                         Callback callback) {
  const LookupId id = next_lookup_++;
  auto owned = std::make_unique<Lookup>();
  Lookup& lookup = *owned;
  lookup.name = std::string(name);
  lookup.port = port;
  lookup.family = family;
  lookup.callback = std::move(callback);
  lookups_.emplace(id, std::move(owned));

  std::string literal = LiteralAddress(name, port);
  if (!literal.empty()) {
    Resolution itself;
    itself.addresses.push_back(std::move(literal));
    itself.ttl = absl::InfiniteDuration();
    Finish(id, lookup, std::move(itself));
  } else if (name.empty() || name.size() > kMostNameBytes ||
             name.find('\0') != std::string_view::npos) {
    Finish(id, lookup, StatusOf(name, ARES_EBADNAME));
  } else if (const absl::Status status = OpenChannel(); !status.ok()) {
    Finish(id, lookup, status);
  } else {
    lookup.deadline = loop_->RunAt(loop_->Now() + options_.lookup_timeout,
                                   [this, id] { OnDeadline(id); });
    StartQueries(id, lookup);
  }
  return id;
}

void AresResolver::StartQueries(LookupId id, Lookup& lookup) {
  lookup.v4.done = !Wants(lookup.family, AF_INET);
  lookup.v6.done = !Wants(lookup.family, AF_INET6);
  for (const int family : {AF_INET6, AF_INET}) {
    if (!Wants(lookup.family, family)) continue;
    ares_addrinfo_hints hints = {};
    hints.ai_family = family;
    hints.ai_flags = ARES_AI_NOSORT;  // sorting would connect to each
    ++queries_;
    // May answer at once. The lookup stays: what finishes it is posted.
    ares_getaddrinfo(channel_, lookup.name.c_str(), nullptr, &hints,
                     &AresResolver::OnAresAnswer, new Query{this, id, family});
  }
  UpdateTimer();
}

void AresResolver::OnAresAnswer(void* query, int status, int /*timeouts*/,
                                ares_addrinfo* result) {
  const std::unique_ptr<Query> owned(static_cast<Query*>(query));
  owned->resolver->OnAnswer(*owned, status, result);
  if (result != nullptr) ares_freeaddrinfo(result);
}

void AresResolver::OnAnswer(const Query& query, int status,
                            const ares_addrinfo* result) {
  --queries_;
  if (status == ARES_ECONNREFUSED) stale_ = true;
  const auto found = lookups_.find(query.lookup);
  if (found == lookups_.end() || found->second->finished) return;
  Lookup& lookup = *found->second;
  Answer& answer = query.family == AF_INET ? lookup.v4 : lookup.v6;
  answer.done = true;
  if (status == ARES_SUCCESS && result != nullptr) {
    Read(*result, query.family, lookup.port, answer);
  } else if (!HasNoRecords(status)) {
    answer.status = StatusOf(lookup.name, status);
  }
  if (lookup.Complete()) Finish(query.lookup, lookup, lookup.Result());
}

void AresResolver::OnDeadline(LookupId id) {
  Lookup& lookup = *lookups_.at(id);
  lookup.deadline = 0;
  for (Answer* answer : {&lookup.v4, &lookup.v6}) {
    if (!answer->done) answer->status = StatusOf(lookup.name, ARES_ETIMEOUT);
  }
  Finish(id, lookup, lookup.Result());
  DropIdleQueries();
}

void AresResolver::Finish(LookupId id, Lookup& lookup,
                          absl::StatusOr<Resolution> result) {
  lookup.finished = true;
  if (lookup.deadline != 0) loop_->Cancel(std::exchange(lookup.deadline, 0));
  loop_->Post([self = std::weak_ptr<AresResolver*>(self_), id,
               result = std::move(result)]() mutable {
    const std::shared_ptr<AresResolver*> alive = self.lock();
    if (alive == nullptr) return;
    auto& lookups = (*alive)->lookups_;
    const auto found = lookups.find(id);
    if (found == lookups.end()) return;  // cancelled
    Callback callback = std::move(found->second->callback);
    lookups.erase(found);
    callback(std::move(result));
  });
}

void AresResolver::Cancel(LookupId lookup) {
  const auto found = lookups_.find(lookup);
  if (found == lookups_.end()) return;
  if (found->second->deadline != 0) loop_->Cancel(found->second->deadline);
  lookups_.erase(found);
  DropIdleQueries();
}

// c-ares cannot end a single query: those that nobody waits for go on until
// they end, or until nobody waits for any.
void AresResolver::DropIdleQueries() {
  if (queries_ == 0) return;
  for (const auto& [id, lookup] : lookups_) {
    if (!lookup->finished) return;
  }
  ares_cancel(channel_);
  UpdateTimer();
}

void AresResolver::OnSocket(int fd, bool read, bool write) {
  const Interest interest{read, write};
  const auto found = watches_.find(fd);
  if (interest.none()) {
    if (found == watches_.end()) return;
    loop_->Unwatch(found->second);
    watches_.erase(found);
    return;
  }
  if (found != watches_.end()) {
    loop_->SetInterest(found->second, interest);
    return;
  }
  const auto watch = loop_->WatchFd(fd, interest, [this, fd](Interest ready) {
    Process(ready.read ? fd : ARES_SOCKET_BAD,
            ready.write ? fd : ARES_SOCKET_BAD);
  });
  // Unwatched, it is as a server that does not answer.
  if (watch.ok()) watches_.emplace(fd, *watch);
}

void AresResolver::Process(int read_fd, int write_fd) {
  ares_process_fd(channel_, read_fd, write_fd);
  UpdateTimer();
}

void AresResolver::UpdateTimer() {
  if (timer_ != 0) loop_->Cancel(std::exchange(timer_, 0));
  timeval longest;
  if (channel_ == nullptr ||
      ares_timeout(channel_, nullptr, &longest) == nullptr) {
    return;
  }
  timer_ =
      loop_->RunAt(loop_->Now() + absl::DurationFromTimeval(longest), [this] {
        timer_ = 0;
        Process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      });
}

}  // namespace meshlib::event

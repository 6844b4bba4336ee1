#ifndef MESHLIB_TEST_MESH_FAKE_DNS_H_
#define MESHLIB_TEST_MESH_FAKE_DNS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "event/resolver.h"
#include "mesh/core.h"

namespace meshlib::test {

// DNS that answers when the test says so. Outlives the meshes that use it.
class FakeDns {
 public:
  struct Question {
    std::string name;
    uint16_t port;
    base::DnsLookupFamily family;
  };

  mesh::ResolverFactory Factory() {
    return [this](const base::DnsResolverOptions& options) {
      options_.push_back(options);
      return std::make_unique<FakeResolver>(this);
    };
  }

  // What a name stands for; "no such name" where nothing is set.
  void Set(const std::string& name, std::vector<std::string> addresses,
           absl::Duration ttl = absl::ZeroDuration()) {
    event::Resolution resolution;
    resolution.addresses = std::move(addresses);
    resolution.ttl = ttl;
    answers_.insert_or_assign(name, std::move(resolution));
  }
  void Fail(const std::string& name) {
    answers_.insert_or_assign(name, absl::UnavailableError("DNS is down"));
  }

  // Answers what is open and lets the mesh act on it. Gives the names.
  std::vector<std::string> Answer(mesh::Core& core) {
    std::vector<std::string> names;
    auto open = std::exchange(open_, {});
    core.loop().RunNow([&] {
      for (auto& [id, lookup] : open) {
        names.push_back(lookup.question.name);
        const auto found = answers_.find(names.back());
        lookup.callback(found == answers_.end() ? event::Resolution()
                                                : found->second);
      }
    });
    core.RunPending();
    return names;
  }

  std::vector<Question> open() const {
    std::vector<Question> questions;
    for (const auto& [id, lookup] : open_) questions.push_back(lookup.question);
    return questions;
  }
  // Of the resolvers that were made.
  const std::vector<base::DnsResolverOptions>& options() const {
    return options_;
  }

 private:
  struct Lookup {
    Question question;
    event::Resolver::Callback callback;
  };
  class FakeResolver final : public event::Resolver {
   public:
    explicit FakeResolver(FakeDns* dns) : dns_(dns) {}
    LookupId Resolve(std::string_view name, uint16_t port,
                     base::DnsLookupFamily family, Callback callback) override {
      dns_->open_.emplace(
          ++dns_->last_,
          Lookup{{std::string(name), port, family}, std::move(callback)});
      return dns_->last_;
    }
    void Cancel(LookupId lookup) override { dns_->open_.erase(lookup); }

   private:
    FakeDns* const dns_;
  };

  std::map<std::string, absl::StatusOr<event::Resolution>> answers_;
  std::map<event::Resolver::LookupId, Lookup> open_;
  event::Resolver::LookupId last_ = 0;
  std::vector<base::DnsResolverOptions> options_;
};

}  // namespace meshlib::test

#endif  // MESHLIB_TEST_MESH_FAKE_DNS_H_

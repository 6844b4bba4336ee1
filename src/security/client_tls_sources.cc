#include "security/client_tls_sources.h"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/hash/hash.h"

namespace meshlib::security {
namespace {

// Of the fields in which configurations tend to differ.
size_t HashOf(const model::UpstreamTls& config) {
  const model::CommonTls& common = config.common;
  const auto& names = common.validation.match_typed_subject_alt_names;
  return absl::Hash<std::tuple<std::string, std::string, std::string,
                               std::string, std::string, std::string>>()(
      {config.sni, common.certificate_secret.name,
       common.certificate.certificate_chain.filename,
       common.validation.trusted_ca.filename,
       common.certificate.certificate_chain.inline_bytes,
       names.empty() ? std::string() : names.front().matcher.value});
}

}  // namespace

ClientTlsSources::ClientTlsSources(ReadSecret read_secret)
    : read_secret_(std::move(read_secret)) {}

ClientTlsSources::~ClientTlsSources() { Stop(); }

std::shared_ptr<ClientTlsSource> ClientTlsSources::Get(
    std::shared_ptr<const model::UpstreamTls> config) {
  const size_t hash = HashOf(*config);
  const base::MutexLock lock(mutex_);
  auto& list = sources_[hash];
  std::shared_ptr<ClientTlsSource> found;
  const auto gone = [&](const std::weak_ptr<ClientTlsSource>& weak) {
    auto source = weak.lock();
    if (source == nullptr) return true;
    if (source->config() == *config) found = std::move(source);
    return false;
  };
  list.erase(std::remove_if(list.begin(), list.end(), gone), list.end());
  if (found != nullptr) return found;
  found = std::make_shared<ClientTlsSource>(std::move(config), read_secret_);
  list.push_back(found);
  if (found->changes()) {
    is_new_ = true;
    changed_.NotifyAll();
  }
  return found;
}

ClientTlsSources::Sources ClientTlsSources::Living() const {
  Sources out;
  const base::MutexLock lock(mutex_);
  for (const auto& [hash, list] : sources_) {
    for (const auto& weak : list) {
      if (auto source = weak.lock()) out.push_back(std::move(source));
    }
  }
  return out;
}

absl::Status ClientTlsSources::RefreshAll() {
  absl::Status first;
  const base::MutexLock lock(refresh_mutex_);
  for (const auto& source : Living()) {
    if (!source->changes()) continue;
    absl::Status status = source->Refresh();
    if (first.ok()) first = std::move(status);
  }
  return first;
}

absl::Status ClientTlsSources::Start(absl::Duration interval) {
  Stop();
  {
    const base::MutexLock lock(mutex_);
    stop_ = false;
    is_new_ = true;
  }
  try {
    thread_ = std::thread([this, interval] {
      pthread_setname_np(pthread_self(), "mesh-tls");
      Run(interval);
    });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(error.what());
  }
  return absl::OkStatus();
}

void ClientTlsSources::Stop() {
  {
    const base::MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void ClientTlsSources::Run(absl::Duration interval) {
  while (true) {
    {
      const base::MutexLock lock(mutex_);
      // A wake-up without reason only refreshes early.
      if (!stop_ && !is_new_) changed_.WaitFor(mutex_, interval);
      if (stop_) return;
      is_new_ = false;
    }
    // Memory ran out, say: the next time may go better.
    try {
      RefreshAll().IgnoreError();
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
  }
}

ClientTlsSource::Counts ClientTlsSources::counts() const {
  ClientTlsSource::Counts out;
  for (const auto& source : Living()) {
    const auto counts = source->counts();
    out.rotations += counts.rotations;
    out.failures += counts.failures;
  }
  return out;
}

}  // namespace meshlib::security

#include "security/file_certificate_provider.h"

#include <utility>

namespace meshlib::security {
namespace {

// Files that change faster than they are read twice are not worth waiting for.
constexpr int kMaxReads = 4;

// Two reads that agree: nobody swapped the files in the middle of one.
absl::StatusOr<TlsMaterial> ReadStable(const TlsSources& sources,
                                       TlsMaterial first) {
  for (int i = 1; i < kMaxReads; ++i) {
    absl::StatusOr<TlsMaterial> again = ReadTlsSources(sources);
    if (!again.ok() || *again == first) return again;
    first = *std::move(again);
  }
  return absl::UnavailableError("the files change while they are read");
}

}  // namespace

FileCertificateProvider::FileCertificateProvider(TlsSources sources)
    : sources_(std::move(sources)) {}

std::shared_ptr<const TlsMaterial> FileCertificateProvider::Latest() const {
  const base::MutexLock lock(mutex_);
  return latest_;
}

absl::Status FileCertificateProvider::Refresh() {
  absl::StatusOr<TlsMaterial> read = ReadTlsSources(sources_);
  if (!read.ok()) return read.status();
  const std::shared_ptr<const TlsMaterial> before = Latest();
  if (before != nullptr && *before == *read) return absl::OkStatus();
  read = ReadStable(sources_, *std::move(read));
  if (!read.ok()) return read.status();
  if (absl::Status check = CheckTlsMaterial(*read); !check.ok()) return check;
  auto next = std::make_shared<const TlsMaterial>(*std::move(read));
  const base::MutexLock lock(mutex_);
  latest_ = std::move(next);
  return absl::OkStatus();
}

}  // namespace meshlib::security

#include "security/tls_material.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "security/certificate.h"

namespace meshlib::security {
namespace {

constexpr size_t kMaxFileBytes = 4 * 1024 * 1024;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status FileError(const std::string& path, const std::string& why) {
  return absl::UnavailableError(absl::StrCat("\"", path, "\": ", why));
}

absl::Status SystemError(const std::string& path) {
  return FileError(path, std::generic_category().message(errno));
}

absl::Status Read(const model::DataSource& source, std::string& out) {
  if (source.filename.empty()) {
    out = source.inline_bytes;
    return absl::OkStatus();
  }
  const std::string& path = source.filename;
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  const Descriptor file(
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info;
  if (file.get() < 0 || fstat(file.get(), &info) != 0) {
    return SystemError(path);
  }
  if (!S_ISREG(info.st_mode)) return FileError(path, "is no regular file");
  char buffer[16 * 1024];
  while (true) {
    const ssize_t size = read(file.get(), buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return SystemError(path);
    if (size == 0) break;
    out.append(buffer, static_cast<size_t>(size));
    if (out.size() > kMaxFileBytes) {
      return FileError(path,
                       absl::StrCat("more than ", kMaxFileBytes, " bytes"));
    }
  }
  return out.empty() ? FileError(path, "is empty") : absl::OkStatus();
}

}  // namespace

bool TlsSources::has_files() const {
  return !certificate.certificate_chain.filename.empty() ||
         !certificate.private_key.filename.empty() ||
         !certificate.password.filename.empty() ||
         !trusted_ca.filename.empty() || !crl.filename.empty();
}

absl::StatusOr<TlsMaterial> ReadTlsSources(const TlsSources& sources) {
  TlsMaterial out;
  const model::TlsCertificate& certificate = sources.certificate;
  absl::Status status =
      Read(certificate.certificate_chain, out.certificate_chain);
  if (status.ok()) status = Read(certificate.private_key, out.private_key);
  if (status.ok()) status = Read(certificate.password, out.password);
  if (status.ok()) status = Read(sources.trusted_ca, out.trusted_ca);
  if (status.ok()) status = Read(sources.crl, out.crl);
  if (!status.ok()) return status;
  // Editors and "echo" end a file with a newline.
  if (!certificate.password.filename.empty()) {
    while (!out.password.empty() &&
           (out.password.back() == '\n' || out.password.back() == '\r')) {
      out.password.pop_back();
    }
  }
  return out;
}

absl::Status CheckTlsMaterial(const TlsMaterial& material) {
  if (material.certificate_chain.empty() != material.private_key.empty()) {
    return absl::InvalidArgumentError(
        "certificate_chain and private_key must be given together");
  }
  if (!material.certificate_chain.empty()) {
    const auto chain =
        ParseCertificates(material.certificate_chain, "certificate_chain");
    if (!chain.ok()) return chain.status();
    const auto key =
        ParsePrivateKey(material.private_key, "private_key", material.password);
    if (!key.ok()) return key.status();
    const bool matches =
        X509_check_private_key(chain->front().get(), key->get()) == 1;
    ERR_clear_error();
    if (!matches) {
      return absl::InvalidArgumentError(
          absl::StrCat("private_key is not the key of the certificate ",
                       NameOf(chain->front().get())));
    }
  }
  if (!material.trusted_ca.empty()) {
    const auto ca = ParseCertificates(material.trusted_ca, "trusted_ca");
    if (!ca.ok()) return ca.status();
  }
  if (material.crl.empty()) return absl::OkStatus();
  return ParseCrls(material.crl, "crl").status();
}

}  // namespace meshlib::security

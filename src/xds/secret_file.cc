#include "xds/secret_file.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "xds/convert_errors.h"
#include "xds/convert_tls.h"
#include "xds/loader.h"
#include "xds/problem.h"

namespace meshlib::xds {
namespace {

using envoy::extensions::transport_sockets::tls::v3::Secret;

// Keeps the secret of a name, passes over everything else.
class SecretSink final : public ResourceSink {
 public:
  explicit SecretSink(const std::string& name) : name_(name) {}

  void OnResource(const ::google::protobuf::Message& resource,
                  const ResourceContext& context) override {
    if (resource.GetDescriptor() != Secret::descriptor()) return;
    const auto& secret = static_cast<const Secret&>(resource);
    if (secret.name() != name_) return;
    FieldErrors errors;
    secret_ = ConvertSecret(secret, errors, nullptr);
    for (const FieldProblem& problem : errors.problems()) {
      context.Report(problem.severity, problem.path, problem.message,
                     problem.kind);
    }
  }
  void OnBootstrap(const envoy::config::bootstrap::v3::Bootstrap&,
                   const ResourceContext&) override {}
  void OnGrpcBootstrap(const GrpcBootstrap&, const ResourceContext&) override {}

  const model::TlsSecret* secret() const { return secret_.get(); }

 private:
  const std::string& name_;
  std::shared_ptr<const model::TlsSecret> secret_;
};

}  // namespace

absl::StatusOr<model::TlsSecret> ReadSecretFile(const std::string& path,
                                                const std::string& name) {
  Problems problems;
  SecretSink sink(name);
  Loader(sink, problems).LoadFile(path);
  for (const Problem& problem : problems.list()) {
    if (problem.severity != Severity::kError) continue;
    return absl::InvalidArgumentError(ToString(problem));
  }
  if (sink.secret() == nullptr) {
    return absl::NotFoundError(absl::StrCat(
        "\"", path, "\" has no secret \"", base::ToAbsl(base::Excerpt(name)),
        "\" with a certificate or a validation context"));
  }
  return *sink.secret();
}

}  // namespace meshlib::xds

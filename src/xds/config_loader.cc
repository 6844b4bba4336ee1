#include "xds/config_loader.h"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "google/protobuf/descriptor.h"
#include "meshlib/xds/envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "meshlib/xds/envoy/config/cluster/v3/cluster.pb.h"
#include "meshlib/xds/envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "xds/check_certificate.h"
#include "xds/config_checks.h"
#include "xds/convert_bootstrap.h"
#include "xds/convert_config_source.h"
#include "xds/convert_control_plane.h"
#include "xds/convert_errors.h"
#include "xds/convert_resource.h"
#include "xds/loader.h"

namespace meshlib::xds {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::transport_sockets::tls::v3::Secret;
using ::google::protobuf::Message;

std::string JoinPath(std::string_view path, std::string_view relative) {
  std::string out(path);
  if (!out.empty() && !relative.empty()) out += '.';
  out += relative;
  return out;
}

// Converts each resource as it comes, and remembers what can only be checked
// at the end.
class Collector final : public ResourceSink {
 public:
  Collector(const LoadOptions& options, Problems& problems)
      : options_(options), problems_(problems) {}

  void OnResource(const Message& resource,
                  const ResourceContext& context) override {
    if (options_.on_resource) options_.on_resource(resource);
    FieldErrors errors;
    DeferredChecks deferred;
    if (resource.GetDescriptor() == Cluster::descriptor()) {
      const auto& cluster = static_cast<const Cluster&>(resource);
      checks_.AddCluster(
          cluster.name(),
          NeedsControlPlane(cluster.eds_cluster_config().eds_config()),
          PlaceOf("", context));
    }
    if (resource.GetDescriptor() == Secret::descriptor()) {
      const auto& secret = static_cast<const Secret&>(resource);
      if (secret.has_tls_certificate() || secret.has_validation_context()) {
        checks_.AddSecret(secret.name(), secret.has_tls_certificate());
        FieldErrors unusable;
        CheckKeyPair(secret.tls_certificate(), unusable);
        if (unusable.error_count() > 0) {
          checks_.AddBadSecret(secret.name(), unusable.problems()[0].message,
                               PlaceOf("tls_certificate", context));
        }
      }
    }
    std::visit([&](auto value) { Keep(std::move(value), context); },
               ConvertResource(resource, errors, deferred,
                               {options_.custom_policies, context.legacy}));
    Report(errors, context);
    Defer(deferred, context);
  }

  void OnBootstrap(const Bootstrap& bootstrap,
                   const ResourceContext& context) override {
    FieldErrors errors;
    DeferredChecks deferred;
    ConvertBootstrap(bootstrap, errors, &deferred, config_);
    checks_.AddBootstrap(
        PlaceOf("cluster_manager.local_cluster_name", context));
    Report(errors, context);
    Defer(deferred, context);
  }

  void OnGrpcBootstrap(const GrpcBootstrap& bootstrap,
                       const ResourceContext& context) override {
    config_.node = ConvertGrpcNode(bootstrap.node);
    if (bootstrap.xds_servers.size() > 1) {
      context.Report(Severity::kNote, "xds_servers[1]",
                     "only the first server is asked",
                     ProblemKind::kUnsupported);
    }
    auto control_plane = ConvertGrpcControlPlane(bootstrap);
    if (!control_plane.ok()) {
      context.Report(Severity::kError, "xds_servers[0]",
                     std::string(control_plane.status().message()));
      return;
    }
    config_.control_plane = control_plane->control_plane;
    checks_.AddCluster(control_plane->cluster->name, false,
                       PlaceOf("xds_servers[0]", context));
    config_.clusters.push_back(control_plane->cluster);
  }

  // Loads the files that the configuration named, until there are no new ones.
  void LoadNamedFiles(Loader& loader) {
    while (!pending_.empty()) {
      const std::string path = std::move(pending_.back());
      pending_.pop_back();
      loader.LoadFile(path);
    }
  }

  // What resources say about each other is only judged if all were read.
  std::shared_ptr<const model::Config> Finish(bool complete) {
    if (complete) checks_.Finish(config_, problems_);
    if (problems_.has_errors()) return nullptr;
    for (auto& cluster : config_.clusters) {
      if (config_.control_plane != nullptr &&
          config_.control_plane->cluster == cluster->name) {
        cluster = WithKeepalive(std::move(cluster));
      }
      cluster = model::WithSecrets(std::move(cluster), config_.secrets);
    }
    for (auto& listener : config_.listeners) {
      listener = model::WithSecrets(std::move(listener), config_.secrets);
    }
    return std::make_shared<const model::Config>(std::move(config_));
  }

 private:
  void Keep(std::shared_ptr<const model::Cluster> value,
            const ResourceContext& context) {
    KeepIn(std::move(value), context, config_.clusters);
  }
  void Keep(std::shared_ptr<const model::RouteConfig> value,
            const ResourceContext& context) {
    KeepIn(std::move(value), context, config_.route_configs);
  }
  void Keep(std::shared_ptr<const model::Endpoints> value,
            const ResourceContext& context) {
    KeepIn(std::move(value), context, config_.endpoints);
  }
  void Keep(std::shared_ptr<const model::Listener> value,
            const ResourceContext& context) {
    if (value == nullptr) return;
    checks_.AddListener(*value, PlaceOf("", context), problems_);
    KeepIn(std::move(value), context, config_.listeners);
  }
  void Keep(std::shared_ptr<const model::TlsSecret> value,
            const ResourceContext& context) {
    KeepIn(std::move(value), context, config_.secrets);
  }
  void Keep(std::monostate, const ResourceContext&) {}

  template <typename T>
  void KeepIn(std::shared_ptr<const T> value, const ResourceContext& context,
              std::vector<std::shared_ptr<const T>>& to) {
    if (value != nullptr && context.valid) to.push_back(std::move(value));
  }

  // What the text or the rules found wrong with a field has been told.
  void Report(const FieldErrors& errors, const ResourceContext& context) {
    const std::set<std::string> told = ToldPaths(context);
    for (const FieldProblem& problem : errors.problems()) {
      if (context.lines != nullptr && context.lines->IsBad(problem.path)) {
        continue;
      }
      if (told.count(JoinPath(context.path, problem.path)) > 0) continue;
      context.Report(problem.severity, problem.path, problem.message,
                     problem.kind);
    }
  }

  // The paths of the errors that this resource has already: the last ones.
  std::set<std::string> ToldPaths(const ResourceContext& context) const {
    std::set<std::string> out;
    if (context.valid) return out;
    const auto& list = problems_.list();
    for (auto it = list.rbegin(); it != list.rend(); ++it) {
      const bool same =
          it->file == context.file &&
          it->path.compare(0, context.path.size(), context.path.data(),
                           context.path.size()) == 0;
      if (!same) break;
      if (it->severity == Severity::kError) out.insert(it->path);
    }
    return out;
  }

  void Defer(const DeferredChecks& deferred, const ResourceContext& context) {
    for (const auto& reference : deferred.clusters) {
      if (!reference.local && checks_.HasCluster(reference.cluster)) continue;
      checks_.NeedCluster(reference, PlaceOf(reference.path, context));
    }
    for (const auto& secret : deferred.secrets) {
      checks_.NeedSecret(secret.name, secret.certificate,
                         PlaceOf(secret.path, context));
    }
    for (const auto& file : deferred.files) Follow(file, context);
    for (const auto& regex : deferred.regexes) {
      checks_.AddLargeRegex(regex.program_size, PlaceOf(regex.path, context));
    }
  }

  static ConfigChecks::Place PlaceOf(const std::string& path,
                                     const ResourceContext& context) {
    ConfigChecks::Place place;
    place.file = std::string(context.file);
    place.line = context.line;
    if (context.lines != nullptr) {
      const Position at = context.lines->Find(path);
      if (at.line > 0) {
        place.line = at.line;
        place.column = at.column;
      }
    }
    place.path = JoinPath(context.path, path);
    return place;
  }

  // Queues a file that the configuration names, once.
  void Follow(const DeferredChecks::FileReference& reference,
              const ResourceContext& context) {
    std::error_code error;
    std::filesystem::path path(reference.file);
    if (path.is_relative()) {
      const auto beside =
          std::filesystem::path(std::string(context.file)).parent_path() / path;
      if (std::filesystem::exists(beside, error)) path = beside;
    }
    if (!std::filesystem::exists(path, error)) {
      context.Report(Severity::kError, reference.path,
                     absl::StrCat("the file \"", base::Excerpt(reference.file),
                                  "\" does not exist"));
    } else if (std::filesystem::is_regular_file(path, error) &&
               seen_.insert(path.lexically_normal().string()).second) {
      pending_.push_back(path.string());
    }
  }

  const LoadOptions& options_;
  Problems& problems_;
  model::Config config_;
  ConfigChecks checks_;
  std::set<std::string> seen_;        // files that were queued
  std::vector<std::string> pending_;  // files to load
};

template <typename LoadFn>
LoadResult LoadWith(const LoadOptions& options, LoadFn load) {
  LoadResult result;
  Collector collector(options, result.problems);
  Loader loader(collector, result.problems);
  load(loader);
  collector.LoadNamedFiles(loader);
  result.config = collector.Finish(loader.complete());
  return result;
}

}  // namespace

LoadResult LoadConfig(const std::string& path, const LoadOptions& options) {
  return LoadWith(options, [&path](Loader& loader) { loader.Load(path); });
}

LoadResult LoadConfigText(std::string_view name, std::string text,
                          const LoadOptions& options) {
  return LoadWith(
      options, [&](Loader& loader) { loader.LoadText(name, std::move(text)); });
}

}  // namespace meshlib::xds

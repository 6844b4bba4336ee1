#include "meshlib/mesh.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/no_throw.h"
#include "base/strings.h"
#include "mesh/core.h"
#include "mesh/target_state.h"

namespace meshlib {

Mesh::Mesh(std::shared_ptr<mesh::Core> core) : core_(std::move(core)) {}

Mesh::~Mesh() { Shutdown(absl::InfinitePast()); }

absl::StatusOr<std::unique_ptr<Mesh>> Mesh::Create(MeshOptions options) {
  return base::NoThrow([&]() -> absl::StatusOr<std::unique_ptr<Mesh>> {
    const std::string* text =
        options.config_path.empty() ? &options.config_text : nullptr;
    auto config = mesh::LoadConfig(options, text);
    if (!config.ok()) return config.status();
    return mesh::MeshFactory::Create(*std::move(config), std::move(options));
  });
}

absl::StatusOr<std::unique_ptr<Mesh>> mesh::MeshFactory::Create(
    std::shared_ptr<const model::Config> config, MeshOptions options,
    ResolverFactory make_resolver) {
  auto core = Core::Create(std::move(config), std::move(options),
                           std::move(make_resolver));
  if (!core.ok()) return core.status();
  return std::unique_ptr<Mesh>(new Mesh(*std::move(core)));
}

mesh::Core& mesh::MeshFactory::CoreOf(Mesh& mesh) { return *mesh.core_; }

const std::shared_ptr<mesh::Core>& mesh::MeshFactory::SharedCoreOf(Mesh& mesh) {
  return mesh.core_;
}

absl::StatusOr<Target> mesh::MeshFactory::Resolve(
    const std::shared_ptr<Core>& core, std::string_view authority) {
  const absl::Status usable = core->gate().Check();
  if (!usable.ok()) return usable;
  const absl::StatusOr<uint32_t> id = core->Bind(authority);
  if (!id.ok()) return id.status();
  return TargetAccess::Make(core, authority, *id);
}

absl::StatusOr<Target> Mesh::Resolve(std::string_view authority) {
  return base::NoThrow(
      [&] { return mesh::MeshFactory::Resolve(core_, authority); });
}

absl::Status Mesh::WaitReady(const Target& target, absl::Time deadline) {
  const PickResult result = target.WaitForPick(Request{}, deadline);
  if (result.failure == PickFailure::kForked) return result.status();
  if (result.ok() || result.failure == PickFailure::kNoRoute ||
      result.failure == PickFailure::kNotForwarded ||
      result.failure == PickFailure::kTlsRequired) {
    return absl::OkStatus();  // there are routes: for other requests
  }
  const absl::Status binding =
      core_->TargetStatus(mesh::TargetAccess::IdOf(target));
  return absl::DeadlineExceededError(absl::StrCat(
      core_->StatusOf(result.failure, target.authority()).message(),
      binding.ok() ? "" : "; ", binding.message()));
}

absl::StatusOr<ClusterTotals> Mesh::Totals(std::string_view cluster) const {
  return core_->Totals(cluster);
}

absl::Status Mesh::Reload() {
  return base::NoThrow([&] { return core_->Load(nullptr); });
}

absl::Status Mesh::ReloadText(std::string_view text) {
  return base::NoThrow([&] {
    const std::string copy(text);
    return core_->Load(&copy);
  });
}

absl::Time Mesh::RunPending() {
  const auto core = core_;  // a callback may destroy the mesh
  return core->RunPending();
}

int Mesh::PollDescriptor() const {
  return core_->gate().forked() ? -1 : core_->loop().PollDescriptor();
}

void Mesh::Shutdown(absl::Time deadline) {
  const auto core = core_;
  core->Shutdown(deadline);
}

void Mesh::Shutdown(absl::Duration grace) {
  Shutdown(core_->engine().clock().Now() + grace);
}

absl::StatusOr<std::unique_ptr<Mesh>> Mesh::RestartAfterFork() {
  return base::NoThrow([&] { return core_->Again(); });
}

}  // namespace meshlib

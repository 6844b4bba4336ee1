#include "routing/cluster_choice.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "routing/request_fields.h"

namespace meshlib::routing {

absl::StatusOr<ClusterChooser> ClusterChooser::Compile(
    const Config& config, const model::Runtime& runtime) {
  ClusterChooser chooser;
  if (const auto* name = std::get_if<std::string>(&config)) {
    chooser.literal_ = *name;
  } else if (const auto* header = std::get_if<model::ClusterHeader>(&config)) {
    chooser.entries_.push_back({"", base::LowerAscii(header->name), 0});
  } else {
    const absl::Status status =
        chooser.AddWeighted(std::get<model::WeightedClusters>(config), runtime);
    if (!status.ok()) return status;
  }
  return chooser;
}

absl::Status ClusterChooser::AddWeighted(const model::WeightedClusters& config,
                                         const model::Runtime& runtime) {
  weighted_ = true;
  random_value_header_ = base::LowerAscii(config.random_value_header);
  use_hash_policy_ = config.use_hash_policy;
  for (const model::WeightedCluster& cluster : config.clusters) {
    uint64_t weight = cluster.weight;
    if (!config.runtime_key_prefix.empty()) {
      weight = runtime.GetInteger(
          absl::StrCat(config.runtime_key_prefix, ".", cluster.name), weight);
    }
    if (weight > UINT32_MAX - total_weight_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "weighted_clusters: the sum of the weights is above ", UINT32_MAX));
    }
    total_weight_ += weight;
    entries_.push_back({cluster.name, base::LowerAscii(cluster.cluster_header),
                        total_weight_});
  }
  if (total_weight_ == 0) {
    return absl::InvalidArgumentError(
        "weighted_clusters: the sum of the weights is 0");
  }
  return absl::OkStatus();
}

uint64_t ClusterChooser::WeightedValue(
    const Request& request, uint64_t random,
    const HashPolicies& hash_policies) const {
  if (!random_value_header_.empty()) {
    size_t count = 0;
    const std::optional<std::string_view> text =
        FirstHeader(request, random_value_header_, &count);
    uint64_t value = 0;
    if (count == 1 && absl::SimpleAtoi(base::ToAbsl(*text), &value)) {
      return value;
    }
  }
  if (!use_hash_policy_) return random;
  return hash_policies.Hash(request).value_or(random);
}

ClusterChoice ClusterChooser::ChooseEntry(
    const Request& request, uint64_t random,
    const HashPolicies& hash_policies) const {
  ClusterChoice choice;
  const Entry* entry = &entries_.front();
  if (weighted_) {
    const uint64_t value =
        WeightedValue(request, random, hash_policies) % total_weight_;
    const auto it = std::upper_bound(
        entries_.begin(), entries_.end(), value,
        [](uint64_t v, const Entry& e) { return v < e.weights_up_to_here; });
    entry = &*it;
    choice.weighted_index = static_cast<int>(it - entries_.begin());
  }
  choice.name = entry->header.empty() ? std::string_view(entry->name)
                                      : ClusterInHeader(request, entry->header);
  return choice;
}

}  // namespace meshlib::routing

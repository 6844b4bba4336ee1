#include "controlplane/resource_set.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/hash.h"

namespace meshlib::controlplane {

void ResourceSet::Put(const std::string& type_url, const std::string& name,
                      std::string bytes) {
  types_[type_url].by_name[name] =
      std::make_shared<const Resource>(Resource{type_url, std::move(bytes)});
}

bool ResourceSet::Remove(std::string_view type_url, std::string_view name) {
  const auto type = types_.find(type_url);
  if (type == types_.end()) return false;
  const auto found = type->second.by_name.find(name);
  if (found == type->second.by_name.end()) return false;
  type->second.by_name.erase(found);
  return true;
}

void ResourceSet::Clear(std::string_view type_url) {
  const auto type = types_.find(type_url);
  if (type != types_.end()) type->second.by_name.clear();
}

void ResourceSet::SetVersion(const std::string& type_url, std::string version) {
  types_[type_url].version = std::move(version);
}

void ResourceSet::VersionByContent() {
  for (auto& [url, type] : types_) {
    std::string hashes;
    for (const auto& [name, resource] : type.by_name) {
      absl::StrAppend(&hashes, base::XxHash64(name), ":",
                      base::XxHash64(resource->bytes), ";");
    }
    type.version =
        absl::StrCat(absl::Hex(base::XxHash64(hashes), absl::kZeroPad16));
  }
}

const TypedResources* ResourceSet::Find(std::string_view type_url) const {
  const auto found = types_.find(type_url);
  return found == types_.end() ? nullptr : &found->second;
}

const Resource* ResourceSet::Find(std::string_view type_url,
                                  std::string_view name) const {
  const TypedResources* const type = Find(type_url);
  if (type == nullptr) return nullptr;
  const auto found = type->by_name.find(name);
  return found == type->by_name.end() ? nullptr : found->second.get();
}

}  // namespace meshlib::controlplane

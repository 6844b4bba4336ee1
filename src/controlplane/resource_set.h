#ifndef MESHLIB_CONTROLPLANE_RESOURCE_SET_H_
#define MESHLIB_CONTROLPLANE_RESOURCE_SET_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace meshlib::controlplane {

// A resource as a control plane sends it.
struct Resource {
  std::string type_url;  // of its Any
  std::string bytes;     // the serialized message
};

// Resources of one type, by their names.
struct TypedResources {
  std::string version;
  std::map<std::string, std::shared_ptr<const Resource>, std::less<>> by_name;
};

// What a control plane serves at one moment. A value type; copies share the
// resources.
class ResourceSet {
 public:
  // Adds a resource, or puts it in the place of the one of that name.
  void Put(const std::string& type_url, const std::string& name,
           std::string bytes);
  // False if there is none.
  bool Remove(std::string_view type_url, std::string_view name);
  void Clear(std::string_view type_url);

  void SetVersion(const std::string& type_url, std::string version);
  // Gives each type a version that is made of its content: equal content, equal
  // version.
  void VersionByContent();

  // Null: there never was one.
  const TypedResources* Find(std::string_view type_url) const;
  const Resource* Find(std::string_view type_url, std::string_view name) const;
  // By their type URLs.
  const std::map<std::string, TypedResources, std::less<>>& types() const {
    return types_;
  }

 private:
  std::map<std::string, TypedResources, std::less<>> types_;
};

}  // namespace meshlib::controlplane

#endif  // MESHLIB_CONTROLPLANE_RESOURCE_SET_H_

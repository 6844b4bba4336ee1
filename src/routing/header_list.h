#ifndef MESHLIB_ROUTING_HEADER_LIST_H_
#define MESHLIB_ROUTING_HEADER_LIST_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "meshlib/request.h"

namespace meshlib::routing {

// The headers of one message while they are changed: what was there stays
// views into its owner, new values are owned here. Movable, not copyable; not
// thread-safe. Names compare without regard to case.
class HeaderList {
 public:
  HeaderList() = default;
  explicit HeaderList(absl::Span<const Header> headers)
      : headers_(headers.begin(), headers.end()) {}
  HeaderList(HeaderList&&) = default;
  HeaderList& operator=(HeaderList&&) = default;

  absl::Span<const Header> headers() const { return headers_; }

  std::optional<std::string_view> First(std::string_view name) const;

  // Removes every value.
  void Remove(std::string_view name);

  // `name` must outlive this; one more value, behind those that are there.
  void Add(std::string_view name, std::string value);

  // The only value: takes the place of the first one, or goes to the end.
  void Set(std::string_view name, std::string value);

 private:
  std::vector<Header> headers_;
  // Most lists own nothing, and cost nothing for it.
  std::vector<std::unique_ptr<const std::string>> owned_;
};

}  // namespace meshlib::routing

#endif  // MESHLIB_ROUTING_HEADER_LIST_H_

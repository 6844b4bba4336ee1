#include "routing/header_list.h"

#include <algorithm>
#include <utility>

#include "model/headers.h"

namespace meshlib::routing {

std::optional<std::string_view> HeaderList::First(std::string_view name) const {
  const Header* header = model::FindHeader(headers_, name);
  if (header == nullptr) return std::nullopt;
  return header->value;
}

void HeaderList::Remove(std::string_view name) {
  headers_.erase(std::remove_if(headers_.begin(), headers_.end(),
                                [name](const Header& header) {
                                  return model::SameHeaderName(header.name,
                                                               name);
                                }),
                 headers_.end());
}

void HeaderList::Add(std::string_view name, std::string value) {
  owned_.push_back(std::make_unique<const std::string>(std::move(value)));
  headers_.push_back({name, *owned_.back()});
}

void HeaderList::Set(std::string_view name, std::string value) {
  const auto same = [name](const Header& header) {
    return model::SameHeaderName(header.name, name);
  };
  const auto first = std::find_if(headers_.begin(), headers_.end(), same);
  if (first == headers_.end()) return Add(name, std::move(value));
  headers_.erase(std::remove_if(first + 1, headers_.end(), same),
                 headers_.end());
  owned_.push_back(std::make_unique<const std::string>(std::move(value)));
  first->value = *owned_.back();
}

}  // namespace meshlib::routing

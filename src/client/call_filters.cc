#include "client/call_filters.h"

#include <utility>

namespace meshlib::http {

Filter::Verdict Filter::OnRequest(FilteredRequest& request) {
  return std::nullopt;
}

}  // namespace meshlib::http

namespace meshlib::client {

http::Filter::Verdict CallFilters::OnRequest(
    const std::vector<http::FilterFactory>& factories,
    http::FilteredRequest& request) {
  filters_.reserve(factories.size());
  for (const http::FilterFactory& make : factories) {
    std::unique_ptr<http::Filter> filter = make();
    if (filter == nullptr) continue;
    filters_.push_back(std::move(filter));
    http::Filter::Verdict verdict = filters_.back()->OnRequest(request);
    if (!verdict.ok() || verdict->has_value()) return verdict;
    ++passed_;
  }
  return std::nullopt;
}

void CallFilters::OnResponse(http::ResponseHead& head) {
  for (size_t i = passed_; i > 0; --i) filters_[i - 1]->OnResponse(head);
}

void CallFilters::OnEnd(const absl::Status& status, http::Headers& trailers) {
  for (size_t i = filters_.size(); i > 0; --i) {
    filters_[i - 1]->OnEnd(status, trailers);
  }
}

}  // namespace meshlib::client

#ifndef MESHLIB_CLIENT_CALL_FILTERS_H_
#define MESHLIB_CLIENT_CALL_FILTERS_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "meshlib/http.h"
#include "meshlib/http_filter.h"

namespace meshlib::client {

// The application's filters of one call. One thread at a time.
class CallFilters {
 public:
  // Makes them and shows them the request, up to the one that ends the call.
  http::Filter::Verdict OnRequest(
      const std::vector<http::FilterFactory>& factories,
      http::FilteredRequest& request);

  // For those that let the request go on, from the last to the first.
  void OnResponse(http::ResponseHead& head);

  // For all that saw the request, from the last to the first.
  void OnEnd(const absl::Status& status, http::Headers& trailers);

 private:
  std::vector<std::unique_ptr<http::Filter>> filters_;
  size_t passed_ = 0;  // so many let the request go on
};

}  // namespace meshlib::client

#endif  // MESHLIB_CLIENT_CALL_FILTERS_H_

#ifndef MESHLIB_MESHCTL_ARGUMENTS_H_
#define MESHLIB_MESHCTL_ARGUMENTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "meshctl/commands.h"
#include "meshlib/request.h"

namespace meshlib::meshctl {

// A decimal number of at most 64 bits: digits alone, no sign, no "0x".
absl::StatusOr<uint64_t> ParseUint64(std::string_view text);

// "name=value", as --header takes it. The views point into `text`.
absl::StatusOr<Header> ParseHeader(std::string_view text);
absl::StatusOr<std::vector<Header>> ParseHeaders(
    const std::vector<std::string>& texts);

// A view of the options and headers, which must outlive it.
Request MakeRequest(const RequestOptions& options,
                    const std::vector<Header>& headers);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_ARGUMENTS_H_

#ifndef MESHLIB_XDS_FIELD_USE_H_
#define MESHLIB_XDS_FIELD_USE_H_

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::xds {

// What is said of fields that the ledger does not call used; the same for files
// and control planes, since reports tell equal notes once.
inline std::string RefusedField(std::string_view reason) {
  return absl::StrCat("not supported: ", base::ToAbsl(reason));
}

inline std::string IgnoredField(std::string_view message, std::string_view name,
                                std::string_view reason) {
  std::string out =
      absl::StrCat("unsupported field ignored: ", base::ToAbsl(message), ".",
                   base::ToAbsl(name));
  if (!reason.empty()) absl::StrAppend(&out, " (", base::ToAbsl(reason), ")");
  return out;
}

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_FIELD_USE_H_

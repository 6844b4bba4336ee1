#include "xds/convert_filters.h"

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/convert_values.h"

namespace meshlib::xds {

void CheckFilterPlace(FilterKind kind, const std::string& name, bool last,
                      std::string_view remedy, FieldErrors& errors) {
  if (kind == FilterKind::kTerminal && !last) {
    errors.Error(absl::StrCat("the terminal filter ", Quoted(name),
                              " must be the last of the chain"));
  }
  if (kind == FilterKind::kOther && last) {
    errors.Error(absl::StrCat("the last filter, ", Quoted(name),
                              ", is not terminal", base::ToAbsl(remedy)));
  }
}

}  // namespace meshlib::xds

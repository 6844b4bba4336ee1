#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "meshctl/commands.h"
#include "meshctl/json.h"
#include "xds/config_loader.h"
#include "xds/problem.h"

namespace meshlib::meshctl {
namespace {

struct Total {
  size_t errors = 0;
  size_t warnings = 0;
  size_t notes = 0;
};

std::string Counted(size_t count, const char* noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

std::string ValidateJson(const std::vector<xds::Problems>& all,
                         const Total& total) {
  Json json;
  json.Begin('{').Key("problems").Begin('[');
  for (const xds::Problems& problems : all) {
    for (const xds::Problem& problem : problems.list()) {
      json.Begin('{')
          .Field("file", problem.file)
          .Field("line", static_cast<uint64_t>(problem.line))
          .Field("column", static_cast<uint64_t>(problem.column))
          .Field("severity", xds::ToString(problem.severity))
          .Field("path", problem.path)
          .Field("message", problem.message)
          .End('}');
    }
  }
  json.End(']')
      .Field("errors", uint64_t{total.errors})
      .Field("warnings", uint64_t{total.warnings})
      .Field("notes", uint64_t{total.notes})
      .End('}');
  return json.Finish();
}

std::string ValidateText(const std::vector<xds::Problems>& all,
                         const Total& total) {
  std::string out;
  for (const xds::Problems& problems : all) {
    out += problems.ToString();
  }
  absl::StrAppend(&out, Counted(total.errors, "error"), ", ",
                  Counted(total.warnings, "warning"), ", ",
                  Counted(total.notes, "note"), " in ",
                  all.size() == 1 ? "1 configuration"
                                  : absl::StrCat(all.size(), " configurations"),
                  total.errors == 0 ? ": valid" : ": not valid", "\n");
  return out;
}

}  // namespace

absl::StatusOr<CommandResult> Validate(const ValidateOptions& options) {
  std::vector<xds::Problems> all;
  Total total;
  xds::LoadOptions load;
  load.custom_policies = options.load_balancers;
  for (const std::string& path : options.paths) {
    xds::LoadResult loaded = xds::LoadConfig(path, load);
    all.push_back(std::move(loaded.problems));
    all.back().Sort();
    total.errors += all.back().errors();
    total.warnings += all.back().warnings();
    total.notes += all.back().notes();
  }
  CommandResult result;
  result.exit_code = total.errors > 0 ? 1 : 0;
  result.output =
      options.json ? ValidateJson(all, total) : ValidateText(all, total);
  return result;
}

}  // namespace meshlib::meshctl

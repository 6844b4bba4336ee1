#include <string>

#include "absl/status/statusor.h"
#include "meshctl/arguments.h"
#include "meshctl/commands.h"
#include "meshctl/explain_output.h"
#include "meshctl/open_mesh.h"
#include "meshlib/explain.h"

namespace meshlib::meshctl {

absl::StatusOr<CommandResult> ExplainRequest(const ExplainOptions& options,
                                             std::ostream& log) {
  const RequestOptions& request = options.request;
  const auto headers = ParseHeaders(request.headers);
  if (!headers.ok()) return headers.status();
  const auto config = LoadConfig(request.config, log);
  if (!config.ok()) return config.status();
  const auto open =
      Open(request.config, *config, request.seed, request.nearest_first, log);
  if (!open.ok()) return open.status();
  const auto target = ResolveAuthority(*open, request.authority);
  if (!target.ok()) return target.status();

  const Explanation found = target->Explain(MakeRequest(request, *headers));
  WarnOfUnknownHost(*open, request.authority, found, log);
  CommandResult result;
  result.output =
      request.json ? ExplainJson(found) : ExplainText(request, found);
  return result;
}

}  // namespace meshlib::meshctl

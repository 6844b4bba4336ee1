#ifndef MESHLIB_MESHCTL_COMMANDS_H_
#define MESHLIB_MESHCTL_COMMANDS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace meshlib::meshctl {

// The subcommands of meshctl, apart from the command line and the process:
// options in, the text for standard output out. What is not the answer itself
// (problems of a file, warnings) goes to `log`.

struct CommandResult {
  int exit_code = 0;
  std::string output;
  // If not null, writes the answer in place of `output`, piece by piece: for
  // one that is too long to be held. Stops where the stream fails.
  std::function<void(std::ostream&)> write;
};

// The name of the tool with its version.
std::string VersionText();

// An error as standard output shows it with --json: {"error": "..."}.
std::string ErrorJson(const std::string& message);

struct ValidateOptions {
  std::vector<std::string> paths;
  // Names of the application's own load-balancing policies.
  std::vector<std::string> load_balancers;
  bool json = false;
};
// Exit code 1 if a file has an error.
absl::StatusOr<CommandResult> Validate(const ValidateOptions& options);

// The request that is asked about, and the mesh that decides.
struct RequestOptions {
  std::string config;
  std::string authority;
  std::string path = "/";
  std::string method = "GET";
  std::vector<std::string> headers;  // "name=value"
  std::optional<uint64_t> hash;
  uint64_t seed = 0;
  bool nearest_first = false;
  bool json = false;
};

struct ExplainOptions {
  RequestOptions request;
};
absl::StatusOr<CommandResult> ExplainRequest(const ExplainOptions& options,
                                             std::ostream& log);

struct SimulateOptions {
  RequestOptions request;
  uint64_t requests = 1000;
  std::vector<std::string> down;  // MATCHes, see host_match.h
  std::vector<std::string> refuse;
  std::vector<std::string> degrade;
  bool picks = false;
};
absl::StatusOr<CommandResult> Simulate(const SimulateOptions& options,
                                       std::ostream& log);

struct TableOptions {
  std::string config;
  std::string cluster;
  uint64_t priority = 0;
  bool nearest_first = false;
  bool json = false;
};
absl::StatusOr<CommandResult> ShowTable(const TableOptions& options,
                                        std::ostream& log);

struct ServeOptions {
  std::string path;
  std::string listen = "127.0.0.1:0";
  // PEM files; see net::ServerTlsFiles.
  std::string tls_cert;
  std::string tls_key;
  std::string client_ca;
};
// Serves the resources of a file or directory over ADS until SIGINT or SIGTERM
// comes. What it does goes to `out` as it happens.
absl::StatusOr<CommandResult> Serve(const ServeOptions& options,
                                    std::ostream& out, std::ostream& log);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_COMMANDS_H_

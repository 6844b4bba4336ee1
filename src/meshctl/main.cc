// The command line of meshctl: options in, exit code and text out.

#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "absl/status/statusor.h"
#include "meshctl/arguments.h"
#include "meshctl/commands.h"

namespace meshlib::meshctl {
namespace {

constexpr int kProblems = 1;
constexpr int kUsage = 2;

constexpr char kFileHelp[] =
    "FILE is a configuration in Envoy's shape, YAML or JSON: a bootstrap with\n"
    "static_resources, or a directory of xDS resources.\n";

constexpr char kFooter[] =
    "Exit status: 0 done; 1 the configuration is wrong, or does not have what\n"
    "was asked for; 2 the command line is wrong. With --json, standard output\n"
    "holds one JSON object and nothing else ({\"error\": ...} on a failure);\n"
    "problems and warnings go to standard error.\n"
    "\n"
    "Try:\n"
    "  meshctl validate mesh.yaml\n"
    "  meshctl explain -c mesh.yaml --authority echo.shop --path /cart\n"
    "  meshctl simulate -c mesh.yaml --authority echo.shop --requests 10000 "
    "\\\n"
    "      --down 'eu-west/*'\n"
    "  meshctl explain --help\n";

constexpr char kMatchHelp[] =
    "FILE is a configuration in Envoy's shape, YAML or JSON: a bootstrap with\n"
    "static_resources, or a directory of xDS resources.\n"
    "\n"
    "MATCH is an address as the configuration has it (10.0.0.1:80), or\n"
    "region/zone; * stands for any text in both ('10.0.*', 'eu-west/*', '*').\n"
    "\n"
    "Time is virtual: a request begins every millisecond, hosts answer at "
    "once,\n"
    "and retries wait their back-off. The requests of a host are attempts, so\n"
    "that retries count too. The same seed gives the same picks.\n";

constexpr char kServeHelp[] =
    "DIR holds xDS resources or bootstraps in Envoy's shape, YAML or JSON:\n"
    "clusters, endpoints, listeners, routes and secrets; of a bootstrap its\n"
    "static_resources. It is watched; what is not valid is not served, and\n"
    "what was served before is served still. Clients ask by ADS (state of the\n"
    "world, api_type: GRPC); what they accept and refuse is printed. Fields\n"
    "that meshlib passes over are not served; warnings name them. SIGINT and\n"
    "SIGTERM end it.\n";

// The commands, as the command line fills them in.
struct Commands {
  ValidateOptions validate;
  ExplainOptions explain;
  SimulateOptions simulate;
  TableOptions table;
  ServeOptions serve;
  std::function<absl::StatusOr<CommandResult>()> run;
  bool json() const {
    return validate.json || explain.request.json || simulate.request.json ||
           table.json;
  }
};

// Reads an option's number into `target`.
template <typename Target>
std::function<void(const std::string&)> Number(const char* option,
                                               Target* target) {
  return [option, target](const std::string& text) {
    const absl::StatusOr<uint64_t> number = ParseUint64(text);
    if (!number.ok()) {
      throw CLI::ValidationError(option,
                                 std::string(number.status().message()));
    }
    *target = *number;
  };
}

std::string CheckHeader(const std::string& text) {
  const absl::StatusOr<Header> header = ParseHeader(text);
  return header.ok() ? "" : std::string(header.status().message());
}

// An option that takes one value each time it is given.
CLI::Option* AddList(CLI::App* app, const std::string& name,
                     std::vector<std::string>* values, const std::string& help,
                     const std::string& type) {
  return app->add_option(name, *values, help)
      ->type_name(type)
      ->allow_extra_args(false)
      ->take_all();
}

void AddConfig(CLI::App* app, std::string* config, bool* nearest_first,
               bool* json) {
  app->add_option("-c,--config", *config, "The configuration, see below")
      ->type_name("FILE")
      ->required();
  app->add_flag("--nearest-first", *nearest_first,
                "Order endpoints without priorities by their\n"
                "distance from the node's locality");
  app->add_flag("--json", *json, "Answer with one JSON object");
}

void AddRequest(CLI::App* app, RequestOptions* request) {
  AddConfig(app, &request->config, &request->nearest_first, &request->json);
  app->add_option("--authority", request->authority,
                  "Whom the request is for: a host with or\n"
                  "without a port, or cluster:NAME")
      ->type_name("HOST[:PORT]")
      ->required();
  app->add_option("--path", request->path,
                  "Its path, with the query (default: /)")
      ->type_name("PATH");
  app->add_option("--method", request->method, "Its method (default: GET)")
      ->type_name("METHOD");
  AddList(app, "--header", &request->headers,
          "One of its headers; may be repeated", "NAME=VALUE")
      ->check(CLI::Validator(CheckHeader, ""));
  app->add_option_function<std::string>(
         "--hash", Number("--hash", &request->hash),
         "Its hash for RING_HASH and MAGLEV, 64 bits\n"
         "in decimal, in place of the route's\n"
         "hash_policy")
      ->type_name("H");
  app->add_option_function<std::string>(
         "--seed", Number("--seed", &request->seed),
         "Starts the random decisions: the same seed\n"
         "gives the same answer (default: 0)")
      ->type_name("S");
}

void AddValidate(CLI::App* root, Commands* commands) {
  CLI::App* app = root->add_subcommand(
      "validate", "Check configurations, list every problem");
  app->footer(
      "Each problem is one line: file:line:column: severity: path: "
      "message. Exit status\n1 if there is an error; warnings and "
      "notes alone leave 0.\n");
  app->add_option("FILE", commands->validate.paths,
                  "Files or directories to check")
      ->type_name("")
      ->required();
  AddList(app, "--load-balancer", &commands->validate.load_balancers,
          "A load-balancing policy that the\n"
          "application adds; may be repeated",
          "NAME");
  app->add_flag("--json", commands->validate.json,
                "Answer with one JSON object");
  app->callback([commands] {
    commands->run = [commands] { return Validate(commands->validate); };
  });
}

void AddExplain(CLI::App* root, Commands* commands) {
  CLI::App* app = root->add_subcommand(
      "explain", "Say where one request would go, and why");
  AddRequest(app, &commands->explain.request);
  app->footer(kFileHelp);
  app->callback([commands] {
    commands->run = [commands] {
      return ExplainRequest(commands->explain, std::cerr);
    };
  });
}

void AddSimulate(CLI::App* root, Commands* commands) {
  CLI::App* app =
      root->add_subcommand("simulate", "Count where many requests would go");
  SimulateOptions* options = &commands->simulate;
  AddRequest(app, &options->request);
  app->add_option_function<std::string>(
         "--requests", Number("--requests", &options->requests),
         "How many requests (default: 1000)")
      ->type_name("N");
  AddList(app, "--down", &options->down,
          "Hosts that are UNHEALTHY; may be repeated", "MATCH");
  AddList(app, "--refuse", &options->refuse,
          "Hosts that refuse connections, which the\n"
          "mesh does not know before; may be repeated",
          "MATCH");
  AddList(app, "--degrade", &options->degrade,
          "Hosts that are DEGRADED; may be repeated", "MATCH");
  app->add_flag("--picks", options->picks,
                "Also list the address of every attempt, in\n"
                "order");
  app->footer(kMatchHelp);
  app->callback([commands] {
    commands->run = [commands] {
      return Simulate(commands->simulate, std::cerr);
    };
  });
}

void AddTable(CLI::App* root, Commands* commands) {
  CLI::App* app =
      root->add_subcommand("table", "Print a cluster's ring or Maglev table");
  TableOptions* options = &commands->table;
  AddConfig(app, &options->config, &options->nearest_first, &options->json);
  app->add_option("--cluster", options->cluster, "The cluster's name")
      ->type_name("NAME")
      ->required();
  app->add_option_function<std::string>(
         "--priority", Number("--priority", &options->priority),
         "Of which priority level (default: 0)")
      ->type_name("P");
  app->footer(
      std::string(kFileHelp) +
      "\n"
      "A ring's entries are sorted: a request goes to the first whose hash is\n"
      "not below its own, or to the first of all. A Maglev table is asked at\n"
      "slot hash modulo size.\n");
  app->callback([commands] {
    commands->run = [commands] {
      return ShowTable(commands->table, std::cerr);
    };
  });
}

void AddServe(CLI::App* root, Commands* commands) {
  CLI::App* app = root->add_subcommand(
      "serve", "Serve a configuration over xDS, for development");
  ServeOptions* options = &commands->serve;
  app->add_option("DIR", options->path, "A directory or a file, see below")
      ->type_name("")
      ->required();
  app->add_option("--listen", options->listen,
                  "Where to listen (default: 127.0.0.1:0,\n"
                  "a free port)")
      ->type_name("ADDRESS");
  app->add_option("--tls-cert", options->tls_cert,
                  "Speak TLS with this certificate (PEM)")
      ->type_name("FILE");
  app->add_option("--tls-key", options->tls_key, "Its private key (PEM)")
      ->type_name("FILE");
  app->add_option("--client-ca", options->client_ca,
                  "Demand certificates of clients that these\n"
                  "roots have signed (PEM)")
      ->type_name("FILE");
  app->footer(kServeHelp);
  app->callback([commands] {
    commands->run = [commands] {
      return Serve(commands->serve, std::cout, std::cerr);
    };
  });
}

bool AsksForJson(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--json") return true;
  }
  return false;
}

int Fail(const std::string& message, bool json, int exit_code) {
  if (json) std::cout << ErrorJson(message);
  std::cerr << "meshctl: error: " << message << "\n";
  return exit_code;
}

int Finish(const Commands& commands) {
  const absl::StatusOr<CommandResult> result = commands.run();
  if (!result.ok()) {
    return Fail(std::string(result.status().message()), commands.json(),
                kProblems);
  }
  if (result->write != nullptr) {
    result->write(std::cout);
  } else {
    std::cout << result->output;
  }
  std::cout << std::flush;
  if (!std::cout) {
    std::cerr << "meshctl: error: cannot write to standard output\n";
    return kProblems;
  }
  return result->exit_code;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Shows what a service mesh configuration does, without a "
      "network: the same code\nthat routes and balances in an "
      "application answers here.",
      "meshctl");
  app.set_version_flag("--version", VersionText());
  app.require_subcommand(0, 1);
  app.footer(kFooter);
  app.get_formatter()->column_width(32);
  Commands commands;
  AddValidate(&app, &commands);
  AddExplain(&app, &commands);
  AddSimulate(&app, &commands);
  AddTable(&app, &commands);
  AddServe(&app, &commands);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    std::string name = "meshctl";
    for (const CLI::App* chosen : app.get_subcommands()) {
      name += " " + chosen->get_name();
    }
    return Fail(std::string(error.what()) + " (see " + name + " --help)",
                AsksForJson(argc, argv), kUsage);
  }
  if (commands.run == nullptr) {
    return Fail(
        "no command; want validate, explain, simulate, table or serve (see "
        "meshctl --help)",
        AsksForJson(argc, argv), kUsage);
  }
  return Finish(commands);
}

}  // namespace
}  // namespace meshlib::meshctl

int main(int argc, char** argv) {
  // What libraries throw (no memory, say) ends here with a message.
  try {
    return meshlib::meshctl::Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "meshctl: error: " << error.what() << "\n";
    return 1;
  }
}

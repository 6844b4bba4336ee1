#include "test/interop/xds_client.h"

#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "meshlib/http.h"
#include "meshlib/mesh.h"

namespace meshlib::interop {
namespace {

constexpr absl::Duration kWait = absl::Seconds(10);
constexpr std::chrono::milliseconds kPause(2);

struct Counts {
  int ok = 0;
  int failed = 0;
  std::map<std::string, int> hosts;
  std::string error;  // of the last that failed

  void Add(const absl::StatusOr<http::Response>& response) {
    if (response.ok() && response->status == 200) {
      ++ok;
      ++hosts[response->host];
      return;
    }
    ++failed;
    error = response.ok() ? absl::StrCat("HTTP ", response->status)
                          : std::string(response.status().message());
  }
  std::string Json() const {
    std::string list;
    for (const auto& [host, count] : hosts) {
      absl::StrAppend(&list, list.empty() ? "" : ", ", "\"", host,
                      "\": ", count);
    }
    return absl::StrCat(
        "{\"ok\": ", ok, ", \"failed\": ", failed, ", \"hosts\": {", list,
        "}, \"error\": \"",
        absl::StrReplaceAll(error,
                            {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", " "}}),
        "\"}");
  }
};

// Requests on a thread of its own.
class Load {
 public:
  Load(http::Client client, std::string url)
      : client_(std::move(client)),
        url_(std::move(url)),
        thread_([this] { Run(); }) {}
  Counts Stop() {
    stop_.set_value();
    thread_.join();
    return counts_;
  }

 private:
  void Run() {
    const auto stop = stop_.get_future();
    do {
      counts_.Add(client_.Get(url_));
    } while (stop.wait_for(kPause) == std::future_status::timeout);
  }

  http::Client client_;
  const std::string url_;
  Counts counts_;
  std::promise<void> stop_;
  std::thread thread_;
};

std::string Ready(Mesh& mesh, const std::string& authority) {
  const auto target = mesh.Resolve(authority);
  if (!target.ok()) return target.status().ToString();
  const absl::Status status = mesh.WaitReady(*target, absl::Now() + kWait);
  return status.ok() ? "ok" : status.ToString();
}

}  // namespace

int Discover(const std::string& bootstrap) {
  MeshOptions options;
  options.config_path = bootstrap;
  options.log = [](LogLevel, std::string_view text) {
    std::cerr << text << "\n";
  };
  auto mesh = Mesh::Create(std::move(options));
  if (!mesh.ok()) return std::cerr << mesh.status() << "\n", 1;
  auto client = http::Client::Create(**mesh);
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;
  std::unique_ptr<Load> load;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    std::string name;
    words >> command >> name;
    std::string answer = "ok";
    if (command == "get") {
      int count = 0;
      words >> count;
      Counts counts;
      for (int i = 0; i < count; ++i) counts.Add(client->Get(name));
      answer = counts.Json();
    } else if (command == "ready") {
      answer = Ready(**mesh, name);
    } else if (command == "load" && load == nullptr) {
      load = std::make_unique<Load>(*client, name);
    } else if (command == "stop" && load != nullptr) {
      answer = load->Stop().Json();
      load = nullptr;
    } else {
      answer = "error: unknown command";
    }
    std::cout << answer << std::endl;
  }
  if (load != nullptr) load->Stop();
  return 0;
}

}  // namespace meshlib::interop

// Load through http::Client: so many calls at a time by callbacks, or so many
// blocking threads. Prints one line of JSON.
//
//   http_load CONFIG URL callback|blocking PARALLEL SECONDS [IO_THREADS]
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "meshlib/http.h"

namespace {

using SteadyClock = std::chrono::steady_clock;

double Seconds(SteadyClock::duration d) {
  return std::chrono::duration<double>(d).count();
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

struct Result {
  std::vector<float> latencies;  // microseconds
  uint64_t failed = 0;
};

bool Good(const absl::StatusOr<meshlib::http::Response>& response) {
  return response.ok() && response->status == 200;
}

Result RunBlocking(const meshlib::http::Client& client,
                   const meshlib::http::Request& request,
                   SteadyClock::time_point end) {
  Result result;
  while (true) {
    const auto begin = SteadyClock::now();
    if (begin >= end) return result;
    if (!Good(client.Send(request))) ++result.failed;
    result.latencies.push_back(
        static_cast<float>(Seconds(SteadyClock::now() - begin) * 1e6));
  }
}

// One chain of calls, each begun by the end of the one before.
class Chain {
 public:
  Chain(const meshlib::http::Client& client,
        const meshlib::http::Request& request, SteadyClock::time_point end)
      : client_(client), request_(request), end_(end) {}

  void Next() {
    begin_ = SteadyClock::now();
    if (begin_ >= end_) {
      done_.store(true, std::memory_order_release);
      return;
    }
    client_.SendAsync(request_, [this](auto response) {
      if (!Good(response)) ++result.failed;
      result.latencies.push_back(
          static_cast<float>(Seconds(SteadyClock::now() - begin_) * 1e6));
      Next();
    });
  }
  bool done() const { return done_.load(std::memory_order_acquire); }

  Result result;

 private:
  const meshlib::http::Client& client_;
  const meshlib::http::Request& request_;
  const SteadyClock::time_point end_;
  SteadyClock::time_point begin_;
  std::atomic<bool> done_{false};
};

std::vector<Result> Run(const meshlib::http::Client& client,
                        const meshlib::http::Request& request, bool blocking,
                        int parallel, SteadyClock::time_point end) {
  std::vector<Result> results(static_cast<size_t>(parallel));
  if (blocking) {
    std::vector<std::thread> threads;
    for (Result& result : results) {
      threads.emplace_back([&client, &request, &result, end] {
        result = RunBlocking(client, request, end);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return results;
  }
  std::vector<std::unique_ptr<Chain>> chains;
  for (int i = 0; i < parallel; ++i) {
    chains.push_back(std::make_unique<Chain>(client, request, end));
    chains.back()->Next();
  }
  for (size_t i = 0; i < chains.size(); ++i) {
    while (!chains[i]->done()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    results[i] = std::move(chains[i]->result);
  }
  return results;
}

void Print(const std::vector<Result>& results, double seconds, double cpu) {
  std::vector<float> all;
  uint64_t failed = 0;
  for (const Result& result : results) {
    all.insert(all.end(), result.latencies.begin(), result.latencies.end());
    failed += result.failed;
  }
  std::sort(all.begin(), all.end());
  const auto at = [&all](double part) -> double {
    if (all.empty()) return 0;
    return all[static_cast<size_t>(part * static_cast<double>(all.size() - 1))];
  };
  const auto calls = static_cast<double>(all.size());
  printf(
      "{\"calls\": %.0f, \"failed\": %llu, \"rate\": %.0f, \"p50_us\": %.1f, "
      "\"p99_us\": %.1f, \"cpu_us\": %.2f}\n",
      calls, static_cast<unsigned long long>(failed), calls / seconds, at(0.5),
      at(0.99), cpu / calls * 1e6);
}

int Main(int argc, char** argv) {
  if (argc < 6) {
    fprintf(stderr,
            "usage: http_load CONFIG URL callback|blocking PARALLEL SECONDS "
            "[IO_THREADS]\n");
    return 2;
  }
  meshlib::MeshOptions options;
  options.config_path = argv[1];
  if (argc > 6) options.io_threads = static_cast<uint32_t>(atoi(argv[6]));
  auto mesh = meshlib::Mesh::Create(std::move(options));
  if (!mesh.ok()) {
    fprintf(stderr, "%s\n", mesh.status().ToString().c_str());
    return 1;
  }
  const auto client = meshlib::http::Client::Create(**mesh);
  if (!client.ok()) return 1;
  meshlib::http::Request request;
  request.url = argv[2];
  const auto first = client->Send(request);
  if (!Good(first)) {
    fprintf(stderr, "%s\n", first.status().ToString().c_str());
    return 1;
  }
  const auto begin = SteadyClock::now();
  const double cpu = CpuSeconds();
  const auto results = Run(
      *client, request, strcmp(argv[3], "blocking") == 0, atoi(argv[4]),
      begin +
          std::chrono::milliseconds(static_cast<int>(atof(argv[5]) * 1000)));
  const double seconds = Seconds(SteadyClock::now() - begin);
  Print(results, seconds, CpuSeconds() - cpu);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return Main(argc, argv); }

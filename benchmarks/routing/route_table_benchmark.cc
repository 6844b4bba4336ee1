#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "model/route.h"
#include "model/runtime.h"
#include "routing/route_table.h"

namespace meshlib::routing {
namespace {

// How the routes of a table differ.
enum Shape {
  kPrefix,
  kExact,
  kHeader,
  kRegex,  // each begins with other literals
  kVirtualHosts,
  kRegexWithoutPrefix
};

model::Route RouteOf(Shape shape, size_t i) {
  model::Route route;
  route.name = "r" + std::to_string(i);
  model::RouteAction action;
  action.cluster = "c" + std::to_string(i);
  route.action = std::move(action);
  model::PathMatcher& path = route.match.path;
  path.value = "/shop.Catalog" + std::to_string(i) + "/";
  if (shape == kExact) {
    path.kind = model::PathMatcher::Kind::kExact;
    path.value += "Get";
  } else if (shape == kRegex) {
    path.kind = model::PathMatcher::Kind::kRegex;
    path.value = "/shop\\.Catalog" + std::to_string(i) + "/.*";
  } else if (shape == kRegexWithoutPrefix) {
    path.kind = model::PathMatcher::Kind::kRegex;
    path.value = "/[a-z]+.Catalog" + std::to_string(i) + "/.*";
  } else if (shape == kHeader || shape == kVirtualHosts) {
    path.value = "/";
  }
  if (shape == kHeader) {
    model::HeaderMatcher header;
    header.name = "x-version";
    header.kind = model::HeaderMatcher::Kind::kString;
    header.string.value = "v" + std::to_string(i);
    route.match.headers.push_back(std::move(header));
  }
  return route;
}

std::shared_ptr<const RouteTable> TableOf(Shape shape, size_t routes) {
  auto config = std::make_shared<model::RouteConfig>();
  if (shape != kVirtualHosts) {
    config->virtual_hosts.emplace_back();
    config->virtual_hosts[0].domains = {"shop.global", "shop.global:80"};
  }
  for (size_t i = 0; i < routes; ++i) {
    if (shape == kVirtualHosts) {
      config->virtual_hosts.emplace_back();
      config->virtual_hosts.back().domains = {
          "svc" + std::to_string(i) + ".shop.global",
          "svc" + std::to_string(i) + ".shop.global:80"};
    }
    config->virtual_hosts.back().routes.push_back(RouteOf(shape, i));
  }
  return *RouteTable::Compile(config, model::Runtime());
}

// What a request to route i says; owns its text.
struct Call {
  std::string authority;
  std::string path;
  std::string version;
  std::vector<Header> headers;
};

std::unique_ptr<Call> CallTo(Shape shape, size_t i) {
  auto call = std::make_unique<Call>();
  const std::string number = std::to_string(i);
  call->authority =
      shape == kVirtualHosts ? "svc" + number + ".shop.global" : "shop.global";
  call->path = "/shop.Catalog" + number + "/Get";
  call->version = "v" + number;
  call->headers = {{"user-agent", "benchmark"},
                   {"accept", "*/*"},
                   {"x-request-id", "5a2e0c6b"},
                   {"x-version", call->version}};
  return call;
}

void BM_Find(benchmark::State& state) {
  const auto shape = static_cast<Shape>(state.range(0));
  const auto routes = static_cast<size_t>(state.range(1));
  const std::shared_ptr<const RouteTable> table = TableOf(shape, routes);
  std::vector<std::unique_ptr<Call>> calls;
  base::Random random(1);
  for (int i = 0; i < 1024; ++i) {
    calls.push_back(CallTo(shape, random.Next() % routes));
  }
  size_t next = 0;
  for (auto _ : state) {
    const Call& call = *calls[next++ & 1023];
    Request request;
    request.authority = call.authority;
    request.path = call.path;
    request.headers = call.headers;
    const RouteTable::Match match = table->Find(request, next);
    if (match.route == nullptr) {
      state.SkipWithError("no route");
      break;
    }
    benchmark::DoNotOptimize(match.route->ClusterFor(request, next));
  }
}
BENCHMARK(BM_Find)
    ->ArgNames({"shape", "routes"})
    ->ArgsProduct({{kPrefix, kExact, kHeader, kVirtualHosts, kRegex,
                    kRegexWithoutPrefix},
                   {10, 1000}});

void BM_Compile(benchmark::State& state) {
  const auto shape = static_cast<Shape>(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        TableOf(shape, static_cast<size_t>(state.range(1))));
  }
}
BENCHMARK(BM_Compile)
    ->ArgNames({"shape", "routes"})
    ->ArgsProduct({{kPrefix, kHeader, kVirtualHosts, kRegex,
                    kRegexWithoutPrefix},
                   {1000}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace meshlib::routing

BENCHMARK_MAIN();

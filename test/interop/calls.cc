#include "test/interop/calls.h"

#include <atomic>
#include <cstdio>
#include <functional>
#include <future>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "meshlib/http.h"
#include "net/grpc_framing.h"
#include "test/interop/peer_routes.h"

namespace meshlib::interop {
namespace {

using Result = absl::StatusOr<http::Response>;

http::Request Make(std::string_view method, std::string_view path,
                   std::string body = "") {
  http::Request request;
  request.method = method;
  request.url = absl::StrCat("http://peer", std::string(path));
  request.body = std::move(body);
  request.timeout = absl::Seconds(10);
  return request;
}

std::string Describe(const Result& result) {
  if (!result.ok()) return result.status().ToString();
  return absl::StrCat("status ", result->status, ", ", result->body.size(),
                      " bytes, ", result->attempts, " attempts");
}

absl::Status Expect(const Result& result, int status, std::string_view body) {
  if (result.ok() && result->status == status && result->body == body) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("want status ", status, ", ",
                                          body.size(), " bytes; got ",
                                          Describe(result)));
}

absl::Status Repeat(int times, const std::function<absl::Status(int)>& once) {
  for (int i = 0; i < times; ++i) {
    const absl::Status status = once(i);
    if (!status.ok()) {
      return absl::InternalError(
          absl::StrCat("call ", i, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

// `calls` in all, `open` at one time.
absl::Status Storm(const http::Client& client, int open, int calls) {
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  std::atomic<int> failed{0};
  std::promise<void> all;
  std::string first_failure;
  std::function<void()> next = [&] {
    if (started.fetch_add(1) >= calls) return;
    client.SendAsync(Make("GET", "/hello"), [&](Result result) {
      const absl::Status status = Expect(result, 200, kHello);
      if (!status.ok() && failed.fetch_add(1) == 0) {
        first_failure = std::string(status.message());
      }
      next();
      if (ended.fetch_add(1) + 1 == calls) all.set_value();
    });
  };
  for (int i = 0; i < open; ++i) next();
  all.get_future().wait();
  if (failed == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(failed.load(), " of ", calls, " failed: ", first_failure));
}

absl::Status Hello(const http::Client& client) {
  return Repeat(20, [&](int) {
    return Expect(client.Send(Make("GET", "/hello")), 200, kHello);
  });
}

absl::Status Echo(const http::Client& client) {
  return Repeat(10, [&](int i) {
    std::string body;
    while (body.size() < (size_t{1} << 20)) {
      absl::StrAppend(&body, i, ":", body.size(), ",");
    }
    return Expect(client.Send(Make("POST", "/echo", body)), 200, body);
  });
}

absl::Status Trailers(const http::Client& client) {
  return Repeat(20, [&](int) -> absl::Status {
    http::Request request = Make("GET", "/trailers");
    request.headers = {{"te", "trailers"}};
    const Result result = client.Send(request);
    const absl::Status status = Expect(result, 200, kHello);
    if (!status.ok()) return status;
    if (result->trailers.Get("x-check") == "done") return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat(result->trailers.size(), " trailers, not that one"));
  });
}

// A response that has no body, whatever its headers say, and a call after it.
absl::Status Bodiless(const http::Client& client, const http::Request& request,
                      int status) {
  return Repeat(20, [&](int) {
    absl::Status result = Expect(client.Send(request), status, "");
    if (!result.ok()) return result;
    return Expect(client.Send(Make("GET", "/hello")), 200, kHello);
  });
}

absl::Status Head(const http::Client& client) {
  return Bodiless(client, Make("HEAD", "/hello"), 200);
}

absl::Status NoContent(const http::Client& client) {
  return Bodiless(client, Make("GET", "/204"), 204);
}

absl::Status NotModified(const http::Client& client) {
  http::Request request = Make("GET", "/304");
  request.headers = {{"if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"}};
  return Bodiless(client, request, 304);
}

absl::Status Chunked(const http::Client& client) {
  std::string body;
  for (int i = 0; i < kPieces; ++i) body.append(kPiece);
  return Repeat(20, [&](int) -> absl::Status {
    const Result result = client.Send(Make("GET", "/chunked"));
    const absl::Status status = Expect(result, 200, body);
    if (!status.ok()) return status;
    if (!result->headers.Get("content-length")) return absl::OkStatus();
    return absl::InternalError("there is a content-length");
  });
}

absl::Status Close(const http::Client& client) {
  return Repeat(50, [&](int) {
    return Expect(client.Send(Make("GET", "/close")), 200, kHello);
  });
}

absl::Status Early(const http::Client& client) {
  const std::string body(size_t{4} << 20, 'x');
  return Repeat(10, [&](int) -> absl::Status {
    const Result result = client.Send(Make("POST", "/early", body));
    if (!result.ok() || result->status != 413) {
      return absl::InternalError(Describe(result));
    }
    return Expect(client.Send(Make("GET", "/hello")), 200, kHello);
  });
}

absl::Status Concurrent(const http::Client& client) {
  return Storm(client, 100, 2000);
}

// Each thread blocks in its own call.
absl::Status Threads(const http::Client& client) {
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(8);
  for (absl::Status& result : results) {
    threads.emplace_back([&] {
      result = Repeat(100, [&](int i) {
        const std::string body = absl::StrCat("body ", i);
        return Expect(client.Send(Make("POST", "/echo", body)), 200, body);
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return result;
  }
  return absl::OkStatus();
}

// Against a peer that closes connections which are idle for five milliseconds:
// the calls come about then, so that some meet the end of the connection on
// its way. The pause is a call to a cluster that is never idle.
absl::Status Idle(const http::Client& client) {
  return Repeat(300, [&](int i) {
    http::Request pause = Make("GET", "");
    pause.url = absl::StrCat("http://pacer/after/", 4600 + i * 3, "us");
    absl::Status status = Expect(client.Send(pause), 200, kHello);
    if (!status.ok()) return status;
    return Expect(client.Send(Make("GET", "/hello")), 200, kHello);
  });
}

absl::Status Grpc(const http::Client& client) {
  return Repeat(20, [&](int i) -> absl::Status {
    http::Request request = Make("POST", "/test.Echo/Unary");
    request.headers = {{"content-type", "application/grpc"},
                       {"te", "trailers"}};
    const std::string message(size_t{1} << i, 'm');
    if (absl::Status framed = net::AppendGrpcMessage(
            message, false, message.size(), request.body);
        !framed.ok()) {
      return framed;
    }
    const Result result = client.Send(request);
    const absl::Status status = Expect(result, 200, request.body);
    if (!status.ok()) return status;
    if (result->trailers.Get("grpc-status") == "0") return absl::OkStatus();
    return absl::InternalError("no grpc-status 0 in the trailers");
  });
}

struct Check {
  std::string_view name;
  absl::Status (*run)(const http::Client&);
};
constexpr Check kChecks[] = {{"hello", Hello},
                             {"echo", Echo},
                             {"trailers", Trailers},
                             {"head", Head},
                             {"no-content", NoContent},
                             {"not-modified", NotModified},
                             {"chunked", Chunked},
                             {"close", Close},
                             {"early", Early},
                             {"threads", Threads},
                             {"concurrent", Concurrent},
                             {"idle", Idle},
                             {"grpc", Grpc}};

// Whether it went well.
bool RunOne(const http::Client& client, std::string_view name) {
  for (const Check& check : kChecks) {
    if (check.name != name) continue;
    const absl::Status status = check.run(client);
    if (status.ok()) return true;
    printf("FAILED %s: %s\n", check.name.data(),
           std::string(status.message()).c_str());
    return false;
  }
  printf("FAILED: there is no check \"%s\"\n", std::string(name).c_str());
  return false;
}

}  // namespace

int RunCalls(const std::string& mesh_file, int check_count,
             char** check_names) {
  MeshOptions options;
  options.config_path = mesh_file;
  const auto mesh = Mesh::Create(std::move(options));
  if (!mesh.ok()) return printf("%s\n", mesh.status().ToString().c_str()), 1;
  const auto client = http::Client::Create(**mesh);
  if (!client.ok()) {
    return printf("%s\n", client.status().ToString().c_str()), 1;
  }
  bool good = true;
  for (int i = 0; i < check_count; ++i) {
    good = RunOne(*client, check_names[i]) && good;
  }
  return good ? 0 : 1;
}

}  // namespace meshlib::interop

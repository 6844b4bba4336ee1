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
#include "meshlib/grpc_bytes.h"
#include "meshlib/http.h"
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

grpc_bytes::CallOptions TenSeconds() {
  grpc_bytes::CallOptions options;
  options.timeout = absl::Seconds(10);
  return options;
}

absl::Status Unary(const grpc_bytes::Client& client) {
  return Repeat(20, [&](int i) -> absl::Status {
    const std::string message(size_t{1} << i, 'm');
    const grpc_bytes::Result result =
        client.Unary("http://peer/test.Echo/Unary", message, TenSeconds());
    if (!result.status.ok() || result.message == message) return result.status;
    return absl::InternalError(
        absl::StrCat("another message, of ", result.message.size(), " bytes"));
  });
}

// Each message comes back before the next one is sent, and then the status.
absl::Status PingPong(const grpc_bytes::Client& client, int messages,
                      size_t size) {
  auto stream = client.Open("http://peer/test.Echo/Stream", TenSeconds());
  if (!stream.ok()) return stream.status();
  std::string came;
  for (int i = 0; i < messages; ++i) {
    const std::string sent = absl::StrCat(i, std::string(size, 'm'));
    if (!stream->Write(sent) || !stream->Read(came)) return stream->Finish();
    if (came != sent) return absl::InternalError("another message");
  }
  stream->WritesDone();
  if (stream->Read(came)) return absl::InternalError("one message too many");
  return stream->Finish();
}

// The writer does not wait for the reader.
absl::Status Flow(const grpc_bytes::Client& client) {
  auto stream = client.Open("http://peer/test.Echo/Stream", TenSeconds());
  if (!stream.ok()) return stream.status();
  constexpr int kMessages = 5000;
  std::thread writer([&] {
    for (int i = 0; i < kMessages; ++i) {
      if (!stream->Write(absl::StrCat("message ", i))) return;
    }
    stream->WritesDone();
  });
  std::string came;
  int right = 0;
  while (stream->Read(came)) right += came == absl::StrCat("message ", right);
  writer.join();
  absl::Status status = stream->Finish();
  if (!status.ok() || right == kMessages) return status;
  return absl::InternalError(absl::StrCat(right, " messages came"));
}

absl::Status Streams(const grpc_bytes::Client& client) {
  absl::Status status = PingPong(client, 1000, 10);
  if (status.ok()) status = PingPong(client, 10, size_t{1} << 20);
  if (status.ok()) status = PingPong(client, 0, 0);
  return status.ok() ? Flow(client) : status;
}

// A status with a text and metadata, of unary calls and of streams.
absl::Status Refused(const grpc_bytes::Client& client) {
  const auto right = [](const absl::Status& status,
                        const grpc_bytes::Metadata& trailing) {
    return absl::IsAborted(status) &&
           status.message().find(kGrpcText.data()) != std::string::npos &&
           trailing.Get("x-bytes-bin") == kGrpcBytes;
  };
  grpc_bytes::Result result =
      client.Unary("http://peer/test.Echo/Fail", "message", TenSeconds());
  if (!right(result.status, result.trailing_metadata)) {
    return absl::InternalError(result.status.ToString());
  }
  auto stream = client.Open("http://peer/test.Echo/Fail", TenSeconds());
  if (!stream.ok()) return stream.status();
  const absl::Status status = stream->Finish();
  if (right(status, stream->trailing_metadata())) return absl::OkStatus();
  return absl::InternalError(status.ToString());
}

struct Clients {
  http::Client http;
  grpc_bytes::Client grpc;
};

struct GrpcCheck {
  std::string_view name;
  absl::Status (*run)(const grpc_bytes::Client&);
};
constexpr GrpcCheck kGrpcChecks[] = {
    {"grpc", Unary}, {"grpc-streams", Streams}, {"grpc-refused", Refused}};

struct Check {
  std::string_view name;
  absl::Status (*run)(const http::Client&);
};
constexpr Check kChecks[] = {
    {"hello", Hello},           {"echo", Echo},
    {"trailers", Trailers},     {"head", Head},
    {"no-content", NoContent},  {"not-modified", NotModified},
    {"chunked", Chunked},       {"close", Close},
    {"early", Early},           {"threads", Threads},
    {"concurrent", Concurrent}, {"idle", Idle}};

// Whether it went well.
bool RunOne(const Clients& clients, const std::string& name) {
  absl::Status status = absl::NotFoundError("there is no such check");
  for (const Check& check : kChecks) {
    if (check.name == name) status = check.run(clients.http);
  }
  for (const GrpcCheck& check : kGrpcChecks) {
    if (check.name == name) status = check.run(clients.grpc);
  }
  if (status.ok()) return true;
  printf("FAILED %s: %s\n", name.c_str(), status.ToString().c_str());
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
  const auto grpc = grpc_bytes::Client::Create(**mesh);
  if (!client.ok() || !grpc.ok()) {
    const absl::Status& status = client.ok() ? grpc.status() : client.status();
    return printf("%s\n", status.ToString().c_str()), 1;
  }
  const Clients clients{*client, *grpc};
  bool good = true;
  for (int i = 0; i < check_count; ++i) {
    good = RunOne(clients, check_names[i]) && good;
  }
  return good ? 0 : 1;
}

}  // namespace meshlib::interop

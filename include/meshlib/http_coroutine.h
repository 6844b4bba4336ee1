#ifndef MESHLIB_HTTP_COROUTINE_H_
#define MESHLIB_HTTP_COROUTINE_H_

#include "meshlib/http.h"

// HTTP calls for C++20 coroutines; nothing for older dialects. The library
// itself is C++17.
//
//   Task<int> Ask(meshlib::http::CoroutineClient client) {
//     auto response = co_await client.Send(request);
//     co_return response.ok() ? response->status : 0;
//   }

#if defined(__cpp_impl_coroutine) && __has_include(<coroutine>)

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace meshlib::http {

// Client, with calls to be awaited. Copyable. Thread-safe, as Client is.
//
// Where a coroutine goes on: by default on the I/O thread of the mesh that has
// the response; it must not block there until it is suspended again. With an
// executor, wherever that runs what it is given:
//
//   CoroutineClient client(mesh_client, [&pool](auto resume) {
//     pool.Post(std::move(resume));
//   });
class CoroutineClient {
 public:
  // Runs `resume` once, now or later, on any thread. Called on an I/O thread,
  // by several of them at a time. Each is a small function without arguments
  // that may be moved, not copied; where only copyable ones are taken, a
  // shared_ptr to it will do.
  using Resume = absl::AnyInvocable<void()>;
  using Executor = absl::AnyInvocable<void(Resume resume) const>;

  explicit CoroutineClient(Client client) : client_(std::move(client)) {}
  CoroutineClient(Client client, Executor executor)
      : client_(std::move(client)),
        executor_(std::make_shared<const Executor>(std::move(executor))) {}

  // One call, to be awaited.
  class [[nodiscard]] Call;

  // Begins when it is awaited; once only. `co_await` gives what Client::Send()
  // gives. The coroutine must not be destroyed meanwhile; Request::timeout
  // bounds that, and a shutdown of the mesh. After one it does not suspend: it
  // goes on at once, with FailedPrecondition. What the coroutine throws to
  // whoever lets it go on is logged, as with Client::Callback.
  Call Send(Request request) const;

 private:
  Client client_;
  std::shared_ptr<const Executor> executor_;  // null: the I/O thread
};

class CoroutineClient::Call {
 public:
  Call(Client client, std::shared_ptr<const Executor> executor, Request request)
      : client_(std::move(client)),
        executor_(std::move(executor)),
        request_(std::move(request)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    // The coroutine may go on elsewhere, and this be gone, before SendAsync()
    // has returned.
    const Client client = client_;
    client.SendAsync(std::move(request_), [this, waiting](auto result) {
      result_ = std::move(result);
      if (executor_ == nullptr) return waiting.resume();
      const std::shared_ptr<const Executor> executor = executor_;
      (*executor)([waiting] { waiting.resume(); });
    });
  }
  absl::StatusOr<Response> await_resume() { return *std::move(result_); }

 private:
  Client client_;
  std::shared_ptr<const Executor> executor_;
  Request request_;
  std::optional<absl::StatusOr<Response>> result_;
};

inline CoroutineClient::Call CoroutineClient::Send(Request request) const {
  return Call(client_, executor_, std::move(request));
}

}  // namespace meshlib::http

#endif  // __cpp_impl_coroutine

#endif  // MESHLIB_HTTP_COROUTINE_H_

// Sends a request's body piece by piece while the response comes, once with
// two functions that block, once with an observer.

#include <future>
#include <iostream>
#include <memory>
#include <string>

#include "echo_mesh.h"
#include "meshlib/http_stream.h"

namespace {

using meshlib::http::AsyncStream;

meshlib::http::Request Upload() {
  meshlib::http::Request request;
  request.method = "POST";
  request.url = "http://cluster:echo/upload";
  return request;
}

absl::Status Blocking(const meshlib::http::Client& client) {
  auto stream = client.Open(Upload());
  if (!stream.ok()) return stream.status();
  for (const char* piece : {"one ", "two ", "three"}) {
    absl::Status status = stream->Write(piece);
    if (!status.ok()) return status;
  }
  absl::Status closed = stream->CloseWrite();
  if (!closed.ok()) return closed;
  const auto head = stream->ReadHead();
  if (!head.ok()) return head.status();
  std::cout << "blocking: " << head->status << " ";
  std::string bytes;
  while (true) {
    const auto more = stream->Read(bytes);
    if (!more.ok()) return more.status();
    if (!*more) break;
    std::cout << bytes;
  }
  std::cout << "\n";
  return absl::OkStatus();
}

// Reads what comes; runs on a thread of the mesh, and never waits.
class Collector final : public meshlib::http::StreamObserver {
 public:
  void OnHead(AsyncStream& stream,
              const meshlib::http::ResponseHead& head) override {
    text_ = std::to_string(head.status) + " ";
  }
  void OnReadable(AsyncStream& stream) override { stream.Read(text_); }
  void OnDone(AsyncStream& stream, const absl::Status& status) override {
    stream.Read(text_);
    done_.set_value(status);
  }
  absl::Status Wait() { return done_.get_future().get(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::promise<absl::Status> done_;
};

}  // namespace

int main() {
  const examples::EchoMesh echo =
      examples::MakeEchoMesh(meshlib::testing::BackendAnswer::Echo());
  if (echo.mesh == nullptr) return 1;
  const auto client = meshlib::http::Client::Create(*echo.mesh);
  if (!client.ok()) return std::cerr << client.status() << "\n", 1;
  const absl::Status status = Blocking(*client);
  if (!status.ok()) return std::cerr << status << "\n", 1;

  const auto collector = std::make_shared<Collector>();
  AsyncStream stream = client->OpenAsync(Upload(), collector);
  // False would say: wait for OnWritable().
  if (!stream.Write("four ") || !stream.Write("five")) return 1;
  if (!stream.CloseWrite().ok()) return 1;
  const absl::Status done = collector->Wait();
  if (!done.ok()) return std::cerr << done << "\n", 1;
  std::cout << "observer: " << collector->text() << "\n";
  return 0;
}

// gRPC C++'s ends of run.py, without a schema: messages are bytes.
//   meshlib_grpc_peer serve         echoes each message of any method but Fail
//                                   at the address that it prints, until
//                                   standard input ends
//   meshlib_grpc_peer call ADDRESS  calls such a server: unary and bidi
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "test/interop/peer_routes.h"

namespace meshlib::interop {
namespace {

grpc::ByteBuffer Buffer(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

std::string Text(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return "";
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

// One call; deletes itself when it is over.
class EchoReactor final : public grpc::ServerGenericBidiReactor {
 public:
  EchoReactor() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartWrite(&message_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&message_);
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
};

// Ends each call at once, with what peer_routes.h says.
class FailReactor final : public grpc::ServerGenericBidiReactor {
 public:
  explicit FailReactor(grpc::GenericCallbackServerContext* context) {
    context->AddTrailingMetadata("x-bytes-bin", std::string(kGrpcBytes));
    Finish({grpc::StatusCode::ABORTED, std::string(kGrpcText)});
  }
  void OnDone() override { delete this; }
};

class EchoService final : public grpc::CallbackGenericService {
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    if (context->method() == "/test.Echo/Fail") return new FailReactor(context);
    return new EchoReactor;
  }
};

int Serve() {
  EchoService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return 1;
  printf("127.0.0.1:%d\n", port);
  fflush(stdout);
  while (getchar() != EOF) continue;
  return 0;
}

class Caller {
 public:
  explicit Caller(const std::string& address)
      : stub_(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials())) {}

  // Whether each of the messages came back, each before the next was sent,
  // and then the status OK.
  bool Echoes(int messages, size_t size) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(10));
    const auto call = stub_.PrepareCall(&context, "/test.Echo/Any", &queue_);
    call->StartCall(this);
    bool good = Done();
    for (int i = 0; good && i < messages; ++i) {
      const std::string sent = std::to_string(i) + std::string(size, 'm');
      grpc::ByteBuffer came;
      call->Write(Buffer(sent), this);
      good = Done();
      if (!good) break;
      call->Read(&came, this);
      good = Done() && Text(came) == sent;
    }
    if (good) {
      call->WritesDone(this);
      good = Done();
    }
    grpc::Status status;
    call->Finish(&status, this);
    good = Done() && good;
    if (!status.ok()) printf("%s\n", status.error_message().c_str());
    return good && status.ok();
  }

  // The same for a unary call.
  bool EchoesUnary(size_t size) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(10));
    const std::string sent(size, 'u');
    const auto call = stub_.PrepareUnaryCall(&context, "/test.Echo/Unary",
                                             Buffer(sent), &queue_);
    call->StartCall();
    grpc::ByteBuffer came;
    grpc::Status status;
    call->Finish(&came, &status, this);
    const bool good = Done() && status.ok() && Text(came) == sent;
    if (!status.ok()) printf("%s\n", status.error_message().c_str());
    return good;
  }

 private:
  // Of the one thing that is under way.
  bool Done() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
};

int Call(const std::string& address) {
  Caller caller(address);
  for (size_t size = 0; size < 20; ++size) {
    if (!caller.EchoesUnary(size_t{1} << size)) return 1;
  }
  if (!caller.Echoes(1000, 10) || !caller.Echoes(10, 1 << 20)) return 1;
  puts("20 unary calls, 1010 messages of two streams");
  return 0;
}

}  // namespace
}  // namespace meshlib::interop

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "serve") return meshlib::interop::Serve();
  if (command == "call" && argc == 3) return meshlib::interop::Call(argv[2]);
  fprintf(stderr, "usage: see the top of grpc_peer_main.cc\n");
  return 2;
}

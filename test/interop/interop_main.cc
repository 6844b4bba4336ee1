// Our ends of test/interop/run.py:
//   meshlib_interop certificates FOLDER
//     makes root.pem, and .pem and .key of "server" and "client"
//   meshlib_interop serve [CERTIFICATE_FOLDER]
//     serves peer_routes.h at the address that it prints, with mTLS if there
//     is a folder, until standard input ends
//   meshlib_interop call MESH_YAML CHECK...
//   meshlib_interop discover BOOTSTRAP
//     does what xds_client.h says
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include "meshlib/testing/backend.h"
#include "test/interop/calls.h"
#include "test/interop/peer_routes.h"
#include "test/interop/xds_client.h"
#include "test/security/test_certificates.h"

namespace meshlib::interop {
namespace {

using meshlib::testing::Backend;
using meshlib::testing::BackendAnswer;
using meshlib::testing::BackendOptions;
using meshlib::testing::BackendRequest;

int MakeCertificates(const std::string& folder) {
  const security::TestCa root;
  std::ofstream(folder + "/root.pem") << root.pem();
  for (const std::string name : {"server", "client"}) {
    security::TestLeaf leaf;
    leaf.common_name = name;
    leaf.alternative_names =
        "URI:spiffe://mesh.test/" + name + ",DNS:peer.test,IP:127.0.0.1";
    const security::TlsMaterial pair = root.Issue(leaf);
    std::ofstream(folder + "/" + name + ".pem") << pair.certificate_chain;
    std::ofstream(folder + "/" + name + ".key") << pair.private_key;
  }
  return 0;
}

BackendAnswer Answer(const BackendRequest& request) {
  if (request.Get("content-type").substr(0, 16) == "application/grpc") {
    BackendAnswer answer = BackendAnswer::Echo();
    answer.headers = {{"content-type", "application/grpc"}};
    answer.trailers = {{"grpc-status", "0"}};
    return answer;
  }
  if (request.path == "/echo") return BackendAnswer::Echo();
  if (request.path == "/204") return BackendAnswer::Status(204);
  if (request.path == "/304") return BackendAnswer::Status(304);
  if (request.path == "/early") {
    BackendAnswer answer = BackendAnswer::Status(413);
    answer.early = true;
    return answer;
  }
  BackendAnswer answer = BackendAnswer::Status(200, std::string(kHello));
  if (request.path == "/trailers") answer.trailers = {{"x-check", "done"}};
  if (request.path == "/close") answer.fault = BackendAnswer::Fault::kGoAway;
  if (request.path == "/hello") answer.headers = {{"content-length", "5"}};
  if (request.path == "/chunked") {
    answer.body.clear();
    for (int i = 0; i < kPieces; ++i) answer.body.append(kPiece);
  }
  return answer;
}

int Serve(const std::string& certificates) {
  BackendOptions options;
  options.max_concurrent_streams = 1000;
  if (!certificates.empty()) {
    options.certificate_file = certificates + "/server.pem";
    options.private_key_file = certificates + "/server.key";
    options.client_ca_file = certificates + "/root.pem";
  }
  const auto backend = Backend::Start(options);
  if (!backend.ok()) {
    fprintf(stderr, "%s\n", backend.status().ToString().c_str());
    return 1;
  }
  (*backend)->SetResponder(Answer);
  printf("%s\n", (*backend)->address().c_str());
  fflush(stdout);
  while (getchar() != EOF) continue;
  return 0;
}

}  // namespace
}  // namespace meshlib::interop

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "certificates" && argc == 3) {
    return meshlib::interop::MakeCertificates(argv[2]);
  }
  if (command == "serve" && argc <= 3) {
    return meshlib::interop::Serve(argc == 3 ? argv[2] : "");
  }
  if (command == "call" && argc > 3) {
    return meshlib::interop::RunCalls(argv[2], argc - 3, argv + 3);
  }
  if (command == "discover" && argc == 3) {
    return meshlib::interop::Discover(argv[2]);
  }
  fprintf(stderr, "usage: see the top of interop_main.cc\n");
  return 2;
}

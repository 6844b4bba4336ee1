// Runs `meshctl serve` and asks it as a client does.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/controlplane/ads_client.h"
#include "test/meshctl/run_meshctl.h"
#include "xds/resource_type.h"

extern char** environ;

namespace meshlib::meshctl {
namespace {

namespace fs = std::filesystem;
using controlplane::AdsClientPeer;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kCds(xds::TypeUrlOf(xds::ResourceType::kCluster));
const std::string kLds(xds::TypeUrlOf(xds::ResourceType::kListener));
const std::string kSds(xds::TypeUrlOf(xds::ResourceType::kSecret));

std::string ClusterText(const std::string& name, const std::string& more = "") {
  return absl::StrCat("\"@type\": ", kCds, "\nname: ", name,
                      "\nconnect_timeout: 1s\n"
                      "load_assignment: {cluster_name: ",
                      name, "}\n", more);
}

class ServeTest : public ::testing::Test {
 protected:
  ServeTest() {
    std::string name = ::testing::TempDir() + "/serve.XXXXXX";
    root_ = mkdtemp(name.data());
    fs::create_directory(root_ / "d");
  }
  ~ServeTest() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    fs::remove_all(root_);
  }

  // By a rename, as editors do.
  void Put(const std::string& name, const std::string& text) {
    std::ofstream(root_ / "new") << text;
    fs::rename(root_ / "new", root_ / "d" / name);
  }
  std::string Read(const char* name) {
    std::ifstream file(root_ / name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string Out() { return Read("out"); }
  std::string Err() { return Read("err"); }

  // Starts it and a client.
  void Start() {
    const std::string dir = root_ / "d";
    std::vector<std::string> words = {MESHCTL_BINARY, "serve", dir};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string out = root_ / "out";
    const std::string err = root_ / "err";
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const int create = O_WRONLY | O_CREAT | O_APPEND;
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), create, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), create, 0600);
    ASSERT_EQ(posix_spawn(&child_, MESHCTL_BINARY, &actions, nullptr,
                          argv.data(), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    AdsClientPeer nobody("");
    ASSERT_TRUE(nobody.Until([&] { return Out().find('\n') < 1000; })) << Err();
    const std::string first = Out().substr(0, Out().find('\n'));
    EXPECT_EQ(first.find("serving " + dir + " at 127.0.0.1:"), 0u) << first;
    client_ =
        std::make_unique<AdsClientPeer>(first.substr(first.rfind(' ') + 1));
    client_->Open();
  }
  // The names of the next response, each with the bytes of what it is.
  std::string ReadNames() {
    const auto response = client_->Read();
    if (!response.has_value()) return "none";
    std::string names;
    for (const auto& any : response->resources()) {
      EXPECT_EQ(any.type_url(), response->type_url());
      // The field 1 of all types is the name.
      const size_t length = static_cast<unsigned char>(any.value()[1]);
      absl::StrAppend(&names, any.value().substr(2, length), " ");
    }
    return names;
  }
  bool Says(const std::string& text) {
    return client_->Until(
        [&] { return Out().find(text) != std::string::npos; });
  }
  bool Complains(const std::string& text) {
    return client_->Until(
        [&] { return Err().find(text) != std::string::npos; });
  }
  // Its exit status; -1 if a signal ended it.
  int End(int signal) {
    kill(child_, signal);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  fs::path root_;
  pid_t child_ = 0;
  std::unique_ptr<AdsClientPeer> client_;
};

TEST_F(ServeTest, ServesAFolderAndWhatChangesInIt) {
  Put("a.yaml", ClusterText("a"));
  ASSERT_NO_FATAL_FAILURE(Start());
  client_->Ask(kCds);
  EXPECT_EQ(ReadNames(), "a ");
  const std::string version = client_->last().version_info();
  client_->Reply();
  EXPECT_TRUE(Says("client 1 \"test\": ACK Cluster version " + version + "\n"));
  Put("b.yaml", ClusterText("b"));
  EXPECT_EQ(ReadNames(), "a b ");
  EXPECT_NE(client_->last().version_info(), version);
  client_->Reply("cluster \"b\": connect_timeout: bad\ncluster \"c\": \x1b[2J");
  EXPECT_TRUE(Says(absl::StrCat("client 1 \"test\": NACK Cluster version ",
                                client_->last().version_info(),
                                ": cluster \"b\": connect_timeout: bad\n")));
  EXPECT_TRUE(Says("cluster \"c\": \\x1b[2J\n")) << Out();
  // Written in place.
  std::ofstream(root_ / "d" / "b.yaml") << ClusterText("c");
  EXPECT_EQ(ReadNames(), "a c ");
  fs::remove(root_ / "d" / "b.yaml");
  EXPECT_EQ(ReadNames(), "a ");
  EXPECT_EQ(client_->last().version_info(), version) << "the same content";
  EXPECT_EQ(Err(), "");
  EXPECT_EQ(End(SIGTERM), 0);
  EXPECT_THAT(client_->ReadEnd(), HasSubstr("grpc-status=14\n"));
}

TEST_F(ServeTest, ServesWhatWasValidWhileItIsNot) {
  Put("a.yaml", ClusterText("a"));
  ASSERT_NO_FATAL_FAILURE(Start());
  client_->Ask(kCds);
  EXPECT_EQ(ReadNames(), "a ");
  Put("b.yaml", ClusterText("b", "conect_timeout: 1s\n"));
  EXPECT_TRUE(Complains("d/b.yaml:5:"));
  EXPECT_TRUE(Complains("is not valid; what was valid is served still"));
  EXPECT_TRUE(client_->Quiet());
  // A client that comes now gets the old state.
  client_->Open();
  client_->Ask(kCds);
  EXPECT_EQ(ReadNames(), "a ");
  // Values that no client would take, too.
  Put("b.yaml", ClusterText("b",
                            "lb_policy: MAGLEV\n"
                            "maglev_lb_config: {table_size: 10}\n"));
  EXPECT_TRUE(Complains("table_size"));
  Put("b.yaml", ClusterText("b"));
  EXPECT_EQ(ReadNames(), "a b ");
  EXPECT_TRUE(Complains("is valid again"));
  EXPECT_EQ(End(SIGINT), 0);
}

TEST_F(ServeTest, ServesTheStaticResourcesOfABootstrap) {
  Put("mesh.json", R"({"static_resources": {
    "clusters": [{"name": "a", "connect_timeout": "1s",
                  "load_assignment": {"cluster_name": "a"}}],
    "secrets": [{"name": "s", "generic_secret":
                 {"secret": {"inline_string": "x"}}}]}})");
  ASSERT_NO_FATAL_FAILURE(Start());
  client_->Ask(kSds, {"s"});
  EXPECT_EQ(ReadNames(), "s ");
  client_->Ask(kCds, {"*"});
  EXPECT_EQ(ReadNames(), "a ");
  client_->Ask(kLds);
  EXPECT_EQ(ReadNames(), "");
}

TEST_F(ServeTest, DoesNotBeginWithWhatIsNotValid) {
  Put("a.yaml", ClusterText("a", "conect_timeout: 1s\n"));
  const std::string dir = root_ / "d";
  ProgramRun run = RunMeshctl({"serve", dir});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("a.yaml:5:"));
  EXPECT_THAT(run.err, HasSubstr("is not valid"));
  run = RunMeshctl({"serve", "/nowhere"});
  EXPECT_EQ(run.exit_code, 1);
  Put("a.yaml", ClusterText("a"));
  run = RunMeshctl({"serve", dir, "--listen", "nonsense"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("nonsense"));
  run = RunMeshctl({"serve", dir, "--client-ca", "x.pem"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("--tls-cert"));
  run = RunMeshctl({"serve", dir, "--tls-cert", "/nowhere", "--tls-key", "/x"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("/nowhere"));
  EXPECT_EQ(run.out, "");
}

}  // namespace
}  // namespace meshlib::meshctl

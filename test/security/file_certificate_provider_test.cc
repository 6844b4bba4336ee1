#include "security/file_certificate_provider.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/security/test_certificates.h"

namespace meshlib::security {
namespace {

using ::testing::HasSubstr;

// A folder as Kubernetes mounts a secret: the files are links into "..data",
// which is a link that one rename moves to the next version.
class FileCertificateProviderTest : public ::testing::Test {
 protected:
  FileCertificateProviderTest() {
    std::string pattern = ::testing::TempDir() + "/certificatesXXXXXX";
    folder_ = mkdtemp(pattern.data());
    for (const char* name : {"tls.crt", "tls.key", "ca.crt"}) {
      std::filesystem::create_symlink(std::string("..data/") + name,
                                      folder_ + "/" + name);
    }
    files_.certificate.certificate_chain =
        model::DataSource::File(folder_ + "/tls.crt");
    files_.certificate.private_key =
        model::DataSource::File(folder_ + "/tls.key");
    files_.trusted_ca = model::DataSource::File(folder_ + "/ca.crt");
  }
  ~FileCertificateProviderTest() override {
    std::filesystem::remove_all(folder_);
  }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }

  void Swap(const TlsMaterial& material) {
    const std::string version = "v" + std::to_string(++version_);
    const std::string path = folder_ + "/" + version;
    std::filesystem::create_directory(path);
    Write(path + "/tls.crt", material.certificate_chain);
    Write(path + "/tls.key", material.private_key);
    Write(path + "/ca.crt", material.trusted_ca);
    std::filesystem::create_symlink(version, folder_ + "/..next");
    std::filesystem::rename(folder_ + "/..next", folder_ + "/..data");
  }

  const TestCa ca_;
  std::string folder_;
  TlsSources files_;
  int version_ = 0;
};

TEST_F(FileCertificateProviderTest, FollowsAnAtomicSwapOfTheDirectory) {
  FileCertificateProvider provider(files_);
  EXPECT_EQ(provider.Latest(), nullptr);
  const absl::Status missing = provider.Refresh();
  EXPECT_THAT(missing.ToString(), HasSubstr("/tls.crt\": No such file"));

  const TlsMaterial first = ca_.Issue({});
  Swap(first);
  ASSERT_TRUE(provider.Refresh().ok());
  const auto before = provider.Latest();
  EXPECT_EQ(*before, first);
  ASSERT_TRUE(provider.Refresh().ok());
  EXPECT_EQ(provider.Latest(), before);  // the same pointer: nothing changed

  const TlsMaterial second = ca_.Issue({});
  Swap(second);
  ASSERT_TRUE(provider.Refresh().ok());
  EXPECT_EQ(*provider.Latest(), second);
  EXPECT_EQ(*before, first);  // whoever holds it keeps it
}

TEST_F(FileCertificateProviderTest, KeepsTheOldPairWhileTheNewOneIsNotWhole) {
  FileCertificateProvider provider(files_);
  const TlsMaterial first = ca_.Issue({});
  Swap(first);
  ASSERT_TRUE(provider.Refresh().ok());
  const auto before = provider.Latest();

  const TlsMaterial second = ca_.Issue({});
  const auto expect_error = [&](const std::string& want) {
    EXPECT_THAT(provider.Refresh().ToString(), HasSubstr(want));
    EXPECT_EQ(provider.Latest(), before);
  };
  // One file after the other, the first of them half written at first.
  Write(files_.certificate.certificate_chain.filename,
        second.certificate_chain.substr(0, 200));
  expect_error("certificate_chain: certificate 1 cannot be read");
  Write(files_.certificate.certificate_chain.filename,
        second.certificate_chain);
  expect_error("private_key is not the key of the certificate");
  Write(files_.certificate.private_key.filename, "");
  expect_error("/tls.key\": is empty");
  Write(files_.certificate.private_key.filename, second.private_key);
  ASSERT_TRUE(provider.Refresh().ok());
  EXPECT_EQ(*provider.Latest(), second);
}

TEST_F(FileCertificateProviderTest, RefusesWhatIsNoFile) {
  Swap(ca_.Issue({}));
  FileCertificateProvider provider(files_);
  unlink(files_.trusted_ca.filename.c_str());
  ASSERT_EQ(mkfifo(files_.trusted_ca.filename.c_str(), 0600), 0);
  EXPECT_THAT(provider.Refresh().ToString(), HasSubstr("is no regular file"));
  unlink(files_.trusted_ca.filename.c_str());
  std::filesystem::create_directory(files_.trusted_ca.filename);
  EXPECT_THAT(provider.Refresh().ToString(), HasSubstr("is no regular file"));
}

}  // namespace
}  // namespace meshlib::security

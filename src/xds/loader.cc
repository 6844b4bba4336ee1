#include "xds/loader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "xds/json_reader.h"
#include "xds/loader_documents.h"
#include "xds/loader_text.h"
#include "xds/yaml_reader.h"

namespace meshlib::xds {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxFolderDepth = 32;
constexpr size_t kMaxFiles = 100000;

// How long a pipe may keep us waiting for its next bytes.
constexpr int kPipeWaitMs = 10'000;

// A pipe that nobody writes to must not hang us.
std::string WaitForData(int fd) {
  pollfd wanted{fd, POLLIN, 0};
  while (true) {
    const int ready = poll(&wanted, 1, kPipeWaitMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return base::SystemError(errno);
    return ready > 0 ? "" : "is a pipe that nothing came from in 10 s";
  }
}

// Reads an open file up to its end; explains why not.
std::string ReadAll(int fd, char* data, size_t capacity, size_t& size) {
  size = 0;
  while (true) {
    std::string problem = WaitForData(fd);
    if (!problem.empty()) return problem;
    const ssize_t n = read(fd, data + size, capacity - size);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return base::SystemError(errno);
    if (n == 0) return {};
    size += static_cast<size_t>(n);
    if (size == capacity) return "has grown while it was read";
  }
}

// A file that was opened, and how much of it to expect.
struct OpenedFile {
  int fd = -1;
  size_t size = 0;
  std::string problem;  // empty: none
};

OpenedFile OpenFile(const std::string& path) {
  OpenedFile file;
  // Non-blocking, since to open a pipe waits for who writes to it.
  file.fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.fd < 0) {
    file.problem = errno == ENOENT ? "no such file" : base::SystemError(errno);
    return file;
  }
  struct stat info;
  if (fstat(file.fd, &info) != 0) {
    file.problem = base::SystemError(errno);
  } else if (S_ISDIR(info.st_mode)) {
    file.problem = "is a directory";
  } else if (S_ISFIFO(info.st_mode)) {
    // Its size shows at its end only; memory is taken as it is filled.
    file.size = kMaxTextBytes;
  } else if (!S_ISREG(info.st_mode)) {
    file.problem = "is not a regular file";
  } else if (static_cast<size_t>(info.st_size) > kMaxTextBytes) {
    file.problem = absl::StrCat("has ", info.st_size, " bytes; at most ",
                                kMaxTextBytes, " are taken");
  } else {
    file.size = static_cast<size_t>(info.st_size);
  }
  return file;
}

bool IsConfigName(const std::string& name) {
  return absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml") ||
         absl::EndsWith(name, ".json");
}

TextFormat FormatOf(std::string_view name, std::string_view text) {
  const auto ends = [name](std::string_view suffix) {
    return name.size() >= suffix.size() &&
           name.substr(name.size() - suffix.size()) == suffix;
  };
  if (ends(".json")) return TextFormat::kJson;
  if (ends(".yaml") || ends(".yml")) return TextFormat::kYaml;
  // Both begin so: {"a": 1} and [{"a": 1}]; YAML's {a: 1} does not.
  text = WithoutBom(text);
  const auto skip = [&text] {
    const size_t at = text.find_first_not_of(" \t\r\n");
    text.remove_prefix(std::min(at, text.size()));
  };
  skip();
  if (!text.empty() && text.front() == '[') {
    text.remove_prefix(1);
    skip();
  }
  if (text.empty() || text.front() != '{') return TextFormat::kYaml;
  text.remove_prefix(1);
  skip();
  const bool json = text.empty() || text.front() == '"' || text.front() == '}';
  return json ? TextFormat::kJson : TextFormat::kYaml;
}

// The configuration files below a folder.
struct Listing {
  std::vector<std::string> files;
  std::vector<std::pair<std::string, std::string>> problems;  // path, what
};

void List(const fs::path& folder, int depth, Listing& out) {
  if (depth > kMaxFolderDepth) {
    out.problems.emplace_back(
        folder.string(),
        absl::StrCat("folders nested deeper than ", kMaxFolderDepth));
    return;
  }
  std::error_code error;
  fs::directory_iterator it(folder, error);
  if (error) {
    out.problems.emplace_back(folder.string(), error.message());
    return;
  }
  for (; it != fs::directory_iterator(); it.increment(error)) {
    if (error) break;
    const fs::path& path = it->path();
    const std::string name = path.filename().string();
    if (name.empty() || name.front() == '.') continue;
    std::error_code ignored;
    // Links to folders may go in circles; links to files are how Kubernetes
    // mounts configuration.
    if (fs::is_directory(it->symlink_status(ignored))) {
      List(path, depth + 1, out);
    } else if (IsConfigName(name) && !fs::is_directory(path, ignored)) {
      const bool odd =
          fs::exists(path, ignored) && !fs::is_regular_file(path, ignored);
      if (odd) {
        out.problems.emplace_back(path.string(), "is not a regular file");
      } else {
        out.files.push_back(path.string());
      }
    }
    if (out.files.size() >= kMaxFiles) return;
  }
  if (error) out.problems.emplace_back(folder.string(), error.message());
}

}  // namespace

Loader::Loader(ResourceSink& sink, Problems& problems)
    : documents_(std::make_unique<Documents>(sink, problems)),
      problems_(problems) {}

Loader::~Loader() = default;

void Loader::Load(const std::string& path) {
  std::error_code ignored;
  fs::is_directory(path, ignored) ? LoadDirectory(path) : LoadFile(path);
}

void Loader::LoadFile(const std::string& path) {
  OpenedFile file = OpenFile(path);
  // Room for one byte more tells that the end was reached.
  TextRegion region(file.problem.empty() ? file.size + 1 : 0);
  size_t size = 0;
  if (file.problem.empty() && region.data() == nullptr) {
    file.problem = "is too large for the memory that there is";
  }
  if (file.problem.empty()) {
    file.problem = ReadAll(file.fd, region.data(), region.capacity(), size);
  }
  if (file.fd >= 0) close(file.fd);
  if (!file.problem.empty()) {
    complete_ = false;
    problems_.AddError(path, {}, "", std::move(file.problem));
    return;
  }
  LoadBytes(path, region.data(), size, TextFormat::kAuto,
            [&region](size_t offset) { region.ReleaseBefore(offset); });
}

void Loader::LoadDirectory(const std::string& path) {
  Listing listing;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    const bool exists = fs::exists(path, ignored);
    problems_.AddError(path, {}, "",
                       exists ? "is not a directory" : "no such directory");
    return;
  }
  List(path, 0, listing);
  for (auto& [where, what] : listing.problems) {
    problems_.AddError(where, {}, "", std::move(what));
  }
  if (listing.files.empty() && listing.problems.empty()) {
    problems_.AddError(path, {}, "", "has no *.yaml, *.yml or *.json file");
  }
  if (listing.files.size() >= kMaxFiles) {
    problems_.AddError(path, {}, "",
                       absl::StrCat("has ", kMaxFiles, " files or more"));
    return;
  }
  std::sort(listing.files.begin(), listing.files.end());
  for (const std::string& file : listing.files) LoadFile(file);
}

void Loader::LoadText(std::string_view name, std::string text,
                      TextFormat format) {
  LoadBytes(name, text.data(), text.size(), format, nullptr);
}

void Loader::LoadBytes(std::string_view name, char* data, size_t size,
                       TextFormat format,
                       const std::function<void(size_t)>& passed) {
  const std::string_view text(data, size);
  const TextFault fault = CheckText(text);
  if (!fault.message.empty()) {
    complete_ = false;
    problems_.AddError(name, fault.at, "", fault.message);
    return;
  }
  if (format == TextFormat::kAuto) format = FormatOf(name, text);
  documents_->BeginFile(name);
  const bool blank =
      WithoutBom(text).find_first_not_of(" \t\r\n") == std::string_view::npos;
  bool complete = true;
  if (!blank && format == TextFormat::kJson) {
    complete = ReadJson(data, size, name, *documents_, problems_, passed);
  } else if (!blank) {
    complete = ReadYaml(text, name, *documents_, problems_, passed);
  }
  documents_->EndFile(complete);
  complete_ = complete_ && complete;
}

}  // namespace meshlib::xds

#include "xds/convert_data_source.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "xds/convert_values.h"

namespace meshlib::xds {
namespace {

// Reads at most `limit` + 1 bytes; nothing, with an error, if it cannot.
std::optional<std::string> ReadFileOf(const std::string& path, size_t limit,
                                      FieldErrors& errors) {
  std::error_code error;
  // Pipes and devices could block.
  const bool regular = std::filesystem::is_regular_file(path, error);
  std::ifstream file;
  if (regular) file.open(path, std::ios::binary);
  if (!file.is_open()) {
    errors.Error(absl::StrCat("file ", Quoted(path), " cannot be read"));
    return std::nullopt;
  }
  std::string out;
  char buffer[4096];
  while (out.size() <= limit &&
         (file.read(buffer, sizeof(buffer)) || file.gcount() > 0)) {
    out.append(buffer, static_cast<size_t>(file.gcount()));
  }
  return out;
}

}  // namespace

std::optional<std::string> ReadDataSource(
    const envoy::config::core::v3::DataSource& in, size_t limit,
    FieldErrors& errors) {
  using DataSource = envoy::config::core::v3::DataSource;
  switch (in.specifier_case()) {
    case DataSource::kFilename: {
      ScopedField scope(errors, "filename");
      return ReadFileOf(in.filename(), limit, errors);
    }
    case DataSource::kInlineBytes:
      return in.inline_bytes();
    case DataSource::kInlineString:
      return in.inline_string();
    case DataSource::kEnvironmentVariable: {
      const char* const value = std::getenv(in.environment_variable().c_str());
      if (value != nullptr) return value;
      errors.ErrorAt(
          "environment_variable",
          absl::StrCat(Quoted(in.environment_variable()), " is not set"));
      return std::nullopt;
    }
    case DataSource::SPECIFIER_NOT_SET:
      return "";
  }
  return "";
}

}  // namespace meshlib::xds

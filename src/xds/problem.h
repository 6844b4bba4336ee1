#ifndef MESHLIB_XDS_PROBLEM_H_
#define MESHLIB_XDS_PROBLEM_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "xds/event_sink.h"

namespace meshlib::xds {

enum class Severity {
  kError,    // the resource cannot be used
  kWarning,  // it is used, but should be written differently
  kNote,     // for information: something is passed over
};

enum class ProblemKind {
  kInvalid,      // the text or a value is wrong
  kOutdated,     // an old form, which is still understood
  kUnsupported,  // valid for Envoy; meshlib passes over it
};

// Something to tell the author of a configuration. A value.
struct Problem {
  Severity severity = Severity::kError;
  ProblemKind kind = ProblemKind::kInvalid;
  std::string file;  // as the caller named it
  int line = 0;      // from 1; 0 if there is no line to point at
  int column = 0;    // from 1; 0 if unknown
  std::string path;  // "static_resources.clusters[3].name"; may be empty
  std::string message;
};

// "mesh.yaml:12:5: error: static_resources.clusters[3].name: message"
std::string ToString(const Problem& problem);
std::string_view ToString(Severity severity);

// A list of problems in the order in which they were found. It is bounded, so
// that a broken file of any size costs little: beyond the bound problems are
// counted only, and errors have a bound of their own, so that warnings never
// crowd them out. Of warnings and notes about the same outdated or unsupported
// field in a file the first is kept.
//
// Not thread-safe.
class Problems {
 public:
  static constexpr size_t kDefaultLimit = 1000;

  // Keeps at most `limit` errors and `limit` warnings and notes.
  explicit Problems(size_t limit = kDefaultLimit) : limit_(limit) {}

  void Add(Problem problem);
  // An error of the kind kInvalid.
  void AddError(std::string_view file, Position at, std::string_view path,
                std::string message);

  // The problems that are kept.
  const std::vector<Problem>& list() const { return list_; }

  // Counts all, also those that are not kept.
  size_t errors() const { return errors_; }
  size_t warnings() const { return warnings_; }
  size_t notes() const { return notes_; }
  bool has_errors() const { return errors_ > 0; }

  // How many problems are not in the list (repeated notes not counted).
  size_t left_out() const { return left_out_; }

  // Puts the list in the order of files (as first seen), lines and columns.
  void Sort();

  // One line for each problem; the last one is "... and N more" if some are
  // left out. Each line ends in a newline.
  std::string ToString() const;

 private:
  size_t limit_;
  std::vector<Problem> list_;
  size_t kept_errors_ = 0;
  size_t errors_ = 0;
  size_t warnings_ = 0;
  size_t notes_ = 0;
  size_t left_out_ = 0;
  // How often each note and warning was told, by its file and message.
  absl::flat_hash_map<std::string, size_t> told_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_PROBLEM_H_

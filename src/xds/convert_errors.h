#ifndef MESHLIB_XDS_CONVERT_ERRORS_H_
#define MESHLIB_XDS_CONVERT_ERRORS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "xds/problem.h"

namespace meshlib::xds {

// Something wrong with a field of one resource. `path` is relative to the
// resource and written as in proto/message_path.h:
//   load_assignment.endpoints[0].lb_endpoints[1].endpoint
//   typed_per_filter_config["envoy.filters.http.cors"]
struct FieldProblem {
  Severity severity = Severity::kError;
  ProblemKind kind = ProblemKind::kInvalid;
  std::string path;
  std::string message;
};

// Collects what the converters find, each problem with the path of the field
// that is being converted. The path is kept by ScopedField. Bounded: beyond
// `kLimit` problems are counted only. Not thread-safe.
class FieldErrors {
 public:
  static constexpr size_t kLimit = 1000;

  // At the current path.
  void Error(std::string message);
  void Warning(std::string message);
  // An old form that is still understood.
  void Outdated(std::string message);
  // A note: valid for Envoy, and safe to pass over. The message should be the
  // same for each resource, since reports tell equal ones once.
  void Unsupported(std::string message);

  // At `field` below the current path.
  void ErrorAt(std::string_view field, std::string message);
  void WarningAt(std::string_view field, std::string message);
  void UnsupportedAt(std::string_view field, std::string message);

  std::string path() const;
  size_t error_count() const { return error_count_; }
  const std::vector<FieldProblem>& problems() const { return problems_; }

 private:
  friend class ScopedField;
  struct Step {
    std::string_view field;  // borrowed: a literal, or a key of the message
    int index = -1;
    bool is_map = false;
    std::string_view key;
  };

  void Add(Severity severity, ProblemKind kind, std::string message);

  std::vector<Step> steps_;
  std::vector<FieldProblem> problems_;
  size_t error_count_ = 0;
};

// Enters a field of the message that is being converted, an element of a list
// or an entry of a map, and leaves it at the end of the scope.
class ScopedField {
 public:
  ScopedField(FieldErrors& errors, std::string_view field) : errors_(errors) {
    errors_.steps_.push_back({field, -1, false, {}});
  }
  ScopedField(FieldErrors& errors, std::string_view field, int index)
      : errors_(errors) {
    errors_.steps_.push_back({field, index, false, {}});
  }
  ScopedField(FieldErrors& errors, std::string_view field, std::string_view key)
      : errors_(errors) {
    errors_.steps_.push_back({field, -1, true, key});
  }
  ~ScopedField() { errors_.steps_.pop_back(); }
  ScopedField(const ScopedField&) = delete;
  ScopedField& operator=(const ScopedField&) = delete;

 private:
  FieldErrors& errors_;
};

}  // namespace meshlib::xds

#endif  // MESHLIB_XDS_CONVERT_ERRORS_H_

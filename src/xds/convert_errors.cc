#include "xds/convert_errors.h"

#include <utility>

#include "proto/message_path.h"

namespace meshlib::xds {

void FieldErrors::Add(Severity severity, ProblemKind kind,
                      std::string message) {
  if (severity == Severity::kError) ++error_count_;
  if (problems_.size() >= kLimit) return;
  problems_.push_back({severity, kind, path(), std::move(message)});
}

void FieldErrors::Error(std::string message) {
  Add(Severity::kError, ProblemKind::kInvalid, std::move(message));
}

void FieldErrors::Warning(std::string message) {
  Add(Severity::kWarning, ProblemKind::kInvalid, std::move(message));
}

void FieldErrors::Outdated(std::string message) {
  Add(Severity::kWarning, ProblemKind::kOutdated, std::move(message));
}

void FieldErrors::Unsupported(std::string message) {
  Add(Severity::kNote, ProblemKind::kUnsupported, std::move(message));
}

void FieldErrors::ErrorAt(std::string_view field, std::string message) {
  ScopedField scope(*this, field);
  Error(std::move(message));
}

void FieldErrors::WarningAt(std::string_view field, std::string message) {
  ScopedField scope(*this, field);
  Warning(std::move(message));
}

void FieldErrors::UnsupportedAt(std::string_view field, std::string message) {
  ScopedField scope(*this, field);
  Unsupported(std::move(message));
}

std::string FieldErrors::path() const {
  std::string out;
  for (const Step& step : steps_) {
    proto::AppendStep(out, step.field, step.index,
                      step.is_map ? &step.key : nullptr);
  }
  return out;
}

}  // namespace meshlib::xds

#include "xds/problem.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/strings.h"

namespace meshlib::xds {

std::string_view ToString(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "error";
}

std::string ToString(const Problem& problem) {
  std::string out = problem.file;
  if (problem.line > 0) absl::StrAppend(&out, ":", problem.line);
  if (problem.line > 0 && problem.column > 0) {
    absl::StrAppend(&out, ":", problem.column);
  }
  if (!out.empty()) out += ": ";
  absl::StrAppend(&out, base::ToAbsl(ToString(problem.severity)), ": ");
  if (!problem.path.empty()) absl::StrAppend(&out, problem.path, ": ");
  out += problem.message;
  return out;
}

void Problems::Add(Problem problem) {
  if (problem.severity == Severity::kError) {
    ++errors_;
    if (kept_errors_ >= limit_) {
      ++left_out_;
      return;
    }
    ++kept_errors_;
    list_.push_back(std::move(problem));
    return;
  }
  ++(problem.severity == Severity::kWarning ? warnings_ : notes_);
  // The same field of ten thousand clusters is told once.
  if (problem.kind != ProblemKind::kInvalid) {
    const std::string key = absl::StrCat(problem.file, "\n", problem.message);
    const auto it = told_.find(key);
    if (it != told_.end()) {
      ++it->second;
      return;
    }
    if (told_.size() < limit_) told_.emplace(key, 1);
  }
  if (list_.size() - kept_errors_ >= limit_) {
    ++left_out_;
    return;
  }
  list_.push_back(std::move(problem));
}

void Problems::AddError(std::string_view file, Position at,
                        std::string_view path, std::string message) {
  Add({Severity::kError, ProblemKind::kInvalid, std::string(file), at.line,
       at.column, std::string(path), std::move(message)});
}

void Problems::Sort() {
  absl::flat_hash_map<std::string, size_t> order;
  for (const Problem& p : list_) order.try_emplace(p.file, order.size());
  std::stable_sort(list_.begin(), list_.end(),
                   [&order](const Problem& a, const Problem& b) {
                     return std::make_tuple(order[a.file], a.line, a.column) <
                            std::make_tuple(order[b.file], b.line, b.column);
                   });
}

std::string Problems::ToString() const {
  std::string out;
  for (const Problem& p : list_) {
    out += xds::ToString(p);
    if (p.kind != ProblemKind::kInvalid) {
      const auto it = told_.find(absl::StrCat(p.file, "\n", p.message));
      if (it != told_.end() && it->second > 1) {
        absl::StrAppend(&out, " (", it->second, " times)");
      }
    }
    out += '\n';
  }
  if (left_out_ > 0) absl::StrAppend(&out, "... and ", left_out_, " more\n");
  return out;
}

}  // namespace meshlib::xds

#ifndef MESHLIB_MESHCTL_TEXT_TABLE_H_
#define MESHLIB_MESHCTL_TEXT_TABLE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace meshlib::meshctl {

// Rows of text in aligned columns, two spaces apart, below a header. Columns
// whose header begins with '>' (not printed) are aligned to the right, as
// numbers should be. Empty cells print as "-". Not thread-safe.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header);

  // As many cells as the header has.
  void AddRow(std::vector<std::string> cells);

  // All of it, every line ended and none with spaces at its end.
  std::string ToString() const;

  // For more rows than should be held: first Widen() with each, which makes
  // room for it, then the lines one by one. A cell without room makes its line
  // longer.
  void Widen(const std::vector<std::string>& cells);
  std::string Header() const;
  std::string Line(const std::vector<std::string>& cells) const;

 private:
  std::vector<std::string> header_;
  std::vector<bool> right_;     // by column
  std::vector<size_t> widths_;  // by column
  std::vector<std::vector<std::string>> rows_;
};

// "name   value" lines: the left side padded to the longest.
std::string TextFields(
    const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_TEXT_TABLE_H_

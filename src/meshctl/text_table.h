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

 private:
  void AppendRow(const std::vector<std::string>& cells,
                 const std::vector<size_t>& widths, std::string& out) const;

  std::vector<std::string> header_;
  std::vector<bool> right_;  // by column
  std::vector<std::vector<std::string>> rows_;
};

// "name   value" lines: the left side padded to the longest.
std::string TextFields(
    const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace meshlib::meshctl

#endif  // MESHLIB_MESHCTL_TEXT_TABLE_H_

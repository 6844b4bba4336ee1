#include "meshctl/text_table.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace meshlib::meshctl {
namespace {

// Columns on a terminal: bytes that do not continue a UTF-8 sequence.
size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(),
      [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

TextTable::TextTable(std::vector<std::string> header)
    : header_(std::move(header)) {
  for (std::string& name : header_) {
    right_.push_back(!name.empty() && name.front() == '>');
    if (right_.back()) name.erase(0, 1);
    widths_.push_back(Width(name));
  }
}

void TextTable::AddRow(std::vector<std::string> cells) {
  cells.resize(header_.size());
  for (std::string& cell : cells) {
    if (cell.empty()) cell = "-";
  }
  Widen(cells);
  rows_.push_back(std::move(cells));
}

void TextTable::Widen(const std::vector<std::string>& cells) {
  for (size_t i = 0; i < cells.size(); ++i) {
    widths_[i] = std::max(widths_[i], Width(cells[i]));
  }
}

std::string TextTable::Header() const { return Line(header_); }

std::string TextTable::Line(const std::vector<std::string>& cells) const {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const size_t width = Width(cells[i]);
    const std::string padding(std::max(widths_[i], width) - width, ' ');
    if (i > 0) line += "  ";
    line += right_[i] ? padding + cells[i] : cells[i] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  line += '\n';
  return line;
}

std::string TextTable::ToString() const {
  std::string out = Header();
  for (const auto& row : rows_) out += Line(row);
  return out;
}

std::string TextFields(
    const std::vector<std::pair<std::string, std::string>>& fields) {
  size_t width = 0;
  for (const auto& [name, value] : fields) width = std::max(width, name.size());
  std::string out;
  for (const auto& [name, value] : fields) {
    out += name;
    out.append(width - name.size() + 2, ' ');
    out += value;
    out += '\n';
  }
  return out;
}

}  // namespace meshlib::meshctl

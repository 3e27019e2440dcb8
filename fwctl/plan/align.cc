#include "fwctl/plan/align.h"

#include <algorithm>

namespace gatehouse::fwctl {

std::vector<Aligned> align_rules(const std::vector<KernelRule>& before,
                                 const std::vector<KernelRule>& after) {
  std::vector<Aligned> out;
  std::size_t head = 0;
  while (head < before.size() && head < after.size() && before[head].same_effect(after[head])) {
    out.push_back({&before[head], &after[head]});
    ++head;
  }
  std::size_t tail = 0;
  while (tail < before.size() - head && tail < after.size() - head &&
         before[before.size() - 1 - tail].same_effect(after[after.size() - 1 - tail])) {
    ++tail;
  }
  const std::size_t rows = before.size() - head - tail;
  const std::size_t columns = after.size() - head - tail;
  // length[r][c]: the longest common subsequence of what is left from row r and column c on.
  std::vector<std::vector<std::uint32_t>> length;
  if (rows <= kMaxAligned && columns <= kMaxAligned) {
    length.assign(rows + 1, std::vector<std::uint32_t>(columns + 1, 0));
    for (std::size_t r = rows; r-- > 0;) {
      for (std::size_t c = columns; c-- > 0;) {
        length[r][c] = before[head + r].same_effect(after[head + c])
                           ? length[r + 1][c + 1] + 1
                           : std::max(length[r + 1][c], length[r][c + 1]);
      }
    }
  }
  std::size_t r = 0;
  std::size_t c = 0;
  while (r < rows || c < columns) {
    const bool both = r < rows && c < columns;
    if (both && !length.empty() && before[head + r].same_effect(after[head + c])) {
      out.push_back({&before[head + r++], &after[head + c++]});
    } else if (r < rows && (c == columns || length.empty() || length[r + 1][c] >= length[r][c + 1])) {
      out.push_back({&before[head + r++], nullptr});
    } else {
      out.push_back({nullptr, &after[head + c++]});
    }
  }
  for (std::size_t i = tail; i > 0; --i)
    out.push_back({&before[before.size() - i], &after[after.size() - i]});
  return out;
}

}  // namespace gatehouse::fwctl

#include <array>

#include "mac/backends/backend.h"

namespace gatehouse::mac {

#define ROW(name) extern const Backend k_backend_##name;
#include "mac/backends/backend_table.inc"
#undef ROW

std::span<const Backend* const> backends() {
  static const std::array kTable = {
#define ROW(name) &k_backend_##name,
#include "mac/backends/backend_table.inc"
#undef ROW
  };
  return kTable;
}

const Backend* find_backend(std::string_view name) {
  for (const Backend* backend : backends()) {
    if (backend->name == name) return backend;
  }
  return nullptr;
}

std::string_view to_string(Residual::Kind kind) {
  return kind == Residual::Kind::stronger ? "stronger" : "weaker";
}

}  // namespace gatehouse::mac

// Errors as values. A function that can fail for a reason outside the program returns Result<T>;
// a broken invariant of our own is an assertion, never an Error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace gatehouse::core {

enum class Errc : std::uint8_t {
  invalid_input,  // a file, packet, rule or argument is wrong: exit 2
  not_found,      // a named thing does not exist: exit 2
  unsupported,    // well formed, but this version cannot do it: exit 2
  limit,          // a configured cap would be exceeded: exit 2
  conflict,       // somebody else changed what we were about to change: exit 3
  permission,     // the system refused for lack of rights: exit 3
  io,             // read, write or network failure: exit 3
  system,         // any other refusal of the kernel: exit 3
};

// 1-based; 0 means "not known". The file name is as the user gave it.
struct SourcePos {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  // "file:line:col", shortened to what is known.
  std::string to_string() const;
  friend bool operator==(const SourcePos&, const SourcePos&) = default;
};

struct Error {
  Errc code = Errc::invalid_input;
  std::string text;
  SourcePos where;

  std::string to_string() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Errc code, std::string text, SourcePos where = {}) {
  return tl::make_unexpected(Error{code, std::move(text), std::move(where)});
}

// The Error for a failed system call: `what` names the operation and its object, `err` is errno.
tl::unexpected<Error> fail_errno(int err, std::string_view what);

// Process exit status of a tool that ends with this error: 2 or 3, see Errc.
int exit_status(Errc code);

}  // namespace gatehouse::core

// GH_TRY(auto x, f()): evaluates to f's value or returns its error from the enclosing function.
#define GH_CONCAT_(a, b) a##b
#define GH_CONCAT(a, b) GH_CONCAT_(a, b)
#define GH_TRY_IMPL(tmp, decl, expr)                            \
  auto tmp = (expr);                                            \
  if (!tmp) return tl::make_unexpected(std::move(tmp).error()); \
  decl = std::move(*tmp)
#define GH_TRY(decl, expr) GH_TRY_IMPL(GH_CONCAT(gh_try_, __COUNTER__), decl, expr)
// GH_CHECK(f()): the same for Status.
#define GH_CHECK(expr)                                                        \
  do {                                                                        \
    auto gh_status = (expr);                                                  \
    if (!gh_status) return tl::make_unexpected(std::move(gh_status).error()); \
  } while (0)

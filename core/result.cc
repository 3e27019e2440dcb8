#include "core/result.h"

#include <cerrno>
#include <cstring>

namespace gatehouse::core {

std::string SourcePos::to_string() const {
  std::string out = file;
  if (line == 0) return out;
  out += ':' + std::to_string(line);
  if (column != 0) out += ':' + std::to_string(column);
  return out;
}

std::string Error::to_string() const {
  const std::string at = where.to_string();
  return at.empty() ? text : at + ": " + text;
}

tl::unexpected<Error> fail_errno(int err, std::string_view what) {
  Errc code = Errc::system;
  if (err == EPERM || err == EACCES) code = Errc::permission;
  if (err == ENOENT) code = Errc::not_found;
  if (err == EIO || err == ENOSPC || err == EPIPE || err == ECONNRESET) code = Errc::io;
  return fail(code, std::string(what) + ": " + std::strerror(err));
}

int exit_status(Errc code) {
  switch (code) {
    case Errc::invalid_input:
    case Errc::not_found:
    case Errc::unsupported:
    case Errc::limit:
      return 2;
    case Errc::conflict:
    case Errc::permission:
    case Errc::io:
    case Errc::system:
      return 3;
  }
  return 3;
}

}  // namespace gatehouse::core

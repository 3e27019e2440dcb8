#include "mac/ir/pattern.h"

namespace gatehouse::mac {

core::Result<std::string> normalise_path(std::string_view path) {
  if (path.empty() || path[0] != '/') {
    return core::fail(core::Errc::invalid_input, "`" + std::string(path) + "` is not an absolute path");
  }
  if (path.find('\0') != std::string_view::npos) {
    return core::fail(core::Errc::invalid_input, "a path cannot contain a NUL byte");
  }
  std::string out;
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view component = path.substr(at, end - at);
    at = end + 1;
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      return core::fail(core::Errc::invalid_input,
                        "`" + std::string(path) + "`: `..` has no fixed meaning in a policy");
    }
    out += '/';
    out += component;
  }
  return out.empty() ? "/" : out;
}

bool is_below(std::string_view path, std::string_view directory) {
  if (directory == "/") return path.size() > 1;
  return path.size() > directory.size() + 1 && path.substr(0, directory.size()) == directory &&
         path[directory.size()] == '/';
}

core::Result<Pattern> Pattern::parse(std::string_view text) {
  Pattern out;
  std::string_view directory = text;
  if (text.size() >= 3 && text.substr(text.size() - 3) == "/**") {
    out.kind = Kind::subtree;
    directory = text.substr(0, text.size() - 3);
  } else if (text.size() >= 2 && text.substr(text.size() - 2) == "/*") {
    out.kind = Kind::entries;
    directory = text.substr(0, text.size() - 2);
  }
  if (directory.empty() && out.kind != Kind::literal) directory = "/";
  if (directory.find('*') != std::string_view::npos) {
    return core::fail(core::Errc::invalid_input,
                      "`" + std::string(text) + "`: only a trailing /* or /** is a wildcard");
  }
  GH_TRY(out.path, normalise_path(directory));
  return out;
}

bool Pattern::matches(std::string_view normalised) const {
  switch (kind) {
    case Kind::literal:
      return normalised == path;
    case Kind::subtree:
      return normalised == path || is_below(normalised, path);
    case Kind::entries:
      break;
  }
  if (!is_below(normalised, path)) return false;
  const std::size_t start = path == "/" ? 1 : path.size() + 1;
  return normalised.find('/', start) == std::string_view::npos;
}

std::string Pattern::to_string() const {
  const std::string directory = path == "/" ? "" : path;
  switch (kind) {
    case Kind::literal:
      return path;
    case Kind::entries:
      return directory + "/*";
    case Kind::subtree:
      break;
  }
  return directory + "/**";
}

bool more_specific(const Pattern& a, const Pattern& b) {
  const bool a_literal = a.kind == Pattern::Kind::literal;
  const bool b_literal = b.kind == Pattern::Kind::literal;
  if (a_literal != b_literal) return a_literal;
  if (a.path.size() != b.path.size()) return a.path.size() > b.path.size();
  return a.kind > b.kind;
}

}  // namespace gatehouse::mac

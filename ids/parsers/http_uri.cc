#include "ids/parsers/http_uri.h"

#include <algorithm>
#include <optional>

#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {
namespace {

// The byte written as %XX or %uXXXX at `i`, and how long the escape is. An invalid escape is no
// escape: servers leave it in place.
struct Escape {
  char value;
  std::size_t length;
};

std::optional<Escape> escape_at(std::string_view text, std::size_t i) {
  if (text[i] != '%') return std::nullopt;
  const auto hex = [&](std::size_t at) { return at < text.size() ? hex_digit(text[at]) : -1; };
  if (hex(i + 1) >= 0 && hex(i + 2) >= 0) return Escape{static_cast<char>(hex(i + 1) * 16 + hex(i + 2)), 3};
  if (i + 1 < text.size() && to_lower(text[i + 1]) == 'u' && hex(i + 2) >= 0 && hex(i + 3) >= 0 &&
      hex(i + 4) >= 0 && hex(i + 5) >= 0) {
    const int high = hex(i + 2) * 16 + hex(i + 3);
    const int low = hex(i + 4) * 16 + hex(i + 5);
    // Best fit: full-width forms (FF01..FF5E) stand for ASCII; others lose their high byte.
    if (high == 0xff && low >= 0x01 && low <= 0x5e) return Escape{static_cast<char>(low + 0x20), 6};
    // The division and fraction slashes are slashes to servers that map to a code page.
    if (high == 0x22 && low == 0x15) return Escape{'/', 6};
    if (high == 0x20 && low == 0x44) return Escape{'/', 6};
    return Escape{static_cast<char>(high == 0 ? low : '?'), 6};
  }
  return std::nullopt;
}

std::string decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (const auto escape = escape_at(text, i)) {
      out.push_back(escape->value);
      i += escape->length;
    } else {
      out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
      ++i;
    }
  }
  return out;
}

// "/a/./b/../c" -> "/a/c" (RFC 3986 5.2.4), never above the root; runs of slashes count as one.
std::string remove_dot_segments(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  std::size_t i = 0;
  while (i < path.size()) {
    const bool rooted = path[i] == '/';
    if (rooted) ++i;
    const std::size_t end = std::min(path.find('/', i), path.size());
    const std::string_view segment = path.substr(i, end - i);
    const bool last = end == path.size();
    if (segment.empty() && !last && rooted) {
      i = end;  // "//"
      continue;
    }
    if (segment == ".") {
      // A final "." or ".." leaves no slash behind, unlike RFC 3986: rules expect "/a" for "/a/.".
    } else if (segment == "..") {
      const std::size_t slash = out.rfind('/');
      out.resize(slash == std::string::npos ? 0 : slash);
    } else {
      if (rooted) out.push_back('/');
      out.append(segment);
    }
    i = end;
  }
  return out;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '+' || c == '-' || c == '.';
  });
}

int parse_port(std::string_view text) {
  text = trim(text);
  if (text.empty() || text.size() > 5) return -2;
  int port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return -2;
    port = port * 10 + (c - '0');
  }
  return port >= 1 && port <= 65535 ? port : -2;
}

bool valid_host(std::string_view host) {
  if (host.empty()) return false;
  if (host.front() == '[') {
    return host.size() > 2 && host.back() == ']' && std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
             return hex_digit(c) >= 0 || c == ':' || c == '.' || c == '%';
           });
  }
  std::size_t label = 0;
  for (const char c : host) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    if (!is_digit(c) && (to_lower(c) < 'a' || to_lower(c) > 'z') && c != '-' && c != '_') return false;
    if (++label > 63) return false;
  }
  return host.size() <= 255;
}

void take_authority(std::string_view authority, Uri& uri) {
  uri.has_authority = true;
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) authority.remove_prefix(at + 1);
  uri.host_and_port = std::string(authority);
  const HostPort host_port = parse_host_port(authority);
  uri.host = host_port.host;
  uri.port = host_port.port;
}

}  // namespace

HostPort parse_host_port(std::string_view text) {
  HostPort out;
  text = trim(text);
  std::size_t colon = std::string_view::npos;
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close != std::string_view::npos && close + 1 < text.size()) {
      if (text[close + 1] == ':') {
        colon = close + 1;
      } else {
        out.valid = false;
      }
    }
  } else {
    colon = text.find(':');
  }
  if (colon != std::string_view::npos) {
    out.port = parse_port(text.substr(colon + 1));
    text = trim(text.substr(0, colon));
  }
  while (!text.empty() && text.back() == '.') text.remove_suffix(1);
  out.host = lower(text);
  out.valid = out.valid && valid_host(out.host);
  return out;
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
  return decode(text, plus_is_space);
}

std::string normalise_path(std::string_view path, bool decode_twice) {
  std::string decoded = decode(path, false);
  if (decode_twice) decoded = decode(decoded, false);
  std::replace(decoded.begin(), decoded.end(), '\\', '/');
  return remove_dot_segments(decoded);
}

Uri parse_uri(std::string_view raw, bool authority_form, const UriOptions& options) {
  Uri uri;
  if (authority_form) {
    take_authority(raw, uri);
    return uri;
  }
  const std::size_t colon = raw.find(':');
  if (!raw.empty() && raw.front() != '/' && colon != std::string_view::npos &&
      raw.substr(colon, 3) == "://" && is_scheme(raw.substr(0, colon))) {
    uri.scheme = lower(raw.substr(0, colon));
    raw.remove_prefix(colon + 3);
    const std::size_t end = std::min(raw.find_first_of("/?#"), raw.size());
    take_authority(raw.substr(0, end), uri);
    raw.remove_prefix(end);
  }
  const std::size_t hash = raw.find('#');
  if (hash != std::string_view::npos) {
    uri.has_fragment = true;
    uri.fragment = percent_decode(raw.substr(hash + 1), false);
    raw = raw.substr(0, hash);
  }
  const std::size_t question = raw.find('?');
  std::string_view path = raw.substr(0, std::min(question, raw.size()));
  if (question != std::string_view::npos) {
    uri.has_query = true;
    const std::string_view query = raw.substr(question + 1);
    uri.query = percent_decode(query, false);
    if (options.double_decode_query) uri.query = percent_decode(uri.query, false);
  }
  const std::string once = decode(path, false);
  uri.double_encoded = decode(once, false) != once;
  uri.path = normalise_path(path, options.double_decode_path);
  return uri;
}

std::string Uri::target() const {
  std::string out = path;
  if (has_query) out.append("?").append(query);
  if (has_fragment) out.append("#").append(fragment);
  return out;
}

}  // namespace gatehouse::ids::http

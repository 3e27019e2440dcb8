// Request target: split, decode, normalise. RFC 3986 as servers take it, not as it is written.
#pragma once

#include <string>
#include <string_view>

namespace gatehouse::ids::http {

struct UriOptions {
  bool double_decode_path = false;
  bool double_decode_query = false;
};

struct Uri {
  std::string scheme, host, path, query, fragment;  // host with user information and port removed
  std::string host_and_port;                        // as written
  int port = -1;                                    // -1: none; -2: not a port number
  bool has_query = false, has_authority = false, has_fragment = false;
  bool double_encoded = false;  // decoding the path once more would change it

  // "/path?query" after normalisation: what http.uri matches on.
  std::string target() const;
};

// `authority_form`: CONNECT host:port.
Uri parse_uri(std::string_view raw, bool authority_form, const UriOptions& options);

struct HostPort {
  std::string host;   // lower case, final dot kept out, brackets of an IPv6 literal kept
  int port = -1;      // as Uri::port
  bool valid = true;  // the host consists of characters a host may have
};
HostPort parse_host_port(std::string_view text);

// %XX and %uXXXX decoding of a path, then backslash to slash, slashes compressed and dot segments removed.
std::string normalise_path(std::string_view path, bool decode_twice);
// %XX decoding only; '+' becomes a space when asked.
std::string percent_decode(std::string_view text, bool plus_is_space);

}  // namespace gatehouse::ids::http

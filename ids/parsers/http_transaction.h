// One HTTP/1 request and its response: what rule buffers and the log read.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "ids/parsers/parser.h"

namespace gatehouse::ids {

// Transaction::progress, per direction (to_server: the request; to_client: the response).
// At kHttpHeaders the first line is final; at kHttpBody the header fields are; and so on.
inline constexpr std::uint8_t kHttpNotStarted = 0;
inline constexpr std::uint8_t kHttpLine = 1;
inline constexpr std::uint8_t kHttpHeaders = 2;
inline constexpr std::uint8_t kHttpBody = 3;
inline constexpr std::uint8_t kHttpTrailer = 4;
inline constexpr std::uint8_t kHttpComplete = 5;

// One header field as received, folded lines joined; repeated fields are merged into the first one
// as "a, b" and keep no entry of their own.
struct HttpField {
  std::string name;   // as written
  std::string value;  // white space trimmed at both ends
  bool repeated = false;
};

// Finds a field by name, ASCII case ignored; null when absent.
const HttpField* find_http_field(const std::vector<HttpField>& fields, std::string_view name);

// One direction.
struct HttpMessage {
  std::string line;      // request or status line without its line end
  std::string protocol;  // "HTTP/1.1"; empty when the line had none
  std::vector<HttpField> fields;
  std::vector<HttpField> trailers;
  std::string raw_headers;           // from after the first line up to and with the empty line
  std::vector<std::uint8_t> body;    // content decoded (chunks joined, decompressed), capped
  std::uint64_t body_size = 0;       // decoded bytes seen, also those not kept
  std::uint64_t wire_body_size = 0;  // bytes of the body as sent, chunk framing included
  bool body_capped = false;          // more bytes came than were kept

  // Built when the headers are complete; empty before.
  std::string normal_headers;  // "Name: value\r\n" each, cookies left out: http.header
  std::string all_headers;     // the same with cookies, and the closing "\r\n"
  std::string header_names;    // "\r\nHost\r\nAccept\r\n\r\n"
  std::string start;           // line "\r\n" all_headers: http.start

  const HttpField* field(std::string_view name) const { return find_http_field(fields, name); }
};

class HttpTransaction : public Transaction {
 public:
  std::array<HttpMessage, 2> message;  // by index(Direction)
  HttpMessage& request() { return message[0]; }
  const HttpMessage& request() const { return message[0]; }
  HttpMessage& response() { return message[1]; }
  const HttpMessage& response() const { return message[1]; }

  std::string method;
  std::string uri_raw;   // as in the request line
  std::string uri;       // path and query, decoded and path normalised
  std::string path;      // the path alone, normalised: names the files of this transaction
  std::string host_raw;  // as in the Host field or the absolute URI
  std::string host;      // lower case, port and user information stripped
  int port = -1;         // from the Host field or the URI
  bool http09 = false;   // no protocol in the request: no headers either way

  int status = -1;          // -1: none yet, or not a number
  std::string status_text;  // the code as written
  std::string status_message;

  // Cookie (to_server) or Set-Cookie (to_client) value; empty view when absent.
  std::string_view cookie(Direction direction) const;
};

}  // namespace gatehouse::ids

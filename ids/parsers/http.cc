// HTTP/1: RFC 9110 and RFC 9112, as clients and servers practise it.
#include <algorithm>
#include <array>

#include "ids/parsers/http_session.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids {
namespace {

constexpr std::array<std::uint16_t, 1> kPorts = {80};
// A first line is decided on at its end, or when it is longer than any request line seen in practice.
constexpr std::size_t kProbeBytes = 2048;

constexpr std::string_view kCommonMethods[] = {
    "GET",      "POST",   "HEAD",  "PUT",       "CONNECT", "OPTIONS", "DELETE", "TRACE",  "PATCH",
    "PROPFIND", "SEARCH", "MKCOL", "PROPPATCH", "MOVE",    "COPY",    "LOCK",   "UNLOCK", "CHECKOUT"};

ProbeVerdict probe_response(std::string_view text) {
  constexpr std::string_view kStart = "HTTP/";
  const std::size_t count = std::min(text.size(), kStart.size());
  if (!http::equal_nocase(text.substr(0, count), kStart.substr(0, count))) return ProbeVerdict::no;
  if (text.size() <= kStart.size()) return ProbeVerdict::maybe;
  return text[5] == '0' || text[5] == '1' ? ProbeVerdict::yes : ProbeVerdict::no;
}

// A known method and a blank, or any line that ends in HTTP/1.x or HTTP/0.9.
ProbeVerdict probe_request(std::string_view text) {
  const std::size_t word_end = text.find_first_of(" \t\r\n");
  const std::string_view word = text.substr(0, word_end);
  if (!std::all_of(word.begin(), word.end(), http::is_token_char) || word.size() > 32)
    return ProbeVerdict::no;
  if (word_end == std::string_view::npos) return ProbeVerdict::maybe;
  const bool known =
      std::find(std::begin(kCommonMethods), std::end(kCommonMethods), word) != std::end(kCommonMethods);
  if (known && http::is_blank(text[word_end])) return ProbeVerdict::yes;
  // A method nobody knows still consists of letters.
  const auto letter = [](char c) {
    return (http::to_lower(c) >= 'a' && http::to_lower(c) <= 'z') || c == '-' || c == '_';
  };
  if (!std::all_of(word.begin(), word.end(), letter)) return ProbeVerdict::no;
  const std::size_t lf = text.find('\n');
  if (lf == std::string_view::npos) return text.size() < kProbeBytes ? ProbeVerdict::maybe : ProbeVerdict::no;
  const std::string_view line = http::trim(text.substr(0, lf));
  if (line.size() < 9) return ProbeVerdict::no;
  const std::string_view protocol = line.substr(line.size() - 8);
  const bool http =
      http::equal_nocase(protocol.substr(0, 5), "HTTP/") && (protocol[5] == '0' || protocol[5] == '1');
  return http && http::is_blank(line[line.size() - 9]) ? ProbeVerdict::yes : ProbeVerdict::no;
}

ProbeVerdict probe(ByteView data, Direction direction, AppTransport /*transport*/) {
  std::string_view text = core::as_text(data);
  if (direction == Direction::to_client) return probe_response(text);
  // Servers skip empty lines before a request (RFC 9112 2.2).
  while (!text.empty() && (text.front() == '\r' || text.front() == '\n')) text.remove_prefix(1);
  if (text.empty()) return ProbeVerdict::maybe;
  return probe_request(text);
}

std::unique_ptr<Session> make_session(const ParserConfig& config, AppTransport /*transport*/) {
  return std::make_unique<http::HttpSession>(config.http, config.http2);
}

bool ready_to_log(const Transaction& tx) {
  return tx.progress[0] == kHttpComplete && tx.progress[1] == kHttpComplete;
}

}  // namespace

extern const ParserDescriptor parser_http;
const ParserDescriptor parser_http = {
    .name = "http",
    .event_type = "http",
    .spec = "RFC 9112",
    .transport = AppTransport::tcp,
    .default_ports = kPorts,
    .probe = probe,
    .make_session = make_session,
    .complete = {kHttpComplete, kHttpComplete},
    .event_names = http::kHttpEventNames,
    .upper_case_events = true,
    .first_data = std::nullopt,
    .ports_only = false,
    .write_log = http::write_http_log,
    .log_records = nullptr,
    .ready_to_log = ready_to_log,
};

}  // namespace gatehouse::ids

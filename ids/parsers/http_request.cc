#include <algorithm>

#include "ids/parsers/http_session.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {
namespace {

constexpr std::string_view kMethods[] = {"GET",
                                         "HEAD",
                                         "POST",
                                         "PUT",
                                         "DELETE",
                                         "OPTIONS",
                                         "TRACE",
                                         "CONNECT",
                                         "PATCH",
                                         "PROPFIND",
                                         "PROPPATCH",
                                         "MKCOL",
                                         "COPY",
                                         "MOVE",
                                         "LOCK",
                                         "UNLOCK",
                                         "REPORT",
                                         "SEARCH",
                                         "MERGE",
                                         "CHECKOUT",
                                         "CHECKIN",
                                         "UNCHECKOUT",
                                         "LABEL",
                                         "UPDATE",
                                         "SUBSCRIBE",
                                         "UNSUBSCRIBE",
                                         "NOTIFY",
                                         "VERSION-CONTROL",
                                         "BASELINE-CONTROL",
                                         "MKWORKSPACE",
                                         "MKACTIVITY",
                                         "BIND",
                                         "RPC_IN_DATA",
                                         "RPC_OUT_DATA",
                                         "POLL",
                                         "BMOVE",
                                         "BCOPY",
                                         "BDELETE",
                                         "BPROPFIND",
                                         "BPROPPATCH"};

bool is_method(std::string_view word) {
  return std::find(std::begin(kMethods), std::end(kMethods), word) != std::end(kMethods);
}

// Could this line, behind a finished request, be the next one? If not it belongs to a body that
// was not announced.
bool may_be_request(std::string_view line) {
  std::string_view text = line;
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  const std::size_t blank = std::min(text.find_first_of(" \t"), text.size());
  if (is_method(text.substr(0, blank))) return true;
  const std::size_t last = text.find_last_of(" \t");
  return last != std::string_view::npos && equal_nocase(text.substr(last + 1, 5), "HTTP/");
}

}  // namespace

std::size_t HttpSession::request_start(std::string_view data, bool final) {
  Side& s = side(Direction::to_server);
  const auto line = request_line(data, final);
  if ((line ? line->content : data.size()) > config_.max_header_bytes)
    return overlong(Direction::to_server, data);
  if (!line) return 0;
  const std::string_view content = data.substr(0, line->content);
  if (trim(content).empty()) return line->total;
  if (s.resync && !may_be_request(content)) return line->total;
  s.resync = false;
  HttpTransaction* last = find(s.last);
  if (last != nullptr && !may_be_request(content)) {
    add_event(last->events, kRequestBodyUnexpected);
    HttpMessage& request = last->request();
    const std::size_t room =
        config_.request_body_limit == 0
            ? line->total
            : config_.request_body_limit -
                  std::min<std::uint64_t>(config_.request_body_limit, request.body.size());
    const ByteView bytes = core::as_bytes(data.substr(0, std::min(room, line->total)));
    request.body.insert(request.body.end(), bytes.begin(), bytes.end());
    request.body_size += line->total;
    return line->total;
  }
  if (!begin_request(content)) s.stopped = true;
  return line->total;
}

bool HttpSession::begin_request(std::string_view line) {
  Side& s = side(Direction::to_server);
  HttpTransaction* tx = new_transaction();
  if (tx == nullptr) return false;
  s.tx = tx->id;
  HttpMessage& request = tx->request();
  request.line = std::string(line);
  RequestLine parts = parse_request_line(line, tx->events);
  tx->method = std::move(parts.method);
  tx->uri_raw = std::move(parts.uri);
  request.protocol = std::move(parts.protocol);
  if (!std::all_of(tx->method.begin(), tx->method.end(), is_token_char))
    add_event(tx->events, kRequestLineInvalid);
  if (tx->uri_raw.empty()) add_event(tx->events, kRequestLineIncomplete);
  uri_ = parse_uri(tx->uri_raw, tx->method == "CONNECT" && !tx->uri_raw.starts_with('/'),
                   UriOptions{config_.double_decode_path, config_.double_decode_query});
  tx->uri = tx->method == "CONNECT" ? tx->uri_raw : uri_.target();
  tx->path = uri_.path;
  if (uri_.double_encoded) add_event(tx->events, kDoubleEncodedUri);
  tx->progress[0] = kHttpHeaders;
  tx->http09 = request.protocol.empty();
  s.state = tx->http09 ? State::maybe09 : State::fields;
  return true;
}

// RFC 1945 knows requests without a protocol; others only forgot it, and send header fields.
std::size_t HttpSession::maybe_09(std::string_view data, bool final) {
  Side& s = side(Direction::to_server);
  // A line that begins with a blank continues something: it is no end of the request either.
  std::size_t i = 0;
  while (i < data.size() && is_token_char(data[i])) ++i;
  if (i == data.size() && !final && i <= config_.max_header_bytes) return 0;
  if (i < data.size() && ((i > 0 && data[i] == ':') || (i == 0 && is_blank(data[0])))) {
    HttpTransaction& tx = current(Direction::to_server);
    add_event(tx.events, kRequestLineMissingProtocol);
    tx.http09 = false;
    s.state = State::fields;
    return field_lines(Direction::to_server, data, final);
  }
  finish(Direction::to_server, true);
  return request_start(data, final);
}

void HttpSession::request_fields_done(HttpTransaction& tx) {
  Side& s = side(Direction::to_server);
  set_host(tx);
  check_authorization(tx);
  tx.progress[0] = kHttpBody;
  if (tx.method == "CONNECT") {
    finish(Direction::to_server, true);
    s.state = State::held;
    return;
  }
  start_request_body(tx);
}

void HttpSession::set_host(HttpTransaction& tx) {
  const HttpField* field = tx.request().field("host");
  HostPort from_field;
  if (field == nullptr) {
    if (equal_nocase(tx.request().protocol, "HTTP/1.1")) add_event(tx.events, kMissingHostHeader);
  } else {
    from_field = parse_host_port(field->value);
    if (!from_field.valid || from_field.port == -2) add_event(tx.events, kRequestHeaderHostInvalid);
    tx.host_raw = field->value;
    tx.host = from_field.host;
    tx.port = from_field.port;
  }
  if (!uri_.has_authority) return;
  if (uri_.port == -2) add_event(tx.events, kInvalidAuthorityPort);
  if (!parse_host_port(uri_.host_and_port).valid) add_event(tx.events, kRequestUriHostInvalid);
  if (field != nullptr && (from_field.host != uri_.host ||
                           (from_field.port > 0 && uri_.port > 0 && from_field.port != uri_.port))) {
    add_event(tx.events, kHostHeaderAmbiguous);
  }
  // The target names the server; the field only repeats it (RFC 9112 3.2.2).
  tx.host = uri_.host;
  tx.port = uri_.port;
  if (tx.host_raw.empty()) tx.host_raw = uri_.host_and_port;
}

void HttpSession::check_authorization(HttpTransaction& tx) {
  const HttpField* field = tx.request().field("authorization");
  if (field == nullptr) return;
  const std::string_view scheme = std::string_view(field->value).substr(0, field->value.find_first_of(" \t"));
  const bool known =
      equal_nocase(scheme, "basic") || equal_nocase(scheme, "digest") || equal_nocase(scheme, "bearer");
  if (!known) add_event(tx.events, kRequestAuthUnrecognized);
}

void HttpSession::start_request_body(HttpTransaction& tx) {
  Side& s = side(Direction::to_server);
  const HttpMessage& request = tx.request();
  const HttpField* coding = request.field("transfer-encoding");
  const HttpField* length_field = request.field("content-length");
  BodyFramer::Mode mode = BodyFramer::Mode::none;
  std::uint64_t length = 0;
  if (coding != nullptr) {
    const bool chunked = equal_nocase(without_nul(coding->value), "chunked");
    if (!chunked || equal_nocase(request.protocol, "HTTP/1.0") || tx.http09) {
      add_event(tx.events, kInvalidTransferEncodingValueInRequest);
    }
    if (find_nocase(without_nul(coding->value), "chunked") != std::string_view::npos)
      mode = BodyFramer::Mode::chunked;
  }
  if (mode == BodyFramer::Mode::none && length_field != nullptr) {
    bool clean = true;
    const auto value = parse_length(length_field->value, clean);
    if (!value || !clean) add_event(tx.events, kInvalidContentLengthFieldInRequest);
    if (value) {
      mode = BodyFramer::Mode::length;
      length = *value;
    }
  }
  s.framer.start(mode, length);
  if (s.framer.done()) {
    finish(Direction::to_server, true);
    return;
  }
  std::string file_name, boundary;
  if (const HttpField* type = request.field("content-type"); type != nullptr && tx.method == "POST") {
    boundary = MultipartParser::boundary_of(type->value);
  }
  if (boundary.empty() && (tx.method == "PUT" || tx.method == "POST")) file_name = tx.path;
  const BodyReceiver::Options options{
      config_.request_body_limit, config_.decompress_layer_limit,         config_.decompression_limit,
      file_policy.get(),          config_.lzma ? config_.lzma_memory : 0, &kHttp1BodyEvents};
  s.body.start(tx, Direction::to_server, options, std::move(file_name), std::move(boundary));
  s.state = State::body;
}

}  // namespace gatehouse::ids::http

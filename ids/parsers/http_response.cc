#include <algorithm>

#include "ids/parsers/http_session.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {
namespace {

// Within so many bytes the first line of a response ends, or what came is content.
constexpr std::size_t kStatusLineLimit = 4096;

// Stands for the target of a request that was not seen, in logs and as a file name. The text is
// the one the field's log readers know.
constexpr std::string_view kUnseenRequestUri = "/libhtp::request_uri_not_seen";

int parse_status(std::string_view text) {
  if (text.size() != 3 || !std::all_of(text.begin(), text.end(), is_digit)) return -1;
  const int status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  return status >= 100 ? status : -1;
}

// Certainly no status line: after blanks there is something other than (the beginning of) "HTTP".
bool is_stray(std::string_view data) {
  const std::size_t first = data.find_first_not_of(std::string_view(" \t\v\f\0", 5));
  if (first == std::string_view::npos) return false;
  const std::string_view word = data.substr(first, 4);
  return !equal_nocase(word, std::string_view("http").substr(0, word.size()));
}

bool known_protocol(std::string_view protocol) {
  return equal_nocase(protocol, "HTTP/1.0") || equal_nocase(protocol, "HTTP/1.1") ||
         equal_nocase(protocol, "HTTP/0.9");
}

}  // namespace

HttpTransaction* HttpSession::next_for_response() {
  for (const auto& tx : transactions_) {
    if (tx->progress[1] < kHttpComplete) return static_cast<HttpTransaction*>(tx.get());
  }
  return nullptr;
}

std::size_t HttpSession::response_start(std::string_view data, bool final) {
  Side& s = side(Direction::to_client);
  if (s.last != kNone && !s.resync && next_for_response() == nullptr && (s.stray_line || is_stray(data))) {
    return stray_response_bytes(data);
  }
  const std::string_view head = data.substr(0, kStatusLineLimit);
  const auto line = status_line(head, final || data.size() > kStatusLineLimit);
  if (!line) return 0;
  const std::string_view content = data.substr(0, line->content);
  if (trim(content).empty()) return line->total;
  if (!looks_like_status_line(content)) {
    if (s.resync) return line->total;
    // Junk before the first line is skipped by clients when a response follows at once.
    if (line->total >= data.size() && !final) return 0;
    if (line->total < data.size() && to_lower(data[line->total]) == 'h') return line->total;
  }
  s.resync = false;
  HttpTransaction* tx = next_for_response();
  if (!looks_like_status_line(content)) {
    if (tx == nullptr) return line->total;  // neither a response nor anything that waits for one
    // HTTP/0.9: the answer is all content, up to the end of the connection.
    s.tx = tx->id;
    build_buffers(tx->response(), Direction::to_client);
    start_response_body(*tx, BodyFramer::Mode::until_close, 0);
    return body(Direction::to_client, data);
  }
  if (tx == nullptr) {
    tx = new_transaction();
    if (tx == nullptr) {
      s.stopped = true;
      return line->total;
    }
    add_event(tx->events, kUnableToMatchResponseToRequest);
    tx->uri_raw = tx->uri = tx->path = kUnseenRequestUri;
    tx->progress[0] = kHttpComplete;
  }
  begin_response(*tx, content);
  return line->total;
}

// More bytes than the response announced, and no request waits for them: clients that read up to
// the end of the connection take them for content, so they are added to the last response. Takes
// one line, or what is there of it.
std::size_t HttpSession::stray_response_bytes(std::string_view data) {
  Side& s = side(Direction::to_client);
  const std::size_t lf = data.find('\n');
  if (!s.stray_line && (data.front() == '\r' || data.front() == '\n')) {
    data = data.substr(0, 1);  // an empty line; a response may follow
  } else {
    s.stray_line = lf == std::string_view::npos;
    if (!s.stray_line) data = data.substr(0, lf + 1);
  }
  HttpTransaction* last = find(s.last);
  if (last == nullptr) return data.size();
  add_event(last->events, kResponseBodyUnexpected);
  HttpMessage& response = last->response();
  const std::uint64_t limit = config_.response_body_limit;
  const std::size_t room =
      limit == 0 ? data.size() : limit - std::min<std::uint64_t>(limit, response.body.size());
  const ByteView bytes = core::as_bytes(data.substr(0, room));
  response.body.insert(response.body.end(), bytes.begin(), bytes.end());
  response.body_size += data.size();
  for (TransferredFile& file : last->files) {
    if (file.direction != Direction::to_client || file.logged) continue;
    file.append(core::as_bytes(data));
  }
  return data.size();
}

void HttpSession::begin_response(HttpTransaction& tx, std::string_view line) {
  Side& s = side(Direction::to_client);
  // An answer: no more header fields will follow a request that had no protocol.
  if (side(Direction::to_server).state == State::maybe09 && side(Direction::to_server).tx == tx.id) {
    finish(Direction::to_server, true);
  }
  s.tx = tx.id;
  HttpMessage& response = tx.response();
  response.line = std::string(line);
  StatusLine parts = parse_status_line(line);
  response.protocol = std::move(parts.protocol);
  tx.status_text = std::move(parts.status);
  tx.status_message = std::move(parts.message);
  tx.status = parse_status(tx.status_text);
  if (tx.status < 0) add_event(tx.events, kResponseInvalidStatus);
  if (!known_protocol(response.protocol)) add_event(tx.events, kResponseInvalidProtocol);
  tx.progress[1] = kHttpHeaders;
  s.state = State::fields;
}

void HttpSession::response_fields_done(HttpTransaction& tx) {
  const HttpMessage& response = tx.response();
  const bool framed =
      response.field("content-length") != nullptr || response.field("transfer-encoding") != nullptr;
  if (tx.status == 100 && !framed) {
    // An interim response: the final one is still to come.
    Side& s = side(Direction::to_client);
    tx.response() = HttpMessage();
    tx.progress[1] = kHttpLine;
    tx.status = -1;
    tx.status_text.clear();
    tx.status_message.clear();
    s.tx = kNone;
    s.state = State::start;
    return;
  }
  tx.progress[1] = kHttpBody;
  Side& request = side(Direction::to_server);
  const bool connected = tx.method == "CONNECT" && tx.status >= 200 && tx.status <= 299;
  if (connected || (tx.status == 101 && !framed)) {
    if (request.tx == tx.id) finish(Direction::to_server, true);
    finish(Direction::to_client, true);
    begin_upgrade(tx);
    return;
  }
  if (request.state == State::held && request.last == tx.id) request.state = State::start;
  std::uint64_t length = 0;
  const BodyFramer::Mode mode = response_framing(tx, length);
  start_response_body(tx, mode, length);
}

BodyFramer::Mode HttpSession::response_framing(HttpTransaction& tx, std::uint64_t& length) {
  const HttpMessage& response = tx.response();
  const HttpField* coding = response.field("transfer-encoding");
  const HttpField* length_field = response.field("content-length");
  if (tx.method == "HEAD") return BodyFramer::Mode::none;
  if ((tx.status >= 100 && tx.status <= 199) || tx.status == 204 || tx.status == 304) {
    // No content by the book; clients read it all the same when it is announced.
    if (coding == nullptr && length_field == nullptr) return BodyFramer::Mode::none;
    if (coding != nullptr || length_field->value != "0") add_event(tx.events, kResponseBodyUnexpected);
  }
  if (coding != nullptr) {
    const std::string value = without_nul(coding->value);
    if (!equal_nocase(value, "chunked")) add_event(tx.events, kResponseAbnormalTransferEncoding);
    if (find_nocase(value, "chunked") != std::string_view::npos) {
      if (!equal_nocase(response.protocol, "HTTP/1.1")) add_event(tx.events, kResponseChunkedOldProto);
      return BodyFramer::Mode::chunked;
    }
  }
  const HttpField* type = response.field("content-type");
  if (type != nullptr && find_nocase(type->value, "multipart/byteranges") != std::string_view::npos) {
    add_event(tx.events, kResponseMultipartByteranges);
  }
  if (length_field != nullptr) {
    bool clean = true;
    const auto value = parse_length(length_field->value, clean);
    if (!value || !clean) add_event(tx.events, kInvalidContentLengthFieldInResponse);
    if (value) {
      length = *value;
      return BodyFramer::Mode::length;
    }
  }
  return BodyFramer::Mode::until_close;
}

void HttpSession::start_response_body(HttpTransaction& tx, BodyFramer::Mode mode, std::uint64_t length) {
  Side& s = side(Direction::to_client);
  tx.progress[1] = kHttpBody;
  s.framer.start(mode, length);
  if (s.framer.done()) {
    finish(Direction::to_client, true);
    return;
  }
  std::string name;
  if (const HttpField* disposition = tx.response().field("content-disposition")) {
    name = parameter(disposition->value, "filename").value_or("");
  }
  if (name.empty()) name = tx.path;
  const BodyReceiver::Options options{
      config_.response_body_limit, config_.decompress_layer_limit,         config_.decompression_limit,
      file_policy.get(),           config_.lzma ? config_.lzma_memory : 0, &kHttp1BodyEvents};
  s.body.start(tx, Direction::to_client, options, std::move(name), {});
  s.state = State::body;
}

}  // namespace gatehouse::ids::http

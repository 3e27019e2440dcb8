#include "ids/parsers/http_session.h"

#include <algorithm>

#include "ids/parsers/http2_session.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {

HttpTransaction* HttpSession::find(std::uint64_t id) {
  if (transactions_.empty() || id == kNone) return nullptr;
  const std::uint64_t first = transactions_.front()->id;
  if (id < first || id - first >= transactions_.size()) return nullptr;
  return static_cast<HttpTransaction*>(transactions_[id - first].get());
}

// Only called while a message is being read: the engine drops no transaction that is incomplete.
HttpTransaction& HttpSession::current(Direction d) {
  return *find(side(d).tx);
}

HttpTransaction* HttpSession::new_transaction() {
  if (transactions_.size() >= config_.max_transactions) {
    add_event(transactions_.back()->events, kTooManyTransactions);
    return nullptr;
  }
  auto tx = std::make_unique<HttpTransaction>();
  tx->id = next_id_++;
  auto* raw = tx.get();
  transactions_.push_back(std::move(tx));
  return raw;
}

bool HttpSession::on_data(Direction d, ByteView data, std::int64_t /*time_us*/) {
  Side& s = side(d);
  if (upgrade) {
    unread[index(d)].insert(unread[index(d)].end(), data.begin(), data.end());
    return true;
  }
  if (s.stopped) return false;
  run(d, core::as_text(data), false);
  // What the response decided about a held request.
  if (d == Direction::to_client && !upgrade) run(Direction::to_server, {}, side(Direction::to_server).ended);
  return !s.stopped;
}

void HttpSession::run(Direction d, std::string_view data, bool final) {
  Side& s = side(d);
  std::string held;
  if (!s.pending.empty()) {
    held = std::move(s.pending);
    held.append(data);
    data = held;
    s.pending.clear();
  }
  while (!s.stopped && !upgrade && !data.empty()) {
    const std::size_t used = step(d, data, final);
    if (used == 0) break;
    data.remove_prefix(used);
  }
  if (upgrade) {
    auto& rest = unread[index(d)];
    rest.insert(rest.end(), data.begin(), data.end());
  } else if (!s.stopped) {
    s.pending.assign(data);
  }
}

std::size_t HttpSession::step(Direction d, std::string_view data, bool final) {
  Side& s = side(d);
  if (s.skip_line) {
    const std::size_t lf = data.find('\n');
    if (lf == std::string_view::npos) return data.size();
    s.skip_line = false;
    return lf + 1;
  }
  switch (s.state) {
    case State::start:
      return d == Direction::to_server ? request_start(data, final) : response_start(data, final);
    case State::fields:
    case State::trailers:
      return field_lines(d, data, final);
    case State::body:
      return body(d, data);
    case State::maybe09:
      return maybe_09(data, final);
    case State::held:
      break;
  }
  return 0;
}

// The line does not end within the limit: what is there counts as the line, the rest is skipped.
std::size_t HttpSession::overlong(Direction d, std::string_view data) {
  Side& s = side(d);
  const bool request = d == Direction::to_server;
  const std::string_view line = data.substr(0, config_.max_header_bytes);
  s.skip_line = true;
  if (s.state == State::start) {
    if (request) {
      if (!begin_request(line)) s.stopped = true;
    } else if (HttpTransaction* tx = next_for_response()) {
      begin_response(*tx, line);
    }
  } else {
    s.block.add_line(line);
  }
  if (HttpTransaction* tx = find(s.tx))
    add_event(tx->events, request ? kRequestFieldTooLong : kResponseFieldTooLong);
  return line.size();
}

std::size_t HttpSession::field_lines(Direction d, std::string_view data, bool final) {
  Side& s = side(d);
  const bool request = d == Direction::to_server;
  const auto line =
      request ? request_field_line(data, final) : response_field_line(data, final, s.after_lf_cr);
  if ((line ? line->content : data.size()) > config_.max_header_bytes) return overlong(d, data);
  if (!line) return 0;
  HttpMessage& message = current(d).message[index(d)];
  if (s.state == State::fields && message.raw_headers.size() < 4 * config_.max_header_bytes) {
    if (message.raw_headers.empty()) message.raw_headers.reserve(500);  // as many heads have
    message.raw_headers.append(data.substr(0, line->total));
  }
  s.after_lf_cr = line->lf_cr;
  if (line->ends_head) {
    fields_done(d);
  } else {
    s.block.add_line(data.substr(0, line->content));
  }
  return line->total;
}

void HttpSession::fields_done(Direction d) {
  Side& s = side(d);
  HttpTransaction& tx = current(d);
  HttpMessage& message = tx.message[index(d)];
  const bool http11 = equal_nocase(message.protocol, "HTTP/1.1");
  const bool trailers = s.state == State::trailers;
  s.block.parse(d, http11, trailers ? message.trailers : message.fields, tx.events);
  s.after_lf_cr = false;
  if (trailers) {
    // Rules look for trailer fields among the header fields.
    message.fields.insert(message.fields.end(), message.trailers.begin(), message.trailers.end());
    build_buffers(message, d);
    finish(d, true);
    return;
  }
  build_buffers(message, d);
  if (d == Direction::to_server) {
    request_fields_done(tx);
  } else {
    response_fields_done(tx);
  }
}

std::size_t HttpSession::body(Direction d, std::string_view data) {
  Side& s = side(d);
  HttpTransaction& tx = current(d);
  s.body.attach(tx);
  const std::size_t used = s.framer.feed(core::as_bytes(data), s.body);
  tx.message[index(d)].wire_body_size += used;
  if (s.framer.bad_chunk()) {
    add_event(tx.events, d == Direction::to_server ? kInvalidRequestChunkLen : kInvalidResponseChunkLen);
  }
  if (s.framer.chunk_extension()) {
    add_event(tx.events, d == Direction::to_server ? kRequestChunkExtension : kResponseChunkExtension);
  }
  if (s.framer.done()) body_done(d);
  return used;
}

void HttpSession::body_done(Direction d) {
  Side& s = side(d);
  if (!s.framer.wants_trailers()) {
    finish(d, true);
    return;
  }
  HttpTransaction& tx = current(d);
  s.body.attach(tx);
  s.body.finish(true);
  s.state = State::trailers;
  tx.progress[index(d)] = kHttpTrailer;
}

// The message of this direction is over.
void HttpSession::finish(Direction d, bool complete) {
  Side& s = side(d);
  if (HttpTransaction* tx = find(s.tx)) {
    s.body.attach(*tx);
    s.body.finish(complete);
    tx->progress[index(d)] = kHttpComplete;
  }
  s.last = s.tx;
  s.tx = kNone;
  s.state = State::start;
  s.block.clear();
}

// Where the protocol is named, it is what must come.
void HttpSession::begin_upgrade(const HttpTransaction& tx) {
  upgrade = true;
  const HttpField* wanted = tx.request().field("upgrade");
  if (tx.status == 101 && wanted != nullptr && equal_nocase(trim(wanted->value), "h2c")) {
    auto session = std::make_unique<http2::Http2Session>(config_, http2_);
    session->adopt(tx);
    heir = std::move(session);
    upgrade_to = "http2";
  }
  for (const Direction d : {Direction::to_server, Direction::to_client}) {
    Side& s = side(d);
    auto& rest = unread[index(d)];
    rest.insert(rest.end(), s.pending.begin(), s.pending.end());
    s.pending.clear();
  }
}

bool HttpSession::on_gap(Direction d, std::uint64_t bytes) {
  Side& s = side(d);
  if (s.stopped || upgrade) return !s.stopped;
  if (s.state == State::body && s.pending.empty()) {
    // As much of it as the body still wants; without a known end that is all of it.
    const std::uint64_t count = std::min(bytes, s.framer.bytes_left().value_or(bytes));
    if (s.framer.skip(count)) {
      s.body.attach(current(d));
      s.body.gap(count);
      if (s.framer.done()) body_done(d);
      bytes -= count;
    }
    if (bytes == 0) return true;
  }
  // Where the next message begins is unknown: end this one and look for a first line.
  on_end(d);
  s.ended = false;
  s.resync = true;
  return true;
}

void HttpSession::on_end(Direction d) {
  Side& s = side(d);
  if (s.stopped || s.ended || upgrade) return;
  s.ended = true;
  run(d, {}, true);
  if (upgrade) return;
  s.pending.clear();
  if (s.tx == kNone) return;
  if (s.state == State::fields || s.state == State::trailers) fields_done(d);
  if (upgrade || s.tx == kNone) return;
  HttpTransaction& tx = current(d);
  bool complete = true;
  if (s.state == State::body) {
    s.body.attach(tx);
    complete = s.framer.mode() == BodyFramer::Mode::until_close;
    s.framer.finish(s.body);
  }
  finish(d, complete);
}

}  // namespace gatehouse::ids::http

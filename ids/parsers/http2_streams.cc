// Header blocks and the bodies that follow them.
#include <algorithm>

#include "ids/parsers/http2_events.h"
#include "ids/parsers/http2_session.h"
#include "ids/parsers/http_message.h"
#include "ids/parsers/http_text.h"
#include "ids/parsers/http_uri.h"

namespace gatehouse::ids::http2 {
namespace {

using http::add_event;

// Of all fields of one direction of a stream: a small block can repeat a large field very often.
constexpr std::uint64_t kMostHeaderBytes = std::uint64_t{256} * 1024;
constexpr std::size_t kMostFields = 1024;

constexpr http::BodyEvents kBodyEvents{
    kFailedDecompression,        kCompressionBomb,        http::BodyEvents::kNone, http::BodyEvents::kNone,
    kUnsupportedContentEncoding, http::BodyEvents::kNone, http::BodyEvents::kNone};

void build_buffers(HttpMessage& message) {
  message.all_headers.clear();
  message.header_names = "\r\n";
  for (const HttpField& field : message.fields) {
    message.all_headers.append(field.name).append(": ").append(field.value).append("\r\n");
    message.header_names.append(field.name).append("\r\n");
  }
  // Cookies included: nothing tells them apart in the peers' reading of HTTP/2.
  message.normal_headers = message.all_headers;
  message.raw_headers = message.all_headers;
  message.all_headers += "\r\n";
  message.header_names += "\r\n";
}

std::string_view value_of(const HttpMessage& message, std::string_view name) {
  const HttpField* field = message.field(name);
  return field == nullptr ? std::string_view{} : field->value;
}

// "bytes 0-9/100", "bytes 0-9/*" or "bytes */100" (RFC 9110 14.4).
bool valid_range(std::string_view text) {
  text = http::trim(text);
  if (!text.starts_with("bytes")) return false;
  text = http::trim(text.substr(5));
  const auto number = [&text] {
    std::size_t digits = 0;
    while (digits < text.size() && http::is_digit(text[digits])) ++digits;
    text.remove_prefix(digits);
    return digits > 0;
  };
  const auto skip = [&text](char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  };
  const bool range = skip('*') || (number() && skip('-') && number());
  return range && skip('/') && (skip('*') || number()) && text.empty();
}

}  // namespace

// Puts decoded fields where they belong.
class Http2Session::Fields final : public FieldSink {
 public:
  Fields(Stream* tx, std::size_t side) : tx_(tx), side_(side) {}
  void field(std::string_view name, std::string_view value) override {
    if (tx_ == nullptr) return;
    auto& fields = tx_->message[side_].fields;
    tx_->header_bytes[side_] += name.size() + value.size();
    if (fields.size() >= kMostFields || tx_->header_bytes[side_] > kMostHeaderBytes) {
      add_event(tx_->events, kTooLongRepeatedHeaders);
      return;
    }
    fields.push_back({std::string(name), std::string(value), false});
  }
  void table_size(std::uint64_t bytes) override {
    if (tx_ == nullptr) return;
    auto& sizes = tx_->frames[side_].table_sizes;
    if (sizes.size() < Http2Frames::kMost) sizes.push_back({tx_->message[side_].fields.size(), bytes});
  }

 private:
  Stream* tx_;
  std::size_t side_;
};

void Http2Session::begin_headers(Direction d, const Frame& frame) {
  Side& s = side(d);
  const bool continuation = frame.is(FrameType::continuation);
  const bool continues = s.block_stream != 0 && s.block_stream == frame.stream;
  s.block_skipped = continuation && !continues;
  if (d == Direction::to_server) ++(continuation ? deeds_.continuations : deeds_.requests);
  if (continuation && continues) {
    if (Stream* tx = by_id(s.block_tx)) note(*tx, d, frame);
    return;
  }
  if (s.block_stream != 0) s.headers.fail();  // the block before it never ended
  const bool promise = frame.is(FrameType::push_promise);
  const bool misplaced = frame.stream == 0 || continuation || (promise && d == Direction::to_server);
  Stream* tx = nullptr;
  if (misplaced) {
    tx = add_frame(d, frame.stream);
    if (tx != nullptr) add_event(tx->events, continuation ? kContinuationWithoutHeaders : kInvalidFrameData);
  } else {
    Frame target = frame;
    if (promise) target.stream = frame.promised;
    tx = stream_of(d, target);
  }
  if (tx != nullptr) note(*tx, d, frame);
  if (s.block_skipped) return;
  s.block_tx = tx == nullptr || misplaced ? kNone : tx->id;
  s.block_stream = frame.stream;
  s.block_bytes = 0;
  s.block_ends_stream = frame.is(FrameType::headers) && frame.has(kFlagEndStream);
  s.block_promise = promise;
}

void Http2Session::header_bytes(Direction d, const Frame& frame, ByteView bytes, bool last) {
  Side& s = side(d);
  if (s.block_skipped) return;
  Stream* tx = by_id(s.block_tx);
  const bool was_failed = s.headers.failed();
  s.block_bytes += bytes.size();
  if (tx != nullptr && s.block_bytes > config_.max_header_block_bytes)
    add_event(tx->events, kReassemblyLimitReached);
  Fields sink(tx, s.block_promise ? 0 : index(d));
  if ((last || !bytes.empty()) && !s.headers.feed(bytes, last, sink) && tx != nullptr) {
    if (!was_failed && s.headers.table_overflow()) add_event(tx->events, kHeaderTableOverflow);
    if (!was_failed && s.headers.integer_overflow()) add_event(tx->events, kHeaderIntegerOverflow);
    add_event(tx->events, kInvalidHeader);
  }
  if (!last) return;
  (void)frame;
  headers_done(d);
}

void Http2Session::headers_done(Direction d) {
  Side& s = side(d);
  s.block_stream = 0;
  Stream* tx = by_id(s.block_tx);
  s.block_tx = kNone;
  if (tx == nullptr) return;
  const Direction whose = s.block_promise ? Direction::to_server : d;
  const std::size_t at = index(whose);
  build_buffers(tx->message[at]);
  if (tx->progress[at] < kHttpBody) {
    if (whose == Direction::to_server) {
      request_done(*tx);
    } else {
      response_done(*tx, s.block_ends_stream);
    }
  }
  if (s.block_ends_stream || s.block_promise) finish(*tx, whose, true);
}

void build_request(Stream& tx) {
  HttpMessage& request = tx.request();
  build_buffers(request);
  tx.method = value_of(request, ":method");
  tx.uri_raw = value_of(request, ":path");
  request.protocol = "HTTP/2";
  request.line = tx.method + " " + tx.uri_raw + " " + request.protocol + "\r\n";
  const http::Uri uri = http::parse_uri(tx.uri_raw, false, {});
  tx.uri = uri.target();
  tx.path = uri.path;
  const std::string_view authority = value_of(request, ":authority");
  tx.host_raw = authority.empty() ? value_of(request, "host") : authority;
  std::string_view host = tx.host_raw;
  if (const std::size_t user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
  const http::HostPort parts = http::parse_host_port(host);
  tx.host = parts.host;
  tx.port = parts.port;
}

void Http2Session::request_done(Stream& tx) {
  build_request(tx);
  const HttpMessage& request = tx.request();
  const std::string_view authority = value_of(request, ":authority");
  const HttpField* host = request.field("host");
  if (!authority.empty() && host != nullptr && !http::equal_nocase(authority, host->value))
    add_event(tx.events, kAuthorityHostMismatch);
  if (authority.find('@') != std::string_view::npos) add_event(tx.events, kUserinfoInUri);
  tx.progress[0] = kHttpBody;
  check_dns(tx, Direction::to_server);
}

void Http2Session::response_done(Stream& tx, bool ends) {
  HttpMessage& response = tx.response();
  tx.status_text = value_of(response, ":status");
  bool clean = false;
  const auto status = http::parse_length(tx.status_text, clean);
  tx.status = status && clean && *status >= 100 && *status <= 999 ? static_cast<int>(*status) : -1;
  if (tx.status >= 100 && tx.status <= 199 && !ends) {
    // An interim response: the final one is still to come.
    response.fields.clear();
    tx.status = -1;
    tx.status_text.clear();
    return;
  }
  response.protocol = "HTTP/2";
  response.line = response.protocol + " " + tx.status_text + "\r\n";
  if (const HttpField* range = response.field("content-range");
      range != nullptr && !valid_range(range->value))
    add_event(tx.events, kInvalidRange);
  tx.progress[1] = kHttpBody;
  check_dns(tx, Direction::to_client);
}

void Http2Session::start_body(Stream& tx, Direction d) {
  const std::size_t at = index(d);
  const HttpMessage& message = tx.message[at];
  std::string name, boundary;
  if (d == Direction::to_server) {
    if (const HttpField* type = message.field("content-type"); type != nullptr && tx.method == "POST")
      boundary = http::MultipartParser::boundary_of(type->value);
  } else if (const HttpField* disposition = message.field("content-disposition")) {
    name = http::parameter(disposition->value, "filename").value_or("");
  }
  if (name.empty() && boundary.empty()) name = tx.path;
  if (name.empty()) name = "/";  // of a stream whose request was not seen: a file all the same
  http::BodyReceiver::Options options;
  options.keep_limit = d == Direction::to_server ? http_.request_body_limit : http_.response_body_limit;
  if (tx.is_dns[at] && options.keep_limit != 0)
    options.keep_limit = std::max<std::uint64_t>(options.keep_limit, kMostDnsBytes + 1);
  options.layer_limit = http_.decompress_layer_limit;
  options.decompression_limit = config_.decompression_limit;
  options.file_policy = file_policy.get();
  options.events = &kBodyEvents;
  tx.body[at].start(tx, d, options, std::move(name), std::move(boundary));
}

}  // namespace gatehouse::ids::http2

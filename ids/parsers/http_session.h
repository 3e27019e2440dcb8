// The HTTP/1 parser of one flow.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "ids/parsers/http_body.h"
#include "ids/parsers/http_message.h"
#include "ids/parsers/http_uri.h"

namespace gatehouse::ids::http {

// Reads both directions independently, message by message. A request opens a transaction; a
// response goes to the oldest transaction that has none. What is not yet decidable stays in
// `pending` (at most one line), so that the result does not depend on how the stream was cut.
class HttpSession final : public Session {
 public:
  HttpSession(const HttpConfig& config, const Http2Config& http2) : config_(config), http2_(http2) {}

  bool on_data(Direction direction, ByteView data, std::int64_t time_us) override;
  bool on_gap(Direction direction, std::uint64_t bytes) override;
  void on_end(Direction direction) override;

 private:
  enum class State : std::uint8_t {
    start,   // before a first line
    fields,  // header fields
    body,
    trailers,
    maybe09,  // request without protocol: header fields may follow all the same
    held,     // CONNECT: what follows depends on the response
  };
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  struct Side {
    State state = State::start;
    std::string pending;
    FieldBlock block;
    BodyFramer framer;
    BodyReceiver body;
    std::uint64_t tx = kNone;    // being read
    std::uint64_t last = kNone;  // read before it
    bool after_lf_cr = false;
    bool skip_line = false;   // the rest of an overlong line
    bool stray_line = false;  // in a line that belongs to no message
    bool resync = false;      // bytes were lost: look for the next first line
    bool ended = false;
    bool stopped = false;
  };

  Side& side(Direction d) { return sides_[index(d)]; }
  HttpTransaction* find(std::uint64_t id);
  HttpTransaction& current(Direction d);
  HttpTransaction* new_transaction();
  HttpTransaction* next_for_response();

  void run(Direction d, std::string_view data, bool final);
  // Each takes bytes from the start of `data` and returns how many; 0: more are needed.
  std::size_t step(Direction d, std::string_view data, bool final);
  std::size_t request_start(std::string_view data, bool final);
  std::size_t maybe_09(std::string_view data, bool final);
  std::size_t response_start(std::string_view data, bool final);
  std::size_t field_lines(Direction d, std::string_view data, bool final);
  std::size_t body(Direction d, std::string_view data);
  std::size_t stray_response_bytes(std::string_view data);
  std::size_t overlong(Direction d, std::string_view data);

  bool begin_request(std::string_view line);
  void begin_response(HttpTransaction& tx, std::string_view line);
  void fields_done(Direction d);
  void request_fields_done(HttpTransaction& tx);
  void response_fields_done(HttpTransaction& tx);
  void set_host(HttpTransaction& tx);
  void check_authorization(HttpTransaction& tx);
  void start_request_body(HttpTransaction& tx);
  void start_response_body(HttpTransaction& tx, BodyFramer::Mode mode, std::uint64_t length);
  BodyFramer::Mode response_framing(HttpTransaction& tx, std::uint64_t& length);
  void body_done(Direction d);
  void finish(Direction d, bool complete);
  void begin_upgrade(const HttpTransaction& tx);

  const HttpConfig config_;
  const Http2Config http2_;
  std::array<Side, 2> sides_;
  Uri uri_;  // of the request being read
};

// Members of the EVE http object.
void write_http_log(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);

}  // namespace gatehouse::ids::http

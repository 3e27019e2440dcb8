// The HTTP/2 parser of one flow (RFC 9113).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ids/parsers/http2_frames.h"
#include "ids/parsers/http2_headers.h"
#include "ids/parsers/http2_transaction.h"
#include "ids/parsers/http_body.h"

namespace gatehouse::ids::http2 {

// Content of a DNS message may be so long (RFC 8484 leaves it to the 16 bits of DNS over TCP).
inline constexpr std::size_t kMostDnsBytes = 65535;

// A stream as the session works on it: the transaction, and what reads its bodies.
class Stream final : public Http2Transaction {
 public:
  std::array<http::BodyReceiver, 2> body;
  std::array<std::uint64_t, 2> header_bytes{};  // of all fields so far
  std::array<bool, 2> is_dns{};                 // its content is a DNS message
  bool complete(std::size_t side) const { return progress[side] >= kHttpComplete; }
};

// Streams are transactions and finish in any order; a frame of the connection, or of a stream that
// is over or was never opened, is a transaction of its own and complete at once.
class Http2Session final : public Session {
 public:
  Http2Session(const HttpConfig& http, const Http2Config& config);

  bool on_data(Direction direction, ByteView data, std::int64_t time_us) override;
  bool on_gap(Direction direction, std::uint64_t bytes) override;
  void on_end(Direction direction) override;
  Deeds deeds() const override { return deeds_; }

  // After an HTTP/1 upgrade (RFC 7540 3.2): its request is that of stream 1.
  void adopt(const HttpTransaction& request);

 private:
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  struct Side {
    explicit Side(const Http2Config& config) : headers(config.max_table_bytes) {}
    FrameReader frames;
    HeaderDecoder headers;
    std::uint64_t tx = kNone;  // transaction of the frame being read; kNone: it is ignored
    std::uint64_t block_tx = kNone;
    std::uint32_t block_stream = 0;  // of the block that waits for a CONTINUATION; 0: none
    std::size_t block_bytes = 0;
    bool block_ends_stream = false, block_promise = false, block_skipped = false;
    std::uint32_t highest = 0;  // stream opened by this side
    bool stopped = false, ended = false;
  };
  class Frames;
  class Fields;

  Side& side(Direction d) { return sides_[index(d)]; }
  Stream* by_id(std::uint64_t id);
  Stream* by_stream(std::uint32_t stream);
  Stream* add(std::uint32_t stream);
  // Complete at once; the other direction has no part in it.
  Stream* add_frame(Direction d, std::uint32_t stream);
  Stream* stream_of(Direction d, const Frame& frame);
  void make_room();
  bool is_over(std::uint32_t stream) const;
  void note(Stream& tx, Direction d, const Frame& frame);
  bool take_preface(ByteView& data);

  void begin_headers(Direction d, const Frame& frame);
  void begin_data(Direction d, const Frame& frame);
  void header_bytes(Direction d, const Frame& frame, ByteView bytes, bool last);
  void headers_done(Direction d);
  void request_done(Stream& tx);
  void response_done(Stream& tx, bool ends);
  void start_body(Stream& tx, Direction d);
  void data(Direction d, ByteView bytes);
  void data_done(Direction d, const Frame& frame);
  void finish(Stream& tx, Direction d, bool complete);

  void control(Direction d, const Frame& frame, ByteView payload);
  void control_on(Stream& tx, Direction d, const Frame& frame, ByteView payload);
  void settings(Stream& tx, Direction d, const Frame& frame, ByteView payload);
  void reset(Stream& tx, Direction d, std::uint32_t code);

  void check_dns(Stream& tx, Direction d);
  void query_of_uri(Stream& tx);
  void dns_message(Stream& tx, Direction d, ByteView bytes);

  const HttpConfig http_;
  const Http2Config config_;
  std::array<Side, 2> sides_;
  std::size_t preface_ = 0;  // bytes of the client preface seen
  bool preface_done_ = false;
  Deeds deeds_;
  std::array<std::uint32_t, 16> cancelled_{};  // streams whose data may still be on its way
  std::size_t cancelled_next_ = 0;
};

// Members of the EVE http object.
void write_http2_log(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);
// The DNS message of a stream.
void write_doh2_log(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);
// 0 when the frames say nothing worth an event.
unsigned http2_log_records(const Transaction& tx, const LogOptions& options);

// Fills what is built from the request fields: method, URI, host.
void build_request(Stream& tx);

std::string_view setting_name(std::uint16_t id);  // "SETTINGSENABLEPUSH"; empty: unknown
std::string_view error_name(std::uint32_t code);  // "NoError"; empty: unknown

}  // namespace gatehouse::ids::http2

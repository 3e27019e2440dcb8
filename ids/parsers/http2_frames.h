// HTTP/2 framing (RFC 9113 4 and 6): from a byte stream to frames.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/bytes.h"

namespace gatehouse::ids::http2 {

using core::ByteView;

enum class FrameType : std::uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation,
};
inline constexpr std::size_t kFrameTypes = 10;

inline constexpr std::uint8_t kFlagEndStream = 0x01, kFlagAck = 0x01, kFlagEndHeaders = 0x04,
                              kFlagPadded = 0x08, kFlagPriority = 0x20;

struct Frame {
  std::uint32_t length = 0;  // of the payload, padding included
  std::uint8_t type = 0;     // may be one that FrameType does not know
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  bool reserved = false;  // the bit before the stream identifier

  // From the fixed part of HEADERS and PUSH_PROMISE.
  bool has_priority = false;
  std::uint8_t weight = 0;
  std::uint32_t promised = 0;

  bool is(FrameType wanted) const { return type == static_cast<std::uint8_t>(wanted); }
  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

inline constexpr std::size_t kFrameHeaderBytes = 9;
Frame parse_frame_header(const std::array<std::uint8_t, kFrameHeaderBytes>& bytes);

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // DATA, HEADERS, PUSH_PROMISE and CONTINUATION: begin, the content in pieces, end.
  virtual void begin(const Frame& frame) = 0;
  virtual void content(const Frame& frame, ByteView bytes) = 0;
  virtual void end(const Frame& frame) = 0;
  // Any other frame, at its end. Of a long one the payload is cut.
  virtual void whole(const Frame& frame, ByteView payload) = 0;
  // The fixed part does not fit into the payload, or the padding does not; the payload is skipped.
  virtual void malformed(const Frame& frame) = 0;
};

// Cuts a stream into frames, however it arrives. Keeps at most one header, one fixed part, or one
// payload of kMaxWhole bytes; what can be long passes through in pieces.
class FrameReader {
 public:
  static constexpr std::size_t kMaxWhole = 16384;

  // Takes all of `bytes`.
  void feed(ByteView bytes, FrameSink& sink);
  // So many bytes of the stream were lost: true when all of them are content of a DATA frame.
  // `end` tells whether they were its last ones.
  bool skip(std::uint64_t bytes, bool& end);
  // The frame whose content is being read; after skip().
  const Frame& frame() const { return frame_; }

 private:
  enum class State : std::uint8_t { header, fixed, content, payload, rest };

  std::size_t take_header(ByteView bytes, FrameSink& sink);
  std::size_t take_fixed(ByteView bytes, FrameSink& sink);
  std::size_t take_content(ByteView bytes, FrameSink& sink);
  std::size_t take_payload(ByteView bytes, FrameSink& sink);
  void after_header(FrameSink& sink);
  void parse_fixed(FrameSink& sink);
  void begin_rest();

  State state_ = State::header;
  Frame frame_;
  std::array<std::uint8_t, kFrameHeaderBytes> header_{};
  std::array<std::uint8_t, 6> fixed_{};
  std::size_t have_ = 0;        // bytes of header_ or fixed_
  std::size_t fixed_size_ = 0;  // bytes the fixed part has
  std::uint32_t left_ = 0;      // of the content or payload
  std::uint32_t padding_ = 0;   // bytes behind the content
  std::vector<std::uint8_t> payload_;
};

}  // namespace gatehouse::ids::http2

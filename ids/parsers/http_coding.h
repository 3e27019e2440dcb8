// Body codings: transfer framing (RFC 9112 6 and 7) and content decompression (RFC 9110 8.4).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"

namespace gatehouse::ids::http {

using core::ByteView;

// Where decoded bytes go.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void take(ByteView bytes) = 0;
};

// Finds the end of a body in the stream and strips chunk framing. Lenient as receivers are: what
// cannot be chunk framing is taken for the body itself, up to the end of the connection.
class BodyFramer {
 public:
  enum class Mode : std::uint8_t { none, length, chunked, until_close };

  void start(Mode mode, std::uint64_t length);
  // Hands body bytes of `in` to `sink` and returns how many bytes of `in` belong to this body.
  // After done() nothing is consumed.
  std::size_t feed(ByteView in, ByteSink& sink);
  // The direction ended: a chunk-size line without line end is not lost.
  void finish(ByteSink& sink);
  // `bytes` of the stream were lost: true when they all belong to the body at hand.
  bool skip(std::uint64_t bytes);

  // Bytes that are still due: of the body, or of the chunk at hand. Empty when that is not known.
  std::optional<std::uint64_t> bytes_left() const {
    const bool known = mode_ == Mode::length || (mode_ == Mode::chunked && chunk_ == Chunk::data);
    return known && !done_ ? std::optional(left_) : std::nullopt;
  }
  bool done() const { return done_; }
  Mode mode() const { return mode_; }
  // The last chunk was seen: trailer fields follow.
  bool wants_trailers() const { return trailers_; }
  bool bad_chunk() const { return bad_chunk_; }
  bool chunk_extension() const { return extension_; }

 private:
  enum class Chunk : std::uint8_t { size, data, data_end };

  std::size_t feed_size_line(ByteView in, ByteSink& sink);
  void take_size_line(ByteSink& sink);
  void give_up(ByteSink& sink);

  Mode mode_ = Mode::none;
  Chunk chunk_ = Chunk::size;
  std::uint64_t left_ = 0;
  std::string line_;
  bool done_ = false, trailers_ = false, bad_chunk_ = false, extension_ = false;
};

// Removes content codings. Each layer tries what was declared, then the other formats, and lets
// the bytes through as they are when none fits: a receiver may do any of these.
class ContentDecoder {
 public:
  enum class Format : std::uint8_t { gzip, zlib, deflate, brotli, lzma };
  struct Limits {
    std::uint64_t output = 1024 * 1024;  // beyond it, output must stay below 2048 times the input
    std::uint64_t lzma_memory = 0;       // for its dictionary; 0: lzma is passed on
  };

  ContentDecoder();
  ~ContentDecoder();
  ContentDecoder(ContentDecoder&&) noexcept;
  ContentDecoder& operator=(ContentDecoder&&) noexcept;

  // `value`: a Content-Encoding field. `layer_limit`: codings beyond it are left in place.
  void start(std::string_view value, unsigned layer_limit, const Limits& limits);
  void feed(ByteView in, ByteSink& out);
  void finish(ByteSink& out);

  bool active() const { return !layers_.empty(); }
  struct Findings {
    bool failed = false;  // a layer did not decode
    bool bomb = false;    // expansion beyond reason: output stopped
    bool too_many_layers = false;
    bool abnormal_header = false;
    bool unsupported = false;  // zstd and others: passed on as they are
  };
  const Findings& findings() const;

 private:
  struct State;
  class Layer;

  std::unique_ptr<State> state_;
  std::vector<std::unique_ptr<Layer>> layers_;  // [0] sees the wire bytes
};

}  // namespace gatehouse::ids::http

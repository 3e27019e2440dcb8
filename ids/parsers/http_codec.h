// Decompressors of content codings, behind one interface. Each implementation is the only includer
// of its library.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/bytes.h"

namespace gatehouse::ids::http {

using core::ByteView;

enum class CodecStatus : std::uint8_t {
  more,    // all input is used up; there is no output without more of it
  output,  // output was made; call again, with what is left of the input
  end,     // the data is over; the rest of the input does not belong to it
  broken,  // this is no data of the format
};

class Codec {
 public:
  virtual ~Codec() = default;
  // Takes from the start of `in`, which becomes what is left; fills `out` from the start.
  virtual CodecStatus decode(ByteView& in, std::span<std::uint8_t> out, std::size_t& made) = 0;
};

// Raw deflate data (RFC 1951), without the header of zlib or gzip. Null: no memory.
std::unique_ptr<Codec> make_deflate_codec();
// RFC 7932.
std::unique_ptr<Codec> make_brotli_codec();
// The .lzma format: 13 bytes of header, then the data. A dictionary beyond `memory` bytes is cut to it.
std::unique_ptr<Codec> make_lzma_codec(std::uint64_t memory);

}  // namespace gatehouse::ids::http

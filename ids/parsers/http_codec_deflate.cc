// The only includer of igzip_lib.h. Why not zlib: docs/decisions/0011-deflate.md.
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "ids/parsers/http_codec.h"

namespace gatehouse::ids::http {
namespace {

using Stream = std::unique_ptr<inflate_state>;

// A stream is 87 kB: those of finished bodies are used again.
class Pool {
 public:
  Stream get() {
    Stream stream;
    if (free_.empty()) {
      stream.reset(new inflate_state);  // isal_inflate_init() sets what is read; clearing it all costs more
    } else {
      stream = std::move(free_.back());
      free_.pop_back();
    }
    isal_inflate_init(stream.get());
    stream->crc_flag = ISAL_DEFLATE;
    return stream;
  }
  void put(Stream stream) {
    if (free_.size() < kMost) free_.push_back(std::move(stream));
  }

 private:
  static constexpr std::size_t kMost = 8;
  std::vector<Stream> free_;
};
thread_local Pool pool;

class DeflateCodec final : public Codec {
 public:
  DeflateCodec() : stream_(pool.get()) {}
  ~DeflateCodec() override { pool.put(std::move(stream_)); }

  CodecStatus decode(ByteView& in, std::span<std::uint8_t> out, std::size_t& made) override {
    inflate_state& stream = *stream_;
    if (broken_) {
      made = take_rest(out);
    } else {
      // The library's interface predates const; it does not write to its input.
      stream.next_in = const_cast<std::uint8_t*>(in.data());
      stream.avail_in = static_cast<std::uint32_t>(in.size());
      stream.next_out = out.data();
      stream.avail_out = static_cast<std::uint32_t>(out.size());
      broken_ = isal_inflate(&stream) < 0;
      made = out.size() - stream.avail_out;
      in = in.last(std::min(in.size(), stream.avail_in + unread_bytes()));
      if (stream.block_state == ISAL_BLOCK_FINISH) return CodecStatus::end;
      if (broken_) made += take_rest(out.subspan(made));
    }
    if (broken_)
      return stream.tmp_out_processed < stream.tmp_out_valid ? CodecStatus::output : CodecStatus::broken;
    return made == 0 || (in.empty() && made < out.size()) ? CodecStatus::more : CodecStatus::output;
  }

 private:
  // What it read ahead, of which some may have come with the input before.
  std::size_t unread_bytes() const {
    const inflate_state& stream = *stream_;
    return stream.block_state == ISAL_BLOCK_FINISH ? static_cast<std::size_t>(stream.read_in_length) / 8 : 0;
  }
  // At damage the library keeps back what it has decoded before it; a browser shows that.
  std::size_t take_rest(std::span<std::uint8_t> out) {
    inflate_state& stream = *stream_;
    const std::size_t rest = static_cast<std::size_t>(stream.tmp_out_valid - stream.tmp_out_processed);
    const std::size_t count = std::min(rest, out.size());
    std::copy_n(stream.tmp_out_buffer + stream.tmp_out_processed, count, out.data());
    stream.tmp_out_processed += static_cast<std::int32_t>(count);
    return count;
  }

  Stream stream_;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<Codec> make_deflate_codec() {
  return std::make_unique<DeflateCodec>();
}

}  // namespace gatehouse::ids::http

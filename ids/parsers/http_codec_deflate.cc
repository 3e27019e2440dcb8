// The only includer of zlib.h.
#include <zlib.h>

#include <vector>

#include "ids/parsers/http_codec.h"

namespace gatehouse::ids::http {
namespace {

struct StreamEnd {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    delete stream;
  }
};
using Stream = std::unique_ptr<z_stream, StreamEnd>;

// A stream costs 40 kB that zlib clears and allocates: those of finished bodies are used again.
class Pool {
 public:
  Stream get() {
    if (!free_.empty()) {
      Stream stream = std::move(free_.back());
      free_.pop_back();
      return stream;
    }
    auto stream = std::make_unique<z_stream>();
    if (inflateInit2(stream.get(), -MAX_WBITS) != Z_OK) return nullptr;
    return Stream(stream.release());
  }
  void put(Stream stream) {
    if (free_.size() < kMost && inflateReset(stream.get()) == Z_OK) free_.push_back(std::move(stream));
  }

 private:
  static constexpr std::size_t kMost = 8;
  std::vector<Stream> free_;
};
thread_local Pool pool;

class DeflateCodec final : public Codec {
 public:
  explicit DeflateCodec(Stream stream) : stream_(std::move(stream)) {}
  ~DeflateCodec() override { pool.put(std::move(stream_)); }

  CodecStatus decode(ByteView& in, std::span<std::uint8_t> out, std::size_t& made) override {
    // zlib's interface predates const; it does not write to its input.
    stream_->next_in = const_cast<Bytef*>(in.data());
    stream_->avail_in = static_cast<uInt>(in.size());
    stream_->next_out = out.data();
    stream_->avail_out = static_cast<uInt>(out.size());
    const int rc = inflate(stream_.get(), Z_SYNC_FLUSH);
    made = out.size() - stream_->avail_out;
    in = in.last(stream_->avail_in);
    if (rc == Z_STREAM_END) return CodecStatus::end;
    if (rc != Z_OK && rc != Z_BUF_ERROR) return CodecStatus::broken;
    return made == 0 || (in.empty() && made < out.size()) ? CodecStatus::more : CodecStatus::output;
  }

 private:
  Stream stream_;
};

}  // namespace

std::unique_ptr<Codec> make_deflate_codec() {
  Stream stream = pool.get();
  if (stream == nullptr) return nullptr;
  return std::make_unique<DeflateCodec>(std::move(stream));
}

}  // namespace gatehouse::ids::http

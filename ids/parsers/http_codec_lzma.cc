// The only includer of lzma.h.
#include <lzma.h>

#include <algorithm>
#include <array>

#include "ids/parsers/http_codec.h"

namespace gatehouse::ids::http {
namespace {

class LzmaCodec final : public Codec {
 public:
  explicit LzmaCodec(std::uint64_t memory) : memory_(memory) {
    ready_ = lzma_alone_decoder(&stream_, UINT64_MAX) == LZMA_OK;
  }
  ~LzmaCodec() override { lzma_end(&stream_); }
  LzmaCodec(const LzmaCodec&) = delete;
  LzmaCodec& operator=(const LzmaCodec&) = delete;
  bool ready() const { return ready_; }

  CodecStatus decode(ByteView& in, std::span<std::uint8_t> out, std::size_t& made) override {
    made = 0;
    // Byte 0: parameters; bytes 1 to 4: the size of the dictionary, which the sender chooses.
    while (have_ < head_.size()) {
      if (in.empty()) return CodecStatus::more;
      head_[have_++] = in.front();
      in = in.subspan(1);
      if (have_ == head_.size() && !begin()) return CodecStatus::broken;
    }
    return run(in, out, made);
  }

 private:
  // Hands the header over with a dictionary that fits into memory.
  bool begin() {
    std::uint32_t dictionary = 0;
    for (std::size_t i = 4; i >= 1; --i) dictionary = dictionary << 8U | head_[i];
    std::uint64_t cut = std::min<std::uint64_t>(memory_, dictionary);
    for (std::size_t i = 1; i <= 4; ++i, cut >>= 8U) head_[i] = static_cast<std::uint8_t>(cut & 0xffU);
    ByteView head(head_);
    std::array<std::uint8_t, 1> unused{};  // without room for output nothing is read
    std::size_t made = 0;
    return run(head, unused, made) == CodecStatus::more;
  }

  CodecStatus run(ByteView& in, std::span<std::uint8_t> out, std::size_t& made) {
    stream_.next_in = in.data();
    stream_.avail_in = in.size();
    stream_.next_out = out.data();
    stream_.avail_out = out.size();
    const lzma_ret rc = lzma_code(&stream_, LZMA_RUN);
    made = out.size() - stream_.avail_out;
    in = in.last(stream_.avail_in);
    if (rc == LZMA_STREAM_END) return CodecStatus::end;
    if (rc != LZMA_OK && rc != LZMA_BUF_ERROR) return CodecStatus::broken;
    return made == 0 || (in.empty() && made < out.size()) ? CodecStatus::more : CodecStatus::output;
  }

  lzma_stream stream_ = LZMA_STREAM_INIT;
  const std::uint64_t memory_;
  std::array<std::uint8_t, 5> head_{};
  std::size_t have_ = 0;
  bool ready_ = false;
};

}  // namespace

std::unique_ptr<Codec> make_lzma_codec(std::uint64_t memory) {
  auto codec = std::make_unique<LzmaCodec>(memory);
  if (!codec->ready()) return nullptr;
  return codec;
}

}  // namespace gatehouse::ids::http

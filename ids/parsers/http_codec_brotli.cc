// The only includer of brotli.
#include <brotli/decode.h>

#include "ids/parsers/http_codec.h"

namespace gatehouse::ids::http {
namespace {

struct StateEnd {
  void operator()(BrotliDecoderState* state) const { BrotliDecoderDestroyInstance(state); }
};

// Windows above 16 MiB ("large window") stay refused, as browsers do: that is the bound of its memory.
class BrotliCodec final : public Codec {
 public:
  BrotliCodec() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
  bool ready() const { return state_ != nullptr; }

  CodecStatus decode(ByteView& in, std::span<std::uint8_t> out, std::size_t& made) override {
    std::size_t left_in = in.size(), left_out = out.size();
    const std::uint8_t* next_in = in.data();
    std::uint8_t* next_out = out.data();
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state_.get(), &left_in, &next_in, &left_out, &next_out, nullptr);
    made = out.size() - left_out;
    in = in.last(left_in);
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS:
        return CodecStatus::end;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return CodecStatus::output;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return CodecStatus::more;
      case BROTLI_DECODER_RESULT_ERROR:
        break;
    }
    return CodecStatus::broken;
  }

 private:
  std::unique_ptr<BrotliDecoderState, StateEnd> state_;
};

}  // namespace

std::unique_ptr<Codec> make_brotli_codec() {
  auto codec = std::make_unique<BrotliCodec>();
  if (!codec->ready()) return nullptr;
  return codec;
}

}  // namespace gatehouse::ids::http

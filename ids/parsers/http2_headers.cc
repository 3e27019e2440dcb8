// The only includer of nghttp2.
#include "ids/parsers/http2_headers.h"

#include <nghttp2/nghttp2.h>

namespace gatehouse::ids::http2 {

struct HeaderDecoder::Inflater {
  nghttp2_hd_inflater* raw = nullptr;
  ~Inflater() { nghttp2_hd_inflate_del(raw); }
};

HeaderDecoder::HeaderDecoder(std::uint32_t max_table_bytes)
    : inflater_(std::make_unique<Inflater>()), max_table_bytes_(max_table_bytes) {
  // The limit, not what the receiver announced: when that came into force cannot be told from the
  // middle of the path, and the sender's own updates say what it uses.
  failed_ = nghttp2_hd_inflate_new(&inflater_->raw) != 0 ||
            nghttp2_hd_inflate_change_table_size(inflater_->raw, max_table_bytes) != 0;
}

HeaderDecoder::~HeaderDecoder() = default;

void HeaderDecoder::watch_table_size(ByteView bytes, FieldSink& sink) {
  for (const std::uint8_t byte : bytes) {
    if (!in_number_) {
      watching_ = (byte & 0xe0U) == 0x20U;
      if (!watching_) return;
      number_ = byte & 0x1fU;
      shift_ = 0;
      in_number_ = number_ == 0x1f;
    } else {
      if (shift_ > 28) {
        integer_overflow_ = failed_ = true;
        return;
      }
      number_ += std::uint64_t{byte & 0x7fU} << shift_;
      shift_ += 7;
      in_number_ = (byte & 0x80U) != 0;
    }
    if (in_number_) continue;
    sink.table_size(number_);
    if (number_ > max_table_bytes_) overflow_ = failed_ = true;
  }
}

bool HeaderDecoder::feed(ByteView bytes, bool last, FieldSink& sink) {
  if (failed_) return false;
  if (watching_) watch_table_size(bytes, sink);
  if (last) {
    watching_ = true;
    in_number_ = false;
  }
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  while (!failed_) {
    nghttp2_nv field{};
    int flags = 0;
    const auto used = nghttp2_hd_inflate_hd2(inflater_->raw, &field, &flags, at, left, last ? 1 : 0);
    if (used < 0) {
      failed_ = true;
      break;
    }
    at += used;
    left -= static_cast<std::size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      sink.field(core::as_text({field.name, field.namelen}), core::as_text({field.value, field.valuelen}));
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_->raw);
      break;
    }
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) break;
  }
  return !failed_;
}

}  // namespace gatehouse::ids::http2

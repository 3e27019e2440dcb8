// What the HTTP/2 parser finds odd. The names are the field's app-layer-event vocabulary; the order is
// the numbering of AppEvent.
#pragma once

#include <array>
#include <string_view>

#include "ids/parsers/parser.h"

namespace gatehouse::ids::http2 {

enum Http2Event : AppEvent {
  kInvalidFrameHeader,
  kInvalidClientMagic,
  kInvalidFrameData,
  kInvalidHeader,
  kInvalidFrameLength,
  kExtraHeaderData,
  kLongFrameData,
  kStreamIdReuse,
  kInvalidHttp1Settings,
  kFailedDecompression,
  kInvalidRange,
  kHeaderIntegerOverflow,
  kTooManyStreams,
  kAuthorityHostMismatch,
  kUserinfoInUri,
  kReassemblyLimitReached,
  kDnsRequestTooLong,
  kDnsResponseTooLong,
  kDataStreamZero,
  kTooManyFrames,
  kCompressionBomb,
  kHeaderTableOverflow,
  kContinuationWithoutHeaders,
  kTooLongRepeatedHeaders,
  kUnsupportedContentEncoding,
  kHttp2EventCount,
};

inline constexpr std::array<std::string_view, kHttp2EventCount> kHttp2EventNames = {
    "http2.invalid_frame_header",
    "http2.invalid_client_magic",
    "http2.invalid_frame_data",
    "http2.invalid_header",
    "http2.invalid_frame_length",
    "http2.extra_header_data",
    "http2.long_frame_data",
    "http2.stream_id_reuse",
    "http2.invalid_http1_settings",
    "http2.failed_decompression",
    "http2.invalid_range",
    "http2.header_integer_overflow",
    "http2.too_many_streams",
    "http2.authority_host_mismatch",
    "http2.userinfo_in_uri",
    "http2.reassembly_limit_reached",
    "http2.dns_request_too_long",
    "http2.dns_response_too_long",
    "http2.data_stream_zero",
    "http2.too_many_frames",
    "http2.compression_bomb",
    "http2.header_table_overflow",
    "http2.continuation_without_headers",
    "http2.too_long_repeated_headers",
    "http2.unsupported_content_encoding",
};

}  // namespace gatehouse::ids::http2

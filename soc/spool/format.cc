#include "soc/spool/format.h"

#include <zlib.h>

#include <algorithm>

#include "soc/spool/writer.h"

namespace gatehouse::soc {

namespace {

constexpr std::string_view kSegmentMagic = "GHSPOOL1";
constexpr std::size_t kCrcOffset = 8;        // in a record
constexpr std::size_t kCrcCoverOffset = 12;  // the CRC covers all from here
constexpr std::size_t kSegmentCoverOffset = 12;

template <class T>
void put(std::string& out, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;)
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}

std::uint32_t crc(core::ByteView bytes, std::uint32_t start = 0) {
  return static_cast<std::uint32_t>(::crc32_z(start, bytes.data(), bytes.size()));
}

// The length is covered too: it starts the sum, so a record whose length was hit is not accepted
// even when the bytes that then seem to follow happen to fit.
std::uint32_t record_crc(core::ByteView covered, std::uint32_t length) {
  std::string prefix;
  put(prefix, length);
  return crc(covered, crc(core::as_bytes(prefix)));
}

void patch_u32(std::string& out, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(value >> (8 * (3 - i)));
}

}  // namespace

void append_segment_header(std::string& out, const SegmentHeader& header) {
  const std::size_t start = out.size();
  out += kSegmentMagic;
  put(out, std::uint32_t{0});
  put(out, std::uint32_t{0});
  put(out, header.first_sequence);
  put(out, header.created_us);
  patch_u32(out, start + 8, crc(core::as_bytes(std::string_view(out).substr(start + kSegmentCoverOffset))));
}

std::optional<SegmentHeader> read_segment_header(core::ByteView bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return std::nullopt;
  bytes = bytes.first(kSegmentHeaderBytes);
  core::ByteReader in(bytes);
  if (core::as_text(in.bytes(8)) != kSegmentMagic) return std::nullopt;
  if (in.u32() != crc(bytes.subspan(kSegmentCoverOffset)) || in.u32() != 0) return std::nullopt;
  SegmentHeader header;
  header.first_sequence = in.u64();
  header.created_us = static_cast<std::int64_t>(in.u64());
  return header;
}

bool valid_line(std::string_view line) {
  if (line.size() < 2 || line.size() > kMaxLineBytes || line.front() != '{' || line.back() != '}')
    return false;
  bool control = false;
  for (const char c : line) control |= static_cast<unsigned char>(c) < 0x20;
  return !control;
}

void append_record(std::string& out, const RecordView& record) {
  const std::size_t start = out.size();
  const auto length = static_cast<std::uint32_t>(record.line.size());
  put(out, kRecordMagic);
  put(out, length);
  put(out, std::uint32_t{0});
  put(out, static_cast<std::uint32_t>(static_cast<std::uint32_t>(record.event_class) << 24U));
  put(out, record.id.instance);
  put(out, record.id.sequence);
  put(out, record.appended_us);
  put(out, record.skipped);
  out += record.line;
  const auto covered = core::as_bytes(std::string_view(out).substr(start + kCrcCoverOffset));
  patch_u32(out, start + kCrcOffset, record_crc(covered, length));
}

std::size_t record_size(core::ByteView bytes) {
  core::ByteReader in(bytes);
  in.skip(4);
  return kRecordHeaderBytes + in.u32();
}

Event RecordView::copy() const {
  return Event{event_class, id, appended_us, skipped, std::string(line)};
}

RecordRead read_record(core::ByteView bytes) {
  RecordRead result;
  core::ByteReader in(bytes);
  const auto damaged = [&result] {
    result.state = RecordState::damaged;
    return result;
  };
  if (bytes.size() < 4) {
    // The start of the magic, or not.
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] != static_cast<std::uint8_t>(kRecordMagic >> (8 * (3 - i)))) return damaged();
    }
    return result;
  }
  if (in.u32() != kRecordMagic) return damaged();
  if (bytes.size() < kRecordHeaderBytes) return result;
  const std::uint32_t length = in.u32();
  const std::uint32_t sum = in.u32();
  const std::uint32_t class_word = in.u32();
  if (length > kMaxLineBytes || (class_word & 0xFFFFFFU) != 0 || class_word >> 24U >= kEventClasses)
    return damaged();
  if (bytes.size() < kRecordHeaderBytes + length) return result;
  if (record_crc(bytes.subspan(kCrcCoverOffset, kRecordHeaderBytes - kCrcCoverOffset + length), length) !=
      sum) {
    return damaged();
  }
  RecordView& r = result.record;
  r.event_class = static_cast<EventClass>(class_word >> 24U);
  r.id.instance = in.u64();
  r.id.sequence = in.u64();
  r.appended_us = static_cast<std::int64_t>(in.u64());
  r.skipped = in.u64();
  r.line = core::as_text(in.bytes(length));
  // What no append() lets in did not come from one: a sink that ends lines with a newline relies on it.
  if (!valid_line(r.line)) return damaged();
  result.state = RecordState::complete;
  return result;
}

std::optional<std::size_t> find_record(core::ByteView bytes, std::size_t from) {
  std::string magic;
  put(magic, kRecordMagic);
  const std::string_view text = core::as_text(bytes);
  for (std::size_t at = from; (at = text.find(magic, at)) != std::string_view::npos; ++at) {
    if (read_record(bytes.subspan(at)).state == RecordState::complete) return at;
  }
  return std::nullopt;
}

}  // namespace gatehouse::soc

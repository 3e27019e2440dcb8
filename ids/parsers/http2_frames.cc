#include "ids/parsers/http2_frames.h"

#include <algorithm>

namespace gatehouse::ids::http2 {
namespace {

std::uint32_t be32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24U | std::uint32_t{at[1]} << 16U | std::uint32_t{at[2]} << 8U | at[3];
}

bool has_content(const Frame& frame) {
  return frame.is(FrameType::data) || frame.is(FrameType::headers) || frame.is(FrameType::push_promise) ||
         frame.is(FrameType::continuation);
}

// Pad length, priority and promised stream: what stands before the content.
std::size_t fixed_size_of(const Frame& frame) {
  const bool can_pad = !frame.is(FrameType::continuation);
  std::size_t size = can_pad && frame.has(kFlagPadded) ? 1 : 0;
  if (frame.is(FrameType::headers) && frame.has(kFlagPriority)) size += 5;
  if (frame.is(FrameType::push_promise)) size += 4;
  return size;
}

}  // namespace

Frame parse_frame_header(const std::array<std::uint8_t, kFrameHeaderBytes>& bytes) {
  Frame frame;
  frame.length = std::uint32_t{bytes[0]} << 16U | std::uint32_t{bytes[1]} << 8U | bytes[2];
  frame.type = bytes[3];
  frame.flags = bytes[4];
  const std::uint32_t word = be32(bytes.data() + 5);
  frame.reserved = (word >> 31U) != 0;
  frame.stream = word & 0x7fff'ffffU;
  return frame;
}

void FrameReader::feed(ByteView bytes, FrameSink& sink) {
  while (!bytes.empty()) {
    std::size_t used = 0;
    switch (state_) {
      case State::header:
        used = take_header(bytes, sink);
        break;
      case State::fixed:
        used = take_fixed(bytes, sink);
        break;
      case State::content:
        used = take_content(bytes, sink);
        break;
      case State::payload:
        used = take_payload(bytes, sink);
        break;
      case State::rest:
        used = std::min<std::size_t>(left_, bytes.size());
        left_ -= static_cast<std::uint32_t>(used);
        if (left_ == 0) state_ = State::header;
        break;
    }
    bytes = bytes.subspan(used);
  }
}

std::size_t FrameReader::take_header(ByteView bytes, FrameSink& sink) {
  const std::size_t count = std::min(kFrameHeaderBytes - have_, bytes.size());
  std::copy_n(bytes.begin(), count, header_.begin() + static_cast<std::ptrdiff_t>(have_));
  have_ += count;
  if (have_ < kFrameHeaderBytes) return count;
  have_ = 0;
  frame_ = parse_frame_header(header_);
  after_header(sink);
  return count;
}

void FrameReader::after_header(FrameSink& sink) {
  left_ = frame_.length;
  padding_ = 0;
  if (!has_content(frame_)) {
    payload_.clear();
    state_ = State::payload;
    if (left_ == 0) (void)take_payload({}, sink);
    return;
  }
  fixed_size_ = fixed_size_of(frame_);
  if (fixed_size_ > left_) {
    sink.malformed(frame_);
    begin_rest();
  } else if (fixed_size_ > 0) {
    state_ = State::fixed;
  } else {
    parse_fixed(sink);
  }
}

void FrameReader::begin_rest() {
  left_ += padding_;
  padding_ = 0;
  state_ = left_ == 0 ? State::header : State::rest;
}

std::size_t FrameReader::take_fixed(ByteView bytes, FrameSink& sink) {
  const std::size_t count = std::min(fixed_size_ - have_, bytes.size());
  std::copy_n(bytes.begin(), count, fixed_.begin() + static_cast<std::ptrdiff_t>(have_));
  have_ += count;
  left_ -= static_cast<std::uint32_t>(count);
  if (have_ == fixed_size_) parse_fixed(sink);
  return count;
}

void FrameReader::parse_fixed(FrameSink& sink) {
  have_ = 0;
  const std::uint8_t* at = fixed_.data();
  const bool padded = !frame_.is(FrameType::continuation) && frame_.has(kFlagPadded);
  if (padded) padding_ = *at++;
  if (frame_.is(FrameType::headers) && frame_.has(kFlagPriority)) {
    frame_.has_priority = true;
    frame_.weight = at[4];
  }
  if (frame_.is(FrameType::push_promise)) frame_.promised = be32(at) & 0x7fff'ffffU;
  if (padding_ > left_) {
    padding_ = 0;
    sink.malformed(frame_);
    begin_rest();
    return;
  }
  left_ -= padding_;
  state_ = State::content;
  sink.begin(frame_);
  if (left_ == 0) (void)take_content({}, sink);
}

std::size_t FrameReader::take_content(ByteView bytes, FrameSink& sink) {
  const std::size_t count = std::min<std::size_t>(left_, bytes.size());
  if (count > 0) sink.content(frame_, bytes.first(count));
  left_ -= static_cast<std::uint32_t>(count);
  if (left_ == 0) {
    begin_rest();
    sink.end(frame_);
  }
  return count;
}

std::size_t FrameReader::take_payload(ByteView bytes, FrameSink& sink) {
  const std::size_t count = std::min<std::size_t>(left_, bytes.size());
  left_ -= static_cast<std::uint32_t>(count);
  const ByteView piece = bytes.first(count);
  // Mostly all of it is there at once.
  if (left_ == 0 && payload_.empty()) {
    state_ = State::header;
    sink.whole(frame_, piece.first(std::min(piece.size(), kMaxWhole)));
    return count;
  }
  const std::size_t room = kMaxWhole - std::min(kMaxWhole, payload_.size());
  const std::size_t kept = std::min(room, piece.size());
  payload_.insert(payload_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(kept));
  if (left_ == 0) {
    state_ = State::header;
    sink.whole(frame_, payload_);
    payload_.clear();
  }
  return count;
}

bool FrameReader::skip(std::uint64_t bytes, bool& end) {
  end = false;
  if (state_ == State::rest && bytes <= left_) {
    left_ -= static_cast<std::uint32_t>(bytes);
    if (left_ == 0) state_ = State::header;
    return true;
  }
  if (state_ != State::content || !frame_.is(FrameType::data) || bytes > left_) return false;
  left_ -= static_cast<std::uint32_t>(bytes);
  if (left_ > 0) return true;
  end = true;
  begin_rest();
  return true;
}

}  // namespace gatehouse::ids::http2

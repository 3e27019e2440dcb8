// Frames that carry no content: settings, windows, priorities, resets.
#include <algorithm>

#include "ids/parsers/http2_events.h"
#include "ids/parsers/http2_session.h"
#include "ids/parsers/http_message.h"

namespace gatehouse::ids::http2 {
namespace {

constexpr std::uint32_t kNoError = 0;

// What the payload must measure; 0: anything.
std::size_t wanted_length(const Frame& frame) {
  switch (static_cast<FrameType>(frame.type)) {
    case FrameType::priority:
      return 5;
    case FrameType::rst_stream:
    case FrameType::window_update:
      return 4;
    case FrameType::ping:
      return 8;
    default:
      return 0;
  }
}

bool right_length(const Frame& frame) {
  if (frame.is(FrameType::settings)) return frame.has(kFlagAck) ? frame.length == 0 : frame.length % 6 == 0;
  if (frame.is(FrameType::goaway)) return frame.length >= 8;
  const std::size_t wanted = wanted_length(frame);
  return wanted == 0 || frame.length == wanted;
}

template <class T>
void keep(std::vector<T>& list, T value) {
  if (list.size() < Http2Frames::kMost) list.push_back(value);
}

}  // namespace

void Http2Session::control(Direction d, const Frame& frame, ByteView payload) {
  if (frame.type >= kFrameTypes) return;  // RFC 9113 4.1: types nobody knows are ignored
  if (d == Direction::to_server && frame.is(FrameType::rst_stream)) ++deeds_.cancelled;
  Stream* stream = frame.stream == 0 ? nullptr : by_stream(frame.stream);
  if (stream != nullptr && stream->complete(0) && stream->complete(1)) stream = nullptr;
  if (stream != nullptr) {
    const bool open = !stream->complete(index(d));
    control_on(*stream, d, frame, payload);
    if (open) return;
  }
  // Rules are done with this direction of the stream, and yet want to see its frames.
  Stream* lone = add_frame(d, frame.stream);
  if (lone == nullptr) return;
  lone->logged = stream != nullptr;
  control_on(*lone, d, frame, payload);
}

void Http2Session::control_on(Stream& tx, Direction d, const Frame& frame, ByteView payload) {
  note(tx, d, frame);
  if (frame.length > FrameReader::kMaxWhole) http::add_event(tx.events, kLongFrameData);
  if (!right_length(frame)) {
    http::add_event(tx.events, kInvalidFrameLength);
    return;
  }
  Http2Frames& seen = tx.frames[index(d)];
  core::ByteReader reader(payload);
  switch (static_cast<FrameType>(frame.type)) {
    case FrameType::priority:
      keep(seen.priorities, payload[4]);
      break;
    case FrameType::rst_stream:
      reset(tx, d, reader.u32());
      break;
    case FrameType::settings:
      settings(tx, d, frame, payload);
      break;
    case FrameType::goaway:
      (void)reader.u32();
      keep(seen.errors, {reader.u32(), true});
      break;
    case FrameType::window_update:
      keep(seen.windows, reader.u32() & 0x7fff'ffffU);
      break;
    default:
      break;
  }
}

void Http2Session::settings(Stream& tx, Direction d, const Frame& frame, ByteView payload) {
  if (frame.stream != 0) http::add_event(tx.events, kInvalidFrameData);
  core::ByteReader reader(payload);
  while (reader.remaining() >= 6) {
    const std::uint16_t id = reader.u16();
    keep(tx.frames[index(d)].settings, {id, reader.u32()});
  }
}

void Http2Session::reset(Stream& tx, Direction d, std::uint32_t code) {
  keep(tx.frames[index(d)].errors, {code, false});
  finish(tx, d, false);
  // "No error" only asks for the rest of the request not to be sent (RFC 9113 8.1); any other code
  // cancels the stream, though data may be on its way.
  if (code == kNoError) return;
  if (!tx.complete(index(opposite(d)))) cancelled_[cancelled_next_++ % cancelled_.size()] = tx.stream;
  finish(tx, opposite(d), false);
}

}  // namespace gatehouse::ids::http2

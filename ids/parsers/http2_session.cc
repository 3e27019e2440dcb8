#include "ids/parsers/http2_session.h"

#include <algorithm>

#include "ids/parsers/http2_events.h"
#include "ids/parsers/http_message.h"

namespace gatehouse::ids::http2 {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Lists of finished transactions that the engine has not dropped yet: so many frames for each
// stream allowed can come with one segment before they are ignored.
constexpr std::size_t kFramesPerStream = 16;

}  // namespace

// Passes frames of one direction on.
class Http2Session::Frames final : public FrameSink {
 public:
  Frames(Http2Session& session, Direction direction) : session_(session), direction_(direction) {}
  void begin(const Frame& frame) override {
    if (frame.is(FrameType::data)) {
      session_.begin_data(direction_, frame);
    } else {
      session_.begin_headers(direction_, frame);
    }
  }
  void content(const Frame& frame, ByteView bytes) override {
    if (frame.is(FrameType::data)) {
      session_.data(direction_, bytes);
    } else {
      session_.header_bytes(direction_, frame, bytes, false);
    }
  }
  void end(const Frame& frame) override {
    if (frame.is(FrameType::data)) {
      session_.data_done(direction_, frame);
    } else {
      session_.header_bytes(direction_, frame, {}, frame.has(kFlagEndHeaders));
    }
  }
  void whole(const Frame& frame, ByteView payload) override { session_.control(direction_, frame, payload); }
  void malformed(const Frame& frame) override {
    Stream* tx = frame.stream == 0 ? nullptr : session_.by_stream(frame.stream);
    if (tx == nullptr) tx = session_.add_frame(direction_, frame.stream);
    if (tx == nullptr) return;
    session_.note(*tx, direction_, frame);
    http::add_event(tx->events, kInvalidFrameData);
    // The table of a block that was not read is unknown.
    if (!frame.is(FrameType::data)) session_.side(direction_).headers.fail();
  }

 private:
  Http2Session& session_;
  Direction direction_;
};

Http2Session::Http2Session(const HttpConfig& http, const Http2Config& config)
    : http_(http), config_(config), sides_{Side(config), Side(config)} {}

Stream* Http2Session::by_id(std::uint64_t id) {
  if (id == kNone) return nullptr;
  const auto at = std::lower_bound(transactions_.begin(), transactions_.end(), id,
                                   [](const auto& tx, std::uint64_t wanted) { return tx->id < wanted; });
  return at == transactions_.end() || (*at)->id != id ? nullptr : static_cast<Stream*>(at->get());
}

Stream* Http2Session::by_stream(std::uint32_t stream) {
  // The newest first: it is the one most frames are about.
  for (auto at = transactions_.rbegin(); at != transactions_.rend(); ++at) {
    auto* tx = static_cast<Stream*>(at->get());
    // What a stray frame made is no stream to go on with.
    if (tx->stream == stream && !tx->skip_inspect[0] && !tx->skip_inspect[1]) return tx;
  }
  return nullptr;
}

// Streams that never end would stay for ever: the oldest one is given up for each new one.
void Http2Session::make_room() {
  std::size_t open = 0;
  Stream* oldest = nullptr;
  for (const auto& base : transactions_) {
    auto* tx = static_cast<Stream*>(base.get());
    if (tx->complete(0) && tx->complete(1)) continue;
    ++open;
    if (oldest == nullptr) oldest = tx;
  }
  if (open < config_.max_streams || oldest == nullptr) return;
  http::add_event(oldest->events, kTooManyStreams);
  finish(*oldest, Direction::to_server, false);
  finish(*oldest, Direction::to_client, false);
}

Stream* Http2Session::add(std::uint32_t stream) {
  if (transactions_.size() >= config_.max_streams * kFramesPerStream) {
    http::add_event(transactions_.back()->events, kTooManyFrames);
    return nullptr;
  }
  auto tx = std::make_unique<Stream>();
  tx->id = next_id_++;
  tx->stream = stream;
  auto* raw = tx.get();
  transactions_.push_back(std::move(tx));
  return raw;
}

Stream* Http2Session::add_frame(Direction d, std::uint32_t stream) {
  Stream* tx = add(stream);
  if (tx == nullptr) return nullptr;
  tx->progress = {kHttpComplete, kHttpComplete};
  tx->skip_inspect[index(opposite(d))] = true;
  return tx;
}

// Clients open odd streams, servers even ones, each in ascending order.
bool Http2Session::is_over(std::uint32_t stream) const {
  return stream <= sides_[stream % 2 == 1 ? 0 : 1].highest;
}

// The stream a HEADERS or DATA frame goes to. Null: it is ignored.
Stream* Http2Session::stream_of(Direction d, const Frame& frame) {
  if (Stream* tx = by_stream(frame.stream)) {
    if (!tx->complete(index(d))) return tx;
    // Over in this direction: what comes is no part of it, and read only to know the header table.
    if (std::find(cancelled_.begin(), cancelled_.end(), frame.stream) == cancelled_.end())
      http::add_event(tx->events, kStreamIdReuse);
    return nullptr;
  }
  if (is_over(frame.stream)) {
    if (std::find(cancelled_.begin(), cancelled_.end(), frame.stream) != cancelled_.end()) return nullptr;
    Stream* tx = add_frame(d, frame.stream);
    if (tx == nullptr) return nullptr;
    note(*tx, d, frame);
    http::add_event(tx->events, kStreamIdReuse);
    return nullptr;
  }
  if (transactions_.size() >= config_.max_streams) make_room();
  Stream* tx = add(frame.stream);
  if (tx != nullptr)
    side(frame.stream % 2 == 1 ? Direction::to_server : Direction::to_client).highest = frame.stream;
  return tx;
}

void Http2Session::note(Stream& tx, Direction d, const Frame& frame) {
  Http2Frames& seen = tx.frames[index(d)];
  if (frame.type < kFrameTypes) seen.types = static_cast<std::uint16_t>(seen.types | 1U << frame.type);
  if (++seen.count > config_.max_frames) http::add_event(tx.events, kTooManyFrames);
  if (frame.has_priority && seen.priorities.size() < Http2Frames::kMost)
    seen.priorities.push_back(frame.weight);
  if (tx.progress[index(d)] == kHttpNotStarted) tx.progress[index(d)] = kHttpLine;
}

// False: more bytes are needed. A client that begins with something else is read as frames, and told.
bool Http2Session::take_preface(ByteView& data) {
  while (!data.empty() && preface_ < kPreface.size() &&
         data.front() == static_cast<std::uint8_t>(kPreface[preface_])) {
    ++preface_;
    data = data.subspan(1);
  }
  if (preface_ == kPreface.size()) return preface_done_ = true;
  if (data.empty()) return false;
  if (Stream* tx = add_frame(Direction::to_server, 0)) http::add_event(tx->events, kInvalidClientMagic);
  Frames sink(*this, Direction::to_server);
  side(Direction::to_server).frames.feed(core::as_bytes(kPreface.substr(0, preface_)), sink);
  return preface_done_ = true;
}

bool Http2Session::on_data(Direction d, ByteView data, std::int64_t /*time_us*/) {
  Side& s = side(d);
  if (s.stopped) return false;
  if (d == Direction::to_server && !preface_done_ && !take_preface(data)) return true;
  Frames sink(*this, d);
  s.frames.feed(data, sink);
  return true;
}

bool Http2Session::on_gap(Direction d, std::uint64_t bytes) {
  Side& s = side(d);
  if (s.stopped) return false;
  bool end = false;
  if (!s.frames.skip(bytes, end)) {
    // Where the next frame begins is unknown, and so is the header table.
    on_end(d);
    s.stopped = true;
    return false;
  }
  Stream* tx = by_id(s.tx);
  if (tx == nullptr || !tx->body[index(d)].started()) return true;
  tx->body[index(d)].attach(*tx);
  tx->body[index(d)].gap(bytes);
  if (end) data_done(d, s.frames.frame());
  return true;
}

void Http2Session::on_end(Direction d) {
  Side& s = side(d);
  if (s.ended) return;
  s.ended = true;
  const bool all = side(opposite(d)).ended;
  for (const auto& base : transactions_) {
    auto& tx = static_cast<Stream&>(*base);
    finish(tx, d, false);
    // Nobody is left who could answer.
    if (all) finish(tx, opposite(d), false);
  }
}

void Http2Session::finish(Stream& tx, Direction d, bool complete) {
  const std::size_t side = index(d);
  if (tx.complete(side)) return;
  http::BodyReceiver& body = tx.body[side];
  if (body.started()) {
    body.attach(tx);
    body.finish(complete);
  }
  tx.progress[side] = kHttpComplete;
  if (tx.is_dns[side] && complete) dns_message(tx, d, tx.message[side].body);
}

void Http2Session::begin_data(Direction d, const Frame& frame) {
  Side& s = side(d);
  s.tx = kNone;
  if (frame.stream == 0) {
    if (Stream* tx = add_frame(d, 0)) {
      note(*tx, d, frame);
      http::add_event(tx->events, kDataStreamZero);
    }
    return;
  }
  Stream* tx = stream_of(d, frame);
  if (tx == nullptr) return;
  note(*tx, d, frame);
  if (frame.length > 65536) http::add_event(tx->events, kLongFrameData);
  s.tx = tx->id;
}

void Http2Session::data(Direction d, ByteView bytes) {
  Stream* tx = by_id(side(d).tx);
  if (tx == nullptr) return;
  const std::size_t at = index(d);
  http::BodyReceiver& body = tx->body[at];
  // Without header fields: the flow was joined in the middle.
  if (!body.started()) start_body(*tx, d);
  body.attach(*tx);
  tx->message[at].wire_body_size += bytes.size();
  body.take(bytes);
  if (tx->is_dns[at] && tx->message[at].body_size > kMostDnsBytes)
    http::add_event(tx->events, d == Direction::to_server ? kDnsRequestTooLong : kDnsResponseTooLong);
}

void Http2Session::data_done(Direction d, const Frame& frame) {
  Stream* tx = by_id(side(d).tx);
  side(d).tx = kNone;
  if (tx != nullptr && frame.has(kFlagEndStream)) finish(*tx, d, true);
}

}  // namespace gatehouse::ids::http2

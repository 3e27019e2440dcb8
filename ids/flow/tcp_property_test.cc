// Properties of reassembly: how a byte stream was cut, repeated, reordered or acknowledged must not
// show in what is delivered.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

#include "ids/flow/testing_pipeline.h"

namespace gatehouse::ids {
namespace {

using testing::FlowPipeline;
using testing::Frame;
using testing::TcpConversation;

constexpr std::uint8_t kAck = kTcpAck, kData = kTcpPsh | kTcpAck;

struct Piece {
  std::size_t begin, size;
};

std::vector<Piece> random_cut(std::size_t total) {
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < total;) {
    const auto size = std::min<std::size_t>(static_cast<std::size_t>(*rc::gen::inRange(1, 400)), total - at);
    pieces.push_back({at, size});
    at += size;
  }
  return pieces;
}

TcpConversation::Endpoints near_wrap() {
  TcpConversation::Endpoints endpoints;
  endpoints.client_isn = *rc::gen::element(1000U, 0xffffff00U, 0xffffffffU, 0x7fffff80U);
  return endpoints;
}

RC_GTEST_PROP(TcpProperty, AnySegmentationOrderAndRepetition, ()) {
  const std::string stream = *rc::gen::container<std::string>(
      static_cast<std::size_t>(*rc::gen::inRange(1, 4000)), rc::gen::inRange('a', 'z'));
  auto pieces = random_cut(stream.size());
  // Some pieces twice, some joined with their neighbour: the same bytes again.
  const std::size_t once = pieces.size();
  for (int i = *rc::gen::inRange(0, 10); i > 0; --i) {
    Piece copy = pieces[*rc::gen::inRange<std::size_t>(0, once)];
    copy.size =
        std::min(copy.size + static_cast<std::size_t>(*rc::gen::inRange(0, 300)), stream.size() - copy.begin);
    pieces.push_back(copy);
  }
  std::vector<std::size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[*rc::gen::inRange<std::size_t>(0, i)]);

  TcpConversation talk(near_wrap());
  talk.handshake();
  std::vector<bool> arrived(stream.size());
  for (const std::size_t i : order) {
    const Piece& piece = pieces[i];
    talk.raw(true, kData, 1 + static_cast<std::uint32_t>(piece.begin), 1,
             std::string_view(stream).substr(piece.begin, piece.size));
    std::fill_n(arrived.begin() + static_cast<std::ptrdiff_t>(piece.begin), piece.size, true);
    // The receiver acknowledges what it has in order, now and then.
    if (*rc::gen::arbitrary<bool>()) {
      const auto have = std::find(arrived.begin(), arrived.end(), false) - arrived.begin();
      talk.raw(false, kAck, 1, 1 + static_cast<std::uint32_t>(have));
    }
  }
  FlowPipeline run;
  run.feed(talk.frames()).finish();
  RC_ASSERT(run.to_server() == stream);
  RC_ASSERT(run.tcp().counters().reassembly_gap == 0U);
  RC_ASSERT(run.tcp().counters().overlap_diff_data == 0U);
  RC_ASSERT(run.tcp().counters().reassembly_memuse == 0U);
  RC_ASSERT(run.tcp().counters().memuse == 0U);
  std::uint64_t offset = 0;
  for (const auto& delivery : run.deliveries) {
    if (delivery.direction != Direction::to_server) continue;
    RC_ASSERT(delivery.offset == offset);
    RC_ASSERT(delivery.gap == 0U);
    offset += delivery.data.size();
  }
}

// Nothing is delivered before the other side said that it has it.
RC_GTEST_PROP(TcpProperty, NothingBeforeTheAcknowledgement, ()) {
  const std::string stream(static_cast<std::size_t>(*rc::gen::inRange(10, 2000)), 'x');
  TcpConversation talk;
  talk.handshake();
  for (const Piece& piece : random_cut(stream.size())) {
    talk.raw(true, kData, 1 + static_cast<std::uint32_t>(piece.begin), 1,
             std::string_view(stream).substr(piece.begin, piece.size));
  }
  FlowPipeline run;
  run.feed(talk.frames());
  RC_ASSERT(run.to_server().empty());
  const auto acknowledged =
      *rc::gen::inRange<std::uint32_t>(0, static_cast<std::uint32_t>(stream.size()) + 1);
  run.feed(TcpConversation().raw(false, kAck, 1, 1 + acknowledged).frames());
  RC_ASSERT(run.to_server().size() == acknowledged);
}

// Any cut of a datagram into fragments, in any order, gives the same packet.
RC_GTEST_PROP(DefragProperty, AnyFragmentationGivesTheSamePacket, ()) {
  using namespace testing;
  const bool v6 = *rc::gen::arbitrary<bool>();
  IpFields fields;
  fields.protocol = 17;
  if (v6) {
    fields.source = "2001:db8::1";
    fields.destination = "2001:db8::2";
  }
  const std::string payload = *rc::gen::container<std::string>(
      static_cast<std::size_t>(*rc::gen::inRange(20, 3000)), rc::gen::inRange('a', 'z'));
  const Bytes segment = udp(1000, 53, from_text(payload));
  const Bytes datagram = v6 ? ipv6(fields, segment) : ipv4(fields, segment);
  auto pieces = fragments(datagram, 8 * static_cast<std::size_t>(*rc::gen::inRange(1, 100)));
  for (std::size_t i = pieces.size(); i > 1; --i)
    std::swap(pieces[i - 1], pieces[*rc::gen::inRange<std::size_t>(0, i)]);
  FlowPipeline run;
  std::vector<Frame> frames;
  for (const Bytes& piece : pieces) frames.push_back({ethernet_ip(piece), 1'000'000});
  bool seen = false;
  struct Watch : PacketHandler {
    void on_packet(Packet& packet) override {
      if (packet.fragment) return;
      ++whole;
      text = std::string(core::as_text(packet.payload));
      origin = packet.origin;
      port = packet.destination_port;
      bad = packet.bad_checksum;
    }
    unsigned whole = 0;
    std::string text;
    PacketOrigin origin = PacketOrigin::wire;
    std::uint16_t port = 0;
    bool bad = false;
  } watch;
  PacketPath path{DecoderOptions{}, DefragOptions{}};
  std::uint64_t number = 0;
  for (const Frame& frame : frames) {
    path.process(raw_packet(frame, ++number), watch);
    seen = watch.whole != 0;
    if (seen) break;
  }
  RC_ASSERT(watch.whole == 1U);
  RC_ASSERT(number == frames.size());
  RC_ASSERT(watch.text == payload);
  RC_ASSERT(watch.port == 53);
  RC_ASSERT(!watch.bad);
  RC_ASSERT(watch.origin == (frames.size() == 1 ? PacketOrigin::wire : PacketOrigin::defrag));
  RC_ASSERT(path.defrag().counters().memuse == 0U);
}

}  // namespace
}  // namespace gatehouse::ids

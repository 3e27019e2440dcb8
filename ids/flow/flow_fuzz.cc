// A sequence of small IP packets between two hosts through defragmentation, flow table and TCP: no
// crash, offsets only grow, and all memory is given back at the end.
#include <cstdlib>

#include "ids/flow/testing_pipeline.h"

namespace {

using namespace gatehouse::ids;
using testing::Bytes;

class Order : public PacketHandler, public StreamSink, public FlowEndHandler {
 public:
  explicit Order(const TcpOptions& options)
      : path_(DecoderOptions{}, DefragOptions{}), table_(FlowTableOptions{}, *this), tcp_(options) {}

  void feed(const Bytes& frame, std::int64_t now_us) {
    path_.process(testing::raw_packet(frame, now_us), *this);
  }
  void finish() {
    table_.finish(FlowEndReason::shutdown);
    const TcpCounters& counters = tcp_.counters();
    if (counters.memuse != 0 || counters.reassembly_memuse != 0 || counters.active_sessions != 0)
      std::abort();
  }

  void on_packet(Packet& packet) override {
    Flow* flow = table_.handle(packet);
    if (flow == nullptr || !packet.is_tcp()) return;
    tcp_.handle(*flow, packet, *this);
    table_.update(*flow);
    if (flow->tcp != nullptr)
      flow->tcp->release_inspected(packet.direction, flow->tcp->inspectable(packet.direction).offset + 7);
  }
  void on_stream(Flow& flow, const StreamChunk& chunk) override {
    if (flow.tcp->ended(chunk.direction) && !chunk.end) std::abort();
    for (const auto byte : chunk.data) sum_ += byte;
  }
  void on_stream_event(Flow&, const Packet&, std::uint16_t event) override {
    sum_ += stream_event_name(event).size();
  }
  void on_flow_end(Flow& flow) override {
    tcp_.finish(flow, *this);
    tcp_.release(flow);
  }

 private:
  PacketPath path_;
  FlowTable table_;
  TcpTracker tcp_;
  std::uint64_t sum_ = 0;
};

// Small numbers around the initial ones reach more states than random ones.
void feed_tcp(Order& order, gatehouse::core::ByteReader& reader, std::int64_t now_us) {
  testing::TcpFields fields;
  const std::uint8_t kind = reader.u8();
  const bool from_client = (kind & 1) != 0;
  fields.source_port = from_client ? 1000 : 80;
  fields.destination_port = from_client ? 80 : 1000;
  fields.flags = reader.u8();
  fields.sequence = (from_client ? 0xfffffff0U : 5000U) + reader.u8();
  fields.acknowledgment = (from_client ? 5000U : 0xfffffff0U) + reader.u8();
  fields.urgent = (kind >> 1) & 7;
  fields.window = (kind & 0x10) != 0 ? 3 : 65'535;
  if ((kind & 0x20) != 0) fields.options = testing::from_hex("0101080a0000000100000001");
  if ((kind & 0x40) != 0) fields.options = testing::from_hex("2202");
  const std::size_t size = reader.u8() & 31;
  const ByteView text = reader.bytes(size);
  testing::IpFields ip;
  if (!from_client) std::swap(ip.source, ip.destination);
  order.feed(testing::ethernet_ip(testing::ipv4(ip, testing::tcp(fields, Bytes(text.begin(), text.end())))),
             now_us);
}

void feed_fragment(Order& order, gatehouse::core::ByteReader& reader, std::int64_t now_us) {
  testing::IpFields ip;
  ip.id = reader.u8() & 3;
  ip.fragment = static_cast<std::uint16_t>((reader.u8() & 15) | (reader.u8() & 1) << 13);
  ip.fill_checksums = false;
  const ByteView text = reader.bytes(reader.u8() & 63);
  order.feed(testing::ethernet_ip(testing::ipv4(ip, Bytes(text.begin(), text.end()))), now_us);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gatehouse::core::ByteReader reader(ByteView(data, size));
  const std::uint8_t mode = reader.u8();
  TcpOptions options;
  options.midstream = (mode & 1) != 0;
  options.async_oneside = (mode & 2) != 0;
  options.retain_for_inspection = (mode & 4) != 0;
  options.depth_bytes = (mode & 8) != 0 ? 40 : 0;
  options.policies.fallback = static_cast<OsPolicy>((mode >> 4) % 15);
  Order order(options);
  std::int64_t now_us = 0;
  for (int packets = 0; packets < 100 && !reader.at_end() && reader.ok(); ++packets) {
    const std::uint8_t what = reader.u8();
    now_us += std::int64_t{what} * 10'000;
    if ((what & 7) == 0) {
      feed_fragment(order, reader, now_us);
    } else {
      feed_tcp(order, reader, now_us);
    }
  }
  order.finish();
  return 0;
}

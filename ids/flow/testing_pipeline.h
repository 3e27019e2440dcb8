// Test support: frames through decoder, defragmenter, flow table and TCP tracker, with a record of
// what came out. Not part of the product.
#pragma once

#include <string>
#include <vector>

#include "ids/decode/testing/packet_builder.h"
#include "ids/flow/flow_table.h"
#include "ids/flow/packet_path.h"
#include "ids/flow/tcp.h"

namespace gatehouse::ids::testing {

class FlowPipeline : public PacketHandler, public StreamSink, public FlowEndHandler {
 public:
  struct Ended {
    std::uint64_t id;
    FlowKey key;
    FlowState state;
    FlowEndReason reason;
    TcpState tcp_state;
    std::array<DirectionCounters, 2> counters;
  };
  struct Delivery {
    std::uint64_t packet;  // 0: at the end of the flow
    Direction direction;
    std::string data;
    std::uint64_t offset, gap;
    bool end, depth_reached;
  };
  struct Options {
    DecoderOptions decoder;
    DefragOptions defrag;
    FlowTableOptions flow;
    TcpOptions tcp;
  };

  FlowPipeline() : FlowPipeline(Options{}) {}
  explicit FlowPipeline(const Options& options)
      : path_(options.decoder, options.defrag), table_(options.flow, *this), tcp_(options.tcp) {}

  FlowPipeline& feed(const std::vector<Frame>& frames) {
    for (const Frame& frame : frames) feed(frame);
    return *this;
  }
  FlowPipeline& feed(const Frame& frame) {
    path_.process(raw_packet(frame, ++number_), *this);
    return *this;
  }
  FlowPipeline& finish() {
    table_.finish(FlowEndReason::shutdown);
    return *this;
  }

  void on_packet(Packet& packet) override {
    current_ = packet.number;
    Flow* flow = table_.handle(packet);
    if (flow != nullptr && packet.is_tcp()) {
      while (tcp_.lacks_room(*flow, packet) && table_.end_oldest_half_open(*flow)) {
      }
      tcp_.handle(*flow, packet, *this);
      table_.update(*flow);
      last_tcp_state = flow->tcp == nullptr ? TcpState::none : flow->tcp->state();
      last_session = flow->tcp.get();
    }
    last_flow = flow;
    packets.push_back(packet);
    current_ = 0;
  }
  void on_stream(Flow&, const StreamChunk& chunk) override {
    const std::string data(core::as_text(chunk.data));
    stream[index(chunk.direction)] += data;
    deliveries.push_back(
        {current_, chunk.direction, data, chunk.offset, chunk.gap, chunk.end, chunk.depth_reached});
  }
  void on_stream_event(Flow&, const Packet&, std::uint16_t event) override {
    events.emplace_back(stream_event_name(event));
  }
  void on_flow_end(Flow& flow) override {
    const TcpState state = flow.tcp == nullptr ? TcpState::none : flow.tcp->state();
    tcp_.finish(flow, *this);
    tcp_.release(flow);
    ended.push_back({flow.id, flow.key, flow.state, flow.end_reason, state, flow.counters});
  }

  const std::string& to_server() const { return stream[0]; }
  const std::string& to_client() const { return stream[1]; }
  FlowTable& table() { return table_; }
  TcpTracker& tcp() { return tcp_; }
  PacketPath& path() { return path_; }

  std::vector<Packet> packets;
  std::vector<Ended> ended;
  std::vector<Delivery> deliveries;
  std::vector<std::string> events;
  std::array<std::string, 2> stream;
  Flow* last_flow = nullptr;
  TcpSession* last_session = nullptr;
  TcpState last_tcp_state = TcpState::none;

 private:
  PacketPath path_;
  FlowTable table_;
  TcpTracker tcp_;
  std::uint64_t number_ = 0, current_ = 0;
};

}  // namespace gatehouse::ids::testing

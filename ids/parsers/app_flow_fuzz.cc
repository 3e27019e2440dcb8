#include "ids/parsers/session_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::ids;
  const ByteView input(data, size);
  Flow flow;
  flow.key.server_port = size > 0 && (data[0] & 2U) != 0 ? 53 : 80;
  const bool udp = size > 0 && (data[0] & 8U) != 0;
  ParserConfig config;
  config.http.max_transactions = 16;
  AppLayer layer(config);
  testing::for_each_piece(input, [&](Direction direction, bool gap, ByteView bytes) {
    if (udp) {
      layer.on_datagram(flow, direction, bytes, 0);
    } else {
      StreamChunk chunk;
      chunk.direction = direction;
      if (gap) {
        chunk.gap = bytes.size();
      } else {
        chunk.data = bytes;
        chunk.end = bytes.empty();
      }
      layer.on_stream(flow, chunk, 0);
    }
    if (app_flow(flow) != nullptr && app_flow(flow)->session) {
      for (const auto& tx : app_flow(flow)->session->transactions()) {
        tx->logged = true;
        tx->inspected = {true, true};
      }
    }
    AppLayer::drop_finished(flow);
  });
  layer.on_flow_end(flow);
  return 0;
}

#include "ids/engine/midstream.h"

#include <algorithm>
#include <utility>

#include "ids/engine/event_facts.h"
#include "ids/flow/tcp.h"

namespace gatehouse::ids::engine {
namespace {

bool some_server_says(ByteView data) {
  const auto parsers = parser_table();
  return std::any_of(parsers.begin(), parsers.end(), [&](const ParserDescriptor* parser) {
    const bool tcp =
        (static_cast<unsigned>(parser->transport) & static_cast<unsigned>(AppTransport::tcp)) != 0;
    return tcp && !parser->ports_only && parser->probe != nullptr &&
           parser->probe(data, Direction::to_client, AppTransport::tcp) == ProbeVerdict::yes;
  });
}

// Protocols that look alike in both directions: who sits on the well-known port is the server.
bool client_sits_on_its_port(const Flow& flow, const ParserDescriptor& parser) {
  const auto listed = [&](std::uint16_t port) {
    return std::find(parser.default_ports.begin(), parser.default_ports.end(), port) !=
           parser.default_ports.end();
  };
  return listed(flow.key.client_port) && !listed(flow.key.server_port);
}

}  // namespace

bool turn_to_server(Flow& flow, AppLayer& layer, std::int64_t time_us) {
  if (flow.tcp == nullptr || !flow.tcp->midstream()) return false;
  const AppFlow* app = app_flow(flow);
  if (app == nullptr || app->original != kAppUnknown || app->proto == kAppFailed) return false;
  if (app->first_direction != Direction::to_server || app->ended[0] || app->ended[1]) return false;
  if (app->detected[1] != kAppUnknown || !app->pending[1].empty()) return false;
  if (app->proto == kAppUnknown) {
    if (app->pending[0].empty() || !some_server_says(app->pending[0])) return false;
  } else if (!client_sits_on_its_port(flow, parser_of(app->proto))) {
    return false;
  }
  const auto window = flow.tcp->inspectable(Direction::to_server);
  if (window.offset != 0 || window.data.empty()) return false;
  const std::vector<std::uint8_t> bytes(window.data.begin(), window.data.end());
  swap_direction(flow);
  if (FlowFacts* facts = flow_facts(flow); facts != nullptr) {
    std::swap(facts->macs[0], facts->macs[1]);
    std::swap(facts->min_ttl[0], facts->min_ttl[1]);
    std::swap(facts->max_ttl[0], facts->max_ttl[1]);
  }
  flow.app.reset();
  flow.detect.reset();
  StreamChunk chunk;
  chunk.direction = Direction::to_client;
  chunk.data = bytes;
  layer.on_stream(flow, chunk, time_us);
  return true;
}

}  // namespace gatehouse::ids::engine

#include "ids/match/stream_window.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ids/flow/tcp.h"

namespace gatehouse::ids {
namespace {

// Inspected stream bytes that stay in the window, so that contents across a chunk border meet.
constexpr std::size_t kOverlap = 2560;

// When a protocol makes its stream worth a look before a chunk is full.
enum class Trigger : std::uint8_t { unit_complete, any_progress, every_line, never };

Trigger trigger_named(std::string_view parser) {
  if (parser == "ftp" || parser == "ftp-data") return Trigger::never;
  if (parser == "smtp") return Trigger::every_line;
  if (parser == "http" || parser == "http2" || parser == "dns") return Trigger::unit_complete;
  return Trigger::any_progress;
}

// Asked for every packet: names are compared once.
Trigger trigger_of(AppProto proto) {
  static const std::vector<Trigger> kTriggers = [] {
    std::vector<Trigger> triggers{Trigger::never};
    for (const ParserDescriptor* parser : parser_table()) triggers.push_back(trigger_named(parser->name));
    return triggers;
  }();
  return kTriggers[proto];
}

// Grows with every unit the parser has finished in `direction`.
std::uint64_t units_done(AppFlow& app, Direction direction, bool any_progress) {
  const std::size_t side = index(direction);
  const std::uint8_t complete = parser_of(app.proto).complete[side];
  const auto& open = app.session->transactions();
  std::uint64_t done = (app.session->transaction_count() - open.size()) * std::uint64_t{complete};
  for (const auto& tx : open) {
    if (any_progress || tx->progress[side] >= complete) done += tx->progress[side];
  }
  return done;
}

bool parser_asks(const Flow& flow, FlowDetect& state, Direction direction, ByteView fresh) {
  AppFlow* app = app_flow(flow);
  if (app == nullptr || app->proto == kAppUnknown || app->proto == kAppFailed) return false;
  // Known but not parsed: nobody says where its units end, so each acknowledgement counts as one.
  if (!app->session) return true;
  const Trigger trigger = trigger_of(app->proto);
  if (trigger == Trigger::never) return false;
  if (trigger == Trigger::every_line) return !fresh.empty() && fresh.back() == '\n';
  std::uint64_t& seen = state.units_done[index(direction)];
  const std::uint64_t done = units_done(*app, direction, trigger == Trigger::any_progress);
  return std::exchange(seen, done) != done;
}

// From here on little more will come, so nothing waits for a full chunk.
bool closing(TcpState state) {
  return state == TcpState::last_ack || state == TcpState::close_wait || state == TcpState::closing ||
         state == TcpState::closed;
}

}  // namespace

bool stream_due(const Packet& packet, const Flow& flow, FlowDetect& state, Direction direction,
                const std::array<std::uint32_t, 2>& chunk_bytes) {
  if (!flow.tcp || flow.key.protocol != kProtoTcp) return false;
  const TcpSession& session = *flow.tcp;
  const std::uint64_t scanned = state.scanned_to[index(direction)];
  const std::uint64_t delivered = session.peer(direction).held().delivered();
  if (delivered <= scanned) return false;
  if (parser_asks(flow, state, direction, take_stream(flow, state, direction).data)) return true;
  return delivered - scanned >= chunk_bytes[index(direction)] || session.ended(direction) ||
         packet.origin == PacketOrigin::flow_end || closing(session.state());
}

StreamView take_stream(const Flow& flow, const FlowDetect& state, Direction direction) {
  StreamView view;
  if (!flow.tcp || flow.key.protocol != kProtoTcp) return view;
  const std::uint64_t seen = state.scanned_to[index(direction)];
  const auto window = flow.tcp->inspectable(direction, seen);
  const std::uint64_t end = window.offset + window.data.size();
  const std::uint64_t scanned = std::clamp(seen, window.offset, end);
  if (scanned == end) return view;
  view.old = static_cast<std::size_t>(scanned - window.offset);
  view.data = window.data;
  view.base = window.offset;
  return view;
}

void finish_stream(FlowDetect& state, Direction direction, const StreamView& view) {
  if (view.data.empty()) return;
  const std::uint64_t end = view.base + view.data.size();
  state.scanned_to[index(direction)] = end;
  const std::uint64_t kept = end - std::min<std::uint64_t>(kOverlap, view.data.size());
  std::erase_if(state.waiting[index(direction)],
                [&](const FlowDetect::Waiting& w) { return w.until <= kept; });
}

void drop_seen(Flow& flow, const FlowDetect& state, Direction direction) {
  if (!flow.tcp || flow.key.protocol != kProtoTcp) return;
  const std::uint64_t seen = state.scanned_to[index(direction)];
  auto window = flow.tcp->inspectable(direction);
  while (window.gap_follows && window.offset + window.data.size() <= seen) {
    flow.tcp->release_inspected(direction, seen);
    window = flow.tcp->inspectable(direction);
  }
  if (!window.gap_follows && seen > window.offset + kOverlap)
    flow.tcp->release_inspected(direction, seen - kOverlap);
}

void release_stream(Flow& flow, Direction direction) {
  auto window = flow.tcp->inspectable(direction);
  for (bool more = true; more; window = flow.tcp->inspectable(direction)) {
    more = window.gap_follows;
    flow.tcp->release_inspected(direction, window.offset + window.data.size());
  }
}

}  // namespace gatehouse::ids

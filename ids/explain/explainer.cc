#include "ids/explain/explainer.h"

#include <fmt/format.h>

#include <algorithm>

#include "ids/flow/tcp.h"
#include "ids/match/rule_header.h"

namespace gatehouse::ids::explain {
namespace {

constexpr std::size_t kNearbyBytes = 48;

void add(Place& place, std::string text, bool holds) {
  place.parts.push_back({std::move(text), holds ? PartState::holds : PartState::fails, {}});
}

std::string printable(ByteView bytes) {
  std::string out;
  for (const std::uint8_t c : bytes) {
    if (c >= 0x20 && c < 0x7f && c != '|') {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("|{:02x}|", c);
    }
  }
  return out;
}

std::string nearby(ByteView bytes, std::size_t cursor) {
  const std::size_t from = std::min(bytes.size(), cursor) - std::min<std::size_t>(cursor, 8);
  const std::size_t begin = std::min(from, bytes.size());
  std::string out = printable(bytes.subspan(begin, std::min(kNearbyBytes, bytes.size() - begin)));
  return fmt::format("{} bytes, from {}: {}", bytes.size(), begin, out.empty() ? "(none)" : out);
}

std::string content_name(const ContentOp& content) {
  const ByteView bytes = core::as_bytes(content.pattern);
  return fmt::format("content:{}\"{}\"{}", content.negated ? "!" : "", printable(bytes),
                     content.nocase ? "; nocase" : "");
}

std::string op_name(const BufferOp& op, const std::string& known) {
  if (op.kind() == BufferOp::Kind::content) return content_name(op.content);
  if (!known.empty()) return known;
  return op.kind() == BufferOp::Kind::pcre ? "pcre" : "a test of the bytes";
}

// Fewer failures first, then more that holds, then the earlier one.
bool better(const Place& a, const Place& b) {
  const std::size_t a_open = a.parts.size() - a.held, b_open = b.parts.size() - b.held;
  if (a_open != b_open) return a_open < b_open;
  if (a.held != b.held) return a.held > b.held;
  return a.packet < b.packet;
}

}  // namespace

Explainer::Explainer(const Rule& rule, PartNames names, const std::vector<std::string>& flowbit_names,
                     std::size_t most)
    : rule_(rule), names_(std::move(names)), flowbit_names_(flowbit_names), most_(most) {
  for (const BufferMatch& match : rule.buffers) lists_.push_back(plan_list(match));
}

void Explainer::on_inspected(const Packet& packet, Flow* flow, std::span<const Match> matches) {
  for (const Match& match : matches) {
    if (match.rule->meta.sid != rule_.meta.sid || match.rule->meta.gid != rule_.meta.gid) continue;
    ++result_.matches;
    if (result_.match_packets.size() < kMostMatches) result_.match_packets.push_back(packet.number);
  }
  if (rule_.rule_class == RuleClass::transaction) {
    if (flow != nullptr) judge_transactions(packet, *flow);
    return;
  }
  if (packet.origin != PacketOrigin::flow_end) judge_packet(packet, flow, false);
  const bool streams = rule_.rule_class == RuleClass::stream && !rule_.packet_only;
  if (streams && flow != nullptr && flow->tcp != nullptr) judge_packet(packet, flow, true);
}

Place Explainer::begin(const Packet& packet, const Flow* flow, Direction direction) const {
  Place place;
  place.packet = packet.number;
  place.at_end = packet.origin == PacketOrigin::flow_end;
  place.direction = direction;
  if (flow != nullptr) place.flow_id = flow->id;
  return place;
}

void Explainer::judge_transactions(const Packet& packet, Flow& flow) {
  const AppFlow* app = app_flow(flow);
  if (app == nullptr || app->session == nullptr) return;
  const Direction direction = packet.direction;
  for (const auto& tx : app->session->transactions()) {
    if (tx->progress[index(direction)] == 0 || tx->skip_inspect[index(direction)]) continue;
    Place place = begin(packet, &flow, direction);
    place.what = "transaction";
    place.tx_id = tx->id;
    InspectContext context{packet, &flow, direction, tx.get(), {}};
    add_header(place, packet, &flow, direction);
    add_conditions(place, context);
    add_events(place, packet, tx.get());
    for (std::size_t i = 0; i < lists_.size(); ++i) add_list(place, i, context, {}, 0);
    add_flowbits(place, &flow);
    keep(std::move(place));
  }
}

void Explainer::judge_packet(const Packet& packet, const Flow* flow, bool stream) {
  const Direction direction = flow == nullptr ? Direction::to_server : packet.direction;
  Place place = begin(packet, flow, direction);
  place.what = stream ? "stream" : "packet";
  ByteView bytes = packet.payload;
  std::uint64_t base = 0;
  if (stream) {
    const auto window = flow->tcp->inspectable(direction);
    if (window.data.empty()) return;
    bytes = window.data;
    base = window.offset;
  }
  InspectContext context{packet, flow, direction, nullptr, {}};
  add_header(place, packet, flow, direction);
  add_conditions(place, context);
  add_events(place, packet, nullptr);
  for (std::size_t i = 0; i < lists_.size(); ++i) add_list(place, i, context, bytes, base);
  add_flowbits(place, flow);
  keep(std::move(place));
}

void Explainer::add_header(Place& place, const Packet& packet, const Flow* flow, Direction direction) const {
  const bool protocol = rule_.ip_protocols.empty() ||
                        std::find(rule_.ip_protocols.begin(), rule_.ip_protocols.end(), packet.protocol) !=
                            rule_.ip_protocols.end();
  add(place, fmt::format("IP protocol (this is {})", packet.protocol), protocol || rule_.any_packet);
  if (rule_.ip_version != 0)
    add(place, fmt::format("IP version {}", rule_.ip_version), packet.ip_version == rule_.ip_version);
  if (!rule_.app_protocols.empty()) {
    const AppFlow* app = flow == nullptr ? nullptr : app_flow(*flow);
    const bool found = app != nullptr && std::find(rule_.app_protocols.begin(), rule_.app_protocols.end(),
                                                   app->proto) != rule_.app_protocols.end();
    add(place,
        fmt::format("application protocol (this is {})",
                    app == nullptr ? std::string_view("unknown") : app_proto_name(app->proto)),
        found);
  }
  if (!rule_.transactional) {
    const bool turned = rule_.bidirectional && !header_holds(rule_, packet, flow, direction);
    const Packet& p = packet;
    const bool forward =
        !turned || (rule_.source.contains(p.source) && rule_.destination.contains(p.destination));
    add(place, "source address",
        forward ? rule_.source.contains(p.source) : rule_.source.contains(p.destination));
    add(place, fmt::format("source port (this is {})", p.source_port),
        port_holds(rule_.source_port, p, forward ? p.source_port : p.destination_port));
    add(place, "destination address",
        forward ? rule_.destination.contains(p.destination) : rule_.destination.contains(p.source));
    add(place, fmt::format("destination port (this is {})", p.destination_port),
        port_holds(rule_.destination_port, p, forward ? p.destination_port : p.source_port));
  }
  const FlowConditions& f = rule_.flow;
  if (f.direction)
    add(place, *f.direction == Direction::to_server ? "flow:to_server" : "flow:to_client",
        flow != nullptr && direction == *f.direction);
  const bool established = flow != nullptr && (packet.established || flow->state == FlowState::closed);
  if (f.established) add(place, "flow:established", established);
  if (f.not_established) add(place, "flow:not_established", !established);
}

void Explainer::add_conditions(Place& place, const InspectContext& context) const {
  for (std::size_t i = 0; i < rule_.conditions.size(); ++i) {
    const std::string& name = names_.conditions[i];
    add(place, name.empty() ? fmt::format("condition {}", i + 1) : name, rule_.conditions[i]->holds(context));
  }
}

void Explainer::add_events(Place& place, const Packet& packet, const Transaction* tx) const {
  if (!rule_.decode_events.empty()) {
    bool seen = false;
    for (std::uint8_t i = 0; i < packet.event_count; ++i)
      seen = seen || std::find(rule_.decode_events.begin(), rule_.decode_events.end(), packet.events[i]) !=
                         rule_.decode_events.end();
    add(place, "decode-event", seen);
  }
  if (!rule_.stream_events.empty()) {
    bool seen = false;
    for (std::uint8_t i = 0; i < packet.stream_event_count; ++i)
      seen = seen || std::find(rule_.stream_events.begin(), rule_.stream_events.end(),
                               packet.stream_events[i]) != rule_.stream_events.end();
    add(place, "stream-event", seen);
  }
  if (!rule_.app_events.empty() && tx != nullptr) {
    bool seen = false;
    for (const auto& [proto, event] : rule_.app_events)
      seen = seen || std::find(tx->events.begin(), tx->events.end(), event) != tx->events.end();
    add(place, "app-layer-event", seen);
  }
}

void Explainer::add_flowbits(Place& place, const Flow* flow) const {
  for (const FlowbitOp& test : rule_.flowbit_tests) {
    std::string names;
    bool any = false, all = true;
    for (const std::uint32_t bit : test.bits) {
      const bool set =
          flow != nullptr && std::binary_search(flow->flowbits().begin(), flow->flowbits().end(), bit);
      any = any || set;
      all = all && set;
      if (!names.empty()) names += '|';
      if (bit < flowbit_names_.size()) names += flowbit_names_[bit];
    }
    const bool isset = test.command == BitCommand::isset;
    add(place, fmt::format("flowbits:{},{}", isset ? "isset" : "isnotset", names),
        flow != nullptr && (isset ? any : !all));
  }
}

void Explainer::add_list(Place& place, std::size_t list, InspectContext& context, ByteView payload,
                         std::uint64_t base) {
  const BufferMatch& match = *lists_[list].match;
  const BufferDescriptor& buffer = buffer_table()[match.buffer];
  const std::string name(match.buffer == kPayloadBuffer ? std::string_view("payload") : buffer.name);
  ListReach best;
  ByteView best_bytes;
  std::vector<std::uint8_t> room[2], kept;
  bool present = false;
  const auto look = [&](ByteView bytes, std::uint64_t from) {
    std::size_t which = 0;
    for (const auto& transform : match.transforms) {
      if (!transform->apply(bytes, room[which])) return;
      bytes = room[which];
      which ^= 1U;
    }
    const ListReach reach = reach_in(lists_[list], context, bytes, from);
    if (present && !reach.holds && reach.ops <= best.ops) return;
    if (present && best.holds) return;
    present = true;
    best = reach;
    kept.assign(bytes.begin(), bytes.end());
    best_bytes = kept;
  };
  BufferView view;
  if (match.buffer == kPayloadBuffer) {
    look(payload, base);
  } else if (buffer.get_packet != nullptr) {
    if (buffer.get_packet(context.packet, view)) look(view.data, 0);
  } else if (context.tx != nullptr && buffer.get != nullptr) {
    const Direction side = match.direction ? *match.direction : buffer.direction.value_or(context.direction);
    for (unsigned i = 0; buffer.get(*context.tx, side, i, view); ++i) look(view.data, 0);
  }
  if (match.absent) {
    const bool holds = !present || (match.absent_or_else && best.holds);
    add(place, name + ": absent", holds);
    return;
  }
  if (!present) {
    place.parts.push_back({name, PartState::missing, "the buffer is not there"});
    for (const OpPlan& op : lists_[list].ops)
      place.parts.push_back({name + ": " + op_name(*op.op, {}), PartState::not_reached, {}});
    return;
  }
  add(place, name, true);
  add_ops(place, list, best, best_bytes);
}

void Explainer::add_ops(Place& place, std::size_t list, const ListReach& reach, ByteView bytes) const {
  const std::string_view buffer = lists_[list].match->buffer == kPayloadBuffer
                                      ? std::string_view("payload")
                                      : buffer_table()[lists_[list].match->buffer].name;
  const auto& ops = lists_[list].ops;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const std::string text = fmt::format("{}: {}", buffer, op_name(*ops[i].op, names_.ops[list][i]));
    if (reach.holds || i < reach.ops) {
      place.parts.push_back({text, PartState::holds, {}});
    } else if (i == reach.ops) {
      place.parts.push_back({text, PartState::fails, nearby(bytes, reach.cursor)});
    } else {
      place.parts.push_back({text, PartState::not_reached, {}});
    }
  }
}

void Explainer::keep(Place place) {
  ++result_.places;
  for (const Part& part : place.parts) place.held += part.state == PartState::holds;
  auto& best = result_.best;
  const auto same = std::find_if(best.begin(), best.end(), [&](const Place& p) {
    return p.flow_id == place.flow_id && p.tx_id == place.tx_id && p.direction == place.direction &&
           p.what == place.what && (place.flow_id != 0 || p.packet == place.packet);
  });
  if (same != best.end()) {
    if (better(place, *same)) *same = std::move(place);
    return;
  }
  best.push_back(std::move(place));
  if (best.size() < kMostPlaces) return;
  std::sort(best.begin(), best.end(), better);
  best.resize(kMostPlaces / 2);
}

Explanation Explainer::take() {
  std::stable_sort(result_.best.begin(), result_.best.end(), better);
  if (result_.best.size() > most_) result_.best.resize(most_);
  return std::move(result_);
}

}  // namespace gatehouse::ids::explain

#include "ids/parsers/app_flow.h"

#include <algorithm>
#include <cassert>

namespace gatehouse::ids {
namespace {

constexpr std::array<std::string_view, kDetectionEventCount> kEventNames = {
    "APPLAYER_MISMATCH_PROTOCOL_BOTH_DIRECTIONS",
    "APPLAYER_WRONG_DIRECTION_FIRST_DATA",
    "APPLAYER_DETECT_PROTOCOL_ONLY_ONE_DIRECTION",
    "APPLAYER_PROTO_DETECTION_SKIPPED",
    "APPLAYER_NO_TLS_AFTER_STARTTLS",
    "APPLAYER_UNEXPECTED_PROTOCOL",
};

// One side may talk so much, in detection windows, before the other side decides the protocol.
constexpr std::size_t kPendingWindows = 16;

constexpr std::array kBothDirections = {Direction::to_server, Direction::to_client};

void add_event(AppFlow& app, DetectionEvent event) {
  auto& events = app.detection_events;
  if (std::find(events.begin(), events.end(), event) == events.end()) events.push_back(event);
}

}  // namespace

std::span<const std::string_view> detection_event_names() {
  return kEventNames;
}

AppLayer::AppLayer(const ParserConfig& config) : config_(config), hassh_by_rules_(!config.ssh.hassh) {
  if (!config_.expected_flows) config_.expected_flows = std::make_shared<ExpectedFlows>();
  for (std::size_t i = 0; i < parser_table().size(); ++i) {
    const ParserDescriptor* parser = parser_table()[i];
    Candidate candidate{static_cast<AppProto>(i + 1),
                        parser,
                        {},
                        static_cast<unsigned>(parser->transport),
                        parser->make_session == nullptr};
    for (auto& ports : candidate.ports)
      ports.assign(parser->default_ports.begin(), parser->default_ports.end());
    bool enabled = true;
    for (const ProtocolSwitch& choice : config_.protocols) {
      if (choice.name != parser->name) continue;
      enabled = choice.enabled || choice.detection_only;
      candidate.detection_only = candidate.detection_only || choice.detection_only;
      for (unsigned t = 0; t < 2; ++t) {
        if (!choice.transports[t]) candidate.transports &= ~(1U << t);
        if (!choice.ports[t].empty()) candidate.ports[t] = choice.ports[t];
      }
    }
    if (enabled) candidates_.push_back(std::move(candidate));
  }
  note_ports();
}

void AppLayer::note_ports() {
  assert(candidates_.size() <= PortMask{}.size());
  constexpr AppTransport kTransports[] = {AppTransport::tcp, AppTransport::udp};
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const auto number = static_cast<std::uint16_t>(i);
      if ((candidates_[i].transports & static_cast<unsigned>(kTransports[t])) == 0) continue;
      by_transport_[t].push_back(number);
      for (const std::uint16_t port : candidates_[i].ports[t]) port_uses_[t].push_back({port, number});
    }
    std::sort(port_uses_[t].begin(), port_uses_[t].end(),
              [](const PortUse& a, const PortUse& b) { return a.port < b.port; });
  }
}

AppLayer::PortMask AppLayer::on_port(std::size_t transport, std::uint16_t port) const {
  PortMask mask;
  const auto& uses = port_uses_[transport];
  auto use = std::lower_bound(uses.begin(), uses.end(), port,
                              [](const PortUse& u, std::uint16_t wanted) { return u.port < wanted; });
  for (; use != uses.end() && use->port == port; ++use) mask.set(use->candidate);
  return mask;
}

void AppLayer::ask_for_hassh(bool asked) {
  if (hassh_by_rules_) config_.ssh.hassh = asked;
}

AppFlow& AppLayer::attach(Flow& flow, AppTransport transport, std::int64_t time_us) {
  if (flow.app) return *app_flow(flow);
  flow.app = std::make_unique<AppFlow>();
  AppFlow& app = *app_flow(flow);
  app.transport = transport;
  if (!config_.expected_flows->empty()) {
    if (const auto expected = config_.expected_flows->take(flow.key, time_us)) begin_expected(app, *expected);
  }
  return app;
}

std::unique_ptr<Session> AppLayer::make_session(const ParserDescriptor& parser,
                                                AppTransport transport) const {
  auto session = parser.make_session(config_, transport);
  session->file_policy = file_policy_;
  return session;
}

void AppLayer::begin_expected(AppFlow& app, const ExpectedFlow& expected) const {
  const auto candidate = std::find_if(candidates_.begin(), candidates_.end(),
                                      [&](const Candidate& c) { return c.parser->name == expected.parser; });
  if (candidate == candidates_.end()) return;
  app.proto = candidate->proto;
  app.detected = {candidate->proto, candidate->proto};
  app.searched = {true, true};
  if (candidate->detection_only) return;
  app.session = make_session(*candidate->parser, app.transport);
  app.session->on_expected(expected.note);
}

void AppLayer::announce(const Flow& flow, AppFlow& app, std::int64_t time_us) {
  if (!app.session || app.session->announced.empty()) return;
  for (ExpectedFlow& expected : app.session->announced)
    config_.expected_flows->add(flow.key, std::move(expected), time_us);
  app.session->announced.clear();
}

AppLayer::Search AppLayer::search(const Flow& flow, AppTransport transport, Direction direction,
                                  ByteView data) const {
  const std::size_t t = transport == AppTransport::udp ? 1 : 0;
  const PortMask ports = on_port(t, flow.key.server_port) | on_port(t, flow.key.client_port);
  // What the other direction speaks has the first say: others may begin alike.
  const AppFlow* app = app_flow(flow);
  const AppProto other = app == nullptr ? kAppUnknown : app->proto;
  Search result;
  bool decided_by_port = false;  // the parser of this port said yes
  bool contested = false;        // one that knows soon may still do so, with more bytes
  AppProto by_port = kAppUnknown;
  for (const std::uint16_t number : by_transport_[t]) {
    const Candidate& candidate = candidates_[number];
    const ParserDescriptor& parser = *candidate.parser;
    const bool well_known = ports[number];
    if (parser.ports_only && !well_known) continue;
    switch (parser.probe(data, direction, transport)) {
      case ProbeVerdict::yes:
        if (candidate.proto == other) return {other, false};
        // A parser with a pattern of its own goes before one that needs its port to be sure; then
        // the port breaks ties.
        if (parser.ports_only) {
          by_port = candidate.proto;
        } else if (result.proto == kAppUnknown || well_known) {
          result.proto = candidate.proto;
          decided_by_port = well_known;
        }
        break;
      case ProbeVerdict::maybe:
        result.undecided = true;
        contested = contested || (well_known && parser.make_session == nullptr && !parser.ports_only);
        break;
      case ProbeVerdict::no:
        break;
    }
  }
  if (result.proto == kAppUnknown) result.proto = by_port;
  if (result.proto != kAppUnknown) result.undecided = contested && !decided_by_port;
  return result;
}

void AppLayer::on_stream(Flow& flow, const StreamChunk& chunk, std::int64_t time_us) {
  AppFlow& app = attach(flow, AppTransport::tcp, time_us);
  const Direction d = chunk.direction;
  const std::size_t i = index(d);
  if (chunk.gap > 0) {
    try_upgrade(flow, app, time_us);
    if (app.session && !app.stopped[i]) {
      app.stopped[i] = !app.session->on_gap(d, chunk.gap);
    } else if (app.proto == kAppUnknown) {
      // What a direction begins with decides; behind a hole there is no beginning.
      app.pending[i].clear();
      not_found(app, d);
    }
  }
  if (!chunk.data.empty()) feed(flow, app, d, chunk.data, time_us);
  announce(flow, app, time_us);
  if (!chunk.end || app.ended[i]) return;
  app.ended[i] = true;
  if (!app.searched[i] && app.proto != kAppFailed) detect(flow, app, d, time_us, true);
  if (app.session && !app.stopped[i]) app.session->on_end(d);
}

void AppLayer::feed(Flow& flow, AppFlow& app, Direction d, ByteView data, std::int64_t time_us) {
  const std::size_t i = index(d);
  if (!app.first_direction) app.first_direction = d;
  try_upgrade(flow, app, time_us);
  if (app.proto == kAppFailed) return;
  const bool had_session = app.proto != kAppUnknown;
  if (!app.searched[i] || !had_session) {
    // Bytes wait here for detection; with a session they are kept only to be looked at.
    const std::size_t cap = config_.detection_window * (had_session ? 1 : kPendingWindows);
    auto& pending = app.pending[i];
    if (!had_session && pending.size() + data.size() > cap) {
      add_event(app, kProtoDetectionSkipped);
      app.proto = kAppFailed;
      app.pending = {};
      return;
    }
    const std::size_t count = std::min(data.size(), cap - std::min(cap, pending.size()));
    pending.insert(pending.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
    if (!app.searched[i]) detect(flow, app, d, time_us, pending.size() >= config_.detection_window);
  }
  if (had_session) {
    deliver(app, d, data, time_us);
    if (app.session && app.session->upgrade) try_upgrade(flow, app, time_us);
  }
}

void AppLayer::detect(Flow& flow, AppFlow& app, Direction d, std::int64_t time_us, bool final) {
  const std::size_t i = index(d);
  const ByteView window =
      ByteView(app.pending[i]).first(std::min<std::size_t>(app.pending[i].size(), config_.detection_window));
  if (window.empty() && !final) return;
  Search result = window.empty() ? Search{} : search(flow, app.transport, d, window);
  if (result.proto == kAppUnknown && app.proto != kAppUnknown && !window.empty() &&
      parser_of(app.proto).confirm != nullptr) {
    const ProbeVerdict verdict = parser_of(app.proto).confirm(window, d);
    if (verdict == ProbeVerdict::yes) result.proto = app.proto;
    result.undecided = verdict == ProbeVerdict::maybe;
  }
  if (result.proto != kAppUnknown && (final || !result.undecided)) {
    found(app, d, result.proto, time_us);
  } else if (final || !result.undecided) {
    if (!window.empty()) not_found(app, d);
  }
}

void AppLayer::found(AppFlow& app, Direction d, AppProto proto, std::int64_t time_us) {
  const std::size_t i = index(d);
  app.detected[i] = proto;
  app.searched[i] = true;
  if (app.proto != kAppUnknown) {
    // The other direction decided and was parsed already.
    if (app.proto != proto) add_event(app, kMismatchProtocolBothDirections);
    app.pending[i] = {};
    return;
  }
  app.proto = proto;
  const auto candidate = std::find_if(candidates_.begin(), candidates_.end(),
                                      [&](const Candidate& c) { return c.proto == proto; });
  const ParserDescriptor& parser = *candidate->parser;
  if (!app.expected.empty() && app.expected != parser.name) {
    add_event(app, app.expected == "tls" ? kNoTlsAfterStarttls : kUnexpectedProtocol);
  }
  if (parser.first_data && app.first_direction && *parser.first_data != *app.first_direction) {
    add_event(app, kWrongDirectionFirstData);
  }
  if (app.transport == AppTransport::tcp && app.detected[1 - i] == kAppFailed)
    add_event(app, kDetectProtocolOnlyOneDirection);
  if (!candidate->detection_only) {
    const bool inherits = app.heir != nullptr && app.expected == parser.name;
    app.session = inherits ? std::move(app.heir) : make_session(parser, app.transport);
    if (inherits) app.session->file_policy = file_policy_;
  }
  app.heir.reset();
  deliver_pending(app, time_us);
}

void AppLayer::not_found(AppFlow& app, Direction d) {
  const std::size_t i = index(d);
  if (app.searched[i]) return;
  app.searched[i] = true;
  app.detected[i] = kAppFailed;
  if (app.proto != kAppUnknown) {
    add_event(app, kDetectProtocolOnlyOneDirection);
    app.pending[i] = {};
    return;
  }
  if (!app.searched[1 - i]) return;
  if (app.expected == "tls") add_event(app, kNoTlsAfterStarttls);
  app.proto = kAppFailed;
  app.pending = {};
}

void AppLayer::deliver(AppFlow& app, Direction d, ByteView data, std::int64_t time_us) {
  const std::size_t i = index(d);
  if (!app.session || app.stopped[i] || app.session->bypass || data.empty()) return;
  app.stopped[i] = !app.session->on_data(d, data, time_us);
  if (!app.session->renamed.empty()) rename(app);
}

// Not when the other name is switched off: the flow keeps its first one.
void AppLayer::rename(AppFlow& app) const {
  const AppProto proto = find_parser(app.session->renamed);
  app.session->renamed = {};
  if (proto == app.proto || proto == kAppUnknown) return;
  if (std::none_of(candidates_.begin(), candidates_.end(),
                   [&](const Candidate& c) { return c.proto == proto; }))
    return;
  if (app.original == kAppUnknown) app.original = app.proto;
  app.proto = proto;
}

void AppLayer::deliver_pending(AppFlow& app, std::int64_t time_us) {
  const Direction first = app.first_direction.value_or(Direction::to_server);
  for (const Direction d : {first, opposite(first)}) {
    const std::size_t i = index(d);
    if (app.searched[i]) {
      const std::vector<std::uint8_t> bytes = std::move(app.pending[i]);
      app.pending[i] = {};
      deliver(app, d, bytes, time_us);
    } else {
      // Still looked at, to compare both directions: deliver, and keep the first window.
      const std::vector<std::uint8_t> bytes = app.pending[i];
      deliver(app, d, bytes, time_us);
      if (app.pending[i].size() > config_.detection_window) app.pending[i].resize(config_.detection_window);
    }
    if (app.ended[i] && app.session && !app.stopped[i]) app.session->on_end(d);
  }
}

// The next protocol gets a session of its own, once nothing of the old one is left to be logged.
void AppLayer::try_upgrade(Flow& flow, AppFlow& app, std::int64_t time_us) {
  if (!app.session || !app.session->upgrade || !app.session->transactions().empty()) return;
  if (app.original == kAppUnknown) app.original = app.proto;
  app.expected = app.session->upgrade_to;
  app.pending = std::move(app.session->unread);
  app.heir = std::move(app.session->heir);
  app.session.reset();
  app.proto = kAppUnknown;
  app.detected = {};
  app.searched = {};
  app.stopped = {};
  app.first_direction.reset();
  for (const Direction d : kBothDirections) {
    if (app.pending[index(d)].empty()) continue;
    if (!app.first_direction) app.first_direction = d;
    if (!app.searched[index(d)] && app.proto != kAppFailed)
      detect(flow, app, d, time_us, app.ended[index(d)]);
  }
}

void AppLayer::on_datagram(Flow& flow, Direction d, ByteView data, std::int64_t time_us) {
  AppFlow& app = attach(flow, AppTransport::udp, time_us);
  const std::size_t i = index(d);
  if (data.empty()) return;
  if (!app.first_direction) app.first_direction = d;
  if (app.proto == kAppFailed) return;
  if (!app.searched[i]) {
    const Search result = search(flow, app.transport, d, data);
    if (result.proto != kAppUnknown) {
      found(app, d, result.proto, time_us);
    } else {
      app.searched[i] = true;
      if (app.proto == kAppUnknown) app.detected[i] = kAppFailed;
      if (app.proto == kAppUnknown && app.searched[1 - i]) app.proto = kAppFailed;
    }
  }
  deliver(app, d, data, time_us);
  announce(flow, app, time_us);
}

void AppLayer::on_flow_end(Flow& flow) {
  AppFlow* app = app_flow(flow);
  if (app == nullptr) return;
  try_upgrade(flow, *app, flow.last_us);
  for (const Direction d : kBothDirections) {
    const std::size_t i = index(d);
    app->ended[i] = true;
    if (!app->searched[i] && !app->pending[i].empty() && app->proto != kAppFailed)
      detect(flow, *app, d, flow.last_us, true);
    if (app->session && !app->stopped[i]) app->session->on_end(d);
  }
  // Datagrams went one way only, and looked like nothing.
  const bool failed = app->detected[0] == kAppFailed || app->detected[1] == kAppFailed;
  if (app->transport == AppTransport::udp && app->proto == kAppUnknown && failed) app->proto = kAppFailed;
}

void AppLayer::drop_finished(Flow& flow) {
  AppFlow* app = app_flow(flow);
  if (app == nullptr || !app->session) return;
  const ParserDescriptor& parser = parser_of(app->proto);
  auto& transactions = app->session->transactions();
  const auto finished = [&parser](const Transaction& tx) {
    const bool complete = tx.progress[0] >= parser.complete[0] && tx.progress[1] >= parser.complete[1];
    const bool seen = (tx.inspected[0] || tx.skip_inspect[0]) && (tx.inspected[1] || tx.skip_inspect[1]);
    return complete && tx.logged && seen;
  };
  if (parser.any_order) {
    std::erase_if(transactions, [&](const auto& tx) { return finished(*tx); });
    return;
  }
  while (!transactions.empty() && finished(*transactions.front())) transactions.pop_front();
}

}  // namespace gatehouse::ids

#include "ids/engine/worker.h"

#include <algorithm>
#include <utility>

#include "ids/engine/midstream.h"

namespace gatehouse::ids::engine {
namespace {

// Acknowledged bytes stay until the detector has looked at them.
TcpOptions tcp_options(const Settings& settings) {
  TcpOptions options = settings.tcp;
  options.retain_for_inspection = true;
  return options;
}

DecoderOptions decoder_options(const Settings& settings, const WorkerOptions& worker) {
  DecoderOptions options = settings.decoder;
  options.from_interface = !worker.interface.empty();
  return options;
}

FlowTableOptions flow_options(const Settings& settings, std::uint8_t worker) {
  FlowTableOptions options = settings.flow;
  options.worker = worker;
  return options;
}

}  // namespace

Worker::Worker(const Settings& settings, std::shared_ptr<const Engine> engine, OutputPort& port,
               WorkerOptions options)
    : settings_(settings),
      options_(std::move(options)),
      engine_(std::move(engine)),
      log_(settings, port, options_.interface),
      path_(decoder_options(settings, options_), settings.defrag),
      flows_(flow_options(settings, options_.number), *this),
      tcp_(tcp_options(settings)),
      app_(settings.parsers),
      detector_(Detector::make(engine_)),
      keeper_(settings),
      tap_(contact_sink(), settings.anomaly.hash_seed),
      app_flows_(parser_table().size() + 2),
      port_(port) {
  matches_.reserve(settings.engine.packet_alert_max);
  use_rules();
}

// Of detectors shared with other workers, or of its own.
anomaly::ObservationSink* Worker::contact_sink() {
  if (options_.shared) return options_.contacts;
  detections_.emplace(settings_, log_, options_.guard);
  monitor_.emplace(settings_.anomaly, *detections_);
  if (options_.interface.empty() && !options_.paced) monitor_->take_your_time();
  keeper_.open(*monitor_);
  return monitor_->wanted() ? &*monitor_ : nullptr;
}

void Worker::use_rules() {
  const RuleList& list = engine_->rules();
  log_.use_names(list);
  if (detections_) detections_->use(engine_);
  auto files = std::make_shared<FilePolicy>();
  files->needs = settings_.files.needs;
  files->needs.add(list.file_needs);
  const FileStoreSettings& store = settings_.files.store;
  files->store = options_.store;
  // The digest names the stored file.
  if (options_.store != nullptr && files->needs.store)
    files->needs.hashes[static_cast<std::size_t>(FileHash::sha256)] = true;
  files->store_all = {store.force, store.force};
  files->store_limit = store.limit;
  app_.use_file_policy(std::move(files));
  app_.ask_for_hassh(std::any_of(list.rules.begin(), list.rules.end(), [](const auto& rule) {
    return std::any_of(rule->buffers.begin(), rule->buffers.end(), [](const BufferMatch& match) {
      return buffer_table()[match.buffer].name.starts_with("ssh.hassh");
    });
  }));
}

void Worker::on_packet(const RawPacket& raw) {
  if (raw.time_us > now_us_) now_us_ = raw.time_us;
  if (monitor_.has_value()) monitor_->advance(now_us_);
  path_.process(raw, *this);
}

void Worker::idle(std::int64_t now_us) {
  if (now_us > now_us_) now_us_ = now_us;
  if (monitor_.has_value()) monitor_->advance(now_us_);
  path_.expire(now_us_);
  flows_.expire(now_us_);
}

void Worker::replace(std::shared_ptr<const Engine> engine) {
  // The old engine lives until the detector has let go of it.
  const std::shared_ptr<const Engine> old = std::exchange(engine_, std::move(engine));
  detector_->replace(engine_);
  use_rules();
}

void Worker::on_packet(Packet& packet) {
  if (!settings_.tcp_checksums && packet.is_tcp()) packet.bad_checksum = false;
  Flow* flow = flows_.handle(packet);
  ++packets_;
  // A rule wants no more of it: it is counted, nothing else.
  if (flow != nullptr && flow->bypassed) {
    ++bypassed_;
    return;
  }
  TcpState before = TcpState::none;
  if (flow != nullptr) {
    if (packet.is_tcp()) {
      before = tcp_packet(*flow, packet);
    } else {
      udp_packet(*flow, packet);
    }
    flows_.update(*flow);
  } else if (tap_.on()) {
    tap_.alone(packet);
  }
  if (packet.origin == PacketOrigin::defrag && tap_.on()) tap_.whole(packet);
  log_.note(packet, flow);
  inspect(packet, flow);
  if (log_.wants_arp() && !packet.arp.empty()) log_.arp(packet);
  if (log_.wants_stream_packets() && flow != nullptr && packet.is_tcp())
    log_.stream_packet(packet, *flow, before);
  if (packet.event_count != 0) log_.decode_events(packet, flow);
  if (packet.stream_event_count != 0) log_.stream_events(packet, flow);
  if (flow != nullptr && flow->app != nullptr) {
    mark_inspected(*flow, packet.direction);
    log_.application(packet, *flow, false);
    AppLayer::drop_finished(*flow);
  }
  if (settings_.stream_bypass && flow != nullptr && flow->tcp != nullptr && is_unwanted(*flow))
    flow->bypassed = true;
}

// Nothing of it would be looked at any more.
bool Worker::is_unwanted(const Flow& flow) {
  if (flow.tcp->too_deep(Direction::to_server) && flow.tcp->too_deep(Direction::to_client)) return true;
  const AppFlow* app = app_flow(flow);
  return app != nullptr && app->session != nullptr && app->session->leave_alone;
}

// Returns the state the session was in.
TcpState Worker::tcp_packet(Flow& flow, Packet& packet) {
  const TcpState before = flow.tcp == nullptr ? TcpState::none : flow.tcp->state();
  if (tap_.on()) tap_.before();
  while (tcp_.lacks_room(flow, packet) && flows_.end_oldest_half_open(flow)) {
  }
  tcp_.handle(flow, packet, *this);
  if (flow.app != nullptr && turn_to_server(flow, app_, now_us_))
    packet.direction = opposite(packet.direction);
  if (tap_.on()) tap_.tcp(flow, packet, before);
  return before;
}

void Worker::udp_packet(Flow& flow, const Packet& packet) {
  if (tap_.on()) {
    tap_.before();
    tap_.feeding(flow);
  }
  if (packet.is_udp() && !packet.payload.empty())
    app_.on_datagram(flow, packet.direction, packet.payload, packet.time_us);
  if (tap_.on()) tap_.datagram(flow, packet);
}

void Worker::on_stream(Flow& flow, const StreamChunk& chunk) {
  if (tap_.on()) tap_.feeding(flow);
  app_.on_stream(flow, chunk, now_us_);
}

// The events of a packet stand in the packet itself; those of the end of a flow have no packet.
void Worker::on_stream_event(Flow&, const Packet&, std::uint16_t) {}

void Worker::inspect(Packet& packet, Flow* flow) {
  matches_.clear();
  detector_->inspect(packet, flow, matches_);
  if (observer_ != nullptr) observer_->on_inspected(packet, flow, matches_);
  tell(packet, flow);
  if (detector_->tagged()) log_.tagged_packet(packet, flow);
}

// Rules for one direction run on packets of that direction: what was complete by now has been seen.
void Worker::mark_inspected(Flow& flow, Direction direction) {
  AppFlow* app = app_flow(flow);
  if (app->session == nullptr || app->proto == kAppUnknown || app->proto == kAppFailed) return;
  const std::size_t side = index(direction);
  const std::uint8_t complete = parser_of(app->proto).complete[side];
  for (const auto& tx : app->session->transactions()) {
    if (tx->progress[side] >= complete) tx->inspected[side] = true;
    for (TransferredFile& file : tx->files) {
      if (file.inspected || file.is_open() || file.direction != direction) continue;
      file.inspected = true;
      file.give_up_store();
    }
  }
}

void Worker::tell(const Packet& packet, Flow* flow) {
  const std::span<const Capture> captures = detector_->packet_captures();
  if (matches_.empty() && captures.empty()) return;
  log_.use_captures(captures);
  report(packet, flow);
  if (!captures.empty()) log_.metadata(packet, flow);
  log_.use_captures({});
}

void Worker::report(const Packet& packet, Flow* flow) {
  const bool passed = (flow != nullptr && flow->pass) ||
                      std::any_of(matches_.begin(), matches_.end(),
                                  [](const Match& match) { return match.action == RuleAction::pass; });
  for (const Match& match : matches_) {
    if (flow != nullptr) flow->alerted = true;
    log_.alert(packet, flow, match, passed);
  }
}

// What is found at the end of a flow is found now, not when its last packet came: thresholds and bits that
// last for a time go by that.
Packet Worker::end_packet(const Flow& flow, Direction direction) const {
  return make_flow_end_packet(flow, direction, std::max(flow.last_us, now_us_));
}

// What nobody acknowledged is delivered and inspected all the same, one direction after the other.
void Worker::on_flow_end(Flow& flow) {
  if (!carried_nothing(flow)) {
    if (flow.tcp == nullptr) app_.on_flow_end(flow);
    end_direction(flow, Direction::to_server);
    end_direction(flow, Direction::to_client);
  }
  log_.flow_end(flow);
  count_app_flow(flow);
  if (flow.tcp != nullptr) tcp_.release(flow);
}

// Nothing was delivered and nothing is held: neither a parser nor a rule can have anything to add. A flow
// that was announced gets its protocol all the same.
bool Worker::carried_nothing(const Flow& flow) const {
  if (flow.app != nullptr || observer_ != nullptr || app_.expects_flows()) return false;
  return flow.tcp == nullptr || (flow.tcp->peer(Direction::to_server).bytes == nullptr &&
                                 flow.tcp->peer(Direction::to_client).bytes == nullptr);
}

void Worker::end_direction(Flow& flow, Direction direction) {
  const bool last = direction == Direction::to_client;
  const bool parsed = flow.app != nullptr && app_flow(flow)->session != nullptr;
  if (flow.tcp != nullptr) {
    tcp_.finish(flow, direction, *this);
    if (last) app_.on_flow_end(flow);
  }
  const bool parsed_now = flow.app != nullptr && app_flow(flow)->session != nullptr;
  // The other direction's data waited for this one to tell the protocol.
  if (last && parsed_now && !parsed) inspect_end(flow, Direction::to_server);
  inspect_end(flow, direction);
  if (const AppFlow* app = app_flow(flow);
      app != nullptr && (app->session != nullptr || app->events_logged < app->detection_events.size()))
    log_.application(end_packet(flow, direction), flow, last);
}

void Worker::inspect_end(Flow& flow, Direction direction) {
  if (observer_ == nullptr && !detector_->has_rest(flow, direction)) return;
  const Packet packet = end_packet(flow, direction);
  matches_.clear();
  detector_->finish_flow(packet, flow, matches_);
  if (observer_ != nullptr) observer_->on_inspected(packet, &flow, matches_);
  tell(packet, &flow);
}

void Worker::count_app_flow(const Flow& flow) {
  const AppFlow* app = app_flow(flow);
  if (app == nullptr) return;
  ++app_flows_[app->proto == kAppFailed ? app_flows_.size() - 1 : app->proto];
}

void Worker::keep_state(bool now) {
  if (monitor_.has_value()) keeper_.keep(*monitor_, now_us_, now);
}

void Worker::finish() {
  if (monitor_.has_value()) keeper_.close(*monitor_, now_us_);
  flows_.finish(FlowEndReason::shutdown);
}

std::string Worker::top(std::size_t most) {
  anomaly::MonitorView view(now_us_, most);
  if (monitor_) {
    monitor_->flush();
    monitor_->describe(view);
  }
  return top_json(view, detections_ ? detections_->attacks() : OpenAttacks{});
}

void Worker::snapshot(StatsSnapshot& out) const {
  out.decoder = path_.decoder().counters();
  out.defrag = path_.defrag().counters();
  out.flow = flows_.counters();
  out.tcp = tcp_.counters();
  out.detect = detector_->counters();
  out.events = log_.counters();
  out.packets = packets_;
  out.bypassed = bypassed_;
  out.app_flows = app_flows_;
  out.output_dropped = port_.dropped();
  for (std::size_t i = 0; i < kEventKinds; ++i)
    out.output_dropped_by_kind[i] = port_.dropped(static_cast<EventKind>(i));
  if (!detections_) return;
  out.triage = detections_->counters();
  out.responses = detections_->responses();
}

}  // namespace gatehouse::ids::engine

// Alerts of rules, and of the scan and flood detectors.
#include <fmt/format.h>

#include <algorithm>

#include "ids/anomaly/classes.h"
#include "ids/engine/event_facts.h"
#include "ids/engine/event_log.h"
#include "ids/flow/tcp.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids::engine {
namespace {

// The address a proxy names in a field such as "X-Forwarded-For: client, proxy"; nothing when there is none.
std::optional<core::IpAddress> forwarded_for(const Transaction* tx, const ForwardedSettings& wanted) {
  const auto* http = dynamic_cast<const HttpTransaction*>(tx);
  const HttpField* field = http == nullptr ? nullptr : http->request().field(wanted.header);
  if (field == nullptr) return std::nullopt;
  std::string_view text = field->value;
  if (wanted.forward) {
    text = text.substr(0, text.find(','));
  } else if (const std::size_t comma = text.rfind(','); comma != std::string_view::npos) {
    text.remove_prefix(comma + 1);
  }
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (const auto plain = core::IpAddress::parse(text)) return plain;
  // With a port: 192.0.2.1:80, [2001:db8::1]:80.
  if (text.starts_with('['))
    return core::IpAddress::parse(text.substr(1, std::min(text.find(']'), text.size()) - 1));
  return core::IpAddress::parse(text.substr(0, text.rfind(':')));
}

}  // namespace

// All that is held of a direction, as far as the payload may go; what is missing is named in its place.
ByteView EventLog::held_stream(const Flow& flow, Direction direction) {
  const std::uint64_t most = settings_.eve.payload_buffer_bytes;
  stream_bytes_.clear();
  std::uint64_t end = 0;
  const auto append = [&](ByteView bytes) {
    const std::size_t room = most - std::min<std::uint64_t>(most, stream_bytes_.size());
    stream_bytes_.insert(stream_bytes_.end(), bytes.begin(),
                         bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), room)));
  };
  const StreamBuffer& buffer = flow.tcp->peer(direction).held();
  buffer.visit([&](std::uint64_t offset, ByteView bytes) {
    // What was dropped before the first byte held was seen by rules; a hole at the very start was not.
    if (offset > end && (!stream_bytes_.empty() || !buffer.dropped_any())) {
      scratch_ = fmt::format("[{} bytes missing]", offset - end);
      append(core::as_bytes(scratch_));
    }
    append(bytes);
    end = offset + bytes.size();
  });
  return stream_bytes_;
}

// The transaction an alert shows. A rule about a datagram's protocol speaks of the transaction in it; for
// stream data the next one rules have not finished with is a guess, made when asked for.
const Transaction* EventLog::transaction_of(const Packet& packet, const Flow* flow, const Match& match,
                                            bool& guessed) const {
  if (match.tx != nullptr || flow == nullptr) return match.tx;
  const bool datagram = packet.is_udp() && !match.rule->app_protocols.empty();
  if (!datagram && !(match.from_stream && settings_.eve.guess_transaction)) return nullptr;
  const AppFlow* app = app_flow(*flow);
  if (app == nullptr || app->session == nullptr) return nullptr;
  const std::size_t side = index(match.direction);
  for (const auto& tx : app->session->transactions()) {
    if (tx->inspected[side] || tx->skip_inspect[side]) continue;
    guessed = !datagram;
    return tx.get();
  }
  return nullptr;
}

void EventLog::alert(const Packet& packet, const Flow* flow, const Match& match, bool passed) {
  ++counters_.alerts;
  if (!alerts_) return;
  const RuleMeta& meta = match.rule->meta;
  alert::EventHeader header = packet.origin == PacketOrigin::flow_end && flow != nullptr
                                  ? flow_header(*flow, packet, match.direction)
                                  : packet_header(packet, flow);
  header.event_type = "alert";
  header.direction = flow == nullptr ? std::string_view{} : direction_name(match.direction);
  bool guessed = false;
  const Transaction* tx = transaction_of(packet, flow, match, guessed);
  if (tx != nullptr) header.tx_id = tx->id;

  alert::AlertFields fields;
  std::string forwarded_text;
  const ForwardedSettings& forwarded =
      settings_.eve.alert_forwarded ? *settings_.eve.alert_forwarded : settings_.eve.forwarded;
  if (const auto address = forwarded.enabled ? forwarded_for(tx, forwarded) : std::nullopt) {
    if (forwarded.overwrite) {
      (match.direction == Direction::to_server ? header.source : header.destination) = *address;
    } else {
      fields.forwarded_for = forwarded_text = address->to_string();
    }
  }
  fields.gid = meta.gid;
  fields.sid = meta.sid;
  fields.rev = meta.rev;
  fields.signature = meta.message;
  if (meta.classtype != nullptr) fields.category = meta.classtype->second;
  fields.severity = meta.priority;
  fields.target_is_source = match.rule->target_is_source;
  if (settings_.eve.alert_metadata) fields.metadata = meta.metadata;
  fields.context = match.context;
  // A rate filter made it a drop.
  const bool changed = match.action != match.rule->action;
  if (changed && (match.action == RuleAction::drop || match.action == RuleAction::reject))
    fields.action = "blocked";

  writer_.begin(header);
  writer_.alert(fields, header);
  if (packet.tunnel_depth > 0) {
    alert::TunnelFields tunnel = carrier_;
    tunnel.depth = packet.tunnel_depth;
    writer_.tunnel(tunnel);
  }
  if (guessed) writer_.member("tx_guessed").boolean(true);
  if (tx != nullptr) protocol_object(*flow, *tx, alert_options_);
  if (tx != nullptr && !tx->files.empty()) files_of_alert(*tx, match.direction);
  if (settings_.eve.alert_flow_metadata) flowbits(flow);
  if (flow != nullptr) {
    writer_.flow_so_far(flow_fields(*flow));
  }
  if (settings_.eve.alert_verdict) {
    // The verdict is that on the packet: a pass rule may have come after this one.
    const bool dropped = match.rule->action == RuleAction::drop || match.rule->action == RuleAction::reject;
    const std::string_view verdict = passed ? "pass" : dropped ? "drop" : "alert";
    writer_.member("verdict").begin_object().field("action", verdict).end_object();
  }
  alert::PayloadFields payload;
  payload.from_stream = match.from_stream || match.tx != nullptr;
  const alert::EveOptions& options = settings_.eve.options;
  const bool asked = options.payload || options.payload_printable || options.payload_length;
  if (asked && payload.from_stream && flow != nullptr && flow->tcp != nullptr)
    payload.payload = held_stream(*flow, match.direction);
  if (payload.payload.empty()) payload.payload = packet.payload;
  if (payload.payload.size() > settings_.eve.payload_buffer_bytes)
    payload.payload = payload.payload.first(settings_.eve.payload_buffer_bytes);
  payload.frame = packet.frame;
  payload.link_type = packet.link_type;
  payload.link_name = link_name(packet.link_type);
  writer_.payload(payload);
  port_.write(EventKind::alert, writer_.end());
}

void EventLog::tagged_packet(const Packet& packet, const Flow* flow) {
  if (!alerts_ || !settings_.eve.tagged_packets) return;
  alert::EventHeader header = packet_header(packet, flow);
  header.event_type = "packet";
  header.app_proto = {};
  writer_.begin(header);
  if (settings_.eve.alert_flow_metadata) flowbits(flow);
  writer_.packet({{}, packet.frame, false, packet.link_type, link_name(packet.link_type)});
  port_.write(EventKind::alert, writer_.end());
}

void EventLog::detection(const anomaly::Detection& d, const triage::Decision& decision) {
  ++counters_.detections;
  if (!alerts_) return;
  const anomaly::AttackClass& attack = anomaly::attack_class(d.verdict);
  const triage::Told& told = decision.told;
  alert::EventHeader header;
  header.event_type = "alert";
  header.time_us = d.time_us;
  header.pcap_cnt = live() ? 0 : d.packet;
  header.in_iface = interface_;
  // A family without an address of its own (a spoofed flood has no source) shows the unspecified one.
  header.source = d.source;
  header.destination = d.target;
  if (header.source.version == 0) header.source.version = d.target.version;
  if (header.destination.version == 0) header.destination.version = d.source.version;
  header.protocol = d.protocol;
  alert::AlertFields fields;
  if (told.blocked) fields.action = "blocked";
  fields.gid = anomaly::kDetectionGid;
  fields.sid = attack.sid;
  fields.rev = told.rev;
  fields.signature = told.signature;
  fields.category = told.category;
  fields.severity = told.severity;
  fields.target_is_source = told.target_is_source;
  alert::DetectionFields detection;
  detection.klass = attack.klass;
  detection.phase = anomaly::to_string(decision.phase);
  detection.id = d.id;
  detection.first_us = d.first_us;
  detection.last_us = d.last_us;
  detection.sources = d.sources;
  detection.targets = d.targets;
  detection.sources_total = d.sources_total;
  detection.targets_total = d.targets_total;
  if (d.source_bits != 0) detection.source_prefix = anomaly::network_of(d.source, d.source_bits).to_string();
  if (d.target_bits != 0) detection.target_prefix = anomaly::network_of(d.target, d.target_bits).to_string();
  detection.evidence = d.evidence;
  detection.limits = d.limits;
  detection.reason = d.reason;
  detection.technique = attack.technique;
  detection.window_us = d.window_us;
  detection.confidence = d.confidence;
  detection.spoofable = attack.spoofable;
  detection.update = d.update;
  const bool strict = settings_.triage.strict_eve;
  alert::MetadataRows rows;
  rows.emplace_back("anomaly_class", attack.klass);
  if (!attack.technique.empty()) rows.emplace_back("mitre_technique_id", attack.technique);
  if (strict) alert::append_detection(rows, detection);
  std::vector<const std::pair<std::string, std::string>*> metadata;
  for (const auto& row : rows) metadata.push_back(&row);
  metadata.insert(metadata.end(), told.metadata.begin(), told.metadata.end());
  fields.metadata = metadata;
  writer_.begin(header);
  writer_.alert(fields, header);
  if (!strict) writer_.detection(detection);
  port_.write(EventKind::alert, writer_.end());
}

void EventLog::ban(const anomaly::Detection& d, const triage::Ban& ban) {
  if (!alerts_) return;
  const anomaly::AttackClass& attack = anomaly::attack_class(d.verdict);
  alert::EventHeader header;
  header.event_type = "alert";
  header.time_us = d.time_us;
  header.pcap_cnt = live() ? 0 : d.packet;
  header.in_iface = interface_;
  header.source = ban.request.address;
  header.destination = d.target;
  if (header.destination.version == 0) header.destination.version = header.source.version;
  header.protocol = d.protocol;
  alert::AlertFields fields;
  fields.gid = anomaly::kDetectionGid;
  fields.sid = anomaly::kBanSid;
  fields.rev = 1;
  fields.signature = ban.ruling == triage::Ruling::ask ? "GATEHOUSE the firewall is asked for a ban"
                     : ban.ruling == triage::Ruling::dry_run
                         ? "GATEHOUSE the firewall would be asked for a ban"
                         : "GATEHOUSE no ban, the policy forbids it";
  fields.category = anomaly::attack_category(attack);
  fields.severity = 3;
  // Of values every receiver's schema takes.
  alert::MetadataRows rows;
  rows.emplace_back("gatehouse_response", to_string(ban.ruling));
  rows.emplace_back("gatehouse_class", attack.klass);
  rows.emplace_back("gatehouse_id", ban.request.event);
  rows.emplace_back("gatehouse_ban_seconds", std::to_string(ban.request.seconds));
  rows.emplace_back("gatehouse_ban_repeat", std::to_string(ban.repeat));
  rows.emplace_back("gatehouse_reason", ban.why.empty() ? ban.request.reason : ban.why);
  std::vector<const std::pair<std::string, std::string>*> metadata;
  for (const auto& row : rows) metadata.push_back(&row);
  fields.metadata = metadata;
  writer_.begin(header);
  writer_.alert(fields, header);
  port_.write(EventKind::alert, writer_.end());
}

}  // namespace gatehouse::ids::engine

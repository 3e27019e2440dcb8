#include "ids/engine/stats.h"

#include <algorithm>
#include <string>

#include "ids/decode/events.h"

namespace gatehouse::ids::engine {
namespace {

void add_all(std::vector<std::uint64_t>& sum, const std::vector<std::uint64_t>& other) {
  if (sum.size() < other.size()) sum.resize(other.size());
  for (std::size_t i = 0; i < other.size(); ++i) sum[i] += other[i];
}

// Sums the named members: a member that is forgotten here stays that of the first worker, so the
// lists stand next to the writing code that reads them.
template <class T, class... Members>
void add_members(T& sum, const T& other, Members... members) {
  ((sum.*members += other.*members), ...);
}

// Writes counters; without `zeros` only those that counted something.
class Counters {
 public:
  Counters(core::JsonWriter& json, bool zeros) : json_(json), zeros_(zeros) {}
  Counters& key(std::string_view name) {
    json_.key(name);
    return *this;
  }
  template <class Number>
  Counters& field(std::string_view name, Number value) {
    if (value != 0 || zeros_) json_.field(name, value);
    return *this;
  }
  Counters& begin_object() {
    json_.begin_object();
    return *this;
  }
  Counters& end_object() {
    json_.end_object();
    return *this;
  }

 private:
  core::JsonWriter& json_;
  bool zeros_;
};

void write_decoder(Counters& json, const DecoderCounters& d) {
  json.key("decoder").begin_object();
  json.field("pkts", d.packets).field("bytes", d.bytes).field("invalid", d.invalid);
  json.field("ipv4", d.ipv4).field("ipv6", d.ipv6).field("ethernet", d.ethernet).field("arp", d.arp);
  json.field("chdlc", d.chdlc).field("raw", d.raw).field("null", d.null).field("sll", d.sll);
  json.field("tcp", d.tcp).field("udp", d.udp).field("sctp", d.sctp).field("esp", d.esp);
  json.field("icmpv4", d.icmpv4).field("icmpv6", d.icmpv6).field("ppp", d.ppp).field("pppoe", d.pppoe);
  json.field("geneve", d.geneve).field("gre", d.gre).field("vlan", d.vlan).field("vlan_qinq", d.vlan_qinq);
  json.field("vlan_qinqinq", d.vlan_qinqinq).field("vxlan", d.vxlan).field("vntag", d.vntag);
  json.field("teredo", d.teredo).field("ipv4_in_ipv4", d.ipv4_in_ipv4).field("ipv6_in_ipv4", d.ipv6_in_ipv4);
  json.field("ipv4_in_ipv6", d.ipv4_in_ipv6).field("ipv6_in_ipv6", d.ipv6_in_ipv6).field("mpls", d.mpls);
  json.field("erspan", d.erspan).field("nsh", d.nsh).field("unknown_ethertype", d.unknown_ethertype);
  json.field("max_pkt_size", d.max_packet).field("too_many_layers", d.too_many_layers);
  json.field("bad_checksum", d.bad_checksum);
  json.field("avg_pkt_size", d.packets == 0 ? 0 : d.bytes / d.packets);
  // Grouped by layer; the vocabulary lists the events of one layer side by side.
  json.key("event").begin_object();
  std::string_view open;
  for (std::size_t i = 0; i < d.events.size() && i < decode_event::kCount; ++i) {
    if (d.events[i] == 0) continue;
    const std::string_view name = decode_event_name(static_cast<DecodeEvent>(i));
    const std::size_t dot = name.find('.');
    const std::string_view layer = name.substr(0, dot);
    if (layer != open) {
      if (!open.empty()) json.end_object();
      json.key(layer).begin_object();
      open = layer;
    }
    json.field(name.substr(dot + 1), d.events[i]);
  }
  if (!open.empty()) json.end_object();
  json.end_object();
  json.end_object();
}

void write_flow(Counters& json, const FlowTableCounters& f, const StatsContext& context) {
  json.key("flow").begin_object();
  json.field("total", f.total).field("active", f.active).field("tcp", f.tcp).field("udp", f.udp);
  json.field("icmpv4", f.icmpv4).field("icmpv6", f.icmpv6).field("tcp_reuse", f.tcp_reuse);
  json.field("memuse", f.memuse).field("memcap", context.flow_memcap).field("memcap_drops", f.memcap);
  json.field("evicted_new", f.evicted_fresh).field("evicted_established", f.evicted_established);
  json.field("evicted_closed", f.evicted_closed).field("timed_out", f.timed_out);
  json.field("finished", f.finished);
  json.field("emerg_mode_entered", f.emerg_mode_entered).field("emerg_mode_over", f.emerg_mode_over);
  json.end_object();
}

void write_tcp(Counters& json, const TcpCounters& t) {
  json.key("tcp").begin_object();
  json.field("sessions", t.sessions).field("active_sessions", t.active_sessions);
  json.field("ssn_memcap_drop", t.ssn_memcap_drop).field("midstream_pickups", t.midstream_pickups);
  json.field("syn", t.syn).field("synack", t.synack).field("rst", t.rst);
  json.field("invalid_checksum", t.invalid_checksum).field("segment_memcap_drop", t.segment_memcap_drop);
  json.field("segment_limit_drop", t.segment_limit_drop)
      .field("stream_depth_reached", t.stream_depth_reached);
  json.field("reassembly_gap", t.reassembly_gap).field("overlap", t.overlap);
  json.field("overlap_diff_data", t.overlap_diff_data).field("ack_unseen_data", t.ack_unseen_data);
  json.field("memuse", t.memuse).field("reassembly_memuse", t.reassembly_memuse);
  json.end_object();
}

void write_app_layer(Counters& json, const StatsSnapshot& stats) {
  json.key("app_layer").begin_object();
  json.key("flow").begin_object();
  const auto parsers = parser_table();
  for (std::size_t i = 0; i < parsers.size(); ++i) {
    json.field(parsers[i]->name, i + 1 < stats.app_flows.size() ? stats.app_flows[i + 1] : 0);
  }
  json.field("failed", stats.app_flows.empty() ? 0 : stats.app_flows.back());
  json.end_object();
  json.field("tx_logged", stats.events.transactions).field("anomalies", stats.events.anomalies);
  json.end_object();
}

}  // namespace

void StatsSnapshot::add(const StatsSnapshot& o) {
  using C = CaptureCounters;
  add_members(capture, o.capture, &C::received, &C::kernel_drops, &C::interface_drops);
  using D = DecoderCounters;
  add_members(decoder, o.decoder, &D::packets, &D::bytes, &D::invalid, &D::ipv4, &D::ipv6, &D::tcp, &D::udp,
              &D::sctp, &D::icmpv4, &D::icmpv6, &D::esp, &D::ethernet, &D::arp, &D::raw, &D::null, &D::sll,
              &D::ppp, &D::pppoe, &D::chdlc, &D::unknown_link, &D::vlan, &D::vlan_qinq, &D::vlan_qinqinq,
              &D::vntag, &D::mpls, &D::nsh, &D::unknown_ethertype, &D::gre, &D::vxlan, &D::geneve, &D::teredo,
              &D::erspan, &D::ipv4_in_ipv4, &D::ipv6_in_ipv4, &D::ipv4_in_ipv6, &D::ipv6_in_ipv6,
              &D::too_many_layers, &D::bad_checksum);
  decoder.max_packet = std::max(decoder.max_packet, o.decoder.max_packet);
  add_all(decoder.events, o.decoder.events);
  using G = DefragCounters;
  add_members(defrag, o.defrag, &G::ipv4_fragments, &G::ipv6_fragments, &G::ipv4_reassembled,
              &G::ipv6_reassembled, &G::timeouts, &G::evicted, &G::max_fragments_hits, &G::memuse,
              &G::active);
  using F = FlowTableCounters;
  add_members(flow, o.flow, &F::total, &F::active, &F::tcp, &F::udp, &F::icmpv4, &F::icmpv6, &F::other,
              &F::memuse, &F::memcap, &F::evicted_fresh, &F::evicted_established, &F::evicted_closed,
              &F::timed_out, &F::tcp_reuse, &F::finished, &F::emerg_mode_entered, &F::emerg_mode_over);
  using T = TcpCounters;
  add_members(tcp, o.tcp, &T::sessions, &T::active_sessions, &T::midstream_pickups, &T::syn, &T::synack,
              &T::rst, &T::ssn_memcap_drop, &T::invalid_checksum, &T::segment_memcap_drop,
              &T::segment_limit_drop, &T::stream_depth_reached, &T::reassembly_gap, &T::overlap,
              &T::overlap_diff_data, &T::ack_unseen_data, &T::memuse, &T::reassembly_memuse);
  using M = DetectorCounters;
  add_members(detect, o.detect, &M::inspected_packets, &M::candidates, &M::alerts, &M::suppressed,
              &M::queue_overflow);
  using E = EventCounters;
  add_members(events, o.events, &E::alerts, &E::anomalies, &E::transactions, &E::files, &E::flows,
              &E::detections);
  triage.add(o.triage);
  responses.add(o.responses);
  packets += o.packets;
  bypassed += o.bypassed;
  add_all(app_flows, o.app_flows);
  output_dropped += o.output_dropped;
  for (std::size_t i = 0; i < kEventKinds; ++i) output_dropped_by_kind[i] += o.output_dropped_by_kind[i];
}

void write_stats(core::JsonWriter& out, const StatsSnapshot& s, const StatsContext& context) {
  Counters json(out, context.null_values);
  out.field("uptime", context.uptime_s);
  json.key("capture").begin_object();
  json.field("kernel_packets", s.capture.received + s.capture.kernel_drops);
  json.field("kernel_drops", s.capture.kernel_drops);
  json.field("kernel_ifdrops", s.capture.interface_drops);
  json.end_object();
  write_decoder(json, s.decoder);
  json.key("defrag").begin_object();
  json.key("ipv4").begin_object();
  json.field("fragments", s.defrag.ipv4_fragments)
      .field("reassembled", s.defrag.ipv4_reassembled)
      .end_object();
  json.key("ipv6").begin_object();
  json.field("fragments", s.defrag.ipv6_fragments)
      .field("reassembled", s.defrag.ipv6_reassembled)
      .end_object();
  json.field("timeouts", s.defrag.timeouts).field("evicted", s.defrag.evicted);
  json.field("max_fragments_hit", s.defrag.max_fragments_hits);
  json.field("memuse", s.defrag.memuse).end_object();
  write_flow(json, s.flow, context);
  write_tcp(json, s.tcp);
  json.key("detect").begin_object();
  out.key("engines").begin_array().begin_object();
  out.field("id", 0);
  if (context.last_reload_us != 0) {
    out.put_field("last_reload",
                  [&](char* to) { return core::put_eve_timestamp(to, context.last_reload_us); });
  }
  out.field("rules_loaded", context.rules_loaded).field("rules_failed", context.rules_failed);
  out.field("rules_skipped", context.rules_skipped).end_object().end_array();
  json.field("alert", s.detect.alerts).field("alert_queue_overflow", s.detect.queue_overflow);
  json.field("alerts_suppressed", s.detect.suppressed);
  json.field("packets", s.packets)
      .field("inspected", s.detect.inspected_packets)
      .field("bypassed", s.bypassed);
  json.end_object();
  write_app_layer(json, s);
  // What was found and not told stays visible: by reason, and by exception in the order of the policy.
  json.key("anomaly").begin_object().field("detections", s.events.detections);
  json.field("suppressed", s.triage.suppressed).field("excepted", s.triage.excepted);
  json.field("zone_off", s.triage.off);
  if (!s.triage.by_exception.empty()) {
    out.key("by_exception").begin_array();
    for (const std::uint64_t count : s.triage.by_exception) out.number(count);
    out.end_array();
  }
  json.key("response").begin_object().field("asked", s.responses.asked).field("dry_run", s.responses.dry_run);
  json.field("withheld", s.responses.withheld).field("accepted", s.guard.accepted);
  json.field("refused", s.guard.refused).field("undelivered", s.guard.undelivered);
  json.field("overflow", s.guard.overflow).end_object();
  json.end_object();
  constexpr std::array<std::string_view, kEventKinds> kKinds = {"alert", "anomaly", "protocol", "flow",
                                                                "stats"};
  json.key("eve").begin_object().field("dropped", s.output_dropped).key("dropped_by_kind").begin_object();
  for (std::size_t i = 0; i < kEventKinds; ++i) json.field(kKinds[i], s.output_dropped_by_kind[i]);
  json.end_object().end_object();
}

}  // namespace gatehouse::ids::engine

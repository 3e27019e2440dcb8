// Settings of capture, decoding, defragmentation, flows, streams and the scan and flood detectors.
#include <algorithm>

#include "ids/anomaly/monitor.h"
#include "ids/engine/setting_keys.h"

namespace gatehouse::ids::engine {
namespace {

void checksum(const SettingValue& v) {
  const auto text = v.text();
  if (!text) return;
  if (*text == "auto") {
    v.settings.decoder.checksum = ChecksumMode::automatic;
  } else if (*text == "none") {
    v.settings.decoder.checksum = ChecksumMode::no;
  } else if (const auto on = v.flag()) {
    v.settings.decoder.checksum = *on ? ChecksumMode::yes : ChecksumMode::no;
  }
}
// The older key; where both are given, capture.checksum decides, in either order.
void pcap_checksum(const SettingValue& v) {
  const auto newer = v.settings.effective.find("capture.checksum");
  if (newer != v.settings.effective.end() && newer->second.origin != Origin::built_in) return;
  checksum(v);
}
void tcp_checksum(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.tcp_checksums = *on;
}

// flow-timeouts.PROTOCOL.STATE
void flow_timeout(const SettingValue& v) {
  const auto seconds = v.uint(0, 1'000'000);
  if (!seconds) return;
  const auto value = static_cast<std::uint32_t>(*seconds);
  FlowTimeouts& t = v.settings.flow.timeouts;
  const auto choose = [&]() -> std::pair<StateTimeouts*, StateTimeouts*> {
    if (v.stars[0] == "default") return {&t.other, &t.emergency_other};
    if (v.stars[0] == "tcp") return {&t.tcp, &t.emergency_tcp};
    if (v.stars[0] == "udp") return {&t.udp, &t.emergency_udp};
    if (v.stars[0] == "icmp") return {&t.icmp, &t.emergency_icmp};
    return {nullptr, nullptr};
  };
  const auto [normal, emergency] = choose();
  if (normal == nullptr) return v.wrong("below default, tcp, udp or icmp");
  constexpr std::string_view kEmergency = "emergency-";
  std::string_view state = v.stars[1];
  StateTimeouts* target = normal;
  if (state.starts_with(kEmergency)) {
    state.remove_prefix(kEmergency.size());
    target = emergency;
  }
  if (state == "new") {
    target->fresh = value;
  } else if (state == "established") {
    target->established = value;
  } else if (state == "closed") {
    target->closed = value;
  } else if (state != "bypassed") {
    v.wrong("new, established, closed or bypassed, with or without emergency-");
  }
}
void flow_memcap(const SettingValue& v) {
  if (auto n = v.size()) v.settings.flow.memcap_bytes = *n;
}

void midstream(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.tcp.midstream = *on;
}
void async_oneside(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.tcp.async_oneside = *on;
}
void depth(const SettingValue& v) {
  if (auto n = v.size()) v.settings.tcp.depth_bytes = *n;
}
void session_memcap(const SettingValue& v) {
  if (auto n = v.size()) v.settings.tcp.session_memcap_bytes = *n;
}
void reassembly_memcap(const SettingValue& v) {
  if (auto n = v.size()) v.settings.tcp.memcap_bytes = *n;
}
template <Direction direction>
void chunk_size(const SettingValue& v) {
  const auto bytes = v.size();
  if (!bytes) return;
  if (*bytes == 0 || *bytes > (1U << 20U)) return v.wrong("1 byte to 1 MiB");
  v.settings.engine.stream_chunk_bytes[index(direction)] = static_cast<std::uint32_t>(*bytes);
}
void check_overlap(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.tcp.check_overlap = *on;
}
void synack_queued(const SettingValue& v) {
  if (auto n = v.uint(0, 255)) v.settings.tcp.max_synack_queued = static_cast<unsigned>(*n);
}
void syn_queued(const SettingValue& v) {
  if (auto n = v.uint(1, 255)) v.settings.tcp.max_syn_queued = static_cast<unsigned>(*n);
}
void inline_mode(const SettingValue& v) {
  if (v.node.text != "auto" && v.node.text != "no" && v.node.text != "false") v.unsupported("inline streams");
}
void stream_bypass(const SettingValue& v) {
  v.settings.stream_bypass = v.flag().value_or(false);
}
void urgent_policy(const SettingValue& v) {
  if (v.node.text != "oob" && v.node.text != "inline" && v.node.text != "drop" && v.node.text != "gap")
    v.wrong("oob, inline, drop or gap");
}

void os_policy(const SettingValue& v) {
  const auto policy = find_os_policy(v.stars[0]);
  if (!policy) return v.wrong("below the name of an operating system: windows, linux, bsd, solaris ...");
  for (const std::string& word : v.words()) {
    if (word == "default") {
      v.settings.defrag.policies.fallback = *policy;
    } else if (const auto prefix = core::IpPrefix::parse(word)) {
      v.settings.defrag.policies.add(*prefix, *policy);
    } else {
      v.wrong("a list of networks (no host bits set) or `default`");
    }
  }
}

void defrag_timeout(const SettingValue& v) {
  if (auto n = v.uint(1, 86'400)) v.settings.defrag.timeout_us = static_cast<std::int64_t>(*n) * 1'000'000;
}
void defrag_memcap(const SettingValue& v) {
  if (auto n = v.size()) v.settings.defrag.memcap_bytes = *n;
}
void defrag_trackers(const SettingValue& v) {
  if (auto n = v.uint(1, 10'000'000)) v.settings.defrag.max_trackers = static_cast<unsigned>(*n);
}
void vlan_tracking(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.flow.use_vlan = v.settings.defrag.use_vlan = *on;
}
void recursion_tracking(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.flow.use_tunnel_depth = *on;
}
void any_flag(const SettingValue& v) {
  (void)v.flag();
}
void tunnel_switch(const SettingValue& v) {
  const auto on = v.flag();
  if (!on) return;
  DecoderOptions& d = v.settings.decoder;
  if (v.key == "decoder.teredo.enabled") d.teredo = *on;
  if (v.key == "decoder.vxlan.enabled") d.vxlan = *on;
  if (v.key == "decoder.geneve.enabled") d.geneve = *on;
  if (v.key == "decoder.erspan.typeI.enabled") d.erspan_type1 = *on;
  if (v.key == "decoder.ipv4.ipip.enabled") d.ipip = *on;
}
void tunnel_ports(const SettingValue& v) {
  const auto text = v.group();
  if (!text) return;
  TunnelPorts& p = v.settings.tunnel_ports;
  (v.key == "decoder.teredo.ports" ? p.teredo : v.key == "decoder.vxlan.ports" ? p.vxlan : p.geneve) = *text;
}

void scan_on(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.anomaly.scan = *on;
}
void scan_ports(const SettingValue& v) {
  if (auto n = v.uint(3, 10'000)) v.settings.anomaly.scan_ports = static_cast<std::uint32_t>(*n);
}
void scan_hosts(const SettingValue& v) {
  if (auto n = v.uint(3, 10'000)) v.settings.anomaly.scan_hosts = static_cast<std::uint32_t>(*n);
}
void scan_window(const SettingValue& v) {
  if (auto us = core::yaml_duration_us(v.node, v.diagnostics))
    v.settings.anomaly.scan_window_us = static_cast<std::int64_t>(*us);
}
void flood_on(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.anomaly.flood = *on;
}
void flood_rate(const SettingValue& v) {
  if (auto n = v.uint(10, 10'000'000))
    v.settings.anomaly.flood_syn_per_second = static_cast<std::uint32_t>(*n);
}
void flood_packets(const SettingValue& v) {
  if (auto n = v.uint(10, 10'000'000))
    v.settings.anomaly.flood_packets_per_second = static_cast<std::uint32_t>(*n);
}
void anomaly_memory(const SettingValue& v) {
  const auto bytes = v.size();
  if (!bytes) return;
  if (*bytes < (8U << 20U) || *bytes > (8ULL << 30U)) {
    v.diagnostics.error("out-of-range", v.node.where, "the detectors' memory is between 8 MiB and 8 GiB");
  } else {
    v.settings.anomaly.memory_bytes = *bytes;
  }
}
void anomaly_seed(const SettingValue& v) {
  if (auto n = v.uint(0, INT64_MAX)) v.settings.anomaly.hash_seed = *n;
}
void anomaly_state(const SettingValue& v) {
  v.settings.anomaly.state_path = v.node.text;
}
void anomaly_state_interval(const SettingValue& v) {
  if (auto us = core::yaml_duration_us(v.node, v.diagnostics))
    v.settings.anomaly.state_interval_us = std::max<std::int64_t>(static_cast<std::int64_t>(*us), 1'000'000);
}
// One name or a list.
void anomaly_without(const SettingValue& v) {
  const auto take = [&](const core::YamlNode& node) {
    if (!anomaly::can_be_left_out(node.text)) {
      v.diagnostics.error("unknown-detector", node.where,
                          "no detector and no result of contacts is called `" + node.text + "`");
      return;
    }
    v.settings.anomaly.without.push_back(node.text);
  };
  v.settings.anomaly.without.clear();
  if (v.node.is_sequence()) {
    for (const auto& item : v.node.items) take(item);
  } else {
    take(v.node);
  }
}
void flood_window(const SettingValue& v) {
  (void)core::yaml_duration_us(v.node, v.diagnostics);
}

constexpr KeyRow kRows[] = {
    {"capture.checksum", checksum},
    {"pcap-file.checksum-checks", pcap_checksum},
    {"stream.checksum-validation", tcp_checksum},
    {"flow.memcap", flow_memcap},
    {"flow-timeouts.*.*", flow_timeout},
    {"stream.midstream", midstream},
    {"stream.async-oneside", async_oneside},
    {"stream.inline", inline_mode},
    {"stream.bypass", stream_bypass},
    {"stream.memcap", session_memcap},
    {"stream.max-synack-queued", synack_queued},
    {"stream.max-syn-queued", syn_queued},
    {"stream.reassembly.depth", depth},
    {"stream.reassembly.memcap", reassembly_memcap},
    {"stream.reassembly.check-overlap-different-data", check_overlap},
    {"stream.reassembly.toserver-chunk-size", chunk_size<Direction::to_server>},
    {"stream.reassembly.toclient-chunk-size", chunk_size<Direction::to_client>},
    {"stream.reassembly.urgent.policy", urgent_policy, "urgent bytes stay in the stream"},
    {"stream.reassembly.urgent.oob-limit-policy", urgent_policy, "urgent bytes stay in the stream"},
    {"host-os-policy.*", os_policy},
    {"defrag.timeout", defrag_timeout},
    {"defrag.memcap", defrag_memcap},
    {"defrag.max-trackers", defrag_trackers},
    {"vlan.use-for-tracking", vlan_tracking},
    {"livedev.use-for-tracking", any_flag, "each interface has flow tables of its own"},
    {"decoder.recursion-level.use-for-tracking", recursion_tracking},
    {"decoder.teredo.enabled", tunnel_switch},
    {"decoder.vxlan.enabled", tunnel_switch},
    {"decoder.geneve.enabled", tunnel_switch},
    {"decoder.erspan.typeI.enabled", tunnel_switch},
    {"decoder.ipv4.ipip.enabled", tunnel_switch},
    {"decoder.ipv4.ipip.track-parent-flow", any_flag, "the flow of the tunnel is always known"},
    {"decoder.teredo.ports", tunnel_ports},
    {"decoder.vxlan.ports", tunnel_ports},
    {"decoder.geneve.ports", tunnel_ports},
    {"anomaly.scan.enabled", scan_on},
    {"anomaly.scan.ports", scan_ports},
    {"anomaly.scan.hosts", scan_hosts},
    {"anomaly.scan.window", scan_window},
    {"anomaly.memory", anomaly_memory},
    {"anomaly.seed", anomaly_seed},
    {"anomaly.state", anomaly_state},
    {"anomaly.state-interval", anomaly_state_interval},
    {"anomaly.without", anomaly_without},
    {"anomaly.flood.enabled", flood_on},
    {"anomaly.flood.syn-per-second", flood_rate},
    {"anomaly.flood.packets-per-second", flood_packets},
    {"anomaly.flood.window", flood_window, "the window is one second and slides"},
};

}  // namespace

std::span<const KeyRow> traffic_keys() {
  return kRows;
}

}  // namespace gatehouse::ids::engine

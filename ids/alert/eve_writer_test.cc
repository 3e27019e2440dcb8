#include "ids/alert/eve_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ids/alert/testing/allocations.h"

namespace gatehouse::ids::alert {
namespace {

using nlohmann::json;

constexpr std::int64_t kTime = 1'464'332'171'304'062;  // 2016-05-27T06:56:11.304062

EventHeader tcp_header() {
  EventHeader h;
  h.time_us = kTime;
  h.event_type = "alert";
  h.source = *core::IpAddress::parse("10.0.0.5");
  h.destination = *core::IpAddress::parse("192.0.2.1");
  h.source_port = 49152;
  h.destination_port = 80;
  h.has_ports = true;
  h.protocol = 6;
  h.flow_id = 1'850'631'697'639'266;
  h.pcap_cnt = 5;
  h.pkt_src = "wire/pcap";
  h.app_proto = "http";
  h.direction = "to_server";
  h.tx_id = 0;
  return h;
}

json parsed(std::string_view line) {
  EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line, LF at its end";
  return json::parse(line);
}

void expect_keys(const json& object, std::vector<std::string> expected) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) {
    keys.push_back(key);
    EXPECT_FALSE(value.is_null()) << key;
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(keys, expected);  // nlohmann sorts keys
}

TEST(EveWriter, AlertHasExactlyTheMembersAndTypesOfTheField) {
  EveWriter writer(EveOptions{});
  const std::pair<std::string, std::string> pairs[] = {
      {"cve", "CVE_2021_44228"}, {"mitre_technique_id", "T1190"}, {"cve", "CVE_2021_45046"}};
  const std::pair<std::string, std::string>* const metadata[] = {&pairs[0], &pairs[1], &pairs[2]};
  AlertFields fields;
  fields.sid = 9'000'001;
  fields.rev = 2;
  fields.signature = "a \"quoted\" name";
  fields.category = "Web Application Attack";
  fields.severity = 1;
  fields.metadata = metadata;
  fields.target_is_source = false;
  FlowFields flow;
  flow.packets_to_server = 3;
  flow.start_us = kTime;
  flow.source = tcp_header().source;
  flow.destination = tcp_header().destination;
  flow.source_port = 49152;
  flow.destination_port = 80;
  flow.has_ports = true;

  const EventHeader header = tcp_header();
  writer.begin(header);
  writer.alert(fields, header);
  writer.member("http").begin_object().field("url", "/x").end_object();
  writer.flow_so_far(flow);
  const json event = parsed(writer.end());

  expect_keys(event, {"timestamp", "event_type", "src_ip", "src_port", "dest_ip", "dest_port", "proto",
                      "flow_id", "community_id", "ip_v", "pkt_src", "pcap_cnt", "tx_id", "app_proto",
                      "direction", "alert", "http", "flow"});
  EXPECT_EQ(event["timestamp"], "2016-05-27T06:56:11.304062+0000");
  EXPECT_EQ(event["flow_id"], 1'850'631'697'639'266);
  EXPECT_TRUE(event["src_port"].is_number_integer());
  EXPECT_EQ(event["proto"], "TCP");
  EXPECT_EQ(event["ip_v"], 4);
  EXPECT_EQ(event["tx_id"], 0);
  expect_keys(event["alert"], {"action", "gid", "signature_id", "rev", "signature", "category", "severity",
                               "metadata", "source", "target"});
  EXPECT_EQ(event["alert"]["signature"], "a \"quoted\" name");
  EXPECT_EQ(event["alert"]["metadata"]["cve"], json({"CVE_2021_44228", "CVE_2021_45046"}));
  EXPECT_EQ(event["alert"]["target"]["ip"], "192.0.2.1");
  expect_keys(event["flow"], {"pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient", "start",
                              "src_ip", "dest_ip", "src_port", "dest_port"});
}

TEST(EveWriter, FlowAndTcpObjects) {
  EveOptions options;
  options.community_id = false;
  options.host = "sensor1";
  EveWriter writer(options);
  EventHeader header = tcp_header();
  header.event_type = "flow";
  header.pkt_src = {};
  header.direction = {};
  header.tx_id.reset();
  header.pcap_cnt = 0;
  FlowFields flow;
  flow.start_us = kTime;
  flow.end_us = kTime + 800'000;  // crosses a second: 11.3 to 12.1
  flow.state = "closed";
  flow.reason = "shutdown";
  flow.action = "drop";
  writer.begin(header);
  writer.flow(flow);
  writer.tcp({0x1b, 0x12, "closed"});
  const json event = parsed(writer.end());
  expect_keys(event, {"timestamp", "event_type", "host", "src_ip", "src_port", "dest_ip", "dest_port",
                      "proto", "flow_id", "ip_v", "app_proto", "flow", "tcp"});
  expect_keys(event["flow"], {"pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient", "start",
                              "end", "age", "state", "reason", "alerted", "action"});
  EXPECT_EQ(event["flow"]["age"], 1);
  EXPECT_EQ(event["tcp"], json({{"tcp_flags", "1b"},
                                {"tcp_flags_ts", "1b"},
                                {"tcp_flags_tc", "12"},
                                {"syn", true},
                                {"fin", true},
                                {"psh", true},
                                {"ack", true},
                                {"state", "closed"},
                                {"ts_max_regions", 1},
                                {"tc_max_regions", 1}}));
}

TEST(EveWriter, PortlessProtocolsHaveNoPortsAndIpv6IsWrittenInFull) {
  EveWriter writer(EveOptions{});
  EventHeader header;
  header.time_us = kTime;
  header.event_type = "anomaly";
  header.source = *core::IpAddress::parse("2001:db8::1");
  header.destination = *core::IpAddress::parse("ff02::1");
  header.protocol = 58;
  header.has_icmp = true;
  header.icmp_type = 128;
  const std::uint16_t vlan[] = {6, 10};
  header.vlan = vlan;
  writer.begin(header);
  writer.anomaly({"decode", "decoder.icmpv6.unknown_type", {}, {}});
  const json event = parsed(writer.end());
  expect_keys(event, {"timestamp", "event_type", "src_ip", "dest_ip", "proto", "ip_v", "icmp_type",
                      "icmp_code", "community_id", "vlan", "anomaly"});
  EXPECT_EQ(event["src_ip"], "2001:0db8:0000:0000:0000:0000:0000:0001");
  EXPECT_EQ(event["proto"], "IPv6-ICMP");
  EXPECT_EQ(event["vlan"], json({6, 10}));
  expect_keys(event["anomaly"], {"type", "event"});
}

TEST(EveWriter, PayloadPacketAndEtherAreWrittenWhenAskedFor) {
  EveOptions options;
  options.payload = options.payload_printable = options.packet = options.ethernet = true;
  options.payload_length = true;
  EveWriter writer(options);
  EventHeader header = tcp_header();
  const std::array<std::uint8_t, 6> mac = {0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc};
  header.ether_source = header.ether_destination = &mac;
  writer.begin(header);
  writer.payload({core::as_bytes("GET /\x01\xff"), core::as_bytes("frame"), true, 1, "EN10MB"});
  const json event = parsed(writer.end());
  EXPECT_EQ(event["payload_printable"], "GET /..");
  EXPECT_EQ(event["payload"], "R0VUIC8B/w==");
  EXPECT_EQ(event["payload_length"], 7);
  EXPECT_EQ(event["stream"], 1);
  EXPECT_EQ(event["packet_info"], json({{"linktype", 1}, {"linktype_name", "EN10MB"}}));
  EXPECT_EQ(event["ether"]["src_mac"], "00:11:22:aa:bb:cc");
}

TEST(EveWriter, DetectionObject) {
  EveWriter writer(EveOptions{});
  const core::IpAddress sources[] = {*core::IpAddress::parse("192.0.2.9")};
  const std::pair<std::string_view, std::uint64_t> evidence[] = {{"ports", 25}};
  DetectionFields fields;
  fields.klass = "scan.syn.vertical";
  fields.sources = sources;
  fields.sources_total = 1;
  fields.evidence = evidence;
  fields.window_us = 2'500'000;
  fields.confidence = 0.5;
  fields.spoofable = false;
  fields.technique = "T1046";
  fields.id = 7;
  fields.phase = "start";
  fields.reason = "ports refused it";
  writer.begin(tcp_header());
  writer.detection(fields);
  const json event = parsed(writer.end());
  EXPECT_EQ(event["detection"], json({{"class", "scan.syn.vertical"},
                                      {"sources", {"192.0.2.9"}},
                                      {"targets", json::array()},
                                      {"sources_total", 1},
                                      {"targets_total", 0},
                                      {"evidence", {{"ports", 25}}},
                                      {"window_ms", 2500},
                                      {"confidence", 0.5},
                                      {"spoofable", false},
                                      {"technique", "T1046"},
                                      {"id", 7},
                                      {"phase", "start"},
                                      {"reason", "ports refused it"},
                                      {"update", 0}}));
}

TEST(EveWriter, StatsLine) {
  EveWriter writer(EveOptions{});
  const json event = parsed(writer.stats(kTime, [](core::JsonWriter& w) { w.field("uptime", 8); }));
  expect_keys(event, {"timestamp", "event_type", "stats"});
  EXPECT_EQ(event["stats"]["uptime"], 8);
}

TEST(EveWriter, AllocatesNothingInSteadyState) {
  EveWriter writer(EveOptions{});
  const EventHeader header = tcp_header();
  AlertFields fields;
  fields.signature = "steady";
  std::size_t bytes = 0;
  const auto write_one = [&] {
    writer.begin(header);
    writer.alert(fields, header);
    writer.flow_so_far(FlowFields{});
    writer.tcp({2, 18, "established"});
    bytes += writer.end().size();
  };
  write_one();
  const std::size_t before = allocations();
  for (int i = 0; i < 1000; ++i) write_one();
  EXPECT_EQ(allocations(), before);
  EXPECT_GT(bytes, 300'000u);
}

}  // namespace
}  // namespace gatehouse::ids::alert

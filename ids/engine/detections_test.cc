// How detections are told: overrides of rule files, and the closed schema of stock receivers.
#include <gtest/gtest.h>

#include <set>

#include "ids/engine/testing/replay.h"

namespace gatehouse::ids::testing {
namespace {

using nlohmann::json;

std::vector<Frame> scan() {
  std::vector<Frame> frames;
  for (std::uint16_t port = 1; port <= 40; ++port) {
    TcpConversation::Endpoints e;
    e.server_port = port;
    e.start_us += port * 1000;
    TcpConversation probe(e);
    probe.raw(true, 0x02, 0, 0).raw(false, 0x14, 0, 1);
    frames.insert(frames.end(), probe.frames().begin(), probe.frames().end());
  }
  return frames;
}

TEST(Detections, RuleFilesOverrideThemByGidAndSid) {
  const Replay loud = replay(scan(),
                             "alert ip any any -> any any (msg:\"ours\"; gid:900; sid:1; rev:4; priority:1; "
                             "metadata:team blue;)");
  ASSERT_FALSE(loud.diagnostics.has_errors()) << loud.diagnostics.render_all();
  const auto alerts = loud.of_type("alert");
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0]["alert"]["signature"], "ours");
  EXPECT_EQ(alerts[0]["alert"]["severity"], 1);
  EXPECT_EQ(alerts[0]["alert"]["rev"], 4);
  EXPECT_EQ(alerts[0]["alert"]["metadata"]["team"], json({"blue"}));
  EXPECT_EQ(alerts[0]["detection"]["class"], "scan.syn.vertical");
  const Replay quiet = replay(scan(), "pass ip 192.0.2.0/24 any -> any any (gid:900; sid:1;)");
  EXPECT_TRUE(quiet.of_type("alert").empty());
}

TEST(Detections, StrictEventsFitAClosedSchema) {
  const auto alerts = replay(scan(), {}, "{anomaly.strict-eve: yes, anomaly.seed: 7}").of_type("alert");
  ASSERT_EQ(alerts.size(), 2u);
  // What the schema of the field has for alerts, of what we write here.
  const std::set<std::string> members = {"timestamp", "event_type", "pcap_cnt", "src_ip",      "dest_ip",
                                         "proto",     "ip_v",       "alert",    "community_id"};
  const std::set<std::string> of_alert = {"action",    "gid",      "signature_id", "rev",
                                          "signature", "category", "severity",     "metadata"};
  for (const json& alert : alerts) {
    for (const auto& [key, value] : alert.items()) EXPECT_EQ(members.count(key), 1u) << key;
    for (const auto& [key, value] : alert["alert"].items()) EXPECT_EQ(of_alert.count(key), 1u) << key;
    for (const auto& [key, value] : alert["alert"]["metadata"].items()) {
      ASSERT_TRUE(value.is_array()) << key;
      for (const json& item : value) EXPECT_TRUE(item.is_string()) << key;
    }
  }
  const json& metadata = alerts[0]["alert"]["metadata"];
  EXPECT_EQ(metadata["gatehouse_class"], json({"scan.syn.vertical"}));
  EXPECT_EQ(metadata["gatehouse_sources"], json({"192.0.2.1"}));
  EXPECT_EQ(metadata["gatehouse_phase"], json({"start"}));
  EXPECT_EQ(metadata["gatehouse_spoofable"], json({"true"}));
  EXPECT_EQ(metadata["gatehouse_evidence"][0].get<std::string>().substr(0, 7), "failed=");
  EXPECT_EQ(metadata["gatehouse_limits"], json({"evidence=64"}));
}

}  // namespace
}  // namespace gatehouse::ids::testing

#include "ids/engine/settings.h"

#include <gtest/gtest.h>

#include <set>

#include "ids/engine/setting_keys.h"

namespace gatehouse::ids::engine {
namespace {

struct Outcome {
  std::optional<Settings> settings;
  core::Diagnostics diagnostics;
};

Outcome load(const std::string& text, const site::Site* site = nullptr) {
  Outcome out;
  const core::SourceText source("ids.yaml", text);
  SettingsInput input;
  input.site = site;
  if (!text.empty()) input.config = &source;
  out.settings = load_settings(input, out.diagnostics);
  return out;
}

TEST(Settings, DefaultsLoadWithoutANote) {
  const Outcome o = load("");
  ASSERT_TRUE(o.settings) << o.diagnostics.render_all();
  EXPECT_TRUE(o.settings->notes.empty()) << o.settings->notes.front();
  EXPECT_EQ(o.settings->engine.packet_alert_max, 15u);
  EXPECT_EQ(o.settings->tcp.depth_bytes, 1u << 20U);
  EXPECT_EQ(o.settings->flow.timeouts.tcp.established, 600u);
  EXPECT_EQ(o.settings->decoder.vxlan_ports, std::vector<std::uint16_t>{4789});
  EXPECT_TRUE(o.settings->eve.enabled("alert"));
  EXPECT_FALSE(o.settings->eve.enabled("smb"));
}

TEST(Settings, NestedDottedAndWrappedKeysMeanTheSame) {
  for (const char* text : {"stream: {reassembly: {depth: 8kb}}", "stream.reassembly.depth: 8 KiB",
                           "settings: {stream.reassembly: {depth: 8192}}",
                           "{\"settings\": {\"stream.reassembly.depth\": \"8kb\"}, \"eve\": {}}"}) {
    const Outcome o = load(text);
    ASSERT_TRUE(o.settings) << text << o.diagnostics.render_all();
    EXPECT_EQ(o.settings->tcp.depth_bytes, 8192u) << text;
  }
}

TEST(Settings, UnknownKeyIsAnErrorWithPositionAndHint) {
  const Outcome o = load("stream:\n  reassembly:\n    dept: 1 MiB\n");
  EXPECT_FALSE(o.settings);
  ASSERT_EQ(o.diagnostics.error_count(), 1u);
  const core::Diagnostic& d = o.diagnostics.all()[0];
  EXPECT_EQ(d.where.to_string(), "ids.yaml:3:5");
  EXPECT_NE(d.hint.find("stream.reassembly.depth"), std::string::npos) << d.hint;
}

struct BadRow {
  const char* name;
  const char* text;
  const char* expected;  // in the message or the hint
};

TEST(Settings, BadValuesAreRefused) {
  const BadRow rows[] = {
      {"size", "stream.reassembly.depth: much", "size"},
      {"flag", "stream.midstream: perhaps", "true or false"},
      {"number", "packet-alert-max: 0", "1"},
      {"order", "action-order: [pass, drop]", "once each"},
      {"protocol", "app-layer.protocols.htpp.enabled: yes", "http"},
      {"event type", "eve: {types: {dnss: {}}}", "dns"},
      {"event option", "eve: {types: {dns: {versoin: 2}}}", "dns.version"},
      {"timeout", "flow-timeouts.tpc.new: 5", "tcp"},
      {"os", "host-os-policy.wndows: [default]", "operating system"},
      {"ports", "decoder.vxlan.ports: $NOT_THERE", "ports"},
      {"circle", "{vars.port-groups.A: $A, decoder.vxlan.ports: $A}", "ports"},
      {"not supported", "eve: {pcap-file: yes}", "does not support"},
      {"xff", "eve: {types: {alert: {xff: {mode: replace}}}}", "extra-data"},
      {"list", "stream: 7", "stream"},
      {"root", "- 1", "mapping"},
      {"twice", "a: 1\na: 2", "a"},
  };
  for (const BadRow& row : rows) {
    const Outcome o = load(row.text);
    EXPECT_FALSE(o.settings) << row.name;
    EXPECT_NE(o.diagnostics.render_all().find(row.expected), std::string::npos)
        << row.name << ": " << o.diagnostics.render_all();
  }
}

TEST(Settings, WhatThisBuildLacksIsNotedOnce) {
  const Outcome o = load(
      "app-layer.protocols: {smb.enabled: yes, nfs.enabled: no}\nasn1-max-frames: 256\n"
      "eve: {types: {alert: {}, smb: {}}}");
  ASSERT_TRUE(o.settings) << o.diagnostics.render_all();
  // smb is recognised, so only its events are missing.
  ASSERT_EQ(o.settings->notes.size(), 2u);
  EXPECT_EQ(o.settings->notes[0], "event types not written by this build: smb");
  EXPECT_NE(o.settings->notes[1].find("asn1-max-frames"), std::string::npos);
}

TEST(Settings, ListedEventTypesReplaceTheDefaultOnes) {
  const Outcome o = load("eve: {types: {alert: {}, dns: {version: 2, enabled: no}, tls: no, flow: }}");
  ASSERT_TRUE(o.settings) << o.diagnostics.render_all();
  EXPECT_TRUE(o.settings->eve.enabled("alert"));
  EXPECT_FALSE(o.settings->eve.enabled("dns"));
  EXPECT_FALSE(o.settings->eve.enabled("tls"));
  EXPECT_TRUE(o.settings->eve.enabled("flow"));
  EXPECT_FALSE(o.settings->eve.enabled("http"));
  EXPECT_EQ(o.settings->eve.log.dns_version, 2);
}

TEST(Settings, AlertsTreatForwardedAddressesInTheirOwnWay) {
  const Outcome plain = load("eve: {xff: {enabled: yes, deployment: forward}}");
  ASSERT_TRUE(plain.settings) << plain.diagnostics.render_all();
  EXPECT_TRUE(plain.settings->eve.forwarded.enabled);
  EXPECT_FALSE(plain.settings->eve.alert_forwarded);
  // Whatever the order of the keys.
  const Outcome own =
      load("eve: {types: {alert: {xff: {enabled: yes, mode: overwrite}}}, xff: {enabled: no}}");
  ASSERT_TRUE(own.settings) << own.diagnostics.render_all();
  EXPECT_FALSE(own.settings->eve.forwarded.enabled);
  ASSERT_TRUE(own.settings->eve.alert_forwarded);
  EXPECT_TRUE(own.settings->eve.alert_forwarded->enabled);
  EXPECT_TRUE(own.settings->eve.alert_forwarded->overwrite);
}

TEST(Settings, SiteThenConfigurationOverride) {
  site::Site site;
  site.detection.where = {"site.yaml", 40, 3};
  site.detection.home_networks = {*core::IpPrefix::parse("10.9.0.0/16"), *core::IpPrefix::parse("fd09::/16")};
  site.detection.scan.ports = 33;
  site.detection.engine["stream.reassembly.depth"] = {"2 MiB", {"site.yaml", 44, 7}};
  site.detection.engine["packet-alert-max"] = {"20", {"site.yaml", 45, 7}};
  const Outcome o = load("packet-alert-max: 30", &site);
  ASSERT_TRUE(o.settings) << o.diagnostics.render_all();
  EXPECT_EQ(o.settings->environment.address_variables.at("HOME_NET"), "[10.9.0.0/16,fd09::/16]");
  EXPECT_EQ(o.settings->anomaly.scan_ports, 33u);
  EXPECT_EQ(o.settings->tcp.depth_bytes, 2u << 20U);
  EXPECT_EQ(o.settings->engine.packet_alert_max, 30u);
  EXPECT_EQ(o.settings->effective.at("packet-alert-max").origin, Origin::config);
  EXPECT_EQ(o.settings->effective.at("stream.reassembly.depth").where.to_string(), "site.yaml:44:7");
}

TEST(Settings, UnknownKeyOfTheSiteFileNamesItsLine) {
  site::Site site;
  site.detection.engine["stream.depht"] = {"1", {"site.yaml", 44, 7}};
  const Outcome o = load("", &site);
  EXPECT_FALSE(o.settings);
  EXPECT_NE(o.diagnostics.render_all().find("site.yaml:44:7"), std::string::npos)
      << o.diagnostics.render_all();
}

TEST(Settings, PrintedSettingsReadBackAsTheSame) {
  const Outcome first =
      load("stream.midstream: yes\nvars.address-groups.HOME_NET: '[10.0.0.0/8, !10.1.0.0/16]'");
  ASSERT_TRUE(first.settings);
  const Outcome second = load(print_settings(*first.settings));
  ASSERT_TRUE(second.settings) << second.diagnostics.render_all();
  EXPECT_TRUE(second.settings->tcp.midstream);
  ASSERT_EQ(second.settings->effective.size(), first.settings->effective.size());
  for (const auto& [key, entry] : first.settings->effective)
    EXPECT_EQ(second.settings->effective.at(key).value, entry.value) << key;
}

TEST(Settings, NoKeyStandsTwiceInTheTable) {
  std::set<std::string_view> seen;
  for (const auto& part : {rule_keys(), protocol_keys(), traffic_keys(), eve_keys()}) {
    for (const KeyRow& row : part) EXPECT_TRUE(seen.insert(row.pattern).second) << row.pattern;
  }
}

}  // namespace
}  // namespace gatehouse::ids::engine

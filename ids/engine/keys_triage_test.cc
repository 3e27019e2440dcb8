// Zones, exceptions and response: from the site policy or a configuration to settings.
#include <gtest/gtest.h>

#include "ids/engine/settings.h"
#include "site/load/load.h"

namespace gatehouse::ids::engine {
namespace {

struct Outcome {
  std::optional<Settings> settings;
  core::Diagnostics diagnostics;
};

Outcome load(const std::string& text, const std::string& policy = {}) {
  Outcome out;
  std::optional<site::Site> site;
  if (!policy.empty()) site = site::load_site(core::SourceText("site.yaml", policy), out.diagnostics);
  EXPECT_EQ(policy.empty(), !site.has_value()) << out.diagnostics.render_all();
  const core::SourceText source("ids.yaml", text);
  SettingsInput input;
  input.site = site ? &*site : nullptr;
  if (!text.empty()) input.config = &source;
  out.settings = load_settings(input, out.diagnostics);
  return out;
}

const std::string kPolicy =
    "site: a\nzones:\n  out: {interface: e0, networks: any}\n"
    "  dmz: {interface: e1, networks: [10.1.0.0/16], hosts: {web: [10.1.0.5]}}\n"
    "  lab: {interface: e2, networks: [10.2.0.0/16]}\n";

core::IpAddress ip(const char* text) {
  return *core::IpAddress::parse(text);
}

TEST(TriageKeys, ComeFromTheSitePolicy) {
  const Outcome o = load("", kPolicy +
                                 "detection:\n  sensitivity: {out: low, lab: off}\n  exceptions:\n"
                                 "    - {source: 192.0.2.0/24, target: dmz/web, class: [scan.*], "
                                 "until: 2099-01-31, reason: 'pentest, \"Q1\"'}\n"
                                 "  response: {classes: [bruteforce.*], ban: 5m, never: [203.0.113.7]}\n");
  ASSERT_TRUE(o.settings) << o.diagnostics.render_all();
  const anomaly::AnomalyConfig& config = o.settings->anomaly;
  EXPECT_EQ(config.scaled(8, ip("198.51.100.1")), 16u);
  EXPECT_EQ(config.scaled(8, ip("10.1.0.5")), 8u);
  EXPECT_EQ(config.scaled(8, ip("2001:db8::1")), 16u);
  ASSERT_EQ(o.settings->triage.exceptions.size(), 1u);
  const triage::Exception& e = o.settings->triage.exceptions[0];
  EXPECT_EQ(e.targets[0].to_string(), "10.1.0.5/32");
  EXPECT_EQ(e.reason, "pentest, \"Q1\"");
  EXPECT_EQ(e.where.to_string(), "site.yaml:9:7");
  const triage::Response& response = o.settings->triage.response;
  EXPECT_TRUE(response.on);
  EXPECT_FALSE(response.enforce);
  EXPECT_EQ(response.ban_us, 300'000'000);
  std::string never;
  for (const core::IpPrefix& prefix : response.never) never += prefix.to_string() + " ";
  EXPECT_EQ(never, "10.1.0.0/16 10.2.0.0/16 203.0.113.7/32 ");
  // What is printed reads back as the same.
  const Outcome again = load(print_settings(*o.settings));
  ASSERT_TRUE(again.settings) << again.diagnostics.render_all();
  EXPECT_EQ(again.settings->triage.exceptions[0].reason, e.reason);
  EXPECT_EQ(again.settings->triage.zones.size(), o.settings->triage.zones.size());
}

TEST(TriageKeys, HighAsksForHalfButNeverForLessThanThree) {
  const Outcome o = load("anomaly.zones: [{networks: [10.0.0.0/8], sensitivity: high}]");
  ASSERT_TRUE(o.settings) << o.diagnostics.render_all();
  EXPECT_EQ(o.settings->anomaly.scaled(12, ip("10.1.1.1")), 6u);
  EXPECT_EQ(o.settings->anomaly.scaled(4, ip("10.1.1.1")), 3u);
  EXPECT_EQ(o.settings->anomaly.scaled(12, ip("192.0.2.1")), 12u);
}

TEST(TriageKeys, AnExpiredExceptionIsAWarningOnceForAll) {
  const Outcome o = load("", kPolicy +
                                 "detection:\n  exceptions: [{source: lab, class: scan.*, until: 2020-01-31, "
                                 "reason: r}]\n");
  ASSERT_TRUE(o.settings);
  EXPECT_EQ(o.diagnostics.warning_count(), 1u) << o.diagnostics.render_all();
  const Outcome own =
      load("anomaly.exceptions: [{source: 10.0.0.1, class: scan.*, until: 2020-01-31, reason: r}]");
  ASSERT_TRUE(own.settings);
  EXPECT_EQ(own.diagnostics.warning_count(), 1u);
}

TEST(TriageKeys, RefuseWhatIsWrongAndSayWhere) {
  struct Row {
    const char* text;
    const char* code;
  };
  const Row rows[] = {
      {"anomaly.exceptions: [{source: 10.0.0.1, class: scan.upd, until: 2099-01-01, reason: r}]",
       "unknown-class"},
      {"anomaly.exceptions: [{source: 10.0.0.1, class: scan.udp, reason: r}]", "missing-key"},
      {"anomaly.exceptions: [{source: 10.0.0.1, class: scan.udp, until: 2099-01-01}]", "missing-key"},
      {"anomaly.exceptions: [{class: scan.udp, until: 2099-01-01, reason: r}]", "missing-key"},
      {"anomaly.exceptions: [{source: 10.0.0.1, until: 2099-01-01, reason: r}]", "missing-key"},
      {"anomaly.exceptions: 10.0.0.1", "bad-value"},
      {"anomaly.exceptions: [10.0.0.1]", "bad-value"},
      {"anomaly.zones: [{networks: [10.0.0.0/8], sensitivity: loud}]", "bad-value"},
      {"anomaly.response: {mode: yes}", "bad-value"},
      {"anomaly.response: {mode: dry-run}", "missing-key"},
      {"{anomaly.response: {mode: enforce, classes: [dos.*]}, stream.midstream: yes}", "spoofable-evidence"},
      {"anomaly.response: {mode: enforce, classes: [dos.*], ban: 2h, longest: 1h}", "bad-value"},
      {"anomaly.response: {classes: [scan.udp]}", "spoofable-class"},
      {"anomaly.response: {classes: [dos.synflood]}", "spoofable-class"},
      {"anomaly.response: {classes: [bruteforce.shh]}", "unknown-class"},
      {"anomaly.response: {ban: 90d}", "bad-value"},
      {"anomaly.response: {socket: guard}", "bad-value"},
      {"anomaly.response: {confidence: 0.1}", "bad-value"},
  };
  for (const Row& row : rows) {
    const Outcome o = load(row.text);
    EXPECT_FALSE(o.settings) << row.text;
    ASSERT_FALSE(o.diagnostics.all().empty()) << row.text;
    bool found = false;
    for (const core::Diagnostic& d : o.diagnostics.all()) found = found || d.code == row.code;
    EXPECT_TRUE(found) << row.text << '\n' << o.diagnostics.render_all();
    EXPECT_EQ(o.diagnostics.all()[0].where.line, 1u);
  }
}

}  // namespace
}  // namespace gatehouse::ids::engine

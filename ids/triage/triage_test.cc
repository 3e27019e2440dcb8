#include <gtest/gtest.h>

#include <algorithm>

#include "ids/triage/desk.h"

namespace gatehouse::ids::triage {
namespace {

using anomaly::Detection;
using anomaly::Phase;
using anomaly::Verdict;

constexpr std::int64_t kNow = 1'700'000'000'000'000;

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

// A detection with its lists.
struct Case {
  std::vector<IpAddress> sources, targets;
  Detection d;

  Case(Verdict verdict, std::initializer_list<const char*> from, std::initializer_list<const char*> to) {
    for (const char* a : from) sources.push_back(ip(a));
    for (const char* a : to) targets.push_back(ip(a));
    d.verdict = verdict;
    d.id = 1;
    d.time_us = kNow;
    if (!sources.empty()) d.source = sources[0];
    if (!targets.empty()) d.target = targets[0];
    d.sources = sources;
    d.targets = targets;
    d.sources_total = sources.size();
    d.targets_total = targets.size();
  }
};

// Rules and a threshold file in force.
struct Office {
  RuleEnvironment environment;
  core::Diagnostics diagnostics;
  RuleList list;
  Policy policy;
  std::unique_ptr<Desk> desk;

  explicit Office(const std::string& rules, const std::string& thresholds = {},
                  const std::string& classes = {}) {
    environment.address_variables = {{"TESTERS", "[192.0.2.0/24]"}};
    environment.detectors = detectors_of_build();
    list = read(rules, thresholds, classes);
    open();
  }
  RuleList read(const std::string& rules, const std::string& thresholds, const std::string& classes) {
    environment.classifications = default_classifications();
    environment.tunings.clear();
    if (!classes.empty())
      (void)parse_classifications(core::SourceText("c", classes), environment, diagnostics);
    if (!thresholds.empty())
      (void)parse_threshold_file(core::SourceText("t", thresholds), environment, diagnostics);
    const core::SourceText source("r", rules);
    return check_rules(std::span(&source, 1), environment, diagnostics);
  }
  void open() {
    desk = std::make_unique<Desk>(policy);
    desk->use(list);
  }
  Decision decide(const Case& c) const { return desk->decide(c.d); }
};

TEST(Overrides, AreNotNeeded) {
  const Office office("");
  const Decision decision = office.decide({Verdict::scan_udp, {"198.51.100.1"}, {"10.0.0.1"}});
  EXPECT_EQ(decision.fate, Fate::told);
  EXPECT_EQ(decision.told.severity, 2);
  EXPECT_EQ(decision.told.category, "Detection of a Network Scan");
}

TEST(Overrides, ARuleGivesOtherWordsAndSeverity) {
  const Office office(
      "alert ip any any -> any any (msg:\"UDP scan\"; gid:900; sid:11; rev:7; priority:1; metadata:team "
      "blue;)\n"
      "alert ip any any -> any any (gid:900; sid:12; classtype:attempted-admin;)\n"
      "alert ip any any -> any any (gid:900; sid:1; metadata:team red;)\n");
  EXPECT_EQ(office.diagnostics.error_count(), 0U) << office.diagnostics.render_all();
  EXPECT_TRUE(office.list.rules.empty());
  const Decision udp = office.decide({Verdict::scan_udp, {"198.51.100.1"}, {"10.0.0.1"}});
  EXPECT_EQ(udp.told.signature, "UDP scan");
  EXPECT_EQ(udp.told.severity, 1);
  EXPECT_EQ(udp.told.rev, 7U);
  ASSERT_EQ(udp.told.metadata.size(), 1U);
  EXPECT_EQ(udp.told.metadata[0]->second, "blue");
  EXPECT_EQ(udp.told.category, "Detection of a Network Scan");
  const Decision sweep = office.decide({Verdict::scan_sweep, {"198.51.100.1"}, {"10.0.0.1"}});
  EXPECT_EQ(sweep.told.severity, 1);
  EXPECT_EQ(sweep.told.category, "Attempted Administrator Privilege Gain");
  // What a rule does not say stays the detector's.
  const Decision vertical = office.decide({Verdict::scan_vertical, {"198.51.100.1"}, {"10.0.0.1"}});
  EXPECT_EQ(vertical.told.severity, 2);
  EXPECT_EQ(vertical.told.signature, "GATEHOUSE port scan of one host");
}

TEST(Overrides, APassRuleSilencesOnlyWhoIsAllCovered) {
  const Office office("pass ip $TESTERS any -> any any (gid:900; sid:1;)\n");
  EXPECT_EQ(office.decide({Verdict::scan_vertical, {"192.0.2.9"}, {"10.0.0.1"}}).fate, Fate::suppressed);
  EXPECT_EQ(office.decide({Verdict::scan_vertical, {"198.51.100.1"}, {"10.0.0.1"}}).fate, Fate::told);
  EXPECT_EQ(office.decide({Verdict::scan_vertical, {"192.0.2.9", "198.51.100.1"}, {"10.0.0.1"}}).fate,
            Fate::told);
  Case unlisted{Verdict::scan_vertical, {"192.0.2.9"}, {"10.0.0.1"}};
  unlisted.d.sources_total = 2;
  EXPECT_EQ(office.decide(unlisted).fate, Fate::told);
  EXPECT_EQ(office.decide({Verdict::scan_vertical, {}, {"10.0.0.1"}}).fate, Fate::told);
  EXPECT_EQ(office.decide({Verdict::scan_udp, {"192.0.2.9"}, {"10.0.0.1"}}).fate, Fate::told);
}

TEST(Overrides, ThresholdFilesSpeakOfDetections) {
  const Office office(
      "",
      "suppress gen_id 900, sig_id 1, track by_src, ip 192.0.2.0/24\n"
      "suppress gen_id 900, sig_id 12, track by_dst, ip 10.0.0.0/8\n"
      "suppress gen_id 900, sig_id 60\n"
      "threshold gen_id 900, sig_id 11, type limit, track by_src, count 1, seconds 60\n"
      "rate_filter gen_id 900, sig_id 20, track by_dst, count 1, seconds 60, new_action drop, "
      "timeout 60\n");
  ASSERT_EQ(office.diagnostics.error_count(), 0U) << office.diagnostics.render_all();
  EXPECT_EQ(office.decide({Verdict::scan_vertical, {"192.0.2.9"}, {"10.0.0.1"}}).fate, Fate::suppressed);
  EXPECT_EQ(office.decide({Verdict::scan_vertical, {"192.0.3.9"}, {"10.0.0.1"}}).fate, Fate::told);
  EXPECT_EQ(office.decide({Verdict::scan_sweep, {"192.0.3.9"}, {"10.0.0.1"}}).fate, Fate::suppressed);
  EXPECT_EQ(office.decide({Verdict::scan_sweep, {"192.0.3.9"}, {"172.16.0.1"}}).fate, Fate::told);
  EXPECT_EQ(office.decide({Verdict::dead_server, {}, {"10.0.0.1"}}).fate, Fate::suppressed);
  Case udp{Verdict::scan_udp, {"198.51.100.1"}, {"10.0.0.1"}};
  EXPECT_EQ(office.decide(udp).fate, Fate::told);
  EXPECT_EQ(office.decide(udp).fate, Fate::suppressed);
  udp.d.time_us += 61'000'000;
  EXPECT_EQ(office.decide(udp).fate, Fate::told);
  const Case flood{Verdict::syn_flood, {}, {"10.0.0.1"}};
  EXPECT_FALSE(office.decide(flood).told.blocked);
  EXPECT_TRUE(office.decide(flood).told.blocked);
}

TEST(Overrides, AWildcardSpeaksOfAllDetections) {
  const Office office("", "suppress gen_id 900, sig_id 0\n");
  EXPECT_EQ(office.decide({Verdict::scan_vertical, {"192.0.2.9"}, {"10.0.0.1"}}).fate, Fate::suppressed);
  const Office others("", "suppress gen_id 1, sig_id 0\n");
  EXPECT_EQ(others.decide({Verdict::scan_vertical, {"192.0.2.9"}, {"10.0.0.1"}}).fate, Fate::told);
}

TEST(Overrides, AClassificationFileSpeaksOfAFamily) {
  Office office("", "",
                "config classification: detected-scan,Somebody looks around,3\n"
                "config classification: network-scan,Detection of a Network Scan,1\n");
  const Decision decision = office.decide({Verdict::scan_udp, {"198.51.100.1"}, {"10.0.0.1"}});
  EXPECT_EQ(decision.told.severity, 3);
  EXPECT_EQ(decision.told.category, "Somebody looks around");
  EXPECT_EQ(office.decide({Verdict::syn_flood, {}, {"10.0.0.1"}}).told.severity, 1);
}

// As after a reload: the files are read again, the desk goes on.
TEST(Overrides, NewFilesTakeThePlaceOfTheOldOnes) {
  Office office("", "suppress gen_id 900, sig_id 0, track by_src, ip 198.51.100.0/24");
  const Case scan{Verdict::scan_udp, {"198.51.100.1"}, {"10.0.0.1"}};
  EXPECT_EQ(office.decide(scan).fate, Fate::suppressed);
  const RuleList fresh =
      office.read("", "", "config classification: detected-scan,Somebody looks around,3\n");
  office.desk->use(fresh);
  const Decision decision = office.decide(scan);
  EXPECT_EQ(decision.fate, Fate::told);
  EXPECT_EQ(decision.told.category, "Somebody looks around");
  const RuleList again = office.read("", "suppress gen_id 900, sig_id 0, track by_dst, ip 10.0.0.1", "");
  office.desk->use(again);
  EXPECT_EQ(office.decide(scan).fate, Fate::suppressed);
}

TEST(Overrides, RefuseWhatCannotBeSaidAndSayWhere) {
  struct Row {
    const char* rule;
    const char* code;
    std::uint32_t column;
  };
  const Row rows[] = {
      {"alert ip any any -> any any (gid:900; sid:999;)", "unknown-sid", 43},
      {"drop ip any any -> any any (gid:900; sid:1;)", "detection-rule", 1},
      {"alert tcp any any -> any any (gid:900; sid:1;)", "detection-rule", 7},
      {"alert ip any any <> any any (gid:900; sid:1;)", "detection-rule", 18},
      {"alert ip any any -> any any (content:\"x\"; gid:900; sid:1;)", "detection-rule", 30},
      {"alert ip any any -> any any (gid:900; msg:\"x\";)", "sid-missing", 1},
  };
  for (const Row& row : rows) {
    const Office office(row.rule);
    ASSERT_FALSE(office.diagnostics.all().empty()) << row.rule;
    const core::Diagnostic& d = office.diagnostics.all().front();
    EXPECT_EQ(d.code, row.code) << row.rule << '\n' << office.diagnostics.render_all();
    EXPECT_EQ(d.where.column, row.column) << row.rule;
    EXPECT_EQ(office.list.failed, 1U);
    EXPECT_TRUE(office.list.detections.empty());
  }
  const Office twice(
      "alert ip any any -> any any (gid:900; sid:1;)\npass ip any any -> any any (gid:900; sid:1;)");
  EXPECT_EQ(twice.diagnostics.first_error().where.line, 2U);
  const Office unknown("", "suppress gen_id 900, sig_id 8\nsuppress gen_id 900, sig_id 99\n");
  ASSERT_EQ(unknown.diagnostics.error_count(), 1U);
  EXPECT_EQ(unknown.diagnostics.all()[0].where.to_string(), "t:2:29");
  EXPECT_TRUE(unknown.environment.tunings.empty());
}

Exception exception(std::vector<std::string> classes, const char* source, const char* target) {
  Exception out;
  out.classes = std::move(classes);
  if (*source != 0) out.sources = {*IpPrefix::parse(source)};
  if (*target != 0) out.targets = {*IpPrefix::parse(target)};
  out.until_us = kNow + 10;
  return out;
}

TEST(Exceptions, HideWhatTheyCoverAndCountIt) {
  Office office("");
  office.policy.exceptions = {exception({"scan.*"}, "192.0.2.0/24", ""),
                              exception({"dos.udpflood"}, "", "10.0.0.0/24")};
  office.open();
  const Case covered{Verdict::scan_vertical, {"192.0.2.9"}, {"10.0.0.1"}};
  const Decision decision = office.decide(covered);
  EXPECT_EQ(decision.fate, Fate::excepted);
  EXPECT_EQ(decision.exception, &office.policy.exceptions[0]);
  EXPECT_EQ(office.decide({Verdict::udp_flood, {"192.0.2.9"}, {"172.16.0.1"}}).fate, Fate::told);
  EXPECT_EQ(office.decide({Verdict::udp_flood, {"192.0.2.9"}, {"10.0.0.1"}}).fate, Fate::excepted);
  EXPECT_EQ(office.decide({Verdict::scan_vertical, {"192.0.2.9", "192.0.3.9"}, {"10.0.0.1"}}).fate,
            Fate::told);
  Case wide{Verdict::udp_flood, {"192.0.2.9"}, {"10.0.0.1"}};
  wide.d.targets_total = 5;
  EXPECT_EQ(office.decide(wide).fate, Fate::told);
  EXPECT_EQ(office.desk->counters().excepted, 2U);
  EXPECT_EQ(office.desk->counters().by_exception, (std::vector<std::uint64_t>{1, 1}));
}

TEST(Exceptions, EndInTimeOfThePacketsAndTheAttackThenBegins) {
  Office office("");
  office.policy.exceptions = {exception({"*"}, "192.0.2.0/24", "")};
  office.open();
  Case attack{Verdict::scan_vertical, {"192.0.2.9"}, {"10.0.0.1"}};
  attack.d.time_us = kNow + 10;
  EXPECT_EQ(office.decide(attack).fate, Fate::excepted);
  attack.d.time_us = kNow + 11;
  attack.d.phase = Phase::update;
  attack.d.update = 1;
  const Decision first = office.decide(attack);
  EXPECT_EQ(first.fate, Fate::told);
  EXPECT_EQ(first.phase, Phase::start);
  EXPECT_EQ(office.decide(attack).phase, Phase::update);
  attack.d.phase = Phase::end;
  EXPECT_EQ(office.decide(attack).phase, Phase::end);
}

TEST(Exceptions, AZoneThatIsOffHidesOnlyWhatStaysInIt) {
  Office office("");
  office.policy.zones = {{*IpPrefix::parse("0.0.0.0/0"), true},
                         {*IpPrefix::parse("10.0.0.0/8"), false},
                         {*IpPrefix::parse("10.9.0.0/16"), true}};
  office.open();
  EXPECT_EQ(office.decide({Verdict::scan_block, {"192.0.2.9"}, {"10.9.0.1", "10.9.0.2"}}).fate, Fate::off);
  EXPECT_EQ(office.decide({Verdict::scan_block, {"192.0.2.9"}, {"10.9.0.1", "10.8.0.2"}}).fate, Fate::told);
  EXPECT_EQ(office.decide({Verdict::scan_udp, {"192.0.2.9"}, {"198.51.100.1"}}).fate, Fate::off);
  EXPECT_EQ(office.decide({Verdict::scan_udp, {"192.0.2.9"}, {"2001:db8::1"}}).fate, Fate::told);
  EXPECT_EQ(office.desk->counters().off, 2U);
}

TEST(Exceptions, ClassPatternsNameClasses) {
  EXPECT_TRUE(is_class_pattern("scan.*"));
  EXPECT_TRUE(is_class_pattern("*"));
  EXPECT_TRUE(is_class_pattern("dos.synflood"));
  EXPECT_FALSE(is_class_pattern("scan*"));
  EXPECT_FALSE(is_class_pattern("scan.nothing"));
  EXPECT_FALSE(is_class_pattern("sca.*"));
  EXPECT_FALSE(class_fits("scan.syn.*", "scan.udp"));
}

}  // namespace
}  // namespace gatehouse::ids::triage

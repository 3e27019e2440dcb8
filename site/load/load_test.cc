#include "site/load/load.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/os.h"

namespace gatehouse::site {
namespace {

const std::string kRules = std::string(GATEHOUSE_SOURCE_DIR) + "/rules/site/";

std::optional<Site> load(const std::string& text, core::Diagnostics& diagnostics) {
  return load_site(core::SourceText("site.yaml", text), diagnostics);
}

TEST(ShippedSites, LoadWithoutAnyDiagnostic) {
  for (const char* name : {"web-mail.yaml", "private-network.yaml", "minimal.yaml"}) {
    core::Diagnostics diagnostics;
    const auto site = load_site_file(kRules + name, diagnostics);
    ASSERT_TRUE(site.has_value()) << site.error().to_string();
    EXPECT_TRUE(site->has_value()) << diagnostics.render_all();
    EXPECT_TRUE(diagnostics.all().empty()) << diagnostics.render_all();
  }
}

TEST(ShippedSites, WebMailSaysWhatItMeans) {
  core::Diagnostics diagnostics;
  const auto loaded = load_site_file(kRules + "web-mail.yaml", diagnostics);
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  const Site& site = **loaded;
  std::vector<std::string> outside;
  for (const Service& s : site.services) {
    for (const Endpoint& e : s.exposed_to) {
      if (e.zone != "outside") continue;
      for (const PortRange& p : s.ports) outside.push_back(p.to_string());
    }
  }
  EXPECT_EQ(outside, (std::vector<std::string>{"tcp/80", "tcp/443", "tcp/25"}));
  ASSERT_TRUE(site.administration.has_value());
  EXPECT_EQ(site.administration->host.to_string(), "admin/bastion");
  EXPECT_EQ(site.detection.home_networks.size(), 6U);
  EXPECT_EQ(site.find_zone("servers")->find_host("front")->addresses.size(), 2U);
}

const std::string kZones =
    "site: a\nzones:\n  out: {interface: e0, networks: any}\n"
    "  dmz: {interface: e1, networks: [10.1.0.0/16], hosts: {web: [10.1.0.5]}}\n";

std::string with_limit(const std::string& limit) {
  return kZones +
         "services:\n  web: {host: dmz/web, exec: /bin/w, ports: [tcp/80], expose: [out], domain: web, "
         "limit: " +
         limit +
         "}\nmac:\n  objects: {p: {ports: [tcp/80]}}\n  domains: {web: {exec: /bin/w, allow: [{bind: p}]}}\n";
}

std::string with_syn_proxy(const std::string& host, const std::string& ports, const std::string& expose,
                           const std::string& proxy) {
  return "site: a\nzones:\n  out: {interface: e0, networks: any, hosts: {friend: [192.0.2.9]}}\n"
         "  dmz: {interface: e1, networks: [10.1.0.0/16], hosts: {web: [10.1.0.5]}}\n"
         "services:\n  web: {host: " +
         host + ", exec: /bin/w, ports: [" + ports + "], expose: [" + expose +
         "], domain: web, syn-proxy: " + proxy + "}\nmac:\n  objects: {p: {ports: [" + ports +
         "]}}\n"
         "  domains: {web: {exec: /bin/w, allow: [{bind: p}]}}\n";
}

TEST(SynProxies, AreRead) {
  core::Diagnostics diagnostics;
  const auto plain = load(with_syn_proxy("dmz/web", "tcp/80", "out", "true"), diagnostics);
  ASSERT_TRUE(plain && plain->services[0].syn_proxy) << diagnostics.render_all();
  EXPECT_EQ(plain->services[0].syn_proxy->mss_of(4), 1460);
  EXPECT_EQ(plain->services[0].syn_proxy->mss_of(6), 1440);
  const auto none = load(with_syn_proxy("dmz/web", "tcp/80", "out", "false"), diagnostics);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->services[0].syn_proxy);
  const auto said = load(with_syn_proxy("dmz/web", "tcp/80, udp/80", "dmz, out",
                                        "{mss: 8960, window-scale: 10, timestamps: false, sack: false}"),
                         diagnostics);
  ASSERT_TRUE(said && said->services[0].syn_proxy) << diagnostics.render_all();
  const SynProxy& p = *said->services[0].syn_proxy;
  EXPECT_EQ(p.mss, 8960);
  EXPECT_EQ(p.window_scale, 10);
  EXPECT_FALSE(p.timestamps || p.sack);
}

TEST(SynProxies, WhatCouldNotWorkIsRefused) {
  struct Row {
    const char *host, *ports, *expose, *proxy, *message;
  };
  const Row rows[] = {
      {"gatehouse", "tcp/80", "out", "true", "not before its own ports"},
      {"out/friend", "tcp/80", "out", "true", "before hosts of trusted zones"},
      {"dmz/web", "udp/80", "out", "true", "has no TCP port to answer for"},
      {"dmz/web", "tcp/80", "dmz", "true", "is not exposed to the untrusted zone"},
      {"dmz/web", "tcp/80", "out/friend", "true", "before it knows who may connect"},
      {"dmz/web", "tcp/80", "out", "[]", "expected `true`, `false` or a mapping"},
      {"dmz/web", "tcp/80", "out", "{mss: 535}", "535"},
      {"dmz/web", "tcp/80", "out", "{scale: 7}", "scale"},
  };
  for (const Row& row : rows) {
    core::Diagnostics diagnostics;
    EXPECT_FALSE(load(with_syn_proxy(row.host, row.ports, row.expose, row.proxy), diagnostics))
        << row.message;
    EXPECT_NE(diagnostics.render_all().find(row.message), std::string::npos)
        << row.message << diagnostics.render_all();
  }
}

TEST(Limits, AreRead) {
  core::Diagnostics diagnostics;
  const auto site = load(with_limit("{new: 200/second, burst: 7, new-per-source: 30/minute, open: 9, "
                                    "open-per-source: 4, one-source: {ipv6: 56}}"),
                         diagnostics);
  ASSERT_TRUE(site.has_value()) << diagnostics.render_all();
  const ConnectionLimit& l = *site->services[0].limit;
  EXPECT_EQ(l.opened.count, 200U);
  EXPECT_EQ(l.opened.burst, 7U);
  EXPECT_EQ(l.opened_by_source.unit_s, 60U);
  EXPECT_EQ(l.opened_by_source.burst, 30U);
  EXPECT_EQ(l.open, 9U);
  EXPECT_EQ(l.open_by_source, 4U);
  EXPECT_EQ(l.source_v4, 32);
  EXPECT_EQ(l.source_v6, 56);
}

TEST(Limits, MistakesHaveTheirPlace) {
  const std::pair<const char*, const char*> rows[] = {
      {"{new: fast}", "6:96: error: `fast` is not a rate"},
      {"{new: 0/second}", "6:96: error: `0/second` is not a rate"},
      {"{new: 5/day}", "6:96: error: `5/day` is not a rate"},
      {"{new: 5.5/second}", "6:96: error: `5.5/second` is not a rate"},
      {"{burst: 5}", "6:98: error: `burst` says nothing without `new`"},
      {"{open: 0}", "6:97: error:"},
      {"{open: 3, one-source: {ipv4: 24}}", "one-source` says nothing without a limit for each source"},
      {"{open-per-source: 3, one-source: {ipv4: 33}}", "error:"},
      {"{}", "6:90: error: an empty limit limits nothing"},
      {"{opne: 3}", "did you mean `open`?"},
      {"4", "6:90: error:"},
  };
  for (const auto& [limit, message] : rows) {
    core::Diagnostics diagnostics;
    EXPECT_FALSE(load(with_limit(limit), diagnostics).has_value()) << limit;
    EXPECT_NE(diagnostics.render_all().find(message), std::string::npos) << limit << diagnostics.render_all();
  }
}

TEST(Flows, AUserIsANameOrANumber) {
  const auto flow = [](const std::string& more) { return kZones + "flows:\n  - {" + more + "}\n"; };
  core::Diagnostics diagnostics;
  const auto site = load(flow("from: gatehouse, to: out, ports: [tcp/443], user: root"), diagnostics);
  ASSERT_TRUE(site.has_value()) << diagnostics.render_all();
  EXPECT_EQ(site->flows[0].user, 0U);
  const std::pair<const char*, const char*> rows[] = {
      {"from: gatehouse, to: out, ports: [tcp/1], user: no-such-user", "there is no user `no-such-user`"},
      {"from: gatehouse, to: out, ports: [tcp/1], user: 4294967295", "there is no user"},
      {"from: dmz, to: out, ports: [tcp/1], user: 33", "`user` is for flows from the gatehouse"},
      {"from: gatehouse, to: out, ports: [tcp/1], cgroup: /a.slice", "not the path of a control group"},
      {"from: gatehouse, to: out, ports: [tcp/1], cgroup: a/../b", "not the path of a control group"},
      {"from: gatehouse, to: out, ports: [tcp/1], cgroup: [a]", "not the path of a control group"},
      {"from: dmz, to: out, ports: [tcp/1], cgroup: a.slice", "`cgroup` is for flows from the gatehouse"},
  };
  for (const auto& [text, message] : rows) {
    core::Diagnostics found;
    EXPECT_FALSE(load(flow(text), found).has_value()) << text;
    EXPECT_NE(found.render_all().find(message), std::string::npos) << found.render_all();
  }
}

// Groups come and go: one that is not there is no mistake.
TEST(Flows, AControlGroupMayBeMissing) {
  core::Diagnostics diagnostics;
  const auto site =
      load(kZones + "flows:\n  - {from: gatehouse, to: out, ports: [tcp/443], cgroup: no-such/group}\n",
           diagnostics);
  ASSERT_TRUE(site.has_value()) << diagnostics.render_all();
  ASSERT_TRUE(site->flows[0].group);
  EXPECT_EQ(site->flows[0].group->id, 0U);
  EXPECT_EQ(site->flows[0].group->level(), 2U);
  EXPECT_NE(diagnostics.render_all().find("warning: there is no control group `no-such/group` now"),
            std::string::npos)
      << diagnostics.render_all();
}

TEST(DetectionPolicy, NamesBecomeNetworks) {
  core::Diagnostics diagnostics;
  const auto site =
      load(kZones +
               "detection:\n  sensitivity: {dmz: high, out: low}\n  exceptions:\n"
               "    - {source: 192.0.2.0/24, target: dmz/web, class: scan.*, until: 2099-01-31, "
               "reason: test}\n    - {source: [dmz], class: [dos.udpflood, \"*\"], "
               "until: 2099-01-31T12:00Z, reason: r}\n"
               "  response: {classes: [bruteforce.*], ban: 5m, never: [203.0.113.7, dmz]}\n",
           diagnostics);
  ASSERT_TRUE(site.has_value()) << diagnostics.render_all();
  const Detection& d = site->detection;
  ASSERT_EQ(d.sensitivity.size(), 2U);
  EXPECT_EQ(d.sensitivity[0].level, Sensitivity::high);
  ASSERT_EQ(d.exceptions.size(), 2U);
  EXPECT_EQ(d.exceptions[0].target.networks[0].to_string(), "10.1.0.5/32");
  EXPECT_EQ(d.exceptions[1].source.networks[0].to_string(), "10.1.0.0/16");
  EXPECT_EQ(d.exceptions[1].classes[1].text, "*");
  EXPECT_EQ(d.exceptions[0].until_us % 86'400'000'000, 86'399'999'999);
  ASSERT_TRUE(d.response.has_value());
  EXPECT_FALSE(d.response->enforce);
  EXPECT_EQ(d.response->ban_us, 300'000'000U);
  EXPECT_EQ(d.response->never.networks.size(), 2U);
  EXPECT_TRUE(diagnostics.all().empty());
}

TEST(DetectionPolicy, AnExpiredExceptionIsAWarning) {
  core::Diagnostics diagnostics;
  const auto site = load(
      kZones +
          "detection:\n  exceptions: [{source: dmz, class: scan.*, until: 2020-02-29, reason: old test}]\n",
      diagnostics);
  ASSERT_TRUE(site.has_value());
  ASSERT_EQ(diagnostics.warning_count(), 1U);
  EXPECT_EQ(diagnostics.all()[0].code, "exception-expired");
  EXPECT_EQ(diagnostics.all()[0].where.line, 6U);
}

TEST(DetectionPolicy, RefusesWhatLacksAPart) {
  struct Row {
    const char* text;
    const char* code;
  };
  const Row rows[] = {
      {"exceptions: [{source: dmz, class: scan.*, until: 2099-01-01}]", "missing-key"},
      {"exceptions: [{source: dmz, class: scan.*, reason: r}]", "missing-key"},
      {"exceptions: [{source: dmz, until: 2099-01-01, reason: r}]", "missing-key"},
      {"exceptions: [{class: scan.*, until: 2099-01-01, reason: r}]", "missing-key"},
      {"exceptions: [{source: dmz, class: scan.*, until: 2099-01-01, reason: \"\"}]", "bad-value"},
      {"exceptions: [{source: dmz, class: scan.*, until: 2099-02-29, reason: r}]", "bad-value"},
      {"exceptions: [{source: dmz, class: scan.*, until: tomorrow, reason: r}]", "bad-value"},
      {"exceptions: [{source: dmzz, class: scan.*, until: 2099-01-01, reason: r}]", "unknown-name"},
      {"exceptions: [{source: out, class: scan.*, until: 2099-01-01, reason: r}]", "bad-value"},
      {"exceptions: [{source: 10.0.0.1/8, class: scan.*, until: 2099-01-01, reason: r}]", "bad-value"},
      {"exceptions: [{source: dmz, clas: scan.*, until: 2099-01-01, reason: r}]", "unknown-key"},
      {"exceptions: [x]", "bad-value"},
      {"sensitivity: {dmz: loud}", "bad-value"},
      {"sensitivity: {dmzz: low}", "unknown-name"},
      {"response: {mode: enforce}", "missing-key"},
      {"response: {mode: maybe, classes: [dos.*]}", "bad-value"},
      {"response: {classes: [dos.*], ban: 2h, longest: 1h}", "bad-value"},
      {"response: {classes: [dos.*], socket: guard.sock}", "bad-path"},
  };
  for (const Row& row : rows) {
    core::Diagnostics diagnostics;
    EXPECT_FALSE(load(kZones + "detection:\n  " + row.text + "\n", diagnostics).has_value()) << row.text;
    bool found = false;
    for (const auto& d : diagnostics.all()) found = found || (d.code == row.code && d.where.line == 6);
    EXPECT_TRUE(found) << row.text << '\n' << diagnostics.render_all();
  }
}

// bad.expected is the rendered diagnostics; to renew it: GATEHOUSE_UPDATE_GOLDEN=1 site_load_test
TEST(BadSite, GivesExactlyTheExpectedDiagnostics) {
  const auto text = core::read_file(kRules + "bad.yaml");
  ASSERT_TRUE(text.has_value());
  core::Diagnostics diagnostics;
  EXPECT_FALSE(load_site(core::SourceText("bad.yaml", *text), diagnostics).has_value());
  const std::string expected_path = kRules + "bad.expected";
  if (std::getenv("GATEHOUSE_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(core::write_file_atomic(expected_path, diagnostics.render_all()));
  }
  const auto expected = core::read_file(expected_path);
  ASSERT_TRUE(expected.has_value());
  EXPECT_EQ(diagnostics.render_all(), *expected);
}

struct BadCase {
  const char* name;
  const char* text;
  const char* code;
  unsigned line, column;
};

class BadInput : public testing::TestWithParam<BadCase> {};

TEST_P(BadInput, IsRefusedAtItsPosition) {
  core::Diagnostics diagnostics;
  EXPECT_FALSE(load(GetParam().text, diagnostics).has_value());
  bool found = false;
  for (const auto& d : diagnostics.all()) {
    found = found || (d.code == GetParam().code && d.where.line == GetParam().line &&
                      d.where.column == GetParam().column);
  }
  EXPECT_TRUE(found) << diagnostics.render_all();
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadInput,
    testing::Values(
        BadCase{"unknown_key", "site: a\nzones:\n  z: {interface: e0, networks: any, netwroks: 1}\n",
                "unknown-key", 3, 37},
        BadCase{"duplicate_key", "site: a\nsite: b\nzones: {z: {interface: e, networks: any}}\n",
                "duplicate-key", 2, 1},
        BadCase{"alias", "site: &x a\nzones: *x\n", "yaml-syntax", 1, 7},
        BadCase{"bad_port",
                "site: a\nzones: {z: {interface: e, networks: any}}\nservices:\n  s: {host: z/h, exec: /x, "
                "ports: [tcp/0], domain: d}\n",
                "bad-port", 4, 36},
        BadCase{"bad_path",
                "site: a\nzones: {z: {interface: e, networks: any}}\nservices:\n  s: {host: z/h, exec: ../x, "
                "domain: d}\n",
                "bad-path", 4, 24},
        BadCase{"host_bits", "site: a\nzones:\n  z: {interface: e, networks: [10.0.0.1/8]}\n", "bad-value", 3,
                32},
        BadCase{
            "pattern",
            "site: a\nzones: {z: {interface: e, networks: any}}\nmac: {objects: {o: {paths: [/a/*/b]}}}\n",
            "bad-pattern", 3, 29},
        BadCase{
            "permission",
            "site: a\nzones: {z: {interface: e, networks: any}}\nmac: {domains: {d: {allow: [{raed: o}]}}}\n",
            "unknown-permission", 3, 30},
        BadCase{"version", "site: a\nversion: 2\nzones: {z: {interface: e, networks: any}}\n", "bad-value", 2,
                10},
        BadCase{"interface_name",
                "site: a\nzones:\n  z: {interface: a_name_that_is_too_long, networks: any}\n", "bad-value", 3,
                18},
        BadCase{"two_outsides",
                "site: a\nzones:\n  y: {interface: e, networks: any}\n  z: {interface: f, networks: any}\n",
                "two-outsides", 4, 3},
        BadCase{"flow_inside",
                "site: a\nzones:\n  z: {interface: f, networks: any}\nflows:\n  - {from: z, to: z, ports: "
                "[tcp/1]}\n",
                "flow-inside-zone", 5, 5},
        BadCase{"receiver_kind",
                "site: a\nzones: {z: {interface: e, networks: any}}\nsoc: {receivers: {r: {kind: fiel}}}\n",
                "bad-value", 3, 29}),
    [](const auto& row) { return row.param.name; });

TEST(HostileText, NeverCrashesAndNeverLoads) {
  std::string deep = "site: a\nzones: ";
  for (int i = 0; i < 5000; ++i) deep += "[";
  for (const std::string& text : {std::string("\0\0\0", 3), std::string("{"), std::string("- - -"), deep,
                                  std::string("\xff\xfe\x00s", 4), std::string()}) {
    core::Diagnostics diagnostics;
    EXPECT_FALSE(load(text, diagnostics).has_value());
    EXPECT_TRUE(diagnostics.has_errors());
  }
}

TEST(Assert, EveryMistakeIsShownWhereItIs) {
  struct Row {
    const char* sentence;
    std::uint32_t column;
    const char* message;
  };
  const Row rows[] = {
      {"outside may reach servers", 13, "expected `can reach` or `cannot reach`, not `may`"},
      {"outside cannot touch servers", 20, "expected `reach`, not `touch`"},
      {"outside cannot reach server", 26, "there is no zone `server`"},
      {"outside cannot reach servers/frnt", 26, "has no host `frnt`"},
      {"outside cannot reach servers but 80", 34, "expected `except`, not `but`"},
      {"outside cannot reach servers except", 40, "expected a port"},
      {"outside cannot reach servers except 80, 70000", 45, "`tcp/70000` is not a port"},
      {"outside can reach servers", 30, "expected `on`"},
      {"servers can reach servers/front on 80", 23, "both ends are in one zone"},
      {"outside cannot", 19, "expected `reach`"},
      {"outside cannot reach", 25, "expected a zone"},
      {"'outside cannot reach servers except sctp/1'", 42, "`sctp/1` is not a port"},
  };
  const auto shipped = core::read_file(kRules + "web-mail.yaml");
  ASSERT_TRUE(shipped.has_value());
  const std::string text = shipped->substr(0, shipped->find("\nassert:"));
  for (const Row& row : rows) {
    core::Diagnostics diagnostics;
    EXPECT_FALSE(load(text + "\nassert:\n  - " + row.sentence + "\n", diagnostics).has_value())
        << row.sentence;
    ASSERT_EQ(diagnostics.error_count(), 1U) << row.sentence << diagnostics.render_all();
    EXPECT_EQ(diagnostics.all()[0].where.column, row.column) << row.sentence;
    EXPECT_NE(diagnostics.all()[0].message.find(row.message), std::string::npos)
        << diagnostics.all()[0].message;
  }
}

}  // namespace
}  // namespace gatehouse::site

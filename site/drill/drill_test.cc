#include "site/drill/drill.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "site/drill/report.h"

namespace gatehouse::drill {
namespace {

constexpr std::string_view kLab = R"(
site: site.yaml
machines:
  out: {enter: [env], addresses: [198.51.100.66, "2001:db8::66"]}
  web: {enter: [env], addresses: [10.0.0.1, "fd00::1"]}
attacker: out
target: web
administration: out
decoy-tcp: [3306]
decoy-udp: [53]
attacker-listener: 4444
web-process: [env]
sandboxed-process: [env]
web-file: /w
customer-file: /c
shadow-file: /s
ssh-directory: /k
ssh-password: p
ca-file: /ca
server-name: www
mail-domain: d
mail-user: u
received-file: /nonexistent/received
)";

std::optional<Lab> parse(std::string text, core::Diagnostics& diagnostics) {
  return parse_lab(core::SourceText("lab.yaml", std::move(text)), diagnostics);
}

TEST(Lab, ReadsACompleteDescription) {
  core::Diagnostics diagnostics;
  auto lab = parse(std::string(kLab), diagnostics);
  ASSERT_TRUE(lab) << diagnostics.render_all();
  EXPECT_EQ(lab->machine("web").address(6), "fd00::1");
  EXPECT_EQ(lab->machine("web").other_address(4), "");
}

TEST(Lab, RefusesWhatWouldLetRowsPassUntried) {
  struct Row {
    const char* name;
    std::string_view from, to;
  };
  const Row rows[] = {
      {"no decoys", "decoy-tcp: [3306]", "decoy-tcp: []"},
      {"unknown machine", "target: web", "target: wbe"},
      {"no IPv6 address", ", \"fd00::1\"]", "]"},
      {"unknown key", "mail-user: u", "mail-usr: u"},
      {"no way in", "web: {enter: [env]", "web: {enter: []"},
      {"port 0", "attacker-listener: 4444", "attacker-listener: 0"},
  };
  for (const Row& row : rows) {
    std::string text(kLab);
    const std::size_t at = text.find(row.from);
    ASSERT_NE(at, std::string::npos) << row.name;
    text.replace(at, row.from.size(), row.to);
    core::Diagnostics diagnostics;
    EXPECT_FALSE(parse(text, diagnostics)) << row.name;
    EXPECT_TRUE(diagnostics.has_errors()) << row.name;
  }
}

TEST(Attacks, AreNamedOnceAndCarryASafeguard) {
  std::set<std::string_view> ids;
  for (const Attack& attack : all_attacks()) {
    EXPECT_TRUE(ids.insert(attack.id).second) << attack.id;
    EXPECT_GE(attack.safeguard, 1) << attack.id;
    EXPECT_LE(attack.safeguard, 11) << attack.id;
    EXPECT_FALSE(attack.control.empty()) << attack.id;
    EXPECT_NE(attack.run, nullptr) << attack.id;
  }
}

Attack attack(Expect expect) {
  return {"a", 1, "firewall", "an <attack>", expect, nullptr, nullptr};
}

Row row(Expect expect, bool held, bool wanted, bool seen, bool reported) {
  return {
      attack(expect), {held, "fact & figure"}, std::nullopt, wanted, seen, reported, "x", "sid 7", 0.25, 1};
}

TEST(Row, HoldsOnlyWhenEverythingAskedForIsThere) {
  EXPECT_TRUE(row(Expect::stopped, true, false, false, false).holds());
  EXPECT_TRUE(row(Expect::stopped, true, true, true, true).holds());
  EXPECT_EQ(row(Expect::stopped, false, true, true, true).problem(), "not stopped");
  EXPECT_EQ(row(Expect::works, false, false, false, false).problem(), "does not work");
  EXPECT_EQ(row(Expect::seen, true, true, false, false).problem(), "not seen: no x");
  EXPECT_EQ(row(Expect::seen, true, true, true, false).problem(), "seen, not reported to the SOC");
  Row untried = row(Expect::stopped, true, false, false, false);
  untried.error = "no such tool";
  EXPECT_FALSE(untried.holds());
  EXPECT_EQ(untried.problem(), "could not be tried: no such tool");
}

TEST(Result, ADrillWithoutRowsProvesNothing) {
  EXPECT_FALSE((DrillResult{"s", 0, 0, {}}).holds());
}

TEST(Report, SaysTheSameInAllForms) {
  const DrillResult result{
      "s",
      0,
      2.5,
      {row(Expect::stopped, true, true, true, true), row(Expect::stopped, false, true, true, false)}};
  const std::string text = to_text(result);
  EXPECT_THAT(text, testing::HasSubstr("1 of 2 hold, in 2.5 s"));
  EXPECT_THAT(text, testing::HasSubstr("NOT STOPPED"));
  EXPECT_THAT(text, testing::HasSubstr("FAILS a: not stopped"));
  const auto json = nlohmann::json::parse(to_json(result));
  EXPECT_FALSE(json["holds"].get<bool>());
  EXPECT_EQ(json["rows"][0]["seconds_to_soc"], 0.25);
  EXPECT_EQ(json["rows"][1]["problem"], "not stopped");
  const std::string html = to_html(result);
  EXPECT_THAT(html, testing::HasSubstr("an &lt;attack&gt;"));
  EXPECT_THAT(html, testing::HasSubstr("fact &amp; figure"));
  EXPECT_THAT(html, testing::Not(testing::HasSubstr("<script")));
}

TEST(Drill, RefusesNamesNoAttackHas) {
  core::Diagnostics diagnostics;
  const Lab lab = *parse(std::string(kLab), diagnostics);
  const site::Site site;
  DrillOptions options;
  options.only = {"tcp-scan-v5"};
  auto result = run_drill(lab, site, options);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().text, testing::HasSubstr("tcp-scan-v4"));
}

// A lab in which nothing exists: no row may hold.
TEST(Drill, NoRowHoldsWhereNoAttackCanRun) {
  core::Diagnostics diagnostics;
  std::string text(kLab);
  for (std::size_t at; (at = text.find("[env]")) != std::string::npos;) text.replace(at, 5, "[/nonexistent]");
  const Lab lab = *parse(text, diagnostics);
  const site::Site site;
  DrillOptions options;
  options.report_limit = std::chrono::seconds(0);
  auto result = run_drill(lab, site, options);
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->rows.size(), all_attacks().size());
  for (const Row& r : result->rows) EXPECT_FALSE(r.holds()) << r.attack.id << ": " << r.outcome.fact;
}

}  // namespace
}  // namespace gatehouse::drill

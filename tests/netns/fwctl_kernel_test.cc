// What the controller promises about the kernel: all or nothing, nobody's change overwritten
// unseen, nothing truncated, drift shown.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/wait.h>

#include <cstdio>

#include "core/os.h"
#include "fwctl/compile/compile.h"
#include "fwctl/control/control.h"
#include "fwctl/model/build.h"
#include "fwctl/model/print.h"
#include "site/load/load.h"
#include "tests/netns/fwctl_command.h"
#include "tests/netns/fwctl_site.h"
#include "tests/netns/fwctl_topology.h"

namespace gatehouse::test {
namespace {

using namespace fwctl;
using ::testing::HasSubstr;

class FwctlKernel : public CommandInNamespace {};

TEST_F(FwctlKernel, AppliesAndReportsThroughTheCommand) {
  const std::string site = example("web-mail.yaml");
  EXPECT_EQ(fwctl("status").status, 1) << "an absent table is not in force";
  EXPECT_EQ(fwctl("plan " + site).status, 1);
  const Output applied = fwctl("apply " + site);
  EXPECT_EQ(applied.status, 0) << applied.text;
  EXPECT_THAT(applied.text, HasSubstr("the interface wan0 does not exist"));
  EXPECT_EQ(fwctl("plan " + site).status, 0);
  EXPECT_EQ(fwctl("status " + site).status, 0);
  EXPECT_THAT(fwctl("apply " + site).text, HasSubstr("in force already"));
  EXPECT_THAT(fwctl("status --json " + site).text, HasSubstr("\"in_force\":true"));
}

TEST_F(FwctlKernel, NftListsThePolicyLineOfEveryService) {
  ASSERT_EQ(fwctl("apply " + example("web-mail.yaml")).status, 0);
  const Output listed = shell("nft list ruleset");
  EXPECT_EQ(listed.status, 0) << listed.text;
  for (const char* comment :
       {"comment \"web-mail.yaml:26 service web\"", "comment \"web-mail.yaml:34 service mail\"",
        "comment \"web-mail.yaml:41 service ssh\"",
        "10.66.1.10 . tcp . 443 comment \"web-mail.yaml:30 web tcp/443\""}) {
    EXPECT_THAT(listed.text, HasSubstr(comment));
  }
}

TEST_F(FwctlKernel, NftReadsTheExportAndMakesTheSameTable) {
  for (const char* name : {"minimal.yaml", "private-network.yaml", "web-mail.yaml"}) {
    const std::string file = fmt::format("/tmp/gh-fwctl-export-{}.nft", getpid());
    ASSERT_EQ(fwctl("export --format nft " + example(name) + " >" + file).status, 0);
    EXPECT_EQ(shell("nft -c -f " + file).status, 0);
    // nft's own compiler as the oracle: what it loads must decode to what we would have sent.
    EXPECT_EQ(shell("nft -f " + file).status, 0);
    const Output planned = fwctl("plan " + example(name));
    EXPECT_EQ(planned.status, 0) << planned.text;
    std::remove(file.c_str());
  }
}

TEST_F(FwctlKernel, RefusesWhenTheGenerationIsAnother) {
  const std::string site = example("minimal.yaml");
  auto before = kernel_->generation();
  ASSERT_TRUE(before);
  ASSERT_EQ(shell("nft add table ip somebody").status, 0);
  const Output refused = fwctl(fmt::format("apply --expect-generation {} {}", *before, site));
  EXPECT_EQ(refused.status, 3) << refused.text;
  EXPECT_THAT(shell("nft list tables").text, ::testing::Not(HasSubstr("gatehouse")));
  // The kernel itself compares, also when the change comes after our reading.
  auto live = kernel_->read("gatehouse");
  ASSERT_TRUE(live);
  const Plan plan = make_plan(nullptr, full_table());
  ASSERT_EQ(shell("nft add chain ip somebody c").status, 0);
  const core::Status raced = kernel_->commit(plan.transaction, live->generation);
  ASSERT_FALSE(raced);
  EXPECT_EQ(raced.error().code, core::Errc::conflict);
  EXPECT_THAT(shell("nft list tables").text, ::testing::Not(HasSubstr("gatehouse")));
}

TEST_F(FwctlKernel, ABadTransactionAppliesNothingAndNamesTheLine) {
  const KernelTable good = full_table();
  ASSERT_TRUE(put(good));
  KernelTable bad = good;
  KernelRule rule;
  rule.expressions = {SetVerdict{{-4, "no-such-chain"}}};  // NFT_GOTO
  rule.where = {"full.yaml", 77, 5};
  rule.comment = "bad";
  bad.chains[3].rules.insert(bad.chains[3].rules.begin(), rule);
  bad.sets[0].elements.clear();  // a change that would do harm if it were applied alone
  const auto refused = put(bad);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().where.line, 77U);
  EXPECT_THAT(refused.error().text, HasSubstr("nothing was applied"));
  EXPECT_EQ(differences(good), "");
}

TEST_F(FwctlKernel, ABadSiteChangesNothing) {
  ASSERT_EQ(fwctl("apply " + example("minimal.yaml")).status, 0);
  const std::string before = shell("nft -s list ruleset").text;
  const std::string file = fmt::format("/tmp/gh-fwctl-bad-{}.yaml", getpid());
  ASSERT_TRUE(core::write_file_atomic(
      file, "site: x\nversion: 1\nzones: {outside: {interface: toolonginterfacename, networks: any}}\n"));
  EXPECT_EQ(fwctl("apply " + file).status, 2);
  EXPECT_EQ(fwctl("apply /nowhere/site.yaml").status, 2);
  EXPECT_EQ(fwctl("apply --require-interfaces " + example("web-mail.yaml")).status, 2);
  EXPECT_EQ(shell("nft -s list ruleset").text, before);
  std::remove(file.c_str());
}

TEST_F(FwctlKernel, WithoutTheRightItIsRefused) {
  const Output refused = shell(std::string("setpriv --bounding-set -net_admin --inh-caps -net_admin ") +
                               GATEHOUSE_FWCTL + " apply " + example("minimal.yaml"));
  EXPECT_EQ(refused.status, 3) << refused.text;
}

TEST_F(FwctlKernel, ShowsWhatWasChangedByHand) {
  const std::string site = example("web-mail.yaml");
  struct Row {
    const char* name;
    const char* command;
    const char* shown;
  };
  const Row rows[] = {
      {"rule deleted",
       "nft delete rule inet gatehouse forward handle $(nft -a list chain inet gatehouse forward | sed -n "
       "'s/.*no valid state.*handle //p')",
       "+ ct state & invalid != 0x0 counter goto refuse"},
      {"rule added", "nft insert rule inet gatehouse input tcp dport 8080 accept",
       "- meta l4proto tcp th dport 8080 accept"},
      {"rule with our comment, other effect",
       "nft replace rule inet gatehouse forward handle $(nft -a list chain inet gatehouse forward | sed -n "
       "'s/.*no valid state.*handle //p')"
       " ct state invalid counter accept comment '\"built-in: no valid state\"'",
       "- ct state & invalid != 0x0 counter accept"},
      {"element added",
       "nft add element inet gatehouse outside-to-servers-v4 '{ 10.66.1.10 . tcp . 8080 : goto service-web "
       "}'",
       "- 10.66.1.10 . tcp . 8080 -> goto service-web"},
      {"element removed", "nft delete element inet gatehouse never-outside-v4 '{ 10.66.1.0/24 }'",
       "+ 10.66.1.0/24"},
      {"policy turned", "nft chain inet gatehouse input '{ policy accept; }'", "policy accept"},
      {"table switched off", "nft add table inet gatehouse '{ flags dormant; }'", "flags 1"},
      {"chain flushed", "nft flush chain inet gatehouse output", "+ oifname \"lo\" counter accept"},
      {"chain added", "nft add chain inet gatehouse extra '{ type filter hook input priority -5; }'",
       "chain extra"},
      {"set added", "nft add set inet gatehouse extra '{ type ipv4_addr; }'", "set extra"},
      {"table deleted", "nft delete table inet gatehouse", "table inet gatehouse"},
  };
  for (const Row& row : rows) {
    ASSERT_EQ(fwctl("apply " + site).status, 0) << row.name;
    const Output changed = shell(row.command);
    ASSERT_EQ(changed.status, 0) << row.name << ": " << changed.text;
    const Output status = fwctl("status " + site);
    EXPECT_EQ(status.status, 1) << row.name;
    EXPECT_THAT(status.text, HasSubstr(row.shown)) << row.name;
    EXPECT_EQ(fwctl("plan " + site).status, 1) << row.name;
    EXPECT_EQ(fwctl("apply " + site).status, 0) << row.name;
    EXPECT_EQ(fwctl("status " + site).status, 0) << row.name;
  }
}

// A range whose end is missing runs to where the next begins; the kernel takes it, and has no element there
// that could be deleted.
TEST_F(FwctlKernel, RepairsARangeWithoutAnEnd) {
  const KernelTable good = full_table();
  ASSERT_TRUE(put(good));
  KernelTable bad = good;
  for (KernelSet& s : bad.sets) {
    for (KernelElement& e : s.elements) {
      if (s.name == "never-outside-v4" && e.first[0] == 127) e.last = {255, 255, 255, 255};
    }
  }
  const auto refused = put(bad);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("ranges of the set never-outside-v4 overlap"));
  EXPECT_EQ(differences(good), "");
  ASSERT_EQ(
      shell(std::string(GATEHOUSE_SOURCE_DIR) + "/tests/netns/remove-range-end never-outside-v4 128.0.0.0")
          .status,
      0);
  EXPECT_THAT(differences(good), HasSubstr("- 127.0.0.0-223.255.255.255"));
  const auto repaired = put(good);
  ASSERT_TRUE(repaired) << repaired.error().to_string();
  EXPECT_EQ(differences(good), "");
}

TEST_F(FwctlKernel, ProvesAndExplainsThroughTheCommand) {
  const std::string site = example("web-mail.yaml");
  EXPECT_EQ(fwctl("prove " + site).status, 1);
  EXPECT_EQ(fwctl("prove --planned " + site).status, 0);
  ASSERT_EQ(fwctl("apply " + site).status, 0);
  const Output holds = fwctl("prove " + site);
  EXPECT_EQ(holds.status, 0);
  EXPECT_THAT(holds.text, ::testing::StartsWith("holds: "));
  const std::string connection = " in wan0 out srv0 tcp 198.51.100.7:4000 \\> 10.66.1.10:8080";
  EXPECT_EQ(fwctl("explain --trace " + site + connection).status, 1);
  ASSERT_EQ(shell("nft insert rule inet gatehouse forward tcp dport 8080 accept").status, 0);
  const Output differs = fwctl("prove " + site);
  EXPECT_EQ(differs.status, 1);
  EXPECT_THAT(differs.text, ::testing::StartsWith("differs: "));
  EXPECT_THAT(differs.text, HasSubstr("web-mail.yaml:159:5: differs: assert internet cannot reach servers"));
  const Output open = fwctl("explain --trace " + site + connection);
  EXPECT_EQ(open.status, 0) << open.text;
  EXPECT_THAT(open.text, HasSubstr("kernel   went the same way and accepted it"));
  ASSERT_EQ(shell("nft insert rule inet gatehouse forward tcp option maxseg size 1-500 accept").status, 0);
  ASSERT_EQ(
      shell("nft delete rule inet gatehouse forward handle $(nft -a list chain inet gatehouse forward | "
            "sed -n 's/.*8080.*handle //p')")
          .status,
      0);
  const Output open_question = fwctl("prove " + site);
  EXPECT_EQ(open_question.status, 1);
  EXPECT_THAT(open_question.text, ::testing::StartsWith("cannot decide "));
  EXPECT_THAT(open_question.text, HasSubstr("cannot decide because of: exthdr"));
  EXPECT_THAT(fwctl("prove --json " + site).text, HasSubstr("\"answer\":\"cannot decide\""));
  EXPECT_EQ(fwctl("explain " + site + " in wan0 tcp 1.2.3.4:5").status, 2);
}

TEST_F(FwctlKernel, OtherTablesStay) {
  ASSERT_EQ(shell("nft add table inet other; nft add chain inet other c").status, 0);
  ASSERT_EQ(fwctl("apply " + example("minimal.yaml")).status, 0);
  EXPECT_THAT(shell("nft list ruleset").text, HasSubstr("table inet other"));
  EXPECT_THAT(fwctl("status").text, HasSubstr("other table: inet other"));
}

// What the kernel counts is what we say it counts, for every kind of set; so a set of which one element is
// another by hand is read, and one is known as it was.
TEST_F(FwctlKernel, TheKernelCountsElementsAsWeDo) {
  KernelTable wanted = full_table();
  KernelSet to_the_top = *wanted.find_set("never-outside-v4");
  to_the_top.name = "to-the-top";
  to_the_top.elements = {{{10, 0, 0, 0}, {10, 0, 0, 9}, {}, {}, {}, {}},
                         {{20, 0, 0, 0}, {20, 0, 0, 0}, {}, {}, {}, {}},
                         {{240, 0, 0, 0}, {255, 255, 255, 255}, {}, {}, {}, {}}};
  KernelSet whole = to_the_top;
  whole.name = "whole";
  whole.elements = {{{0, 0, 0, 0}, {255, 255, 255, 255}, {}, {}, {}, {}}};
  wanted.sets.push_back(to_the_top);
  wanted.sets.push_back(whole);
  ASSERT_TRUE(put(wanted));
  const auto live = kernel_->read(wanted.name);
  ASSERT_TRUE(live);
  for (const KernelSet& s : wanted.sets) {
    const KernelSet* there = live->table->find_set(s.name);
    if (!there->counted) GTEST_SKIP() << "this kernel does not count elements";
    EXPECT_EQ(*there->counted, s.count()) << s.name;
  }
  ASSERT_EQ(shell("nft delete element inet gatehouse to-the-top '{ 20.0.0.0 }'").status, 0);
  const auto read = kernel_->read(wanted.name, Known{&wanted, {}, true});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->table->find_set("to-the-top")->elements.size(), 2U);
}

// 10,000 elements of every kind of set arrive, one by one the same, and a lost one is noticed.
TEST_F(FwctlKernel, LargeSetsArriveWhole) {
  site::Site large = full_site();
  site::Zone& servers = large.zones[1];
  servers.networks = {*core::IpPrefix::parse("10.128.0.0/9")};
  servers.hosts.clear();
  large.flows.clear();
  site::Service many = large.services[0];
  large.services.clear();
  site::Host host;
  host.name = "many";
  for (std::uint32_t i = 0; i < 10'000; ++i)
    host.addresses.push_back(core::IpAddress::v4(0x0a800000U + 2 * i));
  servers.hosts = {host};
  many.host.host = "many";
  large.services = {many};
  auto ruleset = build_ruleset(large);
  ASSERT_TRUE(ruleset) << ruleset.error().to_string();
  Set ranges;
  ranges.name = "ranges";
  ranges.key = {ValueType::ipv4};
  ranges.intervals = true;
  Set boxes = ranges;
  boxes.name = "boxes";
  boxes.key = {ValueType::ipv4, ValueType::port};
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const Interval range{Value::of_address(core::IpAddress::v4(i * 8)),
                         Value::of_address(core::IpAddress::v4(i * 8 + 3))};
    ranges.elements.push_back({{range}, {}, {{}, "range"}});
    if (i < 2'000)
      boxes.elements.push_back({{range, {Value::of_port(1), Value::of_port(9)}}, {}, {{}, "box"}});
  }
  ruleset->sets.push_back(ranges);
  ruleset->sets.push_back(boxes);
  const KernelTable wanted = compile(*ruleset);
  ASSERT_EQ(wanted.find_set("outside-to-servers-v4")->elements.size(), 20'000U);
  const auto applied = put(wanted);
  ASSERT_TRUE(applied) << applied.error().to_string();
  const auto live = kernel_->read(wanted.name);
  ASSERT_TRUE(live);
  for (const KernelSet& s : wanted.sets)
    EXPECT_EQ(live->table->find_set(s.name)->elements.size(), s.elements.size()) << s.name;
  ASSERT_EQ(
      shell("nft delete element inet gatehouse outside-to-servers-v4 '{ 10.128.0.200 . tcp . 80 }'").status,
      0);
  EXPECT_THAT(differences(wanted), HasSubstr("+ 10.128.0.200 . tcp . 80 -> goto service-web"));
}

// A site of random zones, hosts, services and flows.
site::Site random_site() {
  site::Site s = full_site();
  const auto endpoint = [&](bool may_be_gatehouse) {
    site::Endpoint e;
    const int zone = *rc::gen::inRange(may_be_gatehouse ? -1 : 0, static_cast<int>(s.zones.size()));
    e.zone = zone < 0 ? std::string(site::kGatehouse) : s.zones[static_cast<std::size_t>(zone)].name;
    if (zone >= 0 && !s.zones[static_cast<std::size_t>(zone)].hosts.empty() && *rc::gen::arbitrary<bool>()) {
      e.host = s.zones[static_cast<std::size_t>(zone)].hosts[0].name;
    }
    return e;
  };
  const auto ports = [] {
    std::vector<site::PortRange> out;
    const int count = *rc::gen::inRange(1, 4);
    for (int i = 0; i < count; ++i) {
      site::PortRange p;
      p.transport = *rc::gen::element(site::Transport::tcp, site::Transport::udp);
      p.first = *rc::gen::inRange<std::uint16_t>(1, 60);
      p.last = static_cast<std::uint16_t>(p.first + *rc::gen::element(0, 0, 5, 40));
      out.push_back(p);
    }
    return out;
  };
  s.services.clear();
  s.flows.clear();
  const int services = *rc::gen::inRange(0, 4);
  for (int i = 0; i < services; ++i) {
    site::Service service;
    service.name = fmt::format("s{}", i);
    service.host = endpoint(true);
    if (!service.host.is_gatehouse()) service.host = {"servers", "front", {}};
    service.ports = ports();
    service.exposed_to = {endpoint(true), endpoint(true)};
    s.services.push_back(service);
  }
  const int flows = *rc::gen::inRange(0, 4);
  for (int i = 0; i < flows; ++i) {
    site::Flow flow;
    flow.from = endpoint(true);
    flow.to = endpoint(true);
    flow.ports = ports();
    s.flows.push_back(flow);
  }
  s.firewall.ping_from = {endpoint(true)};
  s.firewall.syn_per_second = *rc::gen::element(0U, 2000U);
  s.firewall.log_per_second = *rc::gen::element(0U, 50U);
  return s;
}

// From any site in force to any other: one apply, then nothing is left to do.
TEST_F(FwctlKernel, ApplyLeavesNoDifference) {
  rc::check("apply then plan is empty", [&] {
    const auto ruleset = build_ruleset(random_site());
    RC_ASSERT(ruleset.has_value());
    const KernelTable wanted = compile(*ruleset);
    const auto applied = put(wanted);
    if (!applied) RC_FAIL(applied.error().to_string());
    RC_ASSERT(differences(wanted) == "");
  });
}

}  // namespace
}  // namespace gatehouse::test

#include "fwctl/control/admin_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "fwctl/compile/compile.h"
#include "fwctl/model/build.h"
#include "site/load/load.h"

namespace gatehouse::fwctl {
namespace {

using ::testing::HasSubstr;

site::Site web_mail() {
  core::Diagnostics diagnostics;
  auto site =
      site::load_site_file(std::string(GATEHOUSE_SOURCE_DIR) + "/rules/site/web-mail.yaml", diagnostics);
  EXPECT_TRUE(site && *site) << diagnostics.render_all();
  return **site;
}
LiveRuleset planned(const site::Site& site) {
  LiveRuleset out;
  out.tables.push_back({NFPROTO_INET, compile(*build_ruleset(site)), 0, 0});
  return out;
}

TEST(Session, ReadsWhatSshdWrites) {
  const auto four = Session::parse("10.66.2.10 40000 10.66.2.1 22");
  ASSERT_TRUE(four);
  EXPECT_EQ(four->client.to_string(), "10.66.2.10");
  EXPECT_EQ(four->server_port, 22);
  EXPECT_TRUE(Session::parse("fe80::1%adm0 40000 fe80::2%adm0 22"));
  for (const char* bad :
       {"", "x", "10.0.0.1 1 10.0.0.2", "10.0.0.1 1 10.0.0.2 0", "10.0.0.1 1 fd00::1 22",
        "10.0.0.1 1 10.0.0.2 70000", "10.0.0.1 1 10.0.0.2 22 more", "10.0.0.1 -1 10.0.0.2 22"})
    EXPECT_FALSE(Session::parse(bad)) << bad;
}

TEST(AdminPath, TheShippedPolicyKeepsIt) {
  const site::Site site = web_mail();
  const LiveRuleset ruleset = planned(site);
  EXPECT_TRUE(cut_paths(site, ruleset, std::nullopt).empty());
}

TEST(AdminPath, EveryFamilyCounts) {
  site::Site site = web_mail();
  const LiveRuleset whole = planned(site);
  site::Site closed = site;
  closed.services[2].exposed_to = {{"soc", "", {}}};
  const LiveRuleset ruleset = planned(closed);
  const std::vector<Cut> cuts = cut_paths(site, ruleset, std::nullopt);
  ASSERT_EQ(cuts.size(), 2U);
  EXPECT_EQ(cuts[0].packet.family + cuts[1].packet.family, 10);
  EXPECT_THAT(cuts[0].to_string(), HasSubstr("admin/bastion to servers/front, service ssh"));
}

TEST(AdminPath, TheSessionInUseCountsWhereItComesFrom) {
  site::Site site = web_mail();
  const LiveRuleset ruleset = planned(site);
  EXPECT_EQ(cut_paths(site, ruleset, Session::parse("10.66.2.10 40000 10.66.2.1 2222")).size(), 1U);
  site::Service console = site.services[2];
  console.name = "console";
  console.host = {std::string(site::kGatehouse), "", {}};
  console.ports = {{site::Transport::tcp, 2222, 2222, {}}};
  site.services.push_back(console);
  const LiveRuleset open = planned(site);
  EXPECT_TRUE(cut_paths(site, open, Session::parse("10.66.2.10 40000 10.66.2.1 2222")).empty());
  EXPECT_EQ(cut_paths(site, open, Session::parse("10.66.2.77 40000 10.66.2.1 2222")).size(), 1U);
}

}  // namespace
}  // namespace gatehouse::fwctl

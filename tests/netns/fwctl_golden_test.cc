// The compiled form of the shipped sites, byte for byte. To accept a change:
//   tests/netns/fwctl_golden/update build/bin/fwctl
#include <gtest/gtest.h>

#include "core/os.h"
#include "fwctl/model/build.h"
#include "fwctl/model/print.h"
#include "site/load/load.h"

namespace gatehouse::test {
namespace {

class FwctlGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(FwctlGolden, MatchesTheShippedSite) {
  const std::string root = GATEHOUSE_SOURCE_DIR;
  core::Diagnostics diagnostics;
  const auto site = site::load_site_file(root + "/rules/site/" + GetParam() + ".yaml", diagnostics);
  ASSERT_TRUE(site && *site) << diagnostics.render_all();
  const auto ruleset = fwctl::build_ruleset(**site);
  ASSERT_TRUE(ruleset) << ruleset.error().to_string();
  const std::string golden = root + "/tests/netns/fwctl_golden/" + GetParam();
  const auto normal = core::read_file(golden + ".normal");
  const auto nft = core::read_file(golden + ".nft");
  ASSERT_TRUE(normal && nft);
  EXPECT_EQ(fwctl::print_normal(*ruleset), *normal);
  EXPECT_EQ(fwctl::print_nft(*ruleset), *nft);
}

INSTANTIATE_TEST_SUITE_P(Sites, FwctlGolden, ::testing::Values("minimal", "private-network", "web-mail"));

}  // namespace
}  // namespace gatehouse::test

#include "site/drill/nmap.h"

#include <gmock/gmock.h>

namespace gatehouse::drill {
namespace {

std::string report(std::string_view ports) {
  return "<nmaprun><host><ports>" + std::string(ports) +
         "</ports></host><runstats><finished exit=\"success\"/></runstats></nmaprun>";
}

TEST(Nmap, CountsOpenFilteredAndClosedPorts) {
  auto ports = parse_nmap_xml(
      report("<extraports state=\"filtered\" count=\"65531\">"
             "<extrareasons reason=\"no-response\" count=\"65531\"/></extraports>"
             "<port protocol=\"tcp\" portid=\"443\"><state state=\"open\" reason=\"syn-ack\"/></port>"
             "<port protocol=\"tcp\" portid=\"25\"><state state=\"open\"/></port>"
             "<port protocol=\"udp\" portid=\"53\"><state state=\"open|filtered\"/></port>"
             "<port protocol=\"tcp\" portid=\"22\"><state state=\"closed\"/></port>"));
  ASSERT_TRUE(ports) << ports.error().text;
  EXPECT_THAT(ports->open, testing::ElementsAre(25, 443));
  EXPECT_EQ(ports->filtered, 65532U);
  EXPECT_EQ(ports->closed, 1U);
  EXPECT_EQ(ports->to_string(), "open 25,443; 65532 filtered; 1 closed");
}

TEST(Nmap, AnUnfinishedScanIsAnErrorNotSilence) {
  EXPECT_FALSE(parse_nmap_xml(""));
  EXPECT_FALSE(parse_nmap_xml("<nmaprun><host><ports></ports></host>"));
  EXPECT_FALSE(parse_nmap_xml("<nmaprun><runstats><finished exit=\"error\"/></runstats></nmaprun>"));
}

TEST(Nmap, AStateItDoesNotKnowIsAnError) {
  EXPECT_FALSE(parse_nmap_xml(report("<port portid=\"1\"><state state=\"ajar\"/></port>")));
}

TEST(Nmap, EveryTruncationIsHandled) {
  const std::string whole = report("<port portid=\"80\"><state state=\"open\"/></port>");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    auto ports = parse_nmap_xml(std::string_view(whole).substr(0, n));
    if (ports) {
      EXPECT_THAT(ports->open, testing::ElementsAre(80));
    }
  }
}

}  // namespace
}  // namespace gatehouse::drill

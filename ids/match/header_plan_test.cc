#include "ids/match/header_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/match/preselection.h"
#include "ids/match/rule_header.h"

namespace gatehouse::ids {
namespace {

std::string random_header() {
  const auto one_of = [](std::vector<std::string> words) { return *rc::gen::elementOf(words); };
  const std::string address[2] = {
      one_of({"any", "10.0.0.1", "!10.0.0.1", "[10.0.0.0/24,!10.0.0.9]", "2001:db8::/32"}),
      one_of({"any", "192.0.2.1", "[10.0.0.1,192.0.2.0/24]", "!2001:db8::1"})};
  const auto port = [&] { return one_of({"any", "80", "!80", "[80,443]", "[1000:2000,!1500]", "1024:"}); };
  std::string text = "alert " + one_of({"ip", "tcp", "udp", "icmp", "ipv6", "http", "dns", "pkthdr"}) + " ";
  text += address[0] + " " + port() + one_of({" -> ", " <> "}) + address[1] + " " + port();
  return text + " (" +
         one_of({"", "flow:to_server;", "flow:to_client,established;", "flow:not_established;"}) + "sid:1;)";
}

Packet random_packet() {
  const auto address = [] {
    return *IpAddress::parse(
        *rc::gen::elementOf(std::vector<std::string>{"10.0.0.1", "10.0.0.9", "192.0.2.1", "2001:db8::1"}));
  };
  const auto port = [] {
    return *rc::gen::elementOf(std::vector<std::uint16_t>{0, 80, 443, 1000, 1500, 1501, 40000});
  };
  Packet p;
  p.protocol =
      *rc::gen::elementOf(std::vector<std::uint8_t>{kProtoTcp, kProtoUdp, kProtoIcmp, kProtoIcmp6, 0, 255});
  p.source = address();
  p.destination = address();
  p.ip_version = p.source.is_v4() ? 4 : 6;
  p.has_transport = *rc::gen::arbitrary<bool>();
  p.established = *rc::gen::arbitrary<bool>();
  if (p.has_transport) {
    p.source_port = port();
    p.destination_port = port();
  }
  return p;
}

RC_GTEST_PROP(HeaderPlan, SaysWhatTheRuleSays, ()) {
  const core::SourceText source("t.rules", random_header());
  core::Diagnostics d;
  const RuleList list = check_rules(std::span(&source, 1), {}, d);
  RC_PRE(list.rules.size() == 1);  // some combinations are refused
  const Rule& rule = *list.rules.front();
  AddressSets sets;
  sets.count(rule.source);
  sets.count(rule.destination);
  sets.number();
  const HeaderPlan plan(rule, sets);
  for (int round = 0; round < 20; ++round) {
    const Packet packet = random_packet();
    Flow flow;
    if (*rc::gen::arbitrary<bool>()) flow.state = FlowState::closed;
    const Flow* of = *rc::gen::arbitrary<bool>() ? &flow : nullptr;
    const Direction direction = *rc::gen::element(Direction::to_server, Direction::to_client);
    AddressCache cache;
    cache.begin(packet);
    const bool holds = plan.holds(rule, packet, of, direction, sets, cache);
    RC_ASSERT(holds == header_holds(rule, packet, of, direction));
    RC_ASSERT(plan.holds_for_transaction(rule, packet, flow, direction, sets, cache) ==
              transaction_header_holds(rule, packet, flow, direction));
    // What the list of a literal leaves out cannot hold.
    if (holds) RC_ASSERT(PortBox(rule).holds(packet.source_port, packet.destination_port));
  }
}

}  // namespace
}  // namespace gatehouse::ids

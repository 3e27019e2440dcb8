// Rulesets that no policy is behind: judged from a file, and made into a policy.
#include <gmock/gmock.h>

#include "tests/netns/fwctl_machine.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class FwctlImport : public OnMachine {
 protected:
  // A file in the machine's directory; its path.
  std::string file(const std::string& text) {
    const std::string path = m_->directory() + "/ruleset.nft";
    EXPECT_TRUE(core::write_file_atomic(path, text));
    return path;
  }
};

TEST_F(FwctlImport, ARulesetInAFileIsJudgedAndNothingElseTouched) {
  const std::string site = example("web-mail.yaml");
  const std::string exported = m_->fwctl("export --format nft " + site).text;
  const std::string path = file(exported);
  const Output holds = m_->fwctl("prove --ruleset " + path + " " + site);
  EXPECT_EQ(holds.status, 0) << holds.text;
  EXPECT_THAT(holds.text, StartsWith("holds"));
  EXPECT_EQ(m_->ruleset(), "");
  // One rule more, which asks for an interface by its index.
  file(exported + "\ninsert rule inet gatehouse input iif srv0 tcp dport 8080 accept\n");
  const Output differs = m_->fwctl("prove --ruleset " + path + " " + site);
  EXPECT_EQ(differs.status, 1);
  EXPECT_THAT(differs.text, AllOf(StartsWith("differs"), HasSubstr("in srv0 tcp"), HasSubstr(":8080")));
  const Output explained = m_->fwctl("explain --trace --ruleset " + path + " " + site +
                                     " in servers tcp 10.66.1.10:4000 '>' 10.66.1.1:8080");
  EXPECT_EQ(explained.status, 0) << explained.text;
  EXPECT_THAT(explained.text, HasSubstr("kernel   went the same way and accepted it"));
  EXPECT_EQ(m_->fwctl("lint --ruleset " + path + " " + site).status, 0);
}

TEST_F(FwctlImport, AFileThatIsNoRulesetIsRefused) {
  const std::string site = example("web-mail.yaml");
  EXPECT_EQ(m_->fwctl("prove --ruleset /nowhere " + site).status, 2);
  const Output broken =
      m_->fwctl("prove --ruleset " + file("table inet x {\n  chain c { nonsense; }\n}\n") + " " + site);
  EXPECT_EQ(broken.status, 2);
  EXPECT_THAT(broken.text, AllOf(HasSubstr("nft refuses"), HasSubstr("ruleset.nft:2:")));
  EXPECT_EQ(m_->fwctl("prove --ruleset " + file("{\"nftables\": []}") + " " + site).status, 2);
  EXPECT_EQ(m_->fwctl("prove --planned --ruleset " + file("") + " " + site).status, 2);
  const Output nft =
      m_->run("PATH=/nowhere " + std::string(GATEHOUSE_FWCTL) + " prove --ruleset " + file("") + " " + site);
  EXPECT_EQ(nft.status, 3) << nft.text;
  EXPECT_THAT(nft.text, HasSubstr("there is no nft"));
}

// What a policy says and the kernel holds becomes a policy again that says the same.
TEST_F(FwctlImport, OurOwnRulesetComesBackEqual) {
  ASSERT_EQ(m_->fwctl("apply " + example("web-mail.yaml")).status, 0);
  const Output imported = m_->fwctl("import");
  EXPECT_EQ(imported.status, 0) << imported.text;
  EXPECT_THAT(imported.text, AllOf(HasSubstr("\n# Judged against the ruleset: equal\n"),
                                   HasSubstr("[\"10.66.1.10\", \"fd66:1::10\"]"),
                                   HasSubstr("ports: [tcp/25]"), Not(HasSubstr("does not say"))));
  // The text is a policy like any other, and opens and closes nothing.
  const std::string site = m_->directory() + "/imported.yaml";
  ASSERT_TRUE(core::write_file_atomic(site, imported.text));
  EXPECT_EQ(m_->fwctl("check " + site).status, 0);
  EXPECT_EQ(m_->fwctl("prove " + site).status, 0);
  const Output json = m_->fwctl("import --json");
  EXPECT_THAT(json.text, AllOf(StartsWith("{\"answer\":\"equal\",\"site\":\"# Proposed"),
                               HasSubstr("\"not_expressed\":[],\"proof\":{")));
}

// What only some programs may send is not opened for all.
TEST_F(FwctlImport, WhatDependsOnTheProgramIsNamedAndStaysClosed) {
  const std::string path = file(
      "table inet filter {\n\tchain output {\n\t\ttype filter hook output priority 0; policy drop;\n"
      "\t\tct state established accept\n\t\toifname \"wan0\" meta skuid 104 udp dport 53 accept\n"
      "\t\toifname \"wan0\" tcp dport 443 accept\n\t}\n}\n");
  const Output imported = m_->fwctl("import --ruleset " + path + " --outside wan0");
  EXPECT_THAT(
      imported.text,
      AllOf(HasSubstr("- {from: gatehouse, to: outside, ports: [tcp/443]}"),
            HasSubstr("# - what passes from this machine to wan0 over IPv4 depends on the user or the "
                      "control group of the program that sends it")));
}

constexpr const char* kByHand = R"(
table inet filter {
	set web {
		type inet_service
		elements = { 80, 443 }
	}
	set admins {
		type ipv4_addr
		flags interval
		elements = { 192.168.10.5, 192.168.10.32/31 }
	}
	chain input {
		type filter hook input priority 0; policy drop;
		iif lo accept
		ct state vmap { established : accept, related : accept, invalid : drop }
		icmp type echo-request iifname "lan0" accept
		iifname "lan0" tcp dport 22 ip saddr @admins accept
		iifname "lan0" udp dport { 53, 67 } accept
	}
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname "lan0" oifname "wan0" jump out
		iifname "wan0" oifname "dmz0" ip daddr 172.16.0.10 tcp dport @web accept
	}
	chain out {
		tcp dport { 80, 443 } accept
		udp dport 53 accept
		tcp dport 25 limit rate 10/minute accept
	}
}
table ip nat {
	chain postrouting {
		type nat hook postrouting priority 100; policy accept;
		oifname "wan0" ip saddr 192.168.10.0/24 masquerade
	}
}
)";
constexpr const char* kHints =
    " --outside wan0 --networks lan0=192.168.10.0/24 --networks dmz0=172.16.0.0/24";

TEST_F(FwctlImport, ARulesetByHandIsUnderstoodAndItsDifferenceShown) {
  const std::string path = file(kByHand);
  // Nothing is guessed that opens.
  const Output outside = m_->fwctl("import --ruleset " + path);
  EXPECT_EQ(outside.status, 2);
  EXPECT_THAT(outside.text, HasSubstr("--outside with one of: dmz0, lan0, wan0"));
  const Output networks = m_->fwctl("import --outside wan0 --ruleset " + path);
  EXPECT_EQ(networks.status, 2);
  EXPECT_THAT(networks.text, HasSubstr("Say --networks dmz0=PREFIX"));
  const Output imported = m_->fwctl("import --ruleset " + path + kHints);
  EXPECT_EQ(imported.status, 1) << imported.text;
  for (const char* line : {
           "  outside: {interface: wan0, networks: any}\n",
           "      host-172-16-0-10: [\"172.16.0.10\"]\n",
           "  - {from: outside, to: dmz0/host-172-16-0-10, ports: [tcp/443, tcp/80]}\n",
           "  - {from: lan0/host-192-168-10-33, to: gatehouse, ports: [tcp/22]}\n",
           "  - {from: lan0, to: gatehouse, ports: [udp/53, udp/67]}\n",
           "    - {from: lan0, to: outside}\n",
           "  ping-from: [gatehouse, lan0]\n",
           "# - echo requests from lan0, here to everywhere\n",
           "# - limited (within rate 10 packets per 60 s, burst 5), here without limit: tcp 25 from lan0",
           "\n# Judged against the ruleset: differs\n",
           "#   packet   in wan0 out dmz0 tcp 172.16.0.2:",
       })
    EXPECT_THAT(imported.text, HasSubstr(line));
  EXPECT_THAT(imported.text,
              AllOf(Not(HasSubstr("{from: outside, to: lan0")), Not(HasSubstr("# - the interface"))));
}

TEST_F(FwctlImport, WhatHasNoPlaceInAPolicyIsNamed) {
  const Output imported = m_->fwctl("import --outside wan0 --networks lan0=10.0.0.0/8 --ruleset " + file(R"(
table inet filter {
	chain input {
		type filter hook input priority 0; policy drop;
		iifname "lan0" tcp dport 22 meta hour 8-18 accept
		iifname "lan0" tcp dport 23 reject
		iifname "vpn*" accept
		iifname "lan0" ip saddr 10.7.0.0/16 tcp dport 443 accept
		iifname "wan0" ip protocol gre accept
	}
	chain forward {
		type filter hook forward priority 0; policy drop;
		iifname "lan0" oifname "lan0" tcp dport 445 accept
	}
}
table ip nat {
	chain prerouting {
		type nat hook prerouting priority -100; policy accept;
		iifname "wan0" tcp dport 8080 dnat to 10.0.0.9:80
	}
}
)"));
  EXPECT_EQ(imported.status, 1) << imported.text;
  for (const char* gap : {
           "# - what passes from lan0 to this machine over IPv4 depends on what cannot be decided: ",
           "# - inet filter input rule 2: ",
           "# - the interface vpn*\n",
           "# - of addresses that no zone or host has: tcp 443 from lan0 (10.7.0.0/16) to this machine "
           "(any)\n",
           "# - protocols 47 from wan0 to this machine over IPv4\n",
           "# - inside one zone: tcp 445 from lan0 (any) to lan0 (any)\n",
           "# - ip nat prerouting rule 1: ",
       })
    EXPECT_THAT(imported.text, HasSubstr(gap));
  EXPECT_THAT(imported.text, AllOf(Not(HasSubstr("from: lan0")), Not(HasSubstr("to: gatehouse"))));
}

}  // namespace
}  // namespace gatehouse::test

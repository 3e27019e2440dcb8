// fwctl: the command.
#include "fwctl/cli/verbs.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::fwctl::cli;

const core::ToolSpec kTool = {
    .name = "fwctl",
    .summary = "the firewall controller: one site policy, in force in the kernel",
    .description =
        "Compiles the site policy to one nftables table, `inet gatehouse`, and brings it into force in one\n"
        "       kernel transaction. Other tables are left alone. A policy with an error changes nothing.",
    .verbs =
        {
            {"check",
             "SITE",
             1,
             1,
             "read the policy and compile it; --verbose prints the normal form",
             {},
             run_check},
            {"plan",
             "SITE",
             1,
             1,
             "show what apply would change, rule by rule and which traffic it opens or closes, each with a "
             "packet; exit 1 when there is a difference",
             {{"--out", "FILE", "write the plan, for `apply FILE`: exactly this, or nothing", false, false},
              {"--rules-only", "", "do not work out which traffic changes", false, false}},
             run_plan},
            {"apply",
             "SITE|PLAN",
             1,
             1,
             "bring the policy into force, all of it or nothing; a plan only on the ruleset it was made for",
             {{"--expect-generation", "N",
               "refuse unless the ruleset is still of generation N, as plan printed it", false, false},
              {"--require-interfaces", "", "refuse when an interface of the policy does not exist", false,
               false},
              {"-n", "", "change nothing: what `plan` does", false, false}},
             run_apply},
            {"status",
             "[SITE]",
             0,
             1,
             "is the policy in force, and what was counted; exit 1 when not",
             {},
             run_status},
            {"prove",
             "SITE",
             1,
             1,
             "decide for every packet whether all live tables together do what the policy says; exit 1 when "
             "not",
             {{"--planned", "", "judge what `apply` would put into force, not what is", false, false}},
             run_prove},
            {"explain",
             "SITE PACKET...",
             2,
             40,
             "what policy and ruleset do with one packet, rule by rule; exit 1 when it is dropped",
             {{"--planned", "", "go through what `apply` would put into force, not what is", false, false},
              {"--trace", "", "send it through a copy in a namespace of its own, too, and compare", false,
               false}},
             run_explain},
            {"lint",
             "SITE",
             1,
             1,
             "rules and grants that cannot mean what they say; exit 1 when there are any",
             {{"--planned", "", "look at what `apply` would put into force, not at what is", false, false}},
             run_lint},
            {"export",
             "SITE",
             1,
             1,
             "print the compiled policy",
             {{"--format", "FORM", "normal (the default), nft (a file for `nft -f`) or json", false, false}},
             run_export},
        },
    .files = {{"/etc/gatehouse/site.yaml", "the site policy"}},
    .examples = {{"fwctl plan site.yaml", "what would change, and the generation it was compared with"},
                 {"fwctl plan --out change.plan site.yaml; fwctl apply change.plan",
                  "apply exactly what was shown, or nothing"},
                 {"fwctl explain site.yaml in wan0 out srv0 tcp 198.51.100.7:40000 '>' 10.66.1.10:22",
                  "why this connection does not come about"},
                 {"nft list table inet gatehouse", "what is in force, each rule with its policy line"}},
    .standards = {"RFC 4890 (ICMPv6 filtering), RFC 3704 and RFC 2827 (source address validation), RFC 6890"},
};

}  // namespace

int main(int argc, char** argv) {
  return core::run_tool(kTool, argc, argv);
}

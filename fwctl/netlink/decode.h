// libnftnl objects read from the kernel, in our form.
#pragma once

#include "fwctl/compile/kernel_table.h"
#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {

KernelRule decode_rule(nftnl_rule* rule);
// A rule with its place. One that libnftnl cannot read becomes a rule of unknown effect.
struct LocatedRule {
  std::string table, chain;
  KernelRule rule;
};
LocatedRule decode_rule_message(const nlmsghdr* message);
KernelChain decode_chain(const nftnl_chain* chain);
// The definition; elements come from another dump.
KernelSet decode_set(const nftnl_set* set);
// The same from a message, with what libnftnl does not read; nothing when it makes no sense.
std::optional<KernelSet> decode_set_message(const nlmsghdr* message);

}  // namespace gatehouse::fwctl

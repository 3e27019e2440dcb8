// libnftnl objects read from the kernel, in our form.
#pragma once

#include "fwctl/compile/kernel_table.h"
#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {

KernelRule decode_rule(nftnl_rule* rule);
KernelChain decode_chain(const nftnl_chain* chain);
// The definition; elements come from another dump.
KernelSet decode_set(const nftnl_set* set);
// Adds the elements of one dump to `out`, sorted; starts and ends become ranges.
void decode_elements(nftnl_set* dump, KernelSet& out);

}  // namespace gatehouse::fwctl

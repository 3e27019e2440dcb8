// Rules, sets and elements as other programs may have put them into the kernel: comments and
// expressions of any content must decode to something printable.
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "fwctl/compile/describe.h"
#include "fwctl/netlink/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::fwctl;
  if (size < 1 || size > 4096) return 0;
  std::vector<std::uint8_t> message(sizeof(nlmsghdr) + sizeof(nfgenmsg) + size - 1, 0);
  auto* h = reinterpret_cast<nlmsghdr*>(message.data());
  h->nlmsg_len = static_cast<std::uint32_t>(message.size());
  std::memcpy(message.data() + sizeof(nlmsghdr) + sizeof(nfgenmsg), data + 1, size - 1);
  KernelTable table;
  if (data[0] % 2 == 0) {
    const RuleHandle rule(nftnl_rule_alloc());
    if (nftnl_rule_nlmsg_parse(h, rule.get()) >= 0) (void)describe(decode_rule(rule.get()), table);
    return 0;
  }
  const SetHandle set(nftnl_set_alloc());
  if (nftnl_set_nlmsg_parse(h, set.get()) >= 0) (void)describe_definition(decode_set(set.get()));
  const SetHandle elements(nftnl_set_alloc());
  if (nftnl_set_elems_nlmsg_parse(h, elements.get()) < 0) return 0;
  KernelSet out;
  out.key_type = data[0];
  out.flags = data[0] % 4 == 1 ? NFT_SET_INTERVAL : 0;
  decode_elements(elements.get(), out);
  for (const KernelElement& e : out.elements) (void)describe(e, out);
  return 0;
}

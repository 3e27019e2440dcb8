#include "fwctl/netlink/decode.h"

#include <endian.h>
#include <fmt/format.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>

#include "fwctl/netlink/attributes.h"
#include "fwctl/netlink/decode_expression.h"
#include "fwctl/netlink/elements.h"

namespace gatehouse::fwctl {
namespace {

int add_expression(nftnl_expr* e, void* rule) {
  static_cast<KernelRule*>(rule)->expressions.push_back(decode_expression(e));
  return 0;
}

}  // namespace

KernelRule decode_rule(nftnl_rule* rule) {
  KernelRule out;
  nftnl_expr_foreach(rule, add_expression, &out);
  out.handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
  std::uint32_t length = 0;
  if (const void* data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length); data != nullptr) {
    out.comment = comment_of({static_cast<const std::uint8_t*>(data), length}, NFTNL_UDATA_RULE_COMMENT);
  }
  return out;
}

LocatedRule decode_rule_message(const nlmsghdr* message) {
  LocatedRule out;
  RuleHandle r(nftnl_rule_alloc());
  if (r && nftnl_rule_nlmsg_parse(message, r.get()) >= 0) {
    out.table = text_of(nftnl_rule_get_str(r.get(), NFTNL_RULE_TABLE));
    out.chain = text_of(nftnl_rule_get_str(r.get(), NFTNL_RULE_CHAIN));
    out.rule = decode_rule(r.get());
    return out;
  }
  // An expression that libnftnl does not know: the rule is there and must not be passed over.
  each_attribute(message, [&](const nlattr* a) {
    if (mnl_attr_get_type(a) == NFTA_RULE_TABLE) out.table = text_of(a);
    if (mnl_attr_get_type(a) == NFTA_RULE_CHAIN) out.chain = text_of(a);
    if (mnl_attr_get_type(a) == NFTA_RULE_HANDLE && mnl_attr_get_payload_len(a) == sizeof(std::uint64_t))
      out.rule.handle = be64toh(mnl_attr_get_u64(a));
  });
  Foreign unread;
  unread.text = "an expression that libnftnl cannot read";
  out.rule.expressions.emplace_back(std::move(unread));
  return out;
}

KernelChain decode_chain(const nftnl_chain* chain) {
  KernelChain out;
  out.name = text_of(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
  if (nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM)) {
    BaseHook base;
    base.type = text_of(nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE));
    base.hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
    base.priority = nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO);
    base.policy = nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY);
    if (nftnl_chain_is_set(chain, NFTNL_CHAIN_DEV))
      base.devices.push_back(text_of(nftnl_chain_get_str(chain, NFTNL_CHAIN_DEV)));
    if (nftnl_chain_is_set(chain, NFTNL_CHAIN_DEVICES)) {
      const char* const* names = nftnl_chain_get_array(chain, NFTNL_CHAIN_DEVICES);
      for (; names != nullptr && *names != nullptr; ++names) base.devices.emplace_back(*names);
    }
    out.base = std::move(base);
  }
  return out;
}

KernelSet decode_set(const nftnl_set* set) {
  KernelSet out;
  out.name = text_of(nftnl_set_get_str(set, NFTNL_SET_NAME));
  out.flags = nftnl_set_get_u32(set, NFTNL_SET_FLAGS);
  out.key_type = nftnl_set_get_u32(set, NFTNL_SET_KEY_TYPE);
  out.key_length = nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN);
  if (nftnl_set_is_set(set, NFTNL_SET_DATA_TYPE)) out.data_type = nftnl_set_get_u32(set, NFTNL_SET_DATA_TYPE);
  if (nftnl_set_is_set(set, NFTNL_SET_DESC_SIZE)) out.room = nftnl_set_get_u32(set, NFTNL_SET_DESC_SIZE);
  if (nftnl_set_is_set(set, NFTNL_SET_DESC_CONCAT)) {
    std::uint32_t length = 0;
    const void* lengths = nftnl_set_get_data(set, NFTNL_SET_DESC_CONCAT, &length);
    // libnftnl hands out its whole fixed array; unused places are zero.
    for (const std::uint8_t b : copy(lengths, length)) {
      if (b != 0) out.field_lengths.push_back(b);
    }
  }
  return out;
}

std::optional<KernelSet> decode_set_message(const nlmsghdr* message) {
  // NFTA_SET_COUNT (Linux 6.16), missing in older headers.
  constexpr std::uint16_t kCount = 20;
  SetHandle s(nftnl_set_alloc());
  if (!s || nftnl_set_nlmsg_parse(message, s.get()) < 0) return std::nullopt;
  KernelSet out = decode_set(s.get());
  each_attribute(message, [&](const nlattr* a) {
    if (mnl_attr_get_type(a) == kCount && mnl_attr_get_payload_len(a) == sizeof(std::uint32_t))
      out.counted = number_of(a);
  });
  return out;
}

}  // namespace gatehouse::fwctl

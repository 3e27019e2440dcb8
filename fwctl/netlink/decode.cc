#include "fwctl/netlink/decode.h"

#include <endian.h>
#include <fmt/format.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>

#include "core/bytes.h"
#include "fwctl/netlink/decode_expression.h"

namespace gatehouse::fwctl {
namespace {

// The comment among the TLVs of nft's userdata; whatever else is there is not ours to judge.
std::string comment_of(core::ByteView userdata, std::uint8_t type) {
  core::ByteReader reader(userdata);
  while (reader.remaining() >= 2) {
    const std::uint8_t found = reader.u8();
    const core::ByteView value = reader.bytes(reader.u8());
    if (!reader.ok()) break;
    if (found != type) continue;
    std::string out(core::as_text(value));
    if (const std::size_t zero = out.find('\0'); zero != std::string::npos) out.resize(zero);
    return out;
  }
  return {};
}

int note_state(nftnl_expr* e, void* uncertain) {
  if (text_of(nftnl_expr_get_str(e, NFTNL_EXPR_NAME)) != "counter") *static_cast<bool*>(uncertain) = true;
  return 0;
}

struct RawElement {
  KernelElement element;
  bool end = false;
};

RawElement decode_element(nftnl_set_elem* e) {
  RawElement out;
  std::uint32_t length = 0;
  const void* key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &length);
  out.element.first = copy(key, length);
  out.element.last = out.element.first;
  if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_KEY_END)) {
    const void* key_end = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY_END, &length);
    out.element.last = copy(key_end, length);
  }
  if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_FLAGS)) {
    const std::uint32_t flags = nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_FLAGS);
    out.end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
    if ((flags & ~std::uint32_t{NFT_SET_ELEM_INTERVAL_END}) != 0)
      out.element.foreign = fmt::format("flags {:#x}", flags);
    out.element.catch_all = (flags & NFT_SET_ELEM_CATCHALL) != 0;
  }
  if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_VERDICT)) {
    out.element.verdict =
        KernelVerdict{static_cast<std::int32_t>(nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_VERDICT)), {}};
    if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_CHAIN)) {
      out.element.verdict->chain = text_of(nftnl_set_elem_get_str(e, NFTNL_SET_ELEM_CHAIN));
    }
  }
  struct Extra {
    std::uint16_t attribute;
    const char* name;
  };
  static constexpr std::array<Extra, 5> kExtras = {{{NFTNL_SET_ELEM_TIMEOUT, "timeout"},
                                                    {NFTNL_SET_ELEM_DATA, "data"},
                                                    {NFTNL_SET_ELEM_EXPR, "expression"},
                                                    {NFTNL_SET_ELEM_EXPRESSIONS, "expressions"},
                                                    {NFTNL_SET_ELEM_OBJREF, "object"}}};
  for (const Extra& x : kExtras) {
    if (nftnl_set_elem_is_set(e, x.attribute))
      out.element.foreign += (out.element.foreign.empty() ? "" : ", ") + std::string(x.name);
  }
  out.element.uncertain = nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_TIMEOUT);
  nftnl_set_elem_expr_foreach(e, note_state, &out.element.uncertain);
  if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_USERDATA)) {
    const void* data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_USERDATA, &length);
    out.element.comment =
        comment_of({static_cast<const std::uint8_t*>(data), length}, NFTNL_UDATA_SET_ELEM_COMMENT);
  }
  return out;
}

Bytes before(Bytes value) {
  for (std::size_t i = value.size(); i-- > 0;) {
    if (value[i]-- != 0) break;
  }
  return value;
}

// A start holds until the next start or end, or to the top when there is none: so the kernel looks
// them up, also when somebody left the end away.
void join_ranges(std::vector<RawElement> raw, KernelSet& set) {
  std::vector<KernelElement>& out = set.elements;
  std::stable_sort(raw.begin(), raw.end(), [](const RawElement& a, const RawElement& b) {
    if (a.element.first != b.element.first) return a.element.first < b.element.first;
    return a.end && !b.end;
  });
  for (std::size_t i = 0; i < raw.size(); ++i) {
    // nft begins a set with an end at zero.
    const Bytes& key = raw[i].element.first;
    const bool zero = std::all_of(key.begin(), key.end(), [](std::uint8_t byte) { return byte == 0; });
    if (raw[i].end ? (i == 0 ? !zero : raw[i - 1].end) : i > 0 && !raw[i - 1].end) set.irregular = true;
    if (raw[i].end) continue;
    KernelElement e = std::move(raw[i].element);
    if (i + 1 < raw.size()) {
      e.last = before(raw[i + 1].element.first);
    } else {
      e.last.assign(e.first.size(), 0xff);
    }
    out.push_back(std::move(e));
  }
}

int add_expression(nftnl_expr* e, void* rule) {
  static_cast<KernelRule*>(rule)->expressions.push_back(decode_expression(e));
  return 0;
}

int add_raw_element(nftnl_set_elem* e, void* raw) {
  static_cast<std::vector<RawElement>*>(raw)->push_back(decode_element(e));
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
  const auto* a = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, sizeof(nfgenmsg)));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(message));
  for (; mnl_attr_ok(a, static_cast<int>(end - reinterpret_cast<const char*>(a))); a = mnl_attr_next(a)) {
    if (mnl_attr_get_type(a) == NFTA_RULE_TABLE) out.table = text_of(mnl_attr_get_str(a));
    if (mnl_attr_get_type(a) == NFTA_RULE_CHAIN) out.chain = text_of(mnl_attr_get_str(a));
    if (mnl_attr_get_type(a) == NFTA_RULE_HANDLE) out.rule.handle = be64toh(mnl_attr_get_u64(a));
  }
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

void decode_elements(nftnl_set* dump, KernelSet& out) {
  std::vector<RawElement> raw;
  nftnl_set_elem_foreach(dump, add_raw_element, &raw);
  if ((out.flags & NFT_SET_INTERVAL) != 0 && !out.concatenated_intervals()) {
    join_ranges(std::move(raw), out);
  } else {
    for (RawElement& r : raw) out.elements.push_back(std::move(r.element));
  }
  std::sort(out.elements.begin(), out.elements.end(), [](const KernelElement& a, const KernelElement& b) {
    return a.first != b.first ? a.first < b.first : a.last < b.last;
  });
}

}  // namespace gatehouse::fwctl

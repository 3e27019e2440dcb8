#include "fwctl/netlink/decode.h"

#include <endian.h>
#include <fmt/format.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>

#include "core/bytes.h"

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

Bytes copy(const void* data, std::uint32_t length) {
  const auto* p = static_cast<const std::uint8_t*>(data);
  return p == nullptr ? Bytes{} : Bytes(p, p + length);
}

Bytes data_of(const nftnl_expr* e, std::uint16_t attribute) {
  std::uint32_t length = 0;
  const void* data = nftnl_expr_get(e, attribute, &length);
  return copy(data, length);
}

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

Foreign foreign(const nftnl_expr* e, Meaning meaning = Meaning::nothing_known) {
  std::array<char, 512> text{};
  nftnl_expr_snprintf(text.data(), text.size() - 1, e, NFTNL_OUTPUT_DEFAULT, 0);
  const std::string name = text_of(nftnl_expr_get_str(e, NFTNL_EXPR_NAME));
  Foreign out;
  out.text = name + " " + text.data();
  out.meaning = meaning;
  return out;
}

std::uint32_t u32(const nftnl_expr* e, std::uint16_t attribute) {
  return nftnl_expr_get_u32(e, attribute);
}

// Some value of at most 16 bytes in the register that attribute `to` names.
Foreign unknown_value(const nftnl_expr* e, std::uint16_t to, std::uint32_t length = 16) {
  Foreign out = foreign(e, Meaning::unknown_value);
  out.to = slot_of(u32(e, to));
  out.length = length;
  if (out.to >= kSlots) out.meaning = Meaning::nothing_known;
  return out;
}

Foreign written(const nftnl_expr* e, WriteTarget target, std::uint32_t key) {
  Foreign out = foreign(e, Meaning::write);
  out.target = target;
  out.key = key;
  return out;
}

Expression decode_meta(const nftnl_expr* e) {
  if (!nftnl_expr_is_set(e, NFTNL_EXPR_META_DREG)) {
    const std::uint32_t key = u32(e, NFTNL_EXPR_META_KEY);
    if (key == NFT_META_NFTRACE) return foreign(e, Meaning::neutral);
    return written(e, WriteTarget::meta, key);
  }
  return LoadMeta{u32(e, NFTNL_EXPR_META_KEY), slot_of(u32(e, NFTNL_EXPR_META_DREG))};
}

Expression decode_payload(const nftnl_expr* e) {
  if (!nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_DREG)) {
    Foreign out = written(e, WriteTarget::payload, u32(e, NFTNL_EXPR_PAYLOAD_BASE));
    out.offset = u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);
    out.length = u32(e, NFTNL_EXPR_PAYLOAD_LEN);
    return out;
  }
  return LoadPayload{u32(e, NFTNL_EXPR_PAYLOAD_BASE), u32(e, NFTNL_EXPR_PAYLOAD_OFFSET),
                     u32(e, NFTNL_EXPR_PAYLOAD_LEN), slot_of(u32(e, NFTNL_EXPR_PAYLOAD_DREG))};
}

Expression decode_ct(const nftnl_expr* e) {
  if (!nftnl_expr_is_set(e, NFTNL_EXPR_CT_DREG))
    return written(e, WriteTarget::ct, u32(e, NFTNL_EXPR_CT_KEY));
  // A direction narrows what is loaded; ours have none.
  if (nftnl_expr_is_set(e, NFTNL_EXPR_CT_DIR)) return unknown_value(e, NFTNL_EXPR_CT_DREG);
  return LoadCt{u32(e, NFTNL_EXPR_CT_KEY), slot_of(u32(e, NFTNL_EXPR_CT_DREG))};
}

Expression decode_bitwise(const nftnl_expr* e) {
  constexpr std::uint32_t kBoolean = 0;  // NFT_BITWISE_BOOL; shifts are other operations
  if (nftnl_expr_is_set(e, NFTNL_EXPR_BITWISE_OP) && u32(e, NFTNL_EXPR_BITWISE_OP) != kBoolean)
    return unknown_value(e, NFTNL_EXPR_BITWISE_DREG);
  return Mask{slot_of(u32(e, NFTNL_EXPR_BITWISE_SREG)), slot_of(u32(e, NFTNL_EXPR_BITWISE_DREG)),
              data_of(e, NFTNL_EXPR_BITWISE_MASK), data_of(e, NFTNL_EXPR_BITWISE_XOR)};
}

Expression decode_lookup(const nftnl_expr* e) {
  Lookup out;
  out.from = slot_of(u32(e, NFTNL_EXPR_LOOKUP_SREG));
  out.set = text_of(nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET));
  if (nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG)) {
    if (u32(e, NFTNL_EXPR_LOOKUP_DREG) != NFT_REG_VERDICT) {
      Foreign value = unknown_value(e, NFTNL_EXPR_LOOKUP_DREG);
      value.meaning = Meaning::map_value;
      value.from = out.from;
      value.set = out.set;
      return value;
    }
    out.verdict = true;
  }
  out.negated = nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_FLAGS) &&
                (u32(e, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV) != 0;
  return out;
}

Expression decode_limit(const nftnl_expr* e) {
  return Limit{nftnl_expr_get_u64(e, NFTNL_EXPR_LIMIT_RATE), nftnl_expr_get_u64(e, NFTNL_EXPR_LIMIT_UNIT),
               u32(e, NFTNL_EXPR_LIMIT_BURST), u32(e, NFTNL_EXPR_LIMIT_TYPE), u32(e, NFTNL_EXPR_LIMIT_FLAGS)};
}

Expression decode_log(const nftnl_expr* e) {
  const bool to_group = nftnl_expr_is_set(e, NFTNL_EXPR_LOG_GROUP);
  const bool tuned = (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_SNAPLEN) && u32(e, NFTNL_EXPR_LOG_SNAPLEN) != 0) ||
                     (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_QTHRESHOLD) &&
                      nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_QTHRESHOLD) > 1);
  if (!to_group || tuned) return foreign(e, Meaning::neutral);
  return Log{nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_GROUP),
             text_of(nftnl_expr_get_str(e, NFTNL_EXPR_LOG_PREFIX))};
}

Expression decode_immediate(const nftnl_expr* e) {
  if (u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT) {
    Foreign out = foreign(e, Meaning::constant);
    out.to = slot_of(u32(e, NFTNL_EXPR_IMM_DREG));
    out.low = data_of(e, NFTNL_EXPR_IMM_DATA);
    return out;
  }
  return SetVerdict{{static_cast<std::int32_t>(u32(e, NFTNL_EXPR_IMM_VERDICT)),
                     text_of(nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN))}};
}

Expression decode_range(const nftnl_expr* e) {
  Foreign out = foreign(e, Meaning::in_range);
  out.from = slot_of(u32(e, NFTNL_EXPR_RANGE_SREG));
  out.low = data_of(e, NFTNL_EXPR_RANGE_FROM_DATA);
  out.high = data_of(e, NFTNL_EXPR_RANGE_TO_DATA);
  out.negated = u32(e, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ;
  return out;
}

Expression decode_byte_order(const nftnl_expr* e) {
  Foreign out = foreign(e, Meaning::byte_order);
  out.from = slot_of(u32(e, NFTNL_EXPR_BYTEORDER_SREG));
  out.to = slot_of(u32(e, NFTNL_EXPR_BYTEORDER_DREG));
  out.length = u32(e, NFTNL_EXPR_BYTEORDER_LEN);
  out.size = u32(e, NFTNL_EXPR_BYTEORDER_SIZE);
  return out;
}

// A named object used by the rule; one picked from a map by key is not told.
Expression decode_object(const nftnl_expr* e) {
  if (!nftnl_expr_is_set(e, NFTNL_EXPR_OBJREF_IMM_TYPE)) return foreign(e);
  switch (u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE)) {
    case NFT_OBJECT_COUNTER:
    case NFT_OBJECT_CT_HELPER:
    case NFT_OBJECT_CT_TIMEOUT:
    case NFT_OBJECT_SECMARK:
      return foreign(e, Meaning::neutral);
    case NFT_OBJECT_QUOTA:
    case NFT_OBJECT_LIMIT:
    case NFT_OBJECT_CONNLIMIT:
      return foreign(e, Meaning::chance);
    default:
      return foreign(e);
  }
}

Expression decode_nat(const nftnl_expr* e) {
  return foreign(e,
                 u32(e, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_SNAT ? Meaning::source_nat : Meaning::nothing_known);
}

// What is never ours, by name.
Expression decode_other(const nftnl_expr* e, const std::string& name) {
  struct Row {
    std::string_view name;
    Meaning meaning;
  };
  static constexpr std::array<Row, 8> kRows = {{{"quota", Meaning::chance},
                                                {"connlimit", Meaning::chance},
                                                {"dynset", Meaning::chance},
                                                {"last", Meaning::neutral},
                                                {"dup", Meaning::neutral},
                                                {"notrack", Meaning::not_tracked},
                                                {"reject", Meaning::reject},
                                                {"masq", Meaning::source_nat}}};
  for (const Row& r : kRows) {
    if (name == r.name) return foreign(e, r.meaning);
  }
  if (name == "range") return decode_range(e);
  if (name == "byteorder") return decode_byte_order(e);
  if (name == "objref") return decode_object(e);
  if (name == "nat") return decode_nat(e);
  if (name == "rt") return unknown_value(e, NFTNL_EXPR_RT_DREG);
  if (name == "socket") return unknown_value(e, NFTNL_EXPR_SOCKET_DREG);
  if (name == "numgen") return unknown_value(e, NFTNL_EXPR_NG_DREG);
  if (name == "hash") return unknown_value(e, NFTNL_EXPR_HASH_DREG);
  if (name == "osf") return unknown_value(e, NFTNL_EXPR_OSF_DREG);
  if (name == "xfrm") return unknown_value(e, NFTNL_EXPR_XFRM_DREG);
  if (name == "exthdr" && nftnl_expr_is_set(e, NFTNL_EXPR_EXTHDR_DREG))
    return unknown_value(e, NFTNL_EXPR_EXTHDR_DREG, 64);
  // Writing an option touches none of the fields that this version reads.
  if (name == "exthdr") return foreign(e, Meaning::neutral);
  return foreign(e);
}

Expression decode_expression(const nftnl_expr* e) {
  const std::string name = text_of(nftnl_expr_get_str(e, NFTNL_EXPR_NAME));
  if (name == "meta") return decode_meta(e);
  if (name == "payload") return decode_payload(e);
  if (name == "ct") return decode_ct(e);
  if (name == "bitwise") return decode_bitwise(e);
  if (name == "lookup") return decode_lookup(e);
  if (name == "limit") return decode_limit(e);
  if (name == "log") return decode_log(e);
  if (name == "immediate") return decode_immediate(e);
  if (name == "fib") {
    return LoadFib{u32(e, NFTNL_EXPR_FIB_RESULT), u32(e, NFTNL_EXPR_FIB_FLAGS),
                   slot_of(u32(e, NFTNL_EXPR_FIB_DREG))};
  }
  if (name == "cmp") {
    return Compare{slot_of(u32(e, NFTNL_EXPR_CMP_SREG)), u32(e, NFTNL_EXPR_CMP_OP),
                   data_of(e, NFTNL_EXPR_CMP_DATA)};
  }
  if (name == "counter") {
    return Counter{nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS),
                   nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_BYTES)};
  }
  return decode_other(e, name);
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

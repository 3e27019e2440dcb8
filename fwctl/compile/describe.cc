#include "fwctl/compile/describe.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_synproxy.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "fwctl/compile/compile.h"

namespace gatehouse::fwctl {
namespace {

std::string hex(const Bytes& bytes) {
  std::string out = "0x";
  for (const std::uint8_t b : bytes) out += fmt::format("{:02x}", b);
  return out;
}

std::string value_text(const Bytes& bytes, std::optional<ValueType> type) {
  Value value;
  if (!type || bytes.empty() || bytes.size() > value.bytes.size()) return hex(bytes);
  value.size = static_cast<std::uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), value.bytes.begin());
  const bool address = *type == ValueType::ipv4 || *type == ValueType::ipv6;
  if (address && value.size != (*type == ValueType::ipv4 ? 4 : 16)) return hex(bytes);
  if (*type == ValueType::port && value.size != 2) return hex(bytes);
  if (*type == ValueType::control_group) return value.size == 8 ? value.to_string(*type) : hex(bytes);
  if (*type == ValueType::user) return value.size == 4 ? value.to_string(*type) : hex(bytes);
  if (value.size != 1 && !address && *type != ValueType::port && *type != ValueType::ifname)
    return hex(bytes);
  return value.to_string(*type);
}

// Host-order values as numbers; the bits of ct state by name.
std::string host_order_text(const Bytes& bytes, bool states) {
  std::uint32_t value = 0;
  if (bytes.size() != sizeof value) return hex(bytes);
  std::memcpy(&value, bytes.data(), sizeof value);
  // NF_CT_STATE_BIT of each, and what no state has.
  static constexpr std::array<std::pair<std::uint32_t, std::string_view>, 5> kStates = {
      {{1, "invalid"}, {2, "established"}, {4, "related"}, {8, "new"}, {64, "untracked"}}};
  std::string out;
  std::uint32_t rest = value;
  for (const auto& [bit, name] : kStates) {
    if (states && (value & bit) != 0) out += (out.empty() ? "" : "|") + std::string(name);
    rest &= ~bit;
  }
  return states && value != 0 && rest == 0 ? out : fmt::format("{:#x}", value);
}

// What stands in a register, told from the expressions before.
struct Held {
  std::string name;
  std::optional<ValueType> type;
  std::size_t slots = 0;    // 0: nothing
  bool host_order = false;  // a number as the CPU keeps it
};

constexpr std::array<Field, 13> kAllFields = {
    Field::iifname,   Field::oifname,     Field::l4proto,      Field::ip_saddr, Field::ip_daddr,
    Field::ip6_saddr, Field::ip6_daddr,   Field::ip6_hoplimit, Field::sport,    Field::dport,
    Field::icmp_type, Field::icmpv6_type, Field::skuid};

class Describer {
 public:
  explicit Describer(const KernelTable& table) : table_(table) {}

  std::string describe(const KernelRule& rule) {
    for (const Expression& e : rule.expressions) std::visit([this](const auto& x) { step(x); }, e);
    return text_.empty() ? "(nothing)" : text_;
  }

 private:
  void word(std::string_view text) { text_ += (text_.empty() ? "" : " ") + std::string(text); }
  void hold(Slot at, Held held) {
    if (at < kSlots) held_[at] = std::move(held);
  }
  Held at(Slot slot) const {
    if (slot < kSlots && held_[slot].slots != 0) return held_[slot];
    return {fmt::format("register {}", slot), std::nullopt, 1, false};
  }
  // The loaded fields that a key of `length` bytes consists of.
  std::string key_text(Slot from, std::size_t length) const {
    std::string out;
    std::size_t slot = from;
    const std::size_t end = from + std::max<std::size_t>(1, (length + 3) / 4);
    while (slot < end) {
      const Held h = at(static_cast<Slot>(std::min(slot, kSlots)));
      out += (out.empty() ? "" : " . ") + h.name;
      slot += h.slots;
    }
    return out;
  }

  // True when one of our own fields is loaded so. ICMP types are told apart by the protocol before.
  template <class Load>
  bool known(const Load& load) {
    for (const Field f : kAllFields) {
      const Expression candidate = load_field(f, load.to);
      const auto* same = std::get_if<Load>(&candidate);
      if (same == nullptr || !(*same == load)) continue;
      if (info(f).family != 0 && info(f).family != family_) continue;
      if (info(f).protocol != 0 && info(f).protocol != protocol_) continue;
      hold(load.to, {std::string(info(f).name), info(f).type, (info(f).size + 3U) / 4U, false});
      return true;
    }
    return false;
  }

  void step(const LoadMeta& e) {
    if (known(e)) return;
    const std::string name = e.key == NFT_META_NFPROTO ? "meta nfproto" : fmt::format("meta #{}", e.key);
    hold(e.to, {name, std::nullopt, 1, false});
  }
  void step(const LoadPayload& e) {
    if (known(e)) return;
    static constexpr std::array<std::string_view, 5> kBases = {"ll", "nh", "th", "ih", "tun"};
    const std::string_view base = e.base < kBases.size() ? kBases[e.base] : "?";
    const bool flags = e.base == NFT_PAYLOAD_TRANSPORT_HEADER && e.offset == 13 && e.length == 1;
    hold(e.to,
         {flags && protocol_ == kProtocolTcp ? "tcp flags"
                                             : fmt::format("@{},{},{}", base, e.offset * 8, e.length * 8),
          std::nullopt, std::max<std::size_t>(1, (e.length + 3) / 4), false});
  }
  void step(const LoadCt& e) {
    hold(e.to, {e.key == NFT_CT_STATE    ? "ct state"
                : e.key == NFT_CT_STATUS ? "ct status"
                                         : fmt::format("ct #{}", e.key),
                std::nullopt, 1, true});
  }
  void step(const LoadFib& e) {
    const bool ours =
        e.result == NFT_FIB_RESULT_OIF && e.flags == (NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
    hold(e.to,
         {ours ? "fib saddr . iif oif present" : fmt::format("fib result {} flags {:#x}", e.result, e.flags),
          std::nullopt, 1, true});
  }
  void step(const LoadSocket& e) {
    const bool group = e.key == NFT_SOCKET_CGROUPV2;
    hold(e.to, {group ? fmt::format("socket cgroupv2 level {}", e.level) : fmt::format("socket #{}", e.key),
                group ? std::optional(ValueType::control_group) : std::nullopt, group ? 2U : 1U, !group});
  }
  void step(const Mask& e) {
    Held h = at(e.from);
    const bool flips = std::any_of(e.flip.begin(), e.flip.end(), [](std::uint8_t b) { return b != 0; });
    h.name += " & " + (h.host_order ? host_order_text(e.mask, h.name == "ct state") : hex(e.mask)) +
              (flips ? " ^ " + hex(e.flip) : "");
    h.type = std::nullopt;
    hold(e.to, std::move(h));
  }
  void step(const Compare& e) {
    static constexpr std::array<std::string_view, 6> kOps = {"", "!= ", "< ", "<= ", "> ", ">= "};
    const Held h = at(e.from);
    if (e.op == NFT_CMP_EQ && e.data.size() == 1) {
      if (h.name == "meta nfproto")
        family_ = e.data[0] == NFPROTO_IPV4 ? 4 : e.data[0] == NFPROTO_IPV6 ? 6 : 0;
      if (h.name == "meta l4proto") protocol_ = e.data[0];
    }
    const std::string family = family_ == 4 ? "ipv4" : "ipv6";
    const bool names_family = h.name == "meta nfproto" && family_ != 0 && e.op == NFT_CMP_EQ;
    word(fmt::format("{} {}{}", h.name, e.op < kOps.size() ? kOps[e.op] : "?? ",
                     names_family   ? family
                     : h.host_order ? host_order_text(e.data, false)
                                    : value_text(e.data, h.type)));
  }
  void step(const Lookup& e) {
    const KernelSet* set = table_.find_set(e.set);
    word(fmt::format("{} {}{}@{}", key_text(e.from, set ? set->key_length : 4), e.negated ? "!= " : "",
                     e.verdict ? "vmap " : "", e.set));
  }
  static std::string text(const Limit& e) {
    return fmt::format("limit rate {}{}/{} burst {} {}", (e.flags & NFT_LIMIT_F_INV) != 0 ? "over " : "",
                       e.rate, e.unit_s == 1 ? "second" : std::to_string(e.unit_s) + "s", e.burst,
                       e.type == NFT_LIMIT_PKTS ? "packets" : "bytes");
  }
  static std::string text(const ConnectionCount& e) {
    return fmt::format("ct count {}{}", (e.flags & NFT_CONNLIMIT_F_INV) != 0 ? "over " : "", e.most);
  }
  void step(const Limit& e) { word(text(e)); }
  void step(const ConnectionCount& e) { word(text(e)); }
  void step(const Remember& e) {
    const KernelSet* set = table_.find_set(e.set);
    word(fmt::format("{} @{} {{ {}{} {} }}", e.operation == NFT_DYNSET_OP_UPDATE ? "update" : "add", e.set,
                     key_text(e.from, set ? set->key_length : 4),
                     e.timeout_ms == 0 ? "" : fmt::format(" timeout {}ms", e.timeout_ms),
                     std::visit([](const auto& meter) { return text(meter); }, e.meter)));
  }
  void step(const Constant& e) {
    hold(e.to, {hex(e.data), std::nullopt, std::max<std::size_t>(1, (e.data.size() + 3) / 4), false});
    constants_[e.to] = e.data;
  }
  // What a register holds as a constant: as an address or a port.
  std::string constant(std::optional<Slot> slot, ValueType type) const {
    const auto found = slot ? constants_.find(*slot) : constants_.end();
    return found == constants_.end() ? "" : value_text(found->second, type);
  }
  void step(const Translate& e) {
    const std::string address =
        constant(e.address, e.family == NFPROTO_IPV4 ? ValueType::ipv4 : ValueType::ipv6);
    const std::string port = constant(e.port, ValueType::port);
    word(fmt::format("{} {} to {}{}{}", e.type == NFT_NAT_DNAT ? "dnat" : "snat",
                     e.family == NFPROTO_IPV4 ? "ip" : "ip6",
                     address.empty() && e.address ? at(*e.address).name : address,
                     e.port ? " port " + (port.empty() ? at(*e.port).name : port) : "",
                     e.flags != 0 ? fmt::format(" flags {:#x}", e.flags) : ""));
  }
  void step(const MasqueradeSource& e) {
    word(e.flags != 0 ? fmt::format("masquerade flags {:#x}", e.flags) : "masquerade");
  }
  void step(const SynProxying& e) {
    constexpr std::uint32_t kAlways = NF_SYNPROXY_OPT_MSS | NF_SYNPROXY_OPT_WSCALE;
    constexpr std::uint32_t kNamed = kAlways | NF_SYNPROXY_OPT_TIMESTAMP | NF_SYNPROXY_OPT_SACK_PERM;
    word(fmt::format("synproxy mss {} wscale {}{}{}{}", e.mss, e.window_scale,
                     (e.flags & NF_SYNPROXY_OPT_TIMESTAMP) != 0 ? " timestamp" : "",
                     (e.flags & NF_SYNPROXY_OPT_SACK_PERM) != 0 ? " sack-perm" : "",
                     (e.flags & ~kNamed) != 0 || (e.flags & kAlways) != kAlways
                         ? fmt::format(" flags {:#x}", e.flags)
                         : ""));
  }
  void step(const NoTrack&) { word("notrack"); }
  void step(const Log& e) { word(fmt::format("log prefix \"{}\" group {}", e.prefix, e.group)); }
  void step(const Counter&) { word("counter"); }
  void step(const SetVerdict& e) { word(e.verdict.to_string()); }
  void step(const Foreign& e) {
    if (e.meaning == Meaning::extension) {
      const bool header = e.key >> 8U == NFT_EXTHDR_OP_IPV6;
      hold(e.to, {fmt::format("{} {} exists", header ? "exthdr" : "ip option", e.key & 0xffU), std::nullopt,
                  1, false});
      return;
    }
    word("[" + e.text + "]");
    if (e.meaning == Meaning::unknown_value || e.meaning == Meaning::map_value)
      hold(e.to, {"its value", std::nullopt, std::max<std::size_t>(1, (e.length + 3) / 4), false});
  }

  const KernelTable& table_;
  std::string text_;
  std::array<Held, kSlots> held_{};
  std::map<Slot, Bytes> constants_;
  std::uint8_t family_ = 0;
  std::uint8_t protocol_ = 0;
};

struct NumberedType {
  std::uint32_t number;
  ValueType type;
  std::size_t size;
};
constexpr std::array<NumberedType, 9> kTypes = {{{7, ValueType::ipv4, 4},
                                                 {8, ValueType::ipv6, 16},
                                                 {12, ValueType::protocol, 1},
                                                 {13, ValueType::port, 2},
                                                 {14, ValueType::icmp_type, 1},
                                                 {24, ValueType::user, 4},
                                                 {29, ValueType::icmpv6_type, 1},
                                                 {41, ValueType::ifname, 16},
                                                 {kControlGroupType, ValueType::control_group, 8}}};

// The fields of a set's key, from nft's packed type number; empty when one is not ours.
std::vector<NumberedType> fields_of(const KernelSet& set) {
  std::vector<NumberedType> out;
  for (std::uint32_t rest = set.key_type; rest != 0; rest >>= 6U) {
    const auto at = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const NumberedType& t) { return t.number == (rest & 0x3fU); });
    if (at == kTypes.end()) return {};
    out.insert(out.begin(), *at);
  }
  return out;
}

}  // namespace

std::string describe(const KernelRule& rule, const KernelTable& table) {
  return Describer(table).describe(rule);
}

std::string describe(const KernelElement& element, const KernelSet& set) {
  std::string out;
  std::size_t offset = 0;
  const std::vector<NumberedType> fields = fields_of(set);
  for (const NumberedType& f : fields) {
    if (offset + f.size > element.first.size() || offset + f.size > element.last.size()) break;
    Interval interval{Value::lowest(static_cast<std::uint8_t>(f.size)),
                      Value::lowest(static_cast<std::uint8_t>(f.size))};
    const auto begin = static_cast<std::ptrdiff_t>(offset);
    std::copy_n(element.first.begin() + begin, f.size, interval.first.bytes.begin());
    std::copy_n(element.last.begin() + begin, f.size, interval.last.bytes.begin());
    out += (out.empty() ? "" : " . ") + interval.to_string(f.type);
    offset += (f.size + 3) / 4 * 4;
  }
  if (fields.empty())
    out = hex(element.first) + (element.first == element.last ? "" : "-" + hex(element.last));
  if (element.verdict) out += " -> " + element.verdict->to_string();
  if (!element.foreign.empty()) out += " [" + element.foreign + "]";
  return out;
}

std::string describe_definition(const KernelSet& set) {
  std::string out;
  for (const NumberedType& f : fields_of(set))
    out += (out.empty() ? "" : " . ") + std::string(nft_type_name(f.type));
  if (out.empty()) out = fmt::format("type #{}", set.key_type);
  return fmt::format("{}, {} bytes, flags {:#x}{}", out, set.key_length, set.flags,
                     set.data_type == NFT_DATA_VERDICT ? " : verdict"
                     : set.data_type != 0              ? " : data"
                                                       : "");
}

std::string describe(const BaseHook& hook) {
  static constexpr std::array<std::string_view, 5> kHooks = {"prerouting", "input", "forward", "output",
                                                             "postrouting"};
  return fmt::format("type {} hook {} priority {} policy {}", hook.type,
                     hook.hook < kHooks.size() ? std::string(kHooks[hook.hook]) : std::to_string(hook.hook),
                     hook.priority,
                     hook.policy == NF_DROP     ? "drop"
                     : hook.policy == NF_ACCEPT ? "accept"
                                                : std::to_string(hook.policy));
}

}  // namespace gatehouse::fwctl

#include "fwctl/netlink/image.h"

#include <fmt/format.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "core/bytes.h"
#include "fwctl/netlink/attributes.h"
#include "fwctl/netlink/decode.h"
#include "fwctl/netlink/elements.h"
#include "fwctl/netlink/encode.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

// "gatehouse image", a version, the generation, the number of messages, each with its length, a sum of all
// before it. Numbers are big-endian.
constexpr std::string_view kMagic = "gatehouse image\n";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMostMessages = 1U << 20U;
constexpr std::size_t kMostMessageBytes = 1U << 20U;

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xffU);
}
// FNV-1a.
std::uint64_t sum_of(std::string_view bytes) {
  std::uint64_t out = 0xcbf29ce484222325U;
  for (const char c : bytes) out = (out ^ static_cast<std::uint8_t>(c)) * 0x100000001b3U;
  return out;
}

core::Result<RulesetCopy> damaged(const std::string& how) {
  return fail(Errc::invalid_input, "the image is damaged: " + how);
}

// The messages that make objects, of a batch.
bool makes(unsigned type) {
  return type == NFT_MSG_NEWTABLE || type == NFT_MSG_NEWCHAIN || type == NFT_MSG_NEWRULE ||
         type == NFT_MSG_NEWSET || type == NFT_MSG_NEWSETELEM || type == NFT_MSG_NEWOBJ;
}

// Elements of one set may be spread over messages, and a range begin in one and end in the next: they are
// collected by the name of their set.
using Elements = std::map<std::string, std::vector<const nlmsghdr*>>;

core::Status add(const nlmsghdr* h, KernelTable& table, Elements& elements) {
  const unsigned type = h->nlmsg_type & 0xffU;
  const auto broken = [type] {
    return fail(Errc::invalid_input, fmt::format("the image holds a message of type {} without sense", type));
  };
  if (type == NFT_MSG_NEWTABLE) {
    TableHandle t(nftnl_table_alloc());
    if (!t || nftnl_table_nlmsg_parse(h, t.get()) < 0) return broken();
    const char* name = nftnl_table_get_str(t.get(), NFTNL_TABLE_NAME);
    if (name == nullptr || !table.name.empty()) return broken();
    table.name = name;
    if (nftnl_table_is_set(t.get(), NFTNL_TABLE_FLAGS))
      table.flags = nftnl_table_get_u32(t.get(), NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT;
  } else if (type == NFT_MSG_NEWSET) {
    std::optional<KernelSet> set = decode_set_message(h);
    if (!set) return broken();
    table.sets.push_back(std::move(*set));
  } else if (type == NFT_MSG_NEWSETELEM) {
    std::string name;
    each_attribute(h, [&](const nlattr* a) {
      if (mnl_attr_get_type(a) == NFTA_SET_ELEM_LIST_SET) name = text_of(a);
    });
    elements[name].push_back(h);
  } else if (type == NFT_MSG_NEWCHAIN) {
    ChainHandle c(nftnl_chain_alloc());
    if (!c || nftnl_chain_nlmsg_parse(h, c.get()) < 0) return broken();
    table.chains.push_back(decode_chain(c.get()));
  } else if (type == NFT_MSG_NEWRULE) {
    LocatedRule located = decode_rule_message(h);
    const auto at = std::find_if(table.chains.begin(), table.chains.end(),
                                 [&](const KernelChain& c) { return c.name == located.chain; });
    if (at == table.chains.end()) return broken();
    located.rule.handle = 0;
    at->rules.push_back(std::move(located.rule));
  }
  return {};
}

}  // namespace

core::Result<RulesetCopy> image_of(const Transaction& making) {
  RulesetCopy out;
  GH_TRY(const Batch batch, encode(making, 1, std::nullopt));
  int left = static_cast<int>(batch.bytes.size());
  const auto* h = reinterpret_cast<const nlmsghdr*>(batch.bytes.data());
  for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
    if (h->nlmsg_type >> 8U != NFNL_SUBSYS_NFTABLES || !makes(h->nlmsg_type & 0xffU)) continue;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(h);
    out.messages.emplace_back(bytes, bytes + h->nlmsg_len);
  }
  return out;
}

std::string to_bytes(const RulesetCopy& image) {
  std::string out(kMagic);
  put_u32(out, kVersion);
  put_u32(out, image.generation);
  put_u32(out, static_cast<std::uint32_t>(image.messages.size()));
  for (const auto& m : image.messages) {
    put_u32(out, static_cast<std::uint32_t>(m.size()));
    out.append(reinterpret_cast<const char*>(m.data()), m.size());
  }
  const std::uint64_t sum = sum_of(out);
  put_u32(out, static_cast<std::uint32_t>(sum >> 32U));
  put_u32(out, static_cast<std::uint32_t>(sum));
  return out;
}

core::Result<RulesetCopy> parse_image(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + 20 || !bytes.starts_with(kMagic))
    return damaged("it does not begin as one");
  core::ByteReader tail(core::as_bytes(bytes.substr(bytes.size() - 8)));
  if (tail.u64() != sum_of(bytes.substr(0, bytes.size() - 8))) return damaged("its sum is wrong");
  core::ByteReader reader(core::as_bytes(bytes.substr(kMagic.size(), bytes.size() - kMagic.size() - 8)));
  if (reader.u32() != kVersion) return damaged("it is of another version");
  RulesetCopy out;
  out.generation = reader.u32();
  const std::uint32_t count = reader.u32();
  if (count > kMostMessages) return damaged("too many messages");
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t length = reader.u32();
    if (length < sizeof(nlmsghdr) + sizeof(nfgenmsg) || length > kMostMessageBytes)
      return damaged("a message of an impossible length");
    const core::ByteView message = reader.bytes(length);
    if (!reader.ok()) return damaged("it ends early");
    out.messages.emplace_back(message.begin(), message.end());
    nlmsghdr h{};
    std::memcpy(&h, message.data(), sizeof h);
    if (h.nlmsg_len != length || h.nlmsg_type >> 8U != NFNL_SUBSYS_NFTABLES || !makes(h.nlmsg_type & 0xffU))
      return damaged("a message that makes nothing");
  }
  if (!reader.ok() || !reader.at_end()) return damaged("bytes are left over");
  return out;
}

core::Result<std::optional<KernelTable>> decode_image(const RulesetCopy& image) {
  if (image.messages.empty()) return std::optional<KernelTable>();
  KernelTable table;
  Elements elements;
  for (const auto& m : image.messages)
    GH_CHECK(add(reinterpret_cast<const nlmsghdr*>(m.data()), table, elements));
  if (table.name.empty()) return fail(Errc::invalid_input, "the image holds no table");
  for (KernelSet& s : table.sets) {
    const auto at = elements.find(s.name);
    if (at == elements.end()) continue;
    ElementReader reader(s);
    for (const nlmsghdr* h : at->second) {
      if (!reader.add(h)) return fail(Errc::invalid_input, "the image holds an element without sense");
    }
    reader.finish(s);
    elements.erase(at);
  }
  if (!elements.empty()) return fail(Errc::invalid_input, "the image holds elements of no set");
  return std::optional<KernelTable>(std::move(table));
}

}  // namespace gatehouse::fwctl

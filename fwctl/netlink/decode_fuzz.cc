// Contents as other programs may have put them into the kernel: userdata, keys, verdicts and
// registers of any value must decode to something printable. The netlink framing of rules comes from
// the kernel and is well formed; libnftnl ends the program on an attribute of the wrong type.
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdint>

#include "core/bytes.h"
#include "fwctl/compile/describe.h"
#include "fwctl/netlink/decode.h"
#include "fwctl/netlink/elements.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::fwctl;

core::ByteView some_of(core::ByteReader& reader, std::size_t most) {
  const std::size_t wanted = reader.u8() % (most + 1);
  return reader.bytes(std::min(wanted, reader.remaining()));
}

void rule(core::ByteReader& reader) {
  const RuleHandle r(nftnl_rule_alloc());
  const core::ByteView userdata = some_of(reader, 200);
  if (!userdata.empty()) {
    nftnl_rule_set_data(r.get(), NFTNL_RULE_USERDATA, userdata.data(),
                        static_cast<std::uint32_t>(userdata.size()));
  }
  while (reader.remaining() > 4) {
    // How many leading attributes are numbers; libnftnl keeps names as strings it expects whole.
    struct Kind {
      const char* name;
      std::uint8_t numbers;
    };
    static constexpr Kind kKinds[] = {{"meta", 2},      {"payload", 4}, {"ct", 3},     {"fib", 3},
                                      {"bitwise", 5},   {"cmp", 3},     {"lookup", 2}, {"limit", 5},
                                      {"immediate", 3}, {"nat", 4}};
    const Kind& kind = kKinds[reader.u8() % std::size(kKinds)];
    nftnl_expr* e = nftnl_expr_alloc(kind.name);
    const int attributes = reader.u8() % (kind.numbers + 1);
    for (std::uint16_t a = NFTNL_EXPR_BASE; a < NFTNL_EXPR_BASE + attributes; ++a) {
      const std::uint32_t value = reader.u8();
      nftnl_expr_set(e, a, &value, sizeof value);
    }
    nftnl_rule_add_expr(r.get(), e);
  }
  (void)describe(decode_rule(r.get()), KernelTable{});
}

// Here the attributes are whatever they are: they may come from an image on disk.
void elements(core::ByteReader& reader) {
  KernelSet out;
  out.key_type = reader.u32();
  out.key_length = reader.u8() % 65U;
  out.flags = reader.u8() % 2 == 0 ? NFT_SET_INTERVAL : 0;
  if (reader.u8() % 4 == 0) out.field_lengths = {4, 4};
  const KernelSet definition = out;
  ElementReader elements(definition);
  while (reader.ok() && !reader.at_end()) {
    const core::ByteView attributes = some_of(reader, 255);
    std::vector<std::uint8_t> message(NLMSG_ALIGN(NLMSG_HDRLEN + sizeof(nfgenmsg) + attributes.size() + 8));
    nlmsghdr* h = mnl_nlmsg_put_header(message.data());
    mnl_nlmsg_put_extra_header(h, sizeof(nfgenmsg));
    mnl_attr_put(h, NFTA_SET_ELEM_LIST_ELEMENTS, attributes.size(), attributes.data());
    if (!elements.add(h)) break;
  }
  elements.finish(out);
  for (const KernelElement& e : out.elements) (void)describe(e, out);
  (void)out.count();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  core::ByteReader reader(core::ByteView(data, size));
  if (reader.u8() % 2 == 0) {
    rule(reader);
  } else {
    elements(reader);
  }
  return 0;
}

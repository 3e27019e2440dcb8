#include <linux/netfilter/nf_tables.h>

#include "fwctl/compile/compile.h"

namespace gatehouse::fwctl {

Expression load_field(Field field, Slot to, std::uint32_t level) {
  switch (field) {
    case Field::iifname:
      return LoadMeta{NFT_META_IIFNAME, to};
    case Field::oifname:
      return LoadMeta{NFT_META_OIFNAME, to};
    case Field::l4proto:
      return LoadMeta{NFT_META_L4PROTO, to};
    case Field::ip_saddr:
      return LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, to};
    case Field::ip_daddr:
      return LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, to};
    case Field::ip6_saddr:
      return LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 8, 16, to};
    case Field::ip6_daddr:
      return LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 24, 16, to};
    case Field::ip6_hoplimit:
      return LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 7, 1, to};
    case Field::sport:
      return LoadPayload{NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, to};
    case Field::dport:
      return LoadPayload{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, to};
    case Field::skuid:
      return LoadMeta{NFT_META_SKUID, to};
    case Field::control_group:
      return LoadSocket{NFT_SOCKET_CGROUPV2, level, to};
    case Field::icmp_type:
    case Field::icmpv6_type:
      break;
  }
  return LoadPayload{NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, to};
}

}  // namespace gatehouse::fwctl

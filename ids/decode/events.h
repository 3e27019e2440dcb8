// The vocabulary of decode events: what is odd about a packet's headers, under the names the field
// uses (`decode-event:ipv4.trunc_pkt`, EVE anomaly events).
#pragma once

#include <optional>
#include <string_view>

#include "ids/decode/packet.h"

// One row per event: layer, name. The rule-language name is "layer.name".
#define GATEHOUSE_DECODE_EVENTS(X)                                                             \
  X(ipv4, pkt_too_small) X(ipv4, hlen_too_small) X(ipv4, iplen_smaller_than_hlen)              \
  X(ipv4, trunc_pkt) X(ipv4, opt_invalid) X(ipv4, opt_invalid_len) X(ipv4, opt_malformed)      \
  X(ipv4, opt_pad_required) X(ipv4, opt_eol_required) X(ipv4, opt_duplicate)                   \
  X(ipv4, opt_unknown) X(ipv4, wrong_ip_version) X(ipv4, icmpv6) X(ipv4, frag_pkt_too_large)   \
  X(ipv4, frag_overlap) X(ipv4, frag_ignored)                                                  \
  X(icmpv4, pkt_too_small) X(icmpv4, unknown_type) X(icmpv4, unknown_code)                     \
  X(icmpv4, ipv4_trunc_pkt) X(icmpv4, ipv4_unknown_ver)                                        \
  X(icmpv6, pkt_too_small) X(icmpv6, unknown_type) X(icmpv6, unknown_code)                     \
  X(icmpv6, ipv6_trunc_pkt) X(icmpv6, ipv6_unknown_version)                                    \
  X(icmpv6, mld_message_with_invalid_hl) X(icmpv6, unassigned_type)                            \
  X(icmpv6, experimentation_type)                                                              \
  X(ipv6, pkt_too_small) X(ipv6, trunc_pkt) X(ipv6, trunc_exthdr) X(ipv6, exthdr_dupl_fh)      \
  X(ipv6, exthdr_useless_fh) X(ipv6, exthdr_dupl_rh) X(ipv6, exthdr_dupl_hh)                   \
  X(ipv6, exthdr_dupl_dh) X(ipv6, exthdr_dupl_ah) X(ipv6, exthdr_dupl_eh)                      \
  X(ipv6, exthdr_invalid_optlen) X(ipv6, wrong_ip_version) X(ipv6, exthdr_ah_res_not_null)     \
  X(ipv6, hopopts_unknown_opt) X(ipv6, hopopts_only_padding) X(ipv6, dstopts_unknown_opt)      \
  X(ipv6, dstopts_only_padding) X(ipv6, rh_type_0) X(ipv6, zero_len_padn)                      \
  X(ipv6, fh_non_zero_reserved_field) X(ipv6, data_after_none_header)                          \
  X(ipv6, unknown_next_header) X(ipv6, icmpv4) X(ipv6, frag_pkt_too_large)                     \
  X(ipv6, frag_overlap) X(ipv6, frag_invalid_length) X(ipv6, frag_ignored)                     \
  X(ipv6, ipv4_in_ipv6_too_small) X(ipv6, ipv4_in_ipv6_wrong_version)                          \
  X(ipv6, ipv6_in_ipv6_too_small) X(ipv6, ipv6_in_ipv6_wrong_version)                          \
  X(tcp, pkt_too_small) X(tcp, hlen_too_small) X(tcp, invalid_optlen) X(tcp, opt_invalid_len)  \
  X(tcp, opt_duplicate)                                                                        \
  X(udp, pkt_too_small) X(udp, hlen_too_small) X(udp, hlen_invalid) X(udp, len_invalid)        \
  X(sctp, pkt_too_small) X(esp, pkt_too_small)                                                 \
  X(ethernet, pkt_too_small) X(ethernet, unknown_ethertype)                                    \
  X(sll, pkt_too_small) X(sll2, pkt_too_small)                                                 \
  X(ppp, pkt_too_small) X(ppp, vju_pkt_too_small) X(ppp, ip4_pkt_too_small)                    \
  X(ppp, ip6_pkt_too_small) X(ppp, wrong_type) X(ppp, unsup_proto)                             \
  X(pppoe, pkt_too_small) X(pppoe, wrong_code) X(pppoe, malformed_tags)                        \
  X(gre, pkt_too_small) X(gre, wrong_version) X(gre, version0_recur) X(gre, version0_flags)    \
  X(gre, version0_hdr_too_big) X(gre, version0_malformed_sre_hdr) X(gre, version1_chksum)      \
  X(gre, version1_route) X(gre, version1_ssr) X(gre, version1_recur) X(gre, version1_flags)    \
  X(gre, version1_no_key) X(gre, version1_wrong_protocol) X(gre, version1_malformed_sre_hdr)   \
  X(gre, version1_hdr_too_big)                                                                 \
  X(vlan, header_too_small) X(vlan, unknown_type) X(vlan, too_many_layers)                     \
  X(ieee8021ah, header_too_small) X(vntag, header_too_small) X(vntag, unknown_type)            \
  X(ipraw, invalid_ip_version) X(ltnull, pkt_too_small) X(ltnull, unsupported_type)            \
  X(mpls, header_too_small) X(mpls, pkt_too_small) X(mpls, bad_label_router_alert)             \
  X(mpls, bad_label_implicit_null) X(mpls, bad_label_reserved) X(mpls, unknown_payload_type)   \
  X(vxlan, unknown_payload_type) X(geneve, unknown_payload_type)                               \
  X(erspan, header_too_small) X(erspan, unsupported_version) X(erspan, too_many_vlan_layers)   \
  X(dce, pkt_too_small) X(chdlc, pkt_too_small)                                                \
  X(nsh, header_too_small) X(nsh, unsupported_version) X(nsh, bad_header_length)               \
  X(nsh, reserved_type) X(nsh, unsupported_type) X(nsh, unknown_payload)                       \
  X(arp, pkt_too_small) X(arp, unsupported_hardware) X(arp, unsupported_protocol)              \
  X(arp, invalid_pkt) X(arp, invalid_hardware_size) X(arp, invalid_protocol_size)              \
  X(arp, unsupported_opcode)                                                                   \
  X(tunnel, too_many_layers)

namespace gatehouse::ids {

namespace decode_event {
#define GATEHOUSE_ENUMERATOR(layer, name) layer##_##name,
enum Id : DecodeEvent { GATEHOUSE_DECODE_EVENTS(GATEHOUSE_ENUMERATOR) kCount };
#undef GATEHOUSE_ENUMERATOR
}  // namespace decode_event

// "ipv4.trunc_pkt"; `event` must be below decode_event::kCount.
std::string_view decode_event_name(DecodeEvent event);
// By rule-language name; none when there is no such event.
std::optional<DecodeEvent> find_decode_event(std::string_view name);

}  // namespace gatehouse::ids

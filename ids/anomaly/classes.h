// Every attack a detector can name: signature id, words, and what it means to a SOC. The generator id is 900
// (gid 1 is that of rules). Numbers are never used again for something else.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace gatehouse::ids::anomaly {

inline constexpr std::uint32_t kDetectionGid = 900;
inline constexpr std::uint32_t kBanSid = 70;  // what a response policy decided; no class of its own

enum class Verdict : std::uint8_t {
  scan_vertical,
  scan_horizontal,
  scan_block,
  scan_slow,
  scan_distributed,
  scan_fin,
  scan_null,
  scan_xmas,
  scan_ack,
  scan_connect,
  scan_udp,
  scan_sweep,
  scan_ipproto,
  scan_version,
  scan_decoy,
  syn_flood,
  udp_flood,
  icmp_flood,
  ack_flood,
  rst_flood,
  fragment_flood,
  carpet,
  dns_amplification,
  ntp_amplification,
  ssdp_amplification,
  memcached_amplification,
  amplification,
  http_flood,
  dns_flood,
  slowloris,
  slow_post,
  slow_read,
  connection_exhaustion,
  http2_reset,
  http2_continuation,
  tls_handshakes,
  tls_renegotiation,
  amplification_out,
  ssh_guessing,
  http_guessing,
  smtp_guessing,
  dead_server,
  lost_uplink,
  count_,
};

struct AttackClass {
  std::uint32_t sid = 0;
  std::string_view klass;      // detection.class
  std::string_view signature;  // alert.signature
  std::string_view technique;  // MITRE ATT&CK
  std::uint8_t severity = 2;   // 1 is worst
  bool spoofable = true;       // anybody could have sent it in the name of the source
};

const AttackClass& attack_class(Verdict verdict);
std::span<const AttackClass> attack_classes();
std::string_view attack_category(const AttackClass& attack);
// The classtype that a classification.config may give another text and priority: "detected-scan" ...
std::string_view attack_classtype(const AttackClass& attack);
inline bool is_scan(Verdict verdict) {
  return verdict <= Verdict::scan_decoy;
}
inline bool is_flood(Verdict verdict) {
  return verdict >= Verdict::syn_flood && verdict < Verdict::ssh_guessing;
}

}  // namespace gatehouse::ids::anomaly

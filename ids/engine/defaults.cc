// The built-in configuration, read through the same table as any other.
#include "ids/engine/setting_keys.h"

namespace gatehouse::ids::engine {

const std::string_view kDefaultSettings = R"(
settings:
  vars:
    address-groups:
      HOME_NET: "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12,fd00::/8]"
      EXTERNAL_NET: "!$HOME_NET"
      HTTP_SERVERS: $HOME_NET
      SMTP_SERVERS: $HOME_NET
      SQL_SERVERS: $HOME_NET
      DNS_SERVERS: $HOME_NET
      TELNET_SERVERS: $HOME_NET
      AIM_SERVERS: $EXTERNAL_NET
      DC_SERVERS: $HOME_NET
      DNP3_SERVER: $HOME_NET
      DNP3_CLIENT: $HOME_NET
      MODBUS_CLIENT: $HOME_NET
      MODBUS_SERVER: $HOME_NET
      ENIP_CLIENT: $HOME_NET
      ENIP_SERVER: $HOME_NET
    port-groups:
      HTTP_PORTS: 80
      SHELLCODE_PORTS: "!80"
      ORACLE_PORTS: 1521
      SSH_PORTS: 22
      DNP3_PORTS: 20000
      MODBUS_PORTS: 502
      FILE_DATA_PORTS: "[$HTTP_PORTS,110,143]"
      FTP_PORTS: 21
      GENEVE_PORTS: 6081
      VXLAN_PORTS: 4789
      TEREDO_PORTS: 3544
      SIP_PORTS: "[5060, 5061]"
  capture.checksum: auto
  packet-alert-max: 15
  action-order: [pass, drop, reject, alert]
  pcre.match-limit: 3500
  pcre.match-limit-recursion: 1500
  flow:
    memcap: 128 MiB
  flow-timeouts:
    default: {new: 30, established: 300, closed: 0}
    tcp: {new: 60, established: 600, closed: 60}
    udp: {new: 30, established: 300}
    icmp: {new: 30, established: 300}
  stream:
    midstream: no
    async-oneside: no
    checksum-validation: yes
    memcap: 64 MiB
    reassembly:
      depth: 1 MiB
      memcap: 256 MiB
  defrag: {timeout: 60, memcap: 32 MiB}
  host-os-policy.windows: [default]
  vlan.use-for-tracking: yes
  decoder:
    teredo: {enabled: yes, ports: $TEREDO_PORTS}
    vxlan: {enabled: yes, ports: $VXLAN_PORTS}
    geneve: {enabled: yes, ports: $GENEVE_PORTS}
    recursion-level.use-for-tracking: yes
  app-layer.protocols:
    http:
      enabled: yes
      libhtp.default-config: {request-body-limit: 100 KiB, response-body-limit: 100 KiB}
    tls.enabled: yes
    dns.enabled: yes
    ftp.enabled: yes
  anomaly:
    memory: 64 MiB
    scan: {enabled: yes, ports: 8, hosts: 12, window: 60s}
    flood: {enabled: yes, syn-per-second: 80, packets-per-second: 200}
eve:
  community-id: yes
  community-id-seed: 0
  types:
    alert: {}
    anomaly: {}
    flow: {}
    http: {extended: yes}
    dns: {version: 3}
    tls: {extended: yes}
    ftp: {}
    files: {}
    stats: {totals: yes, interval: 8s}
)";

}  // namespace gatehouse::ids::engine

// The site policy as typed values: what `site.yaml` says after loading and cross-checking.
// Every tool compiles from this and from nothing else. Plain copyable data, immutable after load;
// every entity keeps its position so that a tool's output can name the policy line behind it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip.h"
#include "core/result.h"

namespace gatehouse::site {

using core::IpAddress;
using core::IpPrefix;
using core::SourcePos;

// The name under which a policy speaks of the firewall machine itself.
inline constexpr std::string_view kGatehouse = "gatehouse";

struct Host {
  std::string name;
  std::vector<IpAddress> addresses;  // at least one; both versions where the host has both
  SourcePos where;
};

// One side of the gatehouse: everything behind one interface.
struct Zone {
  std::string name;
  std::string interface;           // kernel name, at most 15 bytes
  bool untrusted = false;          // `networks: any`: every address no other zone owns
  std::vector<IpPrefix> networks;  // empty exactly when untrusted; never overlaps another zone's
  std::vector<Host> hosts;         // each address lies in `networks`
  SourcePos where;

  const Host* find_host(std::string_view host_name) const;
};

enum class Transport : std::uint8_t { tcp, udp };
std::string_view to_string(Transport transport);

struct PortRange {
  Transport transport = Transport::tcp;
  std::uint16_t first = 0;  // never 0
  std::uint16_t last = 0;   // inclusive
  SourcePos where;

  std::string to_string() const;  // "tcp/80", "udp/1000-2000"
  bool covers(Transport t, std::uint16_t port) const {
    return t == transport && port >= first && port <= last;
  }
};

// One end of a permitted flow: a zone, a host in it, or the gatehouse itself.
struct Endpoint {
  std::string zone;  // or kGatehouse
  std::string host;  // empty: the whole zone
  SourcePos where;

  bool is_gatehouse() const { return zone == kGatehouse; }
  std::string to_string() const { return host.empty() ? zone : zone + "/" + host; }
};

// So many in a time, and as many more at once after a pause.
struct Rate {
  std::uint32_t count = 0;  // 0: unlimited
  std::uint32_t unit_s = 1;
  std::uint32_t burst = 0;
};

// How many connections may be opened, and be open. What a limit of 0 says is nothing.
struct ConnectionLimit {
  Rate opened;                                  // by all sources together
  Rate opened_by_source;                        // by each source
  std::uint32_t open = 0;                       // at once, from all sources
  std::uint32_t open_by_source = 0;             // at once, from each
  std::uint8_t source_v4 = 32, source_v6 = 64;  // prefix lengths: addresses that are one source
  SourcePos where;

  bool by_source() const { return opened_by_source.count != 0 || open_by_source != 0; }
};

// The gatehouse completes the handshake of a TCP connection from outside before the host hears of it. What it
// says in the host's place must be what the host would say.
struct SynProxy {
  std::uint16_t mss = 1460;  // over IPv4; over IPv6 20 less, which is what its header is longer
  std::uint8_t window_scale = 7;
  bool timestamps = true;
  bool sack = true;
  SourcePos where;

  std::uint16_t mss_of(std::uint8_t version) const {
    return static_cast<std::uint16_t>(version == 4 ? mss : mss - 20);
  }
};

// A program that serves ports on one host.
struct Service {
  std::string name;
  Endpoint host;     // zone/host, or gatehouse
  std::string exec;  // absolute path
  std::string user;
  std::vector<PortRange> ports;      // what it binds; may be empty
  std::vector<Endpoint> exposed_to;  // who may connect to `ports`
  std::optional<ConnectionLimit> limit;
  std::optional<SynProxy> syn_proxy;  // for connections from the untrusted zone
  std::string domain;                 // MAC domain it runs in
  std::string seccomp;                // seccomp profile name; empty: none
  bool ssh = false;                   // this is remote administration: only the admin host may reach it
  SourcePos where;
};

// A control group (cgroup v2). What the kernel compares is its number, which belongs to one group: one that
// is removed and made again has another.
struct ControlGroup {
  std::string path;      // from the root of the hierarchy, without a `/` before it
  std::uint64_t id = 0;  // when the policy was read; 0: there was none
  // How far below the root it is, from 1 on.
  std::uint32_t level() const {
    return static_cast<std::uint32_t>(1 + std::count(path.begin(), path.end(), '/'));
  }
};

// A permitted flow that is not a connection to a service: egress, or the gatehouse's own.
struct Flow {
  Endpoint from;
  Endpoint to;
  std::vector<PortRange> ports;
  std::string comment;
  SourcePos where;
  // Only what programs of this user send; from the gatehouse only.
  std::optional<std::uint32_t> user = std::nullopt;
  // Only what programs in this group, or in one below it, send; from the gatehouse only.
  std::optional<ControlGroup> group = std::nullopt;
};

// Sources that the gatehouse hides behind its own address, IPv4.
struct Masquerade {
  Endpoint from;  // zone or zone/host, never the untrusted one
  Endpoint to;    // the zone by which they leave
  SourcePos where;
};

// A port of the gatehouse that leads to a service of a host.
struct PortForward {
  Endpoint from;              // the zone that may use it
  IpAddress address;          // the gatehouse's, as the client names it
  PortRange port;             // as the client names it
  Endpoint to;                // zone/host
  std::uint16_t to_port = 0;  // the first of as many; the same as `port` unless it is one port
  SourcePos where;

  std::uint16_t last_to_port() const {
    return static_cast<std::uint16_t>(to_port + (port.last - port.first));
  }
};

struct Nat {
  std::vector<Masquerade> masquerades;
  std::vector<PortForward> forwards;
};

// A sentence about reachability that must be true of the ruleset in force.
struct Assertion {
  Endpoint from;
  Endpoint to;
  bool can = false;              // "can reach TO on PORTS"; else "cannot reach TO except PORTS"
  std::vector<PortRange> ports;  // what can be reached, or the exceptions
  bool ping = false;             // echo requests too
  std::string text;              // as written
  SourcePos where;
};

// What the guard of the firewall does on its own.
struct Guard {
  bool repair = true;          // what somebody changed is made right again; else it is only told
  bool remove_tables = false;  // tables that appear while it runs are removed; else they are only told
  std::string ban_group;       // may ask for bans, besides root
  std::uint32_t most_bans = 65'536;
};

// All addresses from `first` to `last`, of one version.
struct AddressRange {
  IpAddress first, last;
};

// A file that lists sources to refuse from outside.
struct Blocklist {
  std::string path;  // as given; resolved against the site file's directory
  SourcePos where;
};

struct Firewall {
  std::vector<Blocklist> blocklists;
  std::vector<AddressRange> blocked;  // what they list: disjoint, not adjacent, IPv4 first, ascending
  Guard guard;
  // Addresses outside: all that RFC 6890's registry calls not globally reachable are refused, or only those
  // that can be nobody's.
  bool registry_bogons = false;
  std::vector<Endpoint> ping_from;      // who may send echo requests, through or to the gatehouse
  std::uint16_t log_group = 7;          // NFLOG group of logged drops
  std::uint32_t log_per_second = 50;    // at most this many logged drops a second
  std::uint32_t syn_per_second = 2000;  // new TCP connections a second per exposed service; 0: unlimited
  std::uint32_t syn_burst = 500;
  std::optional<ConnectionLimit> limit;       // of all services together, but those of administration
  std::uint32_t sources_remembered = 65'536;  // by each limit of single sources
};

// Remote administration: the one host and the services it reaches.
struct Administration {
  Endpoint host;                      // zone/host
  std::string certificate_authority;  // path of the user CA's public key
  SourcePos where;
};

struct Group {
  std::string name;
  std::vector<std::string> people;  // login names
  SourcePos where;
};

// What a group of people may be. The role's name is the principal in its members' certificates.
struct Role {
  std::string name;
  std::string group;
  std::string domain;                 // MAC domain of the session
  std::string account;                // unix account the role logs in to
  std::vector<std::string> may_read;  // MAC objects
  SourcePos where;
};

// --- mandatory access control -----------------------------------------------------------------

// A named set of resources.
struct MacObject {
  std::string name;
  // Absolute patterns: literal path, trailing `/*` (entries of the directory) or `/**` (the
  // whole subtree). No other wildcard.
  std::vector<std::string> paths;
  std::vector<PortRange> ports;  // network ports to bind or connect to
  bool customer_data = false;    // reading it needs a role with a group
  SourcePos where;
};

enum class MacPermission : std::uint8_t { read, write, append, create, remove, execute, list, bind, connect };
std::string_view to_string(MacPermission permission);
std::optional<MacPermission> parse_mac_permission(std::string_view word);
inline constexpr std::size_t kMacPermissions = 9;

struct MacGrant {
  std::vector<MacPermission> permissions;
  std::vector<std::string> objects;
  SourcePos where;
};

struct MacTransition {
  std::string exec;    // absolute path of the program
  std::string domain;  // the domain it enters
  SourcePos where;
};

struct MacDomain {
  std::string name;
  std::string exec;  // entry program; may be empty for session domains
  std::vector<MacGrant> grants;
  std::vector<MacTransition> transitions;
  bool may_signal_outside = false;
  SourcePos where;
};

// A statement that must hold over all grants: no domain outside `except` may have `permission` on `object`.
struct MacNever {
  std::vector<MacPermission> permissions;
  std::string object;
  std::vector<std::string> except;  // domains
  SourcePos where;
};

struct Mac {
  std::vector<MacObject> objects;
  std::vector<MacDomain> domains;
  std::vector<MacNever> nevers;
  std::vector<std::string> accept_gaps;  // residuals the policy accepts, by their code
};

// --- detection, SOC, hardening ------------------------------------------------------------------

struct ScanThresholds {
  std::uint32_t ports = 8;   // distinct refused or unanswered ports of one host: vertical
  std::uint32_t hosts = 12;  // distinct hosts on one port: horizontal
  std::uint64_t window_us = 60'000'000;
};
struct FloodThresholds {
  std::uint32_t syn_per_second = 80;  // uncompleted handshakes at one victim
};

// A word of the policy and where it stands.
struct PlacedWord {
  std::string text;
  SourcePos where;
};

// Who is meant: addresses, zones, hosts of zones.
struct Party {
  std::vector<IpPrefix> networks;  // after load those of `endpoints` as well
  std::vector<Endpoint> endpoints;
  bool empty() const { return networks.empty() && endpoints.empty(); }
};

// How soon what is done to the hosts of a zone is called an attack.
enum class Sensitivity : std::uint8_t { low, normal, high, off };
std::string_view to_string(Sensitivity sensitivity);
struct ZoneSensitivity {
  std::string zone;
  Sensitivity level = Sensitivity::normal;
  SourcePos where;
};

// Detections that are expected, until some day.
struct DetectionException {
  Party source, target;             // empty: any; not both
  std::vector<PlacedWord> classes;  // "scan.*", checked by ids itself
  std::int64_t until_us = 0;        // its last moment
  std::string until;                // as written
  SourcePos until_where;
  std::string reason;
  SourcePos where;
};

// What detections ask the firewall for.
struct DetectionResponse {
  bool enforce = false;  // else it is only told what would be asked
  std::vector<PlacedWord> classes;
  double confidence = 0.8;             // at least
  std::uint64_t ban_us = 600'000'000;  // the first time
  std::uint32_t escalation = 4;        // each further time so much longer
  std::uint64_t longest_us = 86'400'000'000;
  Party never;  // besides trusted zones and the administration host
  std::string socket = "/run/gatehouse/guard.sock";
  SourcePos where;
};

struct Detection {
  std::vector<IpPrefix> home_networks;  // default: the networks of all trusted zones
  std::vector<std::string> interfaces;  // zones whose interface is watched, by zone name
  std::vector<std::string> rule_files;  // as given; resolved against the site file's directory
  ScanThresholds scan;
  FloodThresholds flood;
  std::vector<ZoneSensitivity> sensitivity;
  std::vector<DetectionException> exceptions;
  std::optional<DetectionResponse> response;
  // Engine settings with dotted keys ("stream.reassembly.depth"), checked by ids itself.
  std::map<std::string, std::pair<std::string, SourcePos>> engine;
  SourcePos where;
};

enum class ReceiverKind : std::uint8_t { file, syslog_tls };

struct Receiver {
  std::string name;
  ReceiverKind kind = ReceiverKind::file;
  std::string path;  // file
  Endpoint host;     // syslog-tls: zone/host
  std::uint16_t port = 6514;
  std::string server_name;           // name the receiver's certificate must carry
  std::string ca, certificate, key;  // paths
  std::size_t max_frame_bytes = 8096;
  SourcePos where;
};

struct Soc {
  std::string spool = "/var/spool/gatehouse";
  std::uint64_t spool_cap_bytes = 1U << 30U;
  std::vector<Receiver> receivers;
};

struct Hardening {
  bool sshd = true;             // write an sshd configuration: certificates only
  bool sandbox_daemons = true;  // ids, socfwd restrict themselves after start-up
  std::vector<std::string> kernel_needs;
};

struct Site {
  std::string name;
  std::string file;  // path it was loaded from, for relative names
  std::vector<Zone> zones;
  std::vector<Service> services;
  std::vector<Flow> flows;
  Nat nat;
  std::vector<Assertion> assertions;
  Firewall firewall;
  std::optional<Administration> administration;
  std::vector<Group> groups;
  std::vector<Role> roles;
  Mac mac;
  Detection detection;
  Soc soc;
  Hardening hardening;

  const Zone* find_zone(std::string_view zone_name) const;
  const Service* find_service(std::string_view service_name) const;
  const MacObject* find_object(std::string_view object_name) const;
  const MacDomain* find_domain(std::string_view domain_name) const;
  const Group* find_group(std::string_view group_name) const;
  const Role* find_role(std::string_view role_name) const;
  // Where a forward leads: the host's address of the same version, and the service that binds the ports.
  std::optional<IpAddress> target_of(const PortForward& forward) const;
  const Service* service_behind(const PortForward& forward) const;
  // The addresses an endpoint stands for; empty for the untrusted zone ("any") and the gatehouse.
  std::vector<IpPrefix> networks_of(const Endpoint& endpoint) const;
};

}  // namespace gatehouse::site

#include "tests/netns/fwctl_probes.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace gatehouse::test {
namespace {

using core::IpAddress;
using core::UniqueFd;

constexpr std::int64_t kQuietUs = 150'000;     // long enough for a packet that must not come to come
constexpr std::int64_t kPatienceUs = 600'000;  // for one that must come

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  SocketAddress(const std::string& text, std::uint16_t port) {
    const IpAddress a = *IpAddress::parse(text);
    if (a.is_v4()) {
      auto* in = reinterpret_cast<sockaddr_in*>(&storage);
      in->sin_family = AF_INET;
      in->sin_port = htons(port);
      std::memcpy(&in->sin_addr, a.bytes.data(), 4);
      length = sizeof *in;
    } else {
      auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
      in->sin6_family = AF_INET6;
      in->sin6_port = htons(port);
      std::memcpy(&in->sin6_addr, a.bytes.data(), 16);
      length = sizeof *in;
    }
  }
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// A socket of `type` bound to `source` (empty: any) and connecting to `to`, made inside `where`.
UniqueFd connecting(const Namespace& where, int type, const std::string& source, const std::string& to,
                    std::uint16_t port) {
  UniqueFd fd;
  where.enter([&] {
    const SocketAddress target(to, port);
    fd.reset(socket(target.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    if (target.family() == AF_INET) {
      setsockopt(fd.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    } else {
      setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
    }
    if (!source.empty()) {
      const SocketAddress local(source, 0);
      (void)bind(fd.get(), local.get(), local.length);
    }
    (void)connect(fd.get(), target.get(), target.length);
  });
  return fd;
}

bool connected(int fd) {
  pollfd p{fd, POLLOUT, 0};
  if (poll(&p, 1, 0) != 1 || (p.revents & (POLLERR | POLLHUP)) != 0) return false;
  tcp_info info{};
  socklen_t length = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_ESTABLISHED;
}

UniqueFd serving(const Namespace& where, int type, std::uint16_t port) {
  UniqueFd fd;
  where.enter([&] {
    fd.reset(socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    const int off = 0;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    const SocketAddress any("::", port);
    if (bind(fd.get(), any.get(), any.length) != 0) std::abort();
    if (type == SOCK_STREAM && listen(fd.get(), 256) != 0) std::abort();
  });
  return fd;
}

}  // namespace

struct Matrix::Net {
  std::vector<UniqueFd> listeners, echoes;
  Watcher at_servers, at_outside, at_admin, at_soc, in_gatehouse;
  FrameSender from_outside, from_servers, from_admin;
  IpSender from_gatehouse;
  Mac wan, srv, adm, servers_mac, admin_mac;
  std::uint16_t marker = 40'000;

  explicit Net(const Topology& t)
      : at_servers(Watcher::on_wire(t.servers)),
        at_outside(Watcher::on_wire(t.outside)),
        at_admin(Watcher::on_wire(t.admin)),
        at_soc(Watcher::on_wire(t.soc)),
        in_gatehouse(Watcher::after_input(t.gatehouse)),
        from_outside(t.outside, "eth0"),
        from_servers(t.servers, "eth0"),
        from_admin(t.admin, "eth0"),
        from_gatehouse(t.gatehouse),
        wan(mac_of(t.gatehouse, "wan0")),
        srv(mac_of(t.gatehouse, "srv0")),
        adm(mac_of(t.gatehouse, "adm0")),
        servers_mac(mac_of(t.servers, "eth0")),
        admin_mac(mac_of(t.admin, "eth0")) {}

  // A source port nobody has used: connection tracking must not know it from an earlier round.
  std::uint16_t fresh_marker() {
    if (++marker >= 50'000) marker = 40'000;
    return marker;
  }
};

Matrix::Matrix(const Topology& topology) : t_(topology), net_(std::make_unique<Net>(topology)) {
  for (const std::uint16_t p : {21,  22,   23,   25,   53,   80,   110,  139,  143,  443,  445,   465,  587,
                                993, 2222, 3306, 5432, 6379, 8080, 8443, 9000, 9005, 9200, 11211, 27017}) {
    net_->listeners.push_back(serving(t_.servers, SOCK_STREAM, p));
  }
  for (const std::uint16_t p : {22, 80, 2222})
    net_->listeners.push_back(serving(t_.gatehouse, SOCK_STREAM, p));
  for (const std::uint16_t p : {22, 6514, 7000}) net_->listeners.push_back(serving(t_.soc, SOCK_STREAM, p));
  for (const std::uint16_t p : {80, 443}) net_->listeners.push_back(serving(t_.outside, SOCK_STREAM, p));
  net_->listeners.push_back(serving(t_.admin, SOCK_STREAM, 22));
  net_->echoes.push_back(serving(t_.outside, SOCK_DGRAM, 53));
  net_->echoes.push_back(serving(t_.gatehouse, SOCK_DGRAM, 53));
  add_connections();
  add_exchanges();
  add_pings();
  add_injections();
  add_neighbours();
}

Matrix::~Matrix() = default;

void Matrix::tcp(const Namespace& from, const std::string& source, const std::string& to, std::uint16_t port,
                 bool expected) {
  auto fd = std::make_shared<UniqueFd>();
  probes_.push_back({fmt::format("tcp {} -> {} {}", source, to, port), expected,
                     [=, &from] { *fd = connecting(from, SOCK_STREAM, source, to, port); },
                     [=] { return connected(fd->get()); }});
}

// Outcomes: "echo" (an answer comes), "refused" (an ICMP error comes), "expired" (after an echo, a
// datagram that dies at the gatehouse is reported to its sender).
void Matrix::udp(const Namespace& from, const std::string& to, std::uint16_t port,
                 const std::string& outcome) {
  struct State {
    UniqueFd fd;
    bool echoed = false;
    bool done = false;
  };
  auto state = std::make_shared<State>();
  probes_.push_back({fmt::format("udp -> {} {} {}", to, port, outcome), true,
                     [=, &from] {
                       *state = State{connecting(from, SOCK_DGRAM, "", to, port), false, false};
                       (void)send(state->fd.get(), "ask", 3, 0);
                     },
                     [=] {
                       if (state->done) return true;
                       char buffer[64];
                       const ssize_t got = recv(state->fd.get(), buffer, sizeof buffer, 0);
                       const int error = got < 0 ? errno : 0;
                       if (outcome == "echo") state->done = got > 0;
                       if (outcome == "refused") state->done = error == ECONNREFUSED;
                       if (outcome == "expired" && got > 0 && !state->echoed) {
                         state->echoed = true;
                         const int one = 1;
                         const bool v4 = to.find(':') == std::string::npos;
                         setsockopt(state->fd.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6,
                                    v4 ? IP_TTL : IPV6_UNICAST_HOPS, &one, sizeof one);
                         (void)send(state->fd.get(), "die", 3, 0);
                       }
                       if (outcome == "expired" && state->echoed) state->done = error == EHOSTUNREACH;
                       return state->done;
                     }});
}

void Matrix::ping(const Namespace& from, const std::string& source, const std::string& to, bool expected) {
  struct State {
    UniqueFd fd;
    std::uint16_t id = 0;
    bool done = false;
  };
  auto state = std::make_shared<State>();
  const bool v4 = to.find(':') == std::string::npos;
  probes_.push_back(
      {fmt::format("ping {} -> {}", source, to), expected,
       [=, this, &from] {
         *state = State{UniqueFd(), net_->fresh_marker(), false};
         from.enter([&] {
           state->fd.reset(socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                  v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6)));
           const SocketAddress local(source, 0);
           (void)bind(state->fd.get(), local.get(), local.length);
           PacketBytes echo = {
               static_cast<std::uint8_t>(v4 ? 8 : 128), 0, 0, 0, static_cast<std::uint8_t>(state->id >> 8U),
               static_cast<std::uint8_t>(state->id),    0, 1};
           const unsigned sum = 0xffffU - ((0x0800U + state->id + 1U) % 0xffffU);
           if (v4) echo[2] = static_cast<std::uint8_t>(sum >> 8U), echo[3] = static_cast<std::uint8_t>(sum);
           const SocketAddress target(to, 0);
           (void)sendto(state->fd.get(), echo.data(), echo.size(), 0, target.get(), target.length);
         });
       },
       [=] {
         std::array<std::uint8_t, 256> buffer{};
         ssize_t got = 0;
         while ((got = recv(state->fd.get(), buffer.data(), buffer.size(), 0)) > 0) {
           core::ByteReader r(core::ByteView(buffer.data(), static_cast<std::size_t>(got)));
           if (v4) r.skip(20);
           const std::uint8_t type = r.u8();
           r.skip(3);
           state->done |= type == (v4 ? 0 : 129) && r.u16() == state->id && r.ok();
         }
         return state->done;
       }});
}

void Matrix::add_connections() {
  struct Row {
    const Namespace& from;
    const char* source4;
    const char* source6;
    const char* to4;
    const char* to6;
    std::uint16_t port;
    bool open;
  };
  const char* const o4 = "198.51.100.2";
  const char* const o6 = "2001:db8:ff::2";
  const char* const f4 = "10.66.1.10";
  const char* const f6 = "fd66:1::10";
  const char* const b4 = "10.66.2.10";
  const char* const b6 = "fd66:2::10";
  const char* const other4 = "10.66.2.77";
  const char* const other6 = "fd66:2::77";
  const std::vector<Row> rows = {
      {t_.outside, o4, o6, f4, f6, 25, true},
      {t_.outside, o4, o6, f4, f6, 80, true},
      {t_.outside, o4, o6, f4, f6, 443, true},
      {t_.outside, o4, o6, f4, f6, 22, false},
      {t_.outside, o4, o6, f4, f6, 8080, false},
      {t_.outside, o4, o6, f4, f6, 9005, false},
      {t_.outside, o4, o6, "198.51.100.1", "2001:db8:ff::1", 2222, false},
      {t_.outside, o4, o6, "10.66.1.1", "fd66:1::1", 2222, false},
      {t_.outside, o4, o6, "10.66.3.10", "fd66:3::10", 6514, false},
      {t_.admin, b4, b6, f4, f6, 22, true},
      {t_.admin, b4, b6, f4, f6, 80, true},
      {t_.admin, b4, b6, f4, f6, 9005, true},
      {t_.admin, b4, b6, f4, f6, 25, false},
      {t_.admin, b4, b6, f4, f6, 8080, false},
      {t_.admin, b4, b6, "10.66.2.1", "fd66:2::1", 2222, true},
      {t_.admin, b4, b6, "10.66.2.1", "fd66:2::1", 22, false},
      {t_.admin, other4, other6, f4, f6, 22, false},
      {t_.admin, other4, other6, f4, f6, 80, true},
      {t_.admin, other4, other6, "10.66.2.1", "fd66:2::1", 2222, false},
      {t_.servers, f4, f6, "10.66.3.10", "fd66:3::10", 7000, true},
      {t_.servers, f4, f6, "10.66.3.10", "fd66:3::10", 6514, false},
      {t_.servers, f4, f6, o4, o6, 443, true},
      {t_.servers, f4, f6, o4, o6, 80, false},
      {t_.servers, f4, f6, b4, b6, 22, false},
      {t_.gatehouse, "10.66.3.1", "fd66:3::1", "10.66.3.10", "fd66:3::10", 6514, true},
      {t_.gatehouse, "10.66.3.1", "fd66:3::1", "10.66.3.10", "fd66:3::10", 7000, false},
      {t_.gatehouse, "198.51.100.1", "2001:db8:ff::1", o4, o6, 443, false},
      {t_.gatehouse, "127.0.0.1", "::1", "127.0.0.1", "::1", 2222, true},
  };
  for (const Row& r : rows) {
    tcp(r.from, r.source4, r.to4, r.port, r.open);
    tcp(r.from, r.source6, r.to6, r.port, r.open);
  }
}

void Matrix::add_exchanges() {
  for (const char* to : {"198.51.100.2", "2001:db8:ff::2"}) {
    udp(t_.servers, to, 53, "echo");
    udp(t_.servers, to, 5353, "refused");
    udp(t_.servers, to, 53, "expired");
  }
  for (const char* to : {"10.66.1.1", "fd66:1::1"}) udp(t_.servers, to, 53, "echo");
  for (const char* to : {"10.66.3.10", "fd66:3::10"}) udp(t_.gatehouse, to, 6515, "refused");
}

void Matrix::add_pings() {
  ping(t_.admin, "10.66.2.10", "10.66.1.10", true);
  ping(t_.admin, "fd66:2::10", "fd66:1::10", true);
  ping(t_.admin, "10.66.2.10", "10.66.2.1", true);
  ping(t_.admin, "fd66:2::10", "fd66:2::1", true);
  ping(t_.admin, "10.66.2.77", "10.66.1.10", false);
  ping(t_.admin, "fd66:2::77", "fd66:1::10", false);
  ping(t_.outside, "198.51.100.2", "10.66.1.10", false);
  ping(t_.outside, "2001:db8:ff::2", "fd66:1::10", false);
  ping(t_.outside, "198.51.100.2", "198.51.100.1", false);
  ping(t_.servers, "fd66:1::10", "fd66:1::1", false);
}

void Matrix::add_injections() {
  using Make = std::function<PacketBytes(std::uint16_t)>;
  const auto inject = [this](std::string name, std::function<void(const PacketBytes&)> send, Watcher& at,
                             Make make) {
    auto marker = std::make_shared<std::uint16_t>();
    probes_.push_back({std::move(name), false,
                       [=, this] {
                         *marker = net_->fresh_marker();
                         send(make(*marker));
                       },
                       [=, &at] { return at.saw_port(*marker); }});
  };
  const auto outside = [this](const PacketBytes& p) { net_->from_outside.send(net_->wan, p); };
  const auto servers = [this](const PacketBytes& p) { net_->from_servers.send(net_->srv, p); };
  const auto admin = [this](const PacketBytes& p) { net_->from_admin.send(net_->adm, p); };
  const auto gatehouse = [this](const PacketBytes& p) { net_->from_gatehouse.send(p); };
  const auto tcp_of = [](std::string from, std::string to, std::uint16_t port, std::uint8_t flags) -> Make {
    return [=](std::uint16_t marker) { return tcp_packet(from, to, marker, port, flags); };
  };
  const std::uint8_t xmas = kFin | kPsh | kUrg;
  Net& n = *net_;
  struct Pair {
    const char* outside;
    const char* front;
    const char* bastion;
    const char* gatehouse_wan;
    const char* gatehouse_admin;
    const char* gatehouse_soc;
    const char* collector;
    const char* lab;
    const char* elsewhere;
  };
  for (const Pair& a : {Pair{"198.51.100.2", "10.66.1.10", "10.66.2.10", "198.51.100.1", "10.66.2.1",
                             "10.66.3.1", "10.66.3.10", "10.66.9.5", "203.0.113.7"},
                        Pair{"2001:db8:ff::2", "fd66:1::10", "fd66:2::10", "2001:db8:ff::1", "fd66:2::1",
                             "fd66:3::1", "fd66:3::10", "fd66:9::5", "2001:db8:aa::7"}}) {
    const std::string v = std::string(a.front).find(':') == std::string::npos ? " v4" : " v6";
    inject("xmas from outside" + v, outside, n.at_servers, tcp_of(a.outside, a.front, 80, xmas));
    inject("ack scan from outside" + v, outside, n.at_servers, tcp_of(a.outside, a.front, 80, kAck));
    inject("a banned source to the web" + v, outside, n.at_servers,
           tcp_of(v == " v4" ? "198.51.100.66" : "2001:db8:ff::66", a.front, 80, kSyn));
    inject("bastion's address from outside to ssh" + v, outside, n.at_servers,
           tcp_of(a.bastion, a.front, 22, kSyn));
    inject("bastion's address from outside to web" + v, outside, n.at_servers,
           tcp_of(a.bastion, a.front, 80, kSyn));
    inject("bastion's address from servers to the console" + v, servers, n.in_gatehouse,
           tcp_of(a.bastion, a.gatehouse_admin, 2222, kSyn));
    inject("the gatehouse's own address from outside" + v, outside, n.at_servers,
           tcp_of(a.gatehouse_wan, a.front, 80, kSyn));
    inject("an outside address from admin" + v, admin, n.at_servers, tcp_of(a.elsewhere, a.front, 80, kSyn));
    inject("xmas to the console" + v, admin, n.in_gatehouse,
           tcp_of(a.bastion, a.gatehouse_admin, 2222, xmas));
    inject("ack to the console" + v, admin, n.in_gatehouse, tcp_of(a.bastion, a.gatehouse_admin, 2222, kAck));
    inject("xmas from the gatehouse" + v, gatehouse, n.at_soc,
           tcp_of(a.gatehouse_soc, a.collector, 6514, xmas));
    inject("ack from the gatehouse" + v, gatehouse, n.at_soc,
           tcp_of(a.gatehouse_soc, a.collector, 6514, kAck));
    inject("a packet for a zone that is down leaving by the default route" + v, servers, n.at_outside,
           [=](std::uint16_t marker) { return udp_packet(a.front, a.lab, marker, 53); });
  }
}

void Matrix::add_neighbours() {
  // The answer goes to an address that only this probe uses, so nothing else can be taken for it.
  const std::string gatehouse_srv = link_local_of(t_.gatehouse, "srv0");
  probes_.push_back({"neighbour solicitation from a link-local source", true,
                     [=, this] {
                       net_->from_servers.send(
                           {0x33, 0x33, 0xff, 0, 0, 0},
                           neighbour_solicitation("fe80::d0:1", gatehouse_srv, net_->servers_mac));
                       net_->from_servers.send(
                           net_->srv, neighbour_solicitation("fe80::d0:1", gatehouse_srv, net_->servers_mac));
                     },
                     [this] { return net_->at_servers.saw_icmpv6(136, "fe80::d0:1"); }});
  probes_.push_back({"neighbour solicitation from a global source", true,
                     [this] {
                       net_->from_admin.send(
                           net_->adm, neighbour_solicitation("fd66:2::d0", "fd66:2::1", net_->admin_mac));
                     },
                     [this] { return net_->at_admin.saw_icmpv6(136, "fd66:2::d0"); }});
  probes_.push_back({"multicast listener query is answered", true,
                     [this] {
                       net_->from_servers.send({0x33, 0x33, 0, 0, 0, 1}, listener_query("fe80::d0:2"));
                     },
                     [this] { return net_->at_servers.saw_icmpv6(143, "ff02::16"); }});
}

void Matrix::pump() {
  for (const UniqueFd& l : net_->listeners) {
    for (;;) {
      const UniqueFd accepted(accept4(l.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!accepted.valid()) break;
    }
  }
  for (const UniqueFd& e : net_->echoes) {
    char buffer[64];
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    ssize_t got = 0;
    while ((got = recvfrom(e.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length)) >
           0) {
      (void)sendto(e.get(), buffer, static_cast<std::size_t>(got), 0, reinterpret_cast<sockaddr*>(&from),
                   length);
      length = sizeof from;
    }
  }
  for (Watcher* w :
       {&net_->at_servers, &net_->at_outside, &net_->at_admin, &net_->at_soc, &net_->in_gatehouse})
    w->drain();
}

std::vector<std::string> Matrix::run() {
  pump();
  for (Watcher* w :
       {&net_->at_servers, &net_->at_outside, &net_->at_admin, &net_->at_soc, &net_->in_gatehouse})
    w->forget();
  const std::int64_t start = core::monotonic_us();
  for (const Probe& p : probes_) p.start();
  std::vector<bool> seen(probes_.size(), false);
  for (;;) {
    // Asked before the servers answer and close, or a connection could come and go unseen.
    bool waiting = false;
    for (std::size_t i = 0; i < probes_.size(); ++i) {
      seen[i] = seen[i] || probes_[i].seen();
      waiting |= probes_[i].expected && !seen[i];
    }
    pump();
    const std::int64_t elapsed = core::monotonic_us() - start;
    if (elapsed > kPatienceUs || (!waiting && elapsed > kQuietUs)) break;
    usleep(3000);
  }
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    if (seen[i] != probes_[i].expected)
      wrong.push_back(probes_[i].name + (seen[i] ? " passed" : " did not pass"));
  }
  return wrong;
}

std::vector<std::uint16_t> Matrix::scan(const std::string& address, const std::vector<std::uint16_t>& ports) {
  std::vector<UniqueFd> attempts;
  for (const std::uint16_t p : ports) attempts.push_back(connecting(t_.outside, SOCK_STREAM, "", address, p));
  std::vector<std::uint16_t> open;
  const std::int64_t start = core::monotonic_us();
  std::vector<bool> seen(ports.size(), false);
  while (core::monotonic_us() - start < kPatienceUs) {
    for (std::size_t i = 0; i < ports.size(); ++i) seen[i] = seen[i] || connected(attempts[i].get());
    usleep(3000);
  }
  pump();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (seen[i]) open.push_back(ports[i]);
  }
  return open;
}

}  // namespace gatehouse::test

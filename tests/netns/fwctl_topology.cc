#include "tests/netns/fwctl_topology.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace gatehouse::test {
namespace {

core::UniqueFd current_namespace() {
  return core::UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

}  // namespace

bool can_make_namespaces(std::string& reason) {
  if (geteuid() != 0) {
    reason = "needs root to make network namespaces";
    return false;
  }
  const auto made = Namespace::create();
  if (!made) reason = made.error().to_string();
  return made.has_value();
}

core::Result<Namespace> Namespace::create() {
  const core::UniqueFd home = current_namespace();
  if (!home.valid()) return core::fail_errno(errno, "open the network namespace");
  if (unshare(CLONE_NEWNET) != 0) return core::fail_errno(errno, "make a network namespace");
  Namespace out;
  out.fd_ = current_namespace();
  const bool loopback = std::system("ip link set lo up") == 0;
  if (setns(home.get(), CLONE_NEWNET) != 0) std::abort();  // never go on in the wrong namespace
  if (!out.fd_.valid() || !loopback) return core::fail(core::Errc::system, "set up a network namespace");
  return out;
}

void Namespace::enter(const std::function<void()>& work) const {
  const core::UniqueFd home = current_namespace();
  if (!home.valid() || setns(fd_.get(), CLONE_NEWNET) != 0) std::abort();
  work();
  if (setns(home.get(), CLONE_NEWNET) != 0) std::abort();
}

bool Namespace::run(const std::string& command) const {
  bool ok = false;
  enter([&] { ok = std::system(("set -e\n" + command).c_str()) == 0; });
  return ok;
}

Namespace Namespace::share() const {
  Namespace out;
  out.fd_.reset(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3));
  if (!out.fd_.valid()) std::abort();
  return out;
}

std::string Namespace::path() const {
  return fmt::format("/proc/{}/fd/{}", getpid(), fd_.get());
}

core::Result<Topology> Topology::build() {
  Topology t;
  for (Namespace* n : {&t.gatehouse, &t.outside, &t.servers, &t.admin, &t.soc}) {
    GH_TRY(*n, Namespace::create());
  }
  // Reverse path filtering of the kernel itself is off: the rules alone must stop spoofed packets.
  constexpr const char* kQuiet =
      "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done\n"
      "for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >$f; done\n"
      "echo 50000 60000 >/proc/sys/net/ipv4/ip_local_port_range\n"
      "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit\n"
      "echo 100000 >/proc/sys/net/ipv4/icmp_msgs_per_sec\n";
  bool ok = t.gatehouse.run(
      std::string(kQuiet) +
      "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding\n");
  const auto connect = [&](const Namespace& n, const char* interface, const std::string& net4,
                           const std::string& net6, const char* host, const char* host6) {
    ok = ok && n.run(kQuiet);
    ok = ok &&
         t.gatehouse.run(fmt::format(
             "ip link add {0} type veth peer name eth0 netns {1}\n"
             "echo 0 >/proc/sys/net/ipv6/conf/{0}/accept_dad; echo 0 >/proc/sys/net/ipv4/conf/{0}/rp_filter\n"
             "ip addr add {2}1/24 dev {0}; ip -6 addr add {3}1/64 dev {0} nodad; ip link set {0} up",
             interface, n.path(), net4, net6));
    ok = ok &&
         n.run(fmt::format(
             "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad\n"
             "ip addr add {0}{2}/24 dev eth0; ip -6 addr add {1}{3}/64 dev eth0 nodad; ip link set eth0 up\n"
             "ip route add default via {0}1; ip -6 route add default via {1}1",
             net4, net6, host, host6));
  };
  connect(t.outside, "wan0", "198.51.100.", "2001:db8:ff::", "2", "2");
  connect(t.servers, "srv0", "10.66.1.", "fd66:1::", "10", "10");
  connect(t.admin, "adm0", "10.66.2.", "fd66:2::", "10", "10");
  connect(t.soc, "soc0", "10.66.3.", "fd66:3::", "10", "10");
  ok = ok && t.admin.run("ip addr add 10.66.2.77/24 dev eth0; ip -6 addr add fd66:2::77/64 dev eth0 nodad");
  ok = ok &&
       t.gatehouse.run("ip route add default via 198.51.100.2; ip -6 route add default via 2001:db8:ff::2");
  if (!ok) return core::fail(core::Errc::system, "could not build the test network");
  return t;
}

}  // namespace gatehouse::test

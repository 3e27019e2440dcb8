// Broken policies, each by one mistake in a shipped one: the place and what to do are said, the exit status
// is 2, and the kernel is not touched.
#include <gmock/gmock.h>

#include "tests/netns/fwctl_command.h"

namespace gatehouse::test {
namespace {

using ::testing::HasSubstr;

struct Broken {
  const char* from;
  const char* to;
  const char* place;  // of the mistake in the broken file
  const char* code;
};

constexpr Broken kBroken[] = {
    {"site: private-network\n", "site: private-network\nsite: again\n", "3:1", "duplicate-key"},
    {"version: 1", "version: 2", "3:10", "bad-value"},
    {"zones:", "zoness:", "2:1", "missing-key"},
    {"{interface: wan0, networks: any}", "{interface: wan0, networks: everywhere}", "6:40", "bad-value"},
    {"{interface: wan0, networks: any}", "{interface: \"wan 0\", networks: any}", "6:24", "bad-value"},
    {"{interface: wan0, networks: any}", "{interface: an-interface-name, networks: any}", "6:24",
     "bad-value"},
    {"{interface: wan0, networks: any}", "{networks: any}", "6:12", "missing-key"},
    {"interface: srv0", "interface: wan0", "7:3", "same-interface"},
    {"10.66.1.0/24", "10.66.1.7/24", "9:16", "bad-value"},
    {"10.66.1.0/24", "10.66.1.0/33", "9:16", "bad-value"},
    {"networks: [10.66.2.0/24, \"fd66:2::/64\"]", "networks: any", "12:3", "two-outsides"},
    {"networks: [10.66.2.0/24", "networks: [10.66.0.0/16", "12:3", "overlapping-zones"},
    {"front: [10.66.1.10", "front: [10.67.1.10", "11:7", "host-outside-zone"},
    {"front: [10.66.1.10", "front: [10.66.1.310", "11:15", "bad-value"},
    {"  outside: {", "  gatehouse: {", "6:3", "reserved-name"},
    {"host: servers/front\n    exec: /usr/sbin/nginx", "host: servers/frnt\n    exec: /usr/sbin/nginx",
     "20:11", "unknown-name"},
    {"host: servers/front\n    exec: /usr/sbin/nginx", "host: servers\n    exec: /usr/sbin/nginx", "19:3",
     "missing-host"},
    {"exec: /usr/sbin/nginx\n    user", "exec: nginx\n    user", "21:11", "bad-path"},
    {"ports: [tcp/80, tcp/443, udp/443]\n    expose", "ports: [80, tcp/443, udp/443]\n    expose", "23:13",
     "bad-port"},
    {"ports: [tcp/80, tcp/443, udp/443]\n    expose", "ports: [tcp/80000]\n    expose", "23:13", "bad-port"},
    {"ports: [tcp/80, tcp/443, udp/443]\n    expose", "ports: [tcp/443-80]\n    expose", "23:13", "bad-port"},
    {"ports: [tcp/80, tcp/443, udp/443]\n    expose", "ports: [sctp/80]\n    expose", "23:13", "bad-port"},
    {"expose: [outside, admin]", "expose: [outsid, admin]", "24:14", "unknown-name"},
    {"ports: [tcp/25]\n    expose", "ports: [tcp/80]\n    expose", "40:13", "port-not-bindable"},
    {"expose: [admin/bastion]", "expose: [outside]", "56:14", "ssh-exposed"},
    {"syn-proxy: true ", "syn-proxy: yes ", "25:16", "bad-value"},
    {"syn-proxy: true ", "syn-proxy: {mss: 100} ", "25:22", "bad-value"},
    {"syn-proxy: true ", "syn-proxy: {window-scale: 15} ", "25:31", "bad-value"},
    {"syn-proxy: true ", "syn-proxy: {msss: 1400} ", "25:17", "unknown-key"},
    {"expose: [outside, admin]\n    syn-proxy: true ", "expose: [admin]\n    syn-proxy: true ", "25:16",
     "bad-syn-proxy"},
    {"ports: [tcp/8080]\n    expose: [admin]", "ports: [tcp/8080]\n    expose: [admin]\n    syn-proxy: true",
     "50:16", "bad-syn-proxy"},
    {"new: 500/second", "new: 500", "29:12", "bad-value"},
    {"burst-per-source: 60", "burst-per-sauce: 60", "32:7", "unknown-key"},
    {"open-per-source: 100", "open-per-source: none", "34:24", "bad-value"},
    {"{ipv4: 32, ipv6: 64}", "{ipv4: 33, ipv6: 64}", "35:26", "bad-value"},
    {"limit: {new-per-source: 30/minute, open-per-source: 10}", "limit: {burst: 10}", "43:20", "bad-value"},
    {"{from: servers, to: outside, ports: [tcp/443, udp/53]",
     "{from: servers, to: servers, ports: [tcp/443, udp/53]", "61:5", "flow-inside-zone"},
    {"{from: servers, to: outside, ports: [tcp/443, udp/53]",
     "{from: servers, to: outside, ports: [tcp/443], user: 33", "61:5", "user-elsewhere"},
    {"user: 104", "user: no-such-user", "63:68", "unknown-user"},
    {"user: 104", "cgroup: /system.slice", "63:70", "bad-value"},
    {"    - {from: servers, to: outside}", "    - {from: outside, to: servers}", "68:14", "bad-masquerade"},
    {"    - {from: servers, to: outside}", "    - {from: servers, to: outside/router}", "68:27",
     "unknown-name"},
    {"port: tcp/8443, to: servers/front, to-port: 8080}\n    - {from: outside, address: \"2",
     "port: tcp/8443, to: servers/front, to-port: 81}\n    - {from: outside, address: \"2", "70:7",
     "forward-unserved"},
    {"address: 198.51.100.1", "address: 10.66.1.10", "70:7", "bad-forward"},
    {"address: \"2001:db8:ff::1\"", "address: 198.51.100.1", "71:7", "port-taken"},
    {"port: tcp/8443, to: servers/front, to-port: 8080}\n    - {from: outside, address: \"2",
     "port: tcp/8000-8010, to: servers/front, to-port: 8080}\n    - {from: outside, address: \"2", "70:95",
     "bad-value"},
    {"port: tcp/8443, to: servers/front, to-port: 8080}\n    - {from: outside, address: \"2",
     "port: tcp/8443, to: servers, to-port: 8080}\n    - {from: outside, address: \"2", "70:66",
     "bad-forward"},
    {"ping-from: [admin/bastion]", "ping-from: [admin/bastoin]", "74:15", "unknown-name"},
    {"sources-remembered: 65536", "sources-remembered: 5", "77:23", "bad-value"},
    {"sources-remembered: 65536", "blocklists: [/nowhere/list.txt]", "77:16", "no-file"},
    {"sources-remembered: 65536", "guard: {on-drift: ignore}", "77:21", "bad-value"},
    {"sources-remembered: 65536", "log-group: 70000", "77:14", "bad-value"},
    {"  host: admin/bastion\n\nmac", "  host: admin\n\nmac", "56:14", "ssh-exposed"},
    {"  - internet cannot reach admin", "  - internet can not reach admin", "116:18", "bad-assert"},
    {"  - internet cannot reach admin", "  - internet cannot reach amdin", "116:27", "unknown-name"},
    {"  - internet cannot reach admin", "  - internet cannot reach admin except", "116:39", "bad-assert"},
    {"  - servers cannot reach admin", "  - servers cannot reach servers", "119:26", "bad-assert"},
    {"  ping-from: [admin/bastion]", "  ping-from: [admin/bastion", "76:3", "yaml-syntax"},
    {"  ping-from: [admin/bastion]", "  ping-from: *hosts", "74:14", "yaml-syntax"},
    {"  ping-from: [admin/bastion]", "\tping-from: [admin/bastion]", "74:11", "yaml-syntax"},
};

class FwctlBroken : public CommandInNamespace {};

TEST_F(FwctlBroken, ThePlaceIsSaidAndNothingIsDone) {
  const auto whole = core::read_file(example("private-network.yaml"), 1U << 20U);
  ASSERT_TRUE(whole);
  ASSERT_EQ(fwctl("apply " + example("private-network.yaml")).status, 0);
  const auto generation = kernel_->generation();
  ASSERT_TRUE(generation);
  static_assert(std::size(kBroken) >= 40);
  const std::string file = "/tmp/gh-fwctl-broken-" + std::to_string(getpid()) + ".yaml";
  for (const Broken& b : kBroken) {
    SCOPED_TRACE(b.to);
    std::string text = *whole;
    const std::size_t at = text.find(b.from);
    ASSERT_NE(at, std::string::npos) << "the shipped policy does not say: " << b.from;
    text.replace(at, std::string_view(b.from).size(), b.to);
    ASSERT_TRUE(core::write_file_atomic(file, text, 0600));
    const Output said = fwctl("apply " + file);
    EXPECT_EQ(said.status, 2) << said.text;
    EXPECT_THAT(said.text, HasSubstr(file + ":" + b.place + ": error: "));
    EXPECT_THAT(said.text, HasSubstr(std::string("[") + b.code + "]"));
    EXPECT_THAT(said.text, HasSubstr("\n  hint: "));
    const auto after = kernel_->generation();
    ASSERT_TRUE(after);
    EXPECT_EQ(*after, *generation) << "somebody committed";
  }
  std::remove(file.c_str());
}

}  // namespace
}  // namespace gatehouse::test

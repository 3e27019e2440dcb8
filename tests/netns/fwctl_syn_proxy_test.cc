// The SYN proxy with real connections and a flood of SYNs.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "fwctl/control/tracking.h"
#include "tests/netns/fwctl_machine.h"
#include "tests/netns/fwctl_network.h"
#include "tests/netns/fwctl_packets.h"

namespace gatehouse::test {
namespace {

constexpr const char* kLoose = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose";

class FwctlSynProxy : public FwctlNetwork {
 protected:
  void SetUp() override {
    FwctlNetwork::SetUp();
    if (!topology_) return;
    for (const std::uint16_t port : {22, 25, 80}) listeners_.emplace_back(topology_->servers, port);
    ASSERT_TRUE(topology_->gatehouse.run(fmt::format("echo 0 >{}", kLoose)));
  }
  // web is answered for, mail is not.
  static site::Site answering() {
    site::Site out = full_site();
    out.services[0].syn_proxy.emplace();
    return out;
  }
  long tracked() const {
    long out = -1;
    topology_->gatehouse.enter([&] {
      const auto text = core::read_file("/proc/sys/net/netfilter/nf_conntrack_count", 32);
      if (text) out = std::stol(*text);
    });
    return out;
  }
  // Bytes that the server sends arrive at the client, and the other way round.
  void talk(const core::UniqueFd& client, Listener& listener) {
    // The host hears of the connection after the client has it; one of Linux 6.15 or later does not take the
    // gatehouse's own ACK for its time stamp, and asks again after a second.
    std::vector<core::UniqueFd> server = listener.take_all();
    for (int i = 0; server.empty() && i < 200; ++i, usleep(10'000)) server = listener.take_all();
    ASSERT_EQ(server.size(), 1U);
    std::string sent(200'000, 'x');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + i % 23);
    for (const bool to_server : {true, false}) {
      const int from = to_server ? client.get() : server[0].get();
      const int to = to_server ? server[0].get() : client.get();
      std::string got;
      std::size_t at = 0;
      for (int rounds = 0; got.size() < sent.size() && rounds < 5000; ++rounds) {
        const ssize_t n = ::send(from, sent.data() + at, sent.size() - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) at += static_cast<std::size_t>(n);
        char buffer[65536];
        for (ssize_t k = 0; (k = ::recv(to, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
          got.append(buffer, static_cast<std::size_t>(k));
        usleep(1000);
      }
      EXPECT_EQ(got.size(), sent.size());
      EXPECT_TRUE(got == sent) << (to_server ? "to the server" : "to the client");
    }
  }

  static bool poll_in(int fd, int wait_ms) {
    pollfd wait{fd, POLLIN, 0};
    return poll(&wait, 1, wait_ms) == 1;
  }

  std::vector<Listener> listeners_;
};

TEST_F(FwctlSynProxy, ConnectionsGoThroughIt) {
  const site::Site site = answering();
  put(site);
  ASSERT_EQ(proof(site), "holds");
  for (const auto& [from, to] : {std::pair("198.51.100.2", "10.66.1.10"), {"2001:db8:ff::2", "fd66:1::10"}}) {
    auto client = dial(topology_->outside, from, to, 80, 2000);
    ASSERT_TRUE(client) << from;
    talk(*client, listeners_[2]);
    EXPECT_TRUE(dial(topology_->outside, from, to, 25)) << "mail is not answered for";
    EXPECT_FALSE(dial(topology_->outside, from, to, 22));
  }
  EXPECT_TRUE(dial(topology_->admin, "10.66.2.10", "10.66.1.10", 80)) << "trusted zones are not answered";
  // What no program of the gatehouse may open stays closed to them.
  EXPECT_FALSE(dial(topology_->gatehouse, "10.66.1.1", "10.66.1.10", 80));
  EXPECT_FALSE(dial(topology_->gatehouse, "198.51.100.1", "10.66.1.10", 80));
}

// Sends SYNs to port 80 from random sources until it is stopped or has sent `most`.
class Flood {
 public:
  Flood(const Topology& t, std::size_t most)
      : sender_(t.outside, "eth0"), gateway_(mac_of(t.gatehouse, "wan0")) {
    thread_ = std::thread([this, most] {
      std::mt19937 random(20'261'122);
      const auto port = [&] { return static_cast<std::uint16_t>(1024 + random() % 60'000); };
      while (!stop_ && sent_ < most) {
        for (int i = 0; i < 200; ++i, ++sent_) {
          const std::string v4 = fmt::format("{}.{}.{}.{}", 11 + random() % 80, random() % 256,
                                             random() % 256, 1 + random() % 250);
          const std::string v6 = fmt::format("2001:470:{:x}:{:x}::{:x}", random() % 65536, random() % 65536,
                                             1 + random() % 60'000);
          sender_.send(gateway_, i % 4 == 0 ? tcp_packet(v6, "fd66:1::10", port(), 80, kSyn)
                                            : tcp_packet(v4, "10.66.1.10", port(), 80, kSyn));
        }
        usleep(10'000);
      }
    });
  }
  ~Flood() { finish(); }
  std::size_t finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return sent_;
  }
  std::size_t sent() const { return sent_; }

 private:
  FrameSender sender_;
  Mac gateway_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> sent_ = 0;
  std::thread thread_;
};

TEST_F(FwctlSynProxy, AFloodOfSynsLeavesNothingBehind) {
  using std::chrono::steady_clock;
  constexpr std::size_t kMostPackets = 100'000;
  put(answering());
  const long before = tracked();
  long most = before;
  int connected = 0;
  Flood flood(*topology_, kMostPackets);
  const auto start = steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    const bool v4 = i % 2 == 0;
    auto client = dial(topology_->outside, v4 ? "198.51.100.2" : "2001:db8:ff::2",
                       v4 ? "10.66.1.10" : "fd66:1::10", 80, 4000);
    connected += client ? 1 : 0;
    most = std::max(most, tracked());
    std::this_thread::sleep_until(start + std::chrono::milliseconds(250 * (i + 1)));
  }
  // On a busy machine the flood is slower, not smaller.
  constexpr std::size_t kLeastPackets = 20'000;
  for (int i = 0; flood.sent() < kLeastPackets && i < 600; ++i) {
    usleep(100'000);
    most = std::max(most, tracked());
  }
  const std::size_t sent = flood.finish();
  most = std::max(most, tracked());
  EXPECT_EQ(connected, 20);
  EXPECT_LE(most - before, 100) << sent << " SYNs";
  EXPECT_GE(sent, kLeastPackets);
  std::printf("%zu SYNs: %ld connections tracked before, %ld at most\n", sent, before, most);

  // The same without: every SYN leaves a connection behind.
  site::Site plain = full_site();
  plain.firewall.syn_per_second = 0;
  put(plain);
  Flood control(*topology_, 4000);
  while (control.sent() < 4000) usleep(10'000);
  (void)control.finish();
  EXPECT_GE(tracked() - most, 1000);
}

// The SYN to the host is lost; the client asks again, and the connection comes about all the same. Over IPv6:
// of an IPv4 client whose MSS is the largest a cookie can hold, 1460, the kernel does not know the cookie
// again.
TEST_F(FwctlSynProxy, ALostAnswerOfTheHostIsAskedForAgain) {
  put(answering());
  ASSERT_TRUE(topology_->servers.run(
      "nft add table inet loss; nft 'add chain inet loss in { type filter hook input priority 0; }'\n"
      "nft add rule inet loss in tcp dport 80 drop"));
  auto client = dial(topology_->outside, "2001:db8:ff::2", "fd66:1::10", 80, 2000);
  ASSERT_TRUE(client) << "the gatehouse answers";
  ASSERT_EQ(::send(client->get(), "hello", 5, MSG_NOSIGNAL), 5);
  usleep(100'000);
  EXPECT_TRUE(listeners_[2].take_all().empty());
  ASSERT_TRUE(topology_->servers.run("nft delete table inet loss"));
  std::vector<core::UniqueFd> server;
  for (int i = 0; server.empty() && i < 500; ++i, usleep(10'000)) server = listeners_[2].take_all();
  ASSERT_EQ(server.size(), 1U);
  char got[8] = {};
  ASSERT_TRUE(poll_in(server[0].get(), 5000));
  EXPECT_EQ(::recv(server[0].get(), got, sizeof got, MSG_DONTWAIT), 5);
}

// An ACK out of nothing does not reach the host, and nothing answers it.
TEST_F(FwctlSynProxy, AnAckWithoutAHandshakeIsDropped) {
  put(answering());
  Watcher host = Watcher::on_wire(topology_->servers);
  Watcher outside = Watcher::on_wire(topology_->outside);
  FrameSender sender(topology_->outside, "eth0");
  const Mac gateway = mac_of(topology_->gatehouse, "wan0");
  for (const std::uint8_t flags :
       {kAck, std::uint8_t{kSyn | kAck}, std::uint8_t{kSyn | kFin}, kFin, std::uint8_t{0}})
    sender.send(gateway, tcp_packet("198.51.100.2", "10.66.1.10", 41'000, 80, flags));
  usleep(200'000);
  host.drain();
  outside.drain();
  EXPECT_FALSE(host.saw_port(41'000));
  EXPECT_FALSE(outside.saw_port(80));
}

TEST_F(FwctlSynProxy, EveryRuleOfItMattersToTheProof) {
  const site::Site site = answering();
  const fwctl::KernelTable table = table_of(site);
  std::size_t changed = 0;
  for (std::size_t c = 0; c < table.chains.size(); ++c) {
    for (std::size_t r = 0; r < table.chains[c].rules.size(); ++r) {
      if (table.chains[c].rules[r].comment.find("syn-proxy") == std::string::npos) continue;
      fwctl::KernelTable other = table;
      other.chains[c].rules.erase(other.chains[c].rules.begin() + static_cast<std::ptrdiff_t>(r));
      put(other);
      ++changed;
      EXPECT_EQ(proof(site).substr(0, 7), "differs") << table.chains[c].name << " rule " << r + 1;
    }
  }
  EXPECT_GE(changed, 12U);
  // What the gatehouse says is compared, too.
  site::Site other = site;
  other.services[0].syn_proxy->window_scale = 8;
  put(other);
  EXPECT_NE(proof(site).find("not with these words"), std::string::npos);
  put(full_site());
  EXPECT_NE(proof(site).find("the policy has the SYN proxy take it"), std::string::npos);
  put(site);
  EXPECT_NE(proof(full_site()).find("which the policy does not say"), std::string::npos);
}

TEST_F(FwctlSynProxy, LimitsCountWhoCompletesTheHandshake) {
  site::Site site = answering();
  site.services[0].limit.emplace();
  site.services[0].limit->open_by_source = 2;
  put(site);
  EXPECT_EQ(proof(site), "holds");
  std::vector<core::UniqueFd> kept;
  for (int i = 0; i < 4; ++i) {
    auto client = dial(topology_->outside, "198.51.100.2", "10.66.1.10", 80, 1000);
    ASSERT_TRUE(client);
    kept.push_back(std::move(*client));
    usleep(50'000);
  }
  std::vector<core::UniqueFd> server;
  for (int i = 0; i < 25; ++i, usleep(100'000)) {
    for (core::UniqueFd& fd : listeners_[2].take_all()) server.push_back(std::move(fd));
  }
  EXPECT_EQ(server.size(), 2U) << "the host hears of two";
}

TEST_F(FwctlSynProxy, ACardThatChecksNothingIsToldOf) {
  const site::Site site = answering();
  const auto told = [&] {
    std::vector<std::string> out;
    topology_->gatehouse.enter([&] { out = fwctl::unchecked_interfaces(site); });
    return out;
  };
  EXPECT_TRUE(told().empty()) << "a veth gives what its peer has checked";
  ASSERT_TRUE(topology_->gatehouse.run("ip link del wan0; ip tuntap add wan0 mode tun"));
  EXPECT_EQ(told(), std::vector<std::string>{"wan0"});
}

// The setting of connection tracking that it needs.
class FwctlSynProxySetting : public OnMachine {
 protected:
  std::string loose() const { return m_->run(fmt::format("cat {}", kLoose)).text; }
};

TEST_F(FwctlSynProxySetting, ApplySetsItAndStatusAndProofWatchIt) {
  const std::string plain = m_->site();
  EXPECT_EQ(m_->fwctl("apply --i-know " + plain).status, 0);
  EXPECT_EQ(loose(), "1\n") << "a policy without a SYN proxy does not need it";
  const std::string site = m_->site("    expose: [outside, admin]\n", "    syn-proxy: true\n");
  ASSERT_FALSE(site.empty());
  EXPECT_EQ(m_->fwctl("apply --i-know " + site).status, 0);
  EXPECT_EQ(loose(), "0\n");
  EXPECT_EQ(m_->fwctl("status " + site).status, 0);
  EXPECT_EQ(m_->fwctl("prove " + site).status, 0);
  ASSERT_EQ(m_->run(fmt::format("echo 1 >{}", kLoose)).status, 0);
  const Output status = m_->fwctl("status " + site);
  EXPECT_EQ(status.status, 1);
  EXPECT_NE(status.text.find("nf_conntrack_tcp_loose is 1"), std::string::npos) << status.text;
  const Output proof = m_->fwctl("prove " + site);
  EXPECT_EQ(proof.status, 1);
  EXPECT_NE(proof.text.find("cannot decide because of: net.netfilter.nf_conntrack_tcp_loose is 1"),
            std::string::npos)
      << proof.text;
  // In force as far as the table goes: the setting is made right all the same.
  EXPECT_EQ(m_->fwctl("apply --i-know " + site).status, 0);
  EXPECT_EQ(loose(), "0\n");
  EXPECT_EQ(m_->fwctl("lint " + site).text.find("answered"), std::string::npos);
}

TEST_F(FwctlSynProxySetting, ApplyRefusesWhereItCannotBeSet) {
  const std::string site = m_->site("    expose: [outside, admin]\n", "    syn-proxy: true\n");
  ASSERT_FALSE(site.empty());
  const Output out =
      m_->run(fmt::format("unshare -m sh -c 'mount -o remount,ro,bind /proc/sys 2>/dev/null || "
                          "mount --bind -o ro /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys; "
                          "{} apply --i-know {}'",
                          GATEHOUSE_FWCTL, site));
  EXPECT_EQ(out.status, 3) << out.text;
  EXPECT_NE(out.text.find("cannot be set to 0"), std::string::npos) << out.text;
  EXPECT_EQ(m_->run("nft list ruleset").text, "") << "nothing was applied";
}

TEST_F(FwctlSynProxySetting, ThePathOfAnAnsweredPacketIsTheKernels) {
  const std::string site = m_->site("    expose: [outside, admin]\n", "    syn-proxy: true\n");
  ASSERT_EQ(m_->fwctl("apply --i-know " + site).status, 0);
  for (const char* packet : {"tcp \"198.51.100.7:4000 > 10.66.1.10:80\" SYN",
                             "tcp \"[2001:db8:ff::7]:4000 > [fd66:1::10]:443\" SYN",
                             "tcp \"198.51.100.7:4000 > 10.66.1.10:25\" SYN"}) {
    const Output out = m_->fwctl(fmt::format("explain --trace {} in outside out servers {}", site, packet));
    EXPECT_EQ(out.status, 0) << out.text;
    EXPECT_NE(out.text.find("kernel   went the same way"), std::string::npos) << out.text;
  }
  // What no handshake began.
  const Output ack =
      m_->fwctl("explain --trace " + site +
                " in outside out servers tcp \"198.51.100.7:4000 > 10.66.1.10:80\" ACK invalid");
  EXPECT_EQ(ack.status, 1) << ack.text;
  EXPECT_NE(ack.text.find("depends on: it completes a handshake that the SYN proxy began"), std::string::npos)
      << ack.text;
}

}  // namespace
}  // namespace gatehouse::test

// Traffic while the ruleset is replaced: what must not pass, and what must not be lost.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "core/os.h"
#include "tests/netns/fwctl_packets.h"
#include "tests/netns/fwctl_topology.h"

namespace gatehouse::test {

// The source port of packets that must not pass.
inline constexpr std::uint16_t kRefusedMarker = 41'001;

// Sends what must not pass without pause (to a closed port, unless other packets are given, all with the
// marker) and along an accepted flow steadily, until stopped.
class Traffic {
 public:
  explicit Traffic(const Topology& t,
                   std::vector<PacketBytes> refused = {udp_packet("198.51.100.2", "10.66.1.10",
                                                                  kRefusedMarker, 9999)})
      : refused_(t.outside, "eth0"),
        watcher_(Watcher::on_wire(t.servers)),
        gateway_(mac_of(t.gatehouse, "wan0")) {
    t.outside.enter([&] {
      receiver_.reset(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const int bytes = 8 << 20;
      setsockopt(receiver_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
      const sockaddr_in any = address("0.0.0.0");
      if (bind(receiver_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) std::abort();
    });
    t.servers.enter([&] {
      sender_.reset(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const sockaddr_in to = address("198.51.100.2");
      if (connect(sender_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) std::abort();
    });
    flood_ = std::thread([this, refused = std::move(refused)] {
      while (!stop_) {
        for (std::size_t i = 0; i < 32; ++i) refused_.send(gateway_, refused[i % refused.size()]);
        sent_refused_ += 32;
      }
    });
    steady_ = std::thread([this] {
      while (!stop_) {
        if (send(sender_.get(), "x", 1, 0) == 1) ++sent_open_;
        usleep(200);
      }
    });
  }
  ~Traffic() { finish(); }

  // True when a packet that must not pass has come through since the last call.
  bool leaked() {
    watcher_.drain();
    const bool out = watcher_.saw_port(kRefusedMarker);
    watcher_.forget();
    receive();  // its socket holds some 20,000 packets
    return out;
  }
  void finish() {
    if (stop_.exchange(true)) return;
    flood_.join();
    steady_.join();
    usleep(100'000);
    receive();
  }
  std::uint64_t sent_refused() const { return sent_refused_; }
  std::uint64_t sent_open() const { return sent_open_; }
  std::uint64_t received_open() const { return received_open_; }

 private:
  void receive() {
    char buffer[16];
    while (recv(receiver_.get(), buffer, sizeof buffer, 0) > 0) ++received_open_;
  }
  static sockaddr_in address(const char* text) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(53);
    std::memcpy(&out.sin_addr, core::IpAddress::parse(text)->bytes.data(), 4);
    return out;
  }

  FrameSender refused_;
  Watcher watcher_;
  Mac gateway_;
  core::UniqueFd receiver_, sender_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> sent_refused_ = 0;
  std::uint64_t sent_open_ = 0;
  std::uint64_t received_open_ = 0;
  std::thread flood_, steady_;
};

}  // namespace gatehouse::test

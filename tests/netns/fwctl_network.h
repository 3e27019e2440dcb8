// The test network with a kernel to put policies into, and plain TCP and UDP over it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/ip.h"
#include "core/os.h"
#include "fwctl/compile/compile.h"
#include "fwctl/control/control.h"
#include "fwctl/model/build.h"
#include "fwctl/prove/decide.h"
#include "tests/netns/fwctl_site.h"
#include "tests/netns/fwctl_topology.h"

namespace gatehouse::test {

// An address and a port of either version.
struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  static SocketAddress of(const core::IpAddress& address, std::uint16_t port) {
    SocketAddress out;
    if (address.is_v4()) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(out.bytes);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      std::memcpy(&v4.sin_addr, address.bytes.data(), 4);
      out.size = sizeof v4;
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(out.bytes);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
      out.size = sizeof v6;
    }
    return out;
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};

// Connections complete in its backlog; nobody accepts them until accept_all().
class Listener {
 public:
  Listener(const Namespace& where, std::uint16_t port, const char* address = "::") {
    where.enter([&] {
      const core::IpAddress own = *core::IpAddress::parse(address);
      fd_.reset(socket(own.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const int on = 1;
      setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      const SocketAddress at = SocketAddress::of(own, port);
      ok_ = bind(fd_.get(), at.get(), at.size) == 0 && listen(fd_.get(), 4096) == 0;
    });
    if (!ok_) ADD_FAILURE() << "cannot listen on " << address << " port " << port;
  }
  // The peers of all connections there are now, as text; their sockets stay open.
  std::vector<std::string> accept_all() {
    std::vector<std::string> out;
    for (;;) {
      sockaddr_in6 peer{};
      socklen_t size = sizeof peer;
      core::UniqueFd one(accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
      if (!one.valid()) return out;
      const bool v4 = peer.sin6_family == AF_INET;
      const auto* bytes =
          v4 ? reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in&>(peer).sin_addr)
             : peer.sin6_addr.s6_addr;
      core::ByteView view(bytes, v4 ? 4 : 16);
      if (!v4 && IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr)) view = view.subspan(12);
      out.push_back(core::IpAddress::from_bytes(view).to_string());
      accepted_.push_back(std::move(one));
    }
  }
  void close_accepted() { accepted_.clear(); }
  // The sockets of all connections there are now.
  std::vector<core::UniqueFd> take_all() {
    (void)accept_all();
    return std::exchange(accepted_, {});
  }

 private:
  core::UniqueFd fd_;
  bool ok_ = false;
  std::vector<core::UniqueFd> accepted_;
};

// A TCP connection, or nothing when it was not there in time.
inline std::optional<core::UniqueFd> dial(const Namespace& where, const std::string& source,
                                          const std::string& to, std::uint16_t port, int wait_ms = 300) {
  std::optional<core::UniqueFd> out;
  where.enter([&] {
    const core::IpAddress target = *core::IpAddress::parse(to);
    core::UniqueFd fd(
        socket(target.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const SocketAddress from = SocketAddress::of(*core::IpAddress::parse(source), 0);
    const SocketAddress at = SocketAddress::of(target, port);
    if (bind(fd.get(), from.get(), from.size) != 0) return;
    if (connect(fd.get(), at.get(), at.size) != 0 && errno != EINPROGRESS) return;
    pollfd wait{fd.get(), POLLOUT, 0};
    if (poll(&wait, 1, wait_ms) != 1) return;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) out = std::move(fd);
  });
  return out;
}

// A test in the test network, whose gatehouse has a kernel interface.
class FwctlNetwork : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    if (!can_make_namespaces(reason)) GTEST_SKIP() << reason;
    auto built = Topology::build();
    ASSERT_TRUE(built) << built.error().to_string();
    topology_.emplace(std::move(*built));
    topology_->gatehouse.enter([&] {
      auto kernel = fwctl::Kernel::open();
      ASSERT_TRUE(kernel) << kernel.error().to_string();
      kernel_.emplace(std::move(*kernel));
    });
  }
  static fwctl::KernelTable table_of(const site::Site& site) {
    return fwctl::compile(*fwctl::build_ruleset(site));
  }
  void put(const fwctl::KernelTable& table) {
    const auto done = fwctl::apply_table(*kernel_, table, {});
    ASSERT_TRUE(done) << done.error().to_string();
  }
  void put(const site::Site& site) { put(table_of(site)); }
  // What the proof says about the live ruleset; its text when it does not hold.
  std::string proof(const site::Site& site) {
    auto live = kernel_->read_all();
    if (!live) return live.error().to_string();
    const fwctl::prove::Proof found = fwctl::prove::decide(site, *live, {});
    return found.overall() == fwctl::prove::Answer::holds ? "holds" : print_proof(found);
  }

  std::optional<Topology> topology_;
  std::optional<fwctl::Kernel> kernel_;
};

}  // namespace gatehouse::test

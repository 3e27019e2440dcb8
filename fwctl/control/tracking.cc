#include "fwctl/control/tracking.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/os.h"

namespace gatehouse::fwctl {

using core::Errc;
using core::fail;

namespace {
constexpr const char* kSetting = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose";
}  // namespace

bool answers_handshakes(const KernelTable& table) {
  return std::any_of(table.chains.begin(), table.chains.end(), [](const KernelChain& c) {
    return std::any_of(c.rules.begin(), c.rules.end(), [](const KernelRule& r) {
      return std::any_of(r.expressions.begin(), r.expressions.end(),
                         [](const Expression& e) { return std::holds_alternative<SynProxying>(e); });
    });
  });
}
bool answers_handshakes(const LiveRuleset& ruleset) {
  return std::any_of(ruleset.tables.begin(), ruleset.tables.end(),
                     [](const LiveTable& t) { return answers_handshakes(t.table); });
}

core::Result<PickUpSetting> PickUpSetting::open() {
  PickUpSetting out;
  out.fd_.reset(::open(kSetting, O_RDWR | O_CLOEXEC));
  if (!out.fd_.valid()) {
    out.not_writable_ = errno;
    out.fd_.reset(::open(kSetting, O_RDONLY | O_CLOEXEC));
  }
  if (!out.fd_.valid()) return core::fail_errno(errno, kSetting);
  return out;
}
core::Result<bool> PickUpSetting::is_on() const {
  char text[32];
  const ssize_t got = pread(fd_.get(), text, sizeof text, 0);
  if (got < 0) return core::fail_errno(errno, kSetting);
  return std::string_view(text, static_cast<std::size_t>(got)) != "0\n";
}
core::Status PickUpSetting::turn_off() const {
  int error = not_writable_;
  if (error == 0 && pwrite(fd_.get(), "0\n", 2, 0) != 2) error = errno;
  if (error == 0) return {};
  return fail(Errc::system, std::string(kPicksUp) + ", and it cannot be set to 0 (" + std::strerror(error) +
                                "). `sysctl -w net.netfilter.nf_conntrack_tcp_loose=0`");
}

core::Result<bool> picks_up_connections() {
  GH_TRY(const PickUpSetting setting, PickUpSetting::open());
  return setting.is_on();
}

namespace {

// False where it certainly is not done.
bool checks_checksums(const core::UniqueFd& any_socket, const std::string& interface) {
  ethtool_value value{ETHTOOL_GRXCSUM, 0};
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  if (ioctl(any_socket.get(), SIOCETHTOOL, &request) != 0) return errno != EOPNOTSUPP;
  return value.data != 0;
}

}  // namespace

std::vector<std::string> unchecked_interfaces(const site::Site& site) {
  const bool concerned = std::any_of(site.services.begin(), site.services.end(), [&](const site::Service& s) {
    const auto addresses = site.networks_of(s.host);
    return s.syn_proxy && std::any_of(addresses.begin(), addresses.end(),
                                      [](const core::IpPrefix& p) { return !p.address.is_v4(); });
  });
  const core::UniqueFd any_socket(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::vector<std::string> out;
  for (const site::Zone& z : site.zones) {
    if (concerned && z.untrusted && !checks_checksums(any_socket, z.interface)) out.push_back(z.interface);
  }
  return out;
}

core::Status stop_picking_up(const KernelTable& table) {
  if (!answers_handshakes(table)) return {};
  GH_TRY(const PickUpSetting setting, PickUpSetting::open());
  GH_TRY(const bool on, setting.is_on());
  if (!on) return {};
  core::Status done = setting.turn_off();
  if (!done) done.error().text += "; nothing was applied";
  return done;
}

}  // namespace gatehouse::fwctl

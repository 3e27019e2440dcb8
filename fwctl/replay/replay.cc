#include "fwctl/replay/replay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "fwctl/model/field.h"
#include "fwctl/plan/diff.h"
#include "fwctl/replay/sender.h"
#include "fwctl/replay/wire.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;
using prove::Packet;
using prove::Path;
using Kind = prove::ByteKey::Kind;

// struct virtio_net_hdr, whose own header is no C++.
struct WireHeader {
  std::uint8_t flags = 0;
  std::uint8_t segmentation = 0;
  std::uint16_t header_length = 0;
  std::uint16_t segment_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(WireHeader) == 10);

constexpr std::uint16_t kRelatedPort = 40'999;
constexpr std::int32_t kNfDrop = 0;  // linux/netfilter.h, which cannot stand beside netinet/in.h

core::Status write_setting(const std::string& path, const char* value) {
  const core::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid() || ::write(fd.get(), value, std::strlen(value)) < 0) return core::fail_errno(errno, path);
  return {};
}

bool ordinary(const core::IpAddress& a) {
  if (a.is_v4()) return a.bytes[0] != 0 && a.bytes[0] != 127 && a.bytes[0] < 224;
  const bool unspecified =
      std::all_of(a.bytes.begin(), a.bytes.end() - 1, [](std::uint8_t b) { return b == 0; });
  return !unspecified && a.bytes[0] != 0xff && !(a.bytes[0] == 0xfe && (a.bytes[1] & 0xc0) == 0x80);
}

std::string verdict_word(std::int32_t code, const std::string& target) {
  return KernelVerdict{code, code == NFT_JUMP || code == NFT_GOTO ? target : std::string()}.to_string();
}

}  // namespace

std::vector<std::string> steps_of(const prove::Trace& trace) {
  std::vector<std::string> out;
  for (const prove::TraceStep& s : trace.steps) {
    const std::string place = s.table->name() + ' ' + s.chain->name;
    // To the kernel a reject is a drop with a side effect.
    const std::string verdict = s.verdict == "reject" ? "drop" : s.verdict;
    out.push_back(s.rule == nullptr ? place + ": " + verdict
                                    : fmt::format("{} rule {}: {}", place, s.number, verdict));
  }
  return out;
}

core::Status Replay::enter_namespace() {
  if (unshare(CLONE_NEWNET) != 0) return core::fail_errno(errno, "make a network namespace");
  return {};
}

core::Result<Replay> Replay::make(const std::vector<std::pair<std::string, std::uint32_t>>& interfaces) {
  GH_TRY(Kernel kernel, Kernel::open());
  GH_TRY(TraceListener listener, TraceListener::open());
  GH_TRY(Network network, Network::open());
  Replay out(std::move(kernel), std::move(listener), std::move(network));
  GH_CHECK(out.settle());
  for (const auto& [name, index] : interfaces) {
    if (name != "lo") GH_CHECK(out.open_device(name, index));
  }
  return out;
}

// No address of its own making, no filter but the rules.
core::Status Replay::settle() {
  const std::string v4 = "/proc/sys/net/ipv4/";
  const std::string v6 = "/proc/sys/net/ipv6/conf/";
  GH_CHECK(write_setting(v4 + "ip_forward", "1"));
  for (const char* which : {"all", "default"}) {
    GH_CHECK(write_setting(v4 + "conf/" + which + "/rp_filter", "0"));
    GH_CHECK(write_setting(v4 + "conf/" + which + "/accept_local", "1"));
    GH_CHECK(write_setting(v6 + which + "/forwarding", "1"));
    GH_CHECK(write_setting(v6 + which + "/accept_dad", "0"));
  }
  GH_CHECK(write_setting(v6 + "default/addr_gen_mode", "1"));
  GH_CHECK(network_.link_up("lo"));
  // Masquerading needs some address to hide behind: the dummy one of RFC 7600, which no packet is for.
  GH_CHECK(network_.add_address(*core::IpAddress::parse("192.0.0.8"), "lo"));
  return {};
}

core::Status Replay::open_device(const std::string& name, std::uint32_t index) {
  Device d;
  d.name = name;
  d.fd.reset(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!d.fd.valid()) return core::fail_errno(errno, "open /dev/net/tun");
  if (index > 1) {
    const unsigned wanted = index;
    (void)ioctl(d.fd.get(), TUNSETIFINDEX, &wanted);  // a rule that asks for it will show if it failed
  }
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(d.fd.get(), TUNSETIFF, &request) != 0) return core::fail_errno(errno, "make the device " + name);
  GH_CHECK(network_.link_up(name));
  devices_.push_back(std::move(d));
  return {};
}

const Replay::Device* Replay::device(const std::string& name) const {
  const auto at =
      std::find_if(devices_.begin(), devices_.end(), [&](const Device& d) { return d.name == name; });
  return at == devices_.end() ? nullptr : &*at;
}

core::Status Replay::load(const KernelTable& table) {
  GH_TRY(RulesetCopy before, kernel_.copy());
  if (!before.messages.empty()) return fail(Errc::unsupported, "a ruleset is loaded already");
  GH_CHECK(kernel_.commit(make_plan(nullptr, table).transaction, std::nullopt));
  return load(RulesetCopy{});
}

core::Status Replay::load(const RulesetCopy& copy) {
  GH_CHECK(kernel_.paste(copy));
  GH_TRY(loaded_, kernel_.read_all());
  GH_CHECK(kernel_.add_trace_table());
  asks_user_ = false;
  group_levels_ = prove::writes_of(loaded_).group_levels;
  for (const LiveTable& t : loaded_.tables) {
    for (const KernelChain& c : t.table.chains) {
      for (std::size_t i = 0; i < c.rules.size(); ++i) {
        rules_[c.rules[i].handle][t.name() + ' ' + c.name] = i + 1;
        for (const Expression& e : c.rules[i].expressions) {
          const auto* load = std::get_if<LoadMeta>(&e);
          asks_user_ = asks_user_ || (load != nullptr && load->key == NFT_META_SKUID);
        }
      }
    }
  }
  return {};
}

// Whether the source is among the banned, as the packet says.
core::Status Replay::ban(const Packet& p, bool set_up) {
  const std::string name(p.family == 4 ? kBanned4 : kBanned6);
  const KernelSet* set = nullptr;
  for (const LiveTable& t : loaded_.tables) {
    const KernelSet* found = t.table.find_set(name);
    if (found != nullptr && t.is_ban_set(*found)) set = found;
  }
  if (set == nullptr) return {};
  Transaction all{std::string(kTableName), {FlushSet{name}}};
  if (set_up && p.byte({Kind::banned}) != 0) {
    constexpr std::uint64_t kLongEnough_ms = 60'000;
    const core::IpAddress source = p.address(Kind::source);
    const core::ByteView bytes = source.view();
    all.operations.push_back(AddTimed{*set, Bytes(bytes.begin(), bytes.end()), kLongEnough_ms, {}});
  }
  return kernel_.commit(all, std::nullopt);
}

// Routes so that the packet takes its path and `fib` answers as it says; or their removal.
core::Status Replay::prepare(const Packet& p, bool set_up) {
  const core::IpAddress source = p.address(Kind::source);
  // Routing looks at the packet behind the translation of its destination.
  const core::IpAddress destination = prove::interpret(loaded_, p).destination;
  const auto route = [&](const core::IpAddress& to, const std::string& interface,
                         bool local) -> core::Status {
    if (set_up) return network_.add_route(to, interface, local);
    (void)network_.delete_route(to, interface, local);
    return {};
  };
  GH_CHECK(ban(p, set_up));
  if (p.path == Path::to_gatehouse) GH_CHECK(route(destination, "lo", true));
  if (p.path != Path::to_gatehouse) GH_CHECK(route(destination, p.interface(Kind::oifname), false));
  const bool back = (p.byte({Kind::fib, prove::route_back_question(), 0}) & 1) != 0;
  if (p.path != Path::from_gatehouse && back) GH_CHECK(route(source, p.interface(Kind::iifname), false));
  return {};
}

// As a card that checks checksums gives it: the kernel's SYN proxy judges those of IPv6 as if they were of
// IPv4 (nft_synproxy.c: nft_synproxy_do_eval) unless somebody has checked them.
core::Status Replay::receive_on(const Device& device, std::vector<std::uint8_t> bytes, bool checked) {
  constexpr std::size_t kVersion6Header = 40;
  constexpr std::uint16_t kTcpChecksum = 16;
  constexpr std::uint8_t kChecksummed = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM
  WireHeader header;
  const bool tcp6 = bytes.size() > kVersion6Header && bytes[0] >> 4U == 6 && bytes[6] == kProtocolTcp;
  if (checked && tcp6) {
    header.flags = kChecksummed;
    header.checksum_start = kVersion6Header;
    header.checksum_offset = kTcpChecksum;
  }
  const std::array<iovec, 2> parts = {{{&header, sizeof header}, {bytes.data(), bytes.size()}}};
  if (::writev(device.fd.get(), parts.data(), parts.size()) < 0)
    return core::fail_errno(errno, "send the packet");
  return {};
}

core::Status Replay::put_on_path(const Packet& p, const std::vector<std::vector<std::uint8_t>>& pieces) {
  if (p.path == Path::from_gatehouse) return send_as_program(p, pieces, group_levels_);
  for (const auto& bytes : pieces) {
    GH_CHECK(receive_on(*device(p.interface(Kind::iifname)), bytes,
                        p.byte({Kind::ct_state}) != prove::kStateInvalid));
  }
  return {};
}

core::Result<KernelTrace> Replay::send(const Packet& p) {
  const core::IpAddress source = p.address(Kind::source);
  const core::IpAddress destination = p.address(Kind::destination);
  const std::string in = p.interface(Kind::iifname);
  const std::string out = p.interface(Kind::oifname);
  const bool inbound = p.path != Path::from_gatehouse;
  if (inbound && device(in) == nullptr) return fail(Errc::unsupported, "no device for the interface " + in);
  if (p.path != Path::to_gatehouse && device(out) == nullptr)
    return fail(Errc::unsupported, "no device for the interface " + out);
  // The socket that it would be sent by is root's.
  if (!inbound && asks_user_ && !p.user())
    return fail(Errc::unsupported,
                "what no program sends cannot be sent here; add `user 0`, or another number");
  if (source == destination) return fail(Errc::unsupported, "the source is the destination");
  if (!ordinary(destination)) return fail(Errc::unsupported, "no route leads to " + destination.to_string());
  const bool back = (p.byte({Kind::fib, prove::route_back_question(), 0}) & 1) != 0;
  if (inbound && back && !ordinary(source))
    return fail(Errc::unsupported, "no route leads back to " + source.to_string());

  if (!has_wire_form(p))
    return fail(Errc::unsupported,
                "no packet with these extension headers or options, or such a header, is made here");
  // See receive_on(): behind other headers, or put together, nobody has checked it.
  const bool plain = p.fragment() == 0 && p.extensions().empty();
  if (p.family == 6 && p.protocol() == kProtocolTcp && !plain && prove::writes_of(loaded_).answers)
    return fail(Errc::unsupported,
                "the kernel's SYN proxy takes no TCP over IPv6 in pieces or behind other headers");

  const std::uint8_t state = p.byte({Kind::ct_state});
  if (state == prove::kStateNew && p.byte({Kind::ct, NFT_CT_STATUS, 0}) != 0)
    return fail(Errc::unsupported, "a first packet has no status");
  const std::uint8_t protocol = p.protocol();
  WireOptions options;
  options.number = ++packets_;
  std::optional<Connection> connection;
  if (state == prove::kStateInvalid) {
    if (!inbound) return fail(Errc::unsupported, "nothing that is sent from here is invalid");
    options.wrong_checksum = true;
  } else if (state == prove::kStateEstablished) {
    connection = Connection{source, destination, protocol, p.port(0), p.port(2), 0};
    if (protocol == kProtocolIcmp || protocol == kProtocolIcmpv6) {
      connection->icmp_type = p.byte({Kind::transport, 0, 0});
      if (connection->icmp_type != (protocol == kProtocolIcmp ? 8 : 128))
        return fail(Errc::unsupported, "only an echo request is of an ICMP connection");
      connection->source_port =
          static_cast<std::uint16_t>(p.byte({Kind::transport, 0, 4}) << 8U | p.byte({Kind::transport, 0, 5}));
    }
  } else if (state == prove::kStateRelated) {
    if (protocol != kProtocolIcmp && protocol != kProtocolIcmpv6)
      return fail(Errc::unsupported, "only an ICMP error is related to a connection here");
    options.about_port = kRelatedPort;
    connection = Connection{destination, source, kProtocolUdp, kRelatedPort, kRelatedPort, 0};
  }
  (void)network_.forget_connections();
  if (connection) GH_CHECK(network_.add_connection(*connection));
  for (const Device& d : devices_) {
    std::array<char, 2048> old{};
    while (::read(d.fd.get(), old.data(), old.size()) > 0) {
    }
  }
  (void)listener_.read(0);
  core::Status done = prepare(p, true);
  if (done) done = put_on_path(p, wire_form(p, options));
  core::Result<KernelTrace> trace = KernelTrace{};
  if (done) trace = collect(p);
  (void)prepare(p, false);
  if (!done) return tl::make_unexpected(done.error());
  return trace;
}

std::string Replay::place_of(const TraceEvent& e) const {
  return fmt::format("{} {} {}", family_name(e.family), e.table, e.chain);
}

core::Result<KernelTrace> Replay::collect(const Packet& p) {
  KernelTrace out;
  const std::string start = p.path == Path::from_gatehouse ? "start-output" : "start";
  const std::string end = p.path == Path::to_gatehouse ? "end-input" : "end";
  GH_TRY(const std::vector<TraceEvent> events, listener_.read(100));
  // Pieces that are put together go on under another number, with nothing else between.
  std::size_t pieces = p.fragment() == 0 ? 1 : 2;
  std::optional<std::uint32_t> number;
  for (const TraceEvent& e : events) {
    const bool begins = e.table == kTraceTable && e.chain == start && e.kind == TraceEvent::Kind::policy;
    if (!number && begins && --pieces == 0) number = e.packet;
    if (!number || out.finished || (p.fragment() == 0 && e.packet != *number)) continue;
    if (e.table == kTraceTable) {
      out.finished = e.chain == end && e.kind == TraceEvent::Kind::policy;
      continue;
    }
    if (e.kind == TraceEvent::Kind::returned) continue;
    const std::string place = place_of(e);
    if (e.kind == TraceEvent::Kind::policy) {
      out.steps.push_back(fmt::format("{}: policy {}", place, verdict_word(e.verdict, {})));
      out.dropped = e.verdict == kNfDrop;
    } else {
      if (e.verdict == NFT_CONTINUE) continue;
      std::size_t rule = 0;
      if (const auto at = rules_.find(e.rule); at != rules_.end()) {
        if (const auto here = at->second.find(place); here != at->second.end()) rule = here->second;
      }
      out.steps.push_back(fmt::format("{} rule {}: {}", place, rule, verdict_word(e.verdict, e.target)));
      out.dropped = e.verdict == kNfDrop;
    }
    out.finished = out.dropped;
  }
  if (!number) return fail(Errc::unsupported, "the kernel dropped the packet before the first rule");
  return out;
}

}  // namespace gatehouse::fwctl

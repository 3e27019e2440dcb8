#include "ids/capture/live.h"

#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "ids/capture/pcap_handle.h"

namespace gatehouse::ids {
namespace {

using core::Errc;
using core::fail;
using core::fail_errno;

Errc code_of(int pcap_status) {
  switch (pcap_status) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
      return Errc::not_found;
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
      return Errc::permission;
    default:
      return Errc::system;
  }
}

int kernel_mode(FanoutMode mode) {
  switch (mode) {
    case FanoutMode::none:
    case FanoutMode::hash:
      // Fragments have no ports: without FLAG_DEFRAG the first one would go to another worker.
      return PACKET_FANOUT_HASH | (PACKET_FANOUT_FLAG_DEFRAG << 8);
    case FanoutMode::load_balance:
      return PACKET_FANOUT_LB;
    case FanoutMode::cpu:
      return PACKET_FANOUT_CPU;
    case FanoutMode::queue:
      return PACKET_FANOUT_QM;
  }
  return PACKET_FANOUT_HASH;
}

class LiveSource final : public Source {
 public:
  LiveSource(PcapHandle handle, std::string interface, int poll_ms)
      : handle_(std::move(handle)), interface_(std::move(interface)), poll_ms_(poll_ms) {
    target_.link_type = pcap_datalink(handle_.get());
  }

  core::Result<SourceState> dispatch(PacketSink& sink, unsigned most) override {
    target_.sink = &sink;
    const int wanted = most == 0 || most > 1'000'000 ? 1'000'000 : static_cast<int>(most);
    int got = read_ring(wanted);
    if (got == 0) {
      // The handle does not block: since Linux 3.19 libpcap waits for a frame without limit, and
      // our timers must run also on a silent network.
      pollfd waiting{pcap_get_selectable_fd(handle_.get()), POLLIN, 0};
      if (poll(&waiting, 1, poll_ms_) < 0 && errno != EINTR) return fail_errno(errno, interface_ + ": poll");
      got = read_ring(wanted);
    }
    if (got == PCAP_ERROR_BREAK) return SourceState::end;
    if (got < 0) return fail(code_of(got), interface_ + ": " + pcap_geterr(handle_.get()));
    return got == 0 ? SourceState::idle : SourceState::more;
  }

  CaptureCounters counters() override {
    CaptureCounters counters;
    counters.received = target_.number;
    pcap_stat statistics{};
    // libpcap adds up what PACKET_STATISTICS resets at each reading, in 32 bits.
    if (pcap_stats(handle_.get(), &statistics) == 0) {
      kernel_drops_ += statistics.ps_drop - last_drop_;
      interface_drops_ += statistics.ps_ifdrop - last_interface_drop_;
      last_drop_ = statistics.ps_drop;
      last_interface_drop_ = statistics.ps_ifdrop;
    }
    counters.kernel_drops = kernel_drops_;
    counters.interface_drops = interface_drops_;
    return counters;
  }

 private:
  int read_ring(int wanted) {
    return pcap_dispatch(handle_.get(), wanted, &hand_over, reinterpret_cast<u_char*>(&target_));
  }

  PcapHandle handle_;
  std::string interface_;
  int poll_ms_;
  DispatchTarget target_;
  u_int last_drop_ = 0, last_interface_drop_ = 0;
  std::uint64_t kernel_drops_ = 0, interface_drops_ = 0;
};

core::Status configure(pcap_t* handle, const std::string& interface, const LiveOptions& options) {
  if (options.snaplen <= 0 || options.buffer_bytes <= 0 || options.poll_ms <= 0) {
    return fail(Errc::invalid_input, interface + ": snap length, buffer and poll time must be positive");
  }
  const bool set = pcap_set_snaplen(handle, options.snaplen) == 0 &&
                   pcap_set_promisc(handle, options.promiscuous ? 1 : 0) == 0 &&
                   pcap_set_timeout(handle, options.poll_ms) == 0 &&
                   pcap_set_immediate_mode(handle, options.immediate ? 1 : 0) == 0 &&
                   pcap_set_buffer_size(handle, options.buffer_bytes) == 0;
  if (!set) return fail(Errc::system, interface + ": capture options refused: " + pcap_geterr(handle));
  return {};
}

core::Status install_filter(pcap_t* handle, const std::string& interface, const std::string& text) {
  if (text.empty()) return {};
  bpf_program program{};
  if (pcap_compile(handle, &program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return fail(Errc::invalid_input, interface + ": filter \"" + text + "\": " + pcap_geterr(handle));
  }
  const int status = pcap_setfilter(handle, &program);
  pcap_freecode(&program);
  if (status != 0) return fail(Errc::system, interface + ": installing the filter: " + pcap_geterr(handle));
  return {};
}

core::Status join_fanout(pcap_t* handle, const std::string& interface, const LiveOptions& options) {
  if (options.fanout == FanoutMode::none) return {};
  const int argument = options.fanout_group | kernel_mode(options.fanout) << 16;
  if (setsockopt(pcap_fileno(handle), SOL_PACKET, PACKET_FANOUT, &argument, sizeof argument) != 0) {
    return fail_errno(errno, interface + ": joining fan-out group " + std::to_string(options.fanout_group));
  }
  return {};
}

}  // namespace

core::Result<std::unique_ptr<Source>> open_live(const std::string& interface, const LiveOptions& options) {
  char reason[PCAP_ERRBUF_SIZE] = "";
  PcapHandle handle(pcap_create(interface.c_str(), reason));
  if (handle == nullptr) return fail(Errc::system, interface + ": " + reason);
  GH_CHECK(configure(handle.get(), interface, options));
  const int status = pcap_activate(handle.get());
  // Positive values are warnings: the capture runs, for instance without promiscuous mode.
  if (status < 0) {
    const std::string detail = pcap_geterr(handle.get());
    return fail(code_of(status),
                interface + ": " + pcap_statustostr(status) + (detail.empty() ? "" : " (" + detail + ")"));
  }
  GH_CHECK(install_filter(handle.get(), interface, options.filter));
  GH_CHECK(join_fanout(handle.get(), interface, options));
  if (pcap_setnonblock(handle.get(), 1, reason) != 0) return fail(Errc::system, interface + ": " + reason);
  return std::make_unique<LiveSource>(std::move(handle), interface, options.poll_ms);
}

}  // namespace gatehouse::ids

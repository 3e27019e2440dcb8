#include "ids/capture/pcap_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "ids/capture/pcap_handle.h"

namespace gatehouse::ids {
namespace {

constexpr std::size_t kBlockBytes = 256U << 10U;

using core::Errc;
using core::fail;

class PcapFileSource final : public Source {
 public:
  PcapFileSource(PcapHandle handle, std::unique_ptr<char[]> block, std::string name)
      : block_(std::move(block)), handle_(std::move(handle)), name_(std::move(name)) {
    target_.link_type = pcap_datalink(handle_.get());
  }

  core::Result<SourceState> dispatch(PacketSink& sink, unsigned most) override {
    if (ended_) return SourceState::end;
    target_.sink = &sink;
    const std::uint64_t before = target_.number;
    const int wanted = most == 0 || most > 1'000'000 ? 1'000'000 : static_cast<int>(most);
    const int got = pcap_dispatch(handle_.get(), wanted, &hand_over, reinterpret_cast<u_char*>(&target_));
    if (got < 0) {
      ended_ = true;
      return fail(Errc::invalid_input, name_ + ": damaged after packet " + std::to_string(target_.number) +
                                           ": " + pcap_geterr(handle_.get()));
    }
    if (target_.number == before) {
      ended_ = true;
      return SourceState::end;
    }
    return SourceState::more;
  }

  CaptureCounters counters() override {
    CaptureCounters counters;
    counters.received = target_.number;
    return counters;
  }

 private:
  std::unique_ptr<char[]> block_;  // of the file, which handle_ closes first
  PcapHandle handle_;
  std::string name_;
  DispatchTarget target_;
  bool ended_ = false;
};

}  // namespace

core::Result<std::unique_ptr<Source>> open_pcap_file(const std::string& path) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  // Opened here, not by libpcap, to tell "cannot be opened" from "is not a capture".
  std::FILE* file = standard_input ? stdin : std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return core::fail_errno(errno, name);
  // libpcap asks for each header and each packet: the file is read in blocks that stay in the cache.
  // Standard input outlives the source, and so keeps the buffer it has.
  std::unique_ptr<char[]> block;
  if (!standard_input) {
    block.reset(new char[kBlockBytes]);
    std::setvbuf(file, block.get(), _IOFBF, kBlockBytes);
  }
  char reason[PCAP_ERRBUF_SIZE] = "";
  pcap_t* opened = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_MICRO, reason);
  if (opened == nullptr) {
    if (!standard_input) std::fclose(file);
    return fail(Errc::invalid_input, name + ": not a capture file: " + reason);
  }
  return std::make_unique<PcapFileSource>(PcapHandle(opened), std::move(block), name);
}

}  // namespace gatehouse::ids

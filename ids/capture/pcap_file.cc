#include "ids/capture/pcap_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "ids/capture/classic_pcap.h"
#include "ids/capture/pcap_handle.h"

namespace gatehouse::ids {
namespace {

using core::Errc;
using core::fail;

class PcapFileSource final : public Source {
 public:
  PcapFileSource(PcapHandle handle, std::string name) : handle_(std::move(handle)), name_(std::move(name)) {
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
  PcapHandle handle_;
  std::string name_;
  DispatchTarget target_;
  bool ended_ = false;
};

constexpr off_t kFileHeaderBytes = 24;

// What libpcap opened, when it is a regular file of the plain format and of a link type without a rule of
// its own for the length of records: most of all captures, which we then read faster than libpcap does.
std::optional<ClassicFormat> classic_format(std::FILE* file, pcap_t* handle) {
  struct stat status = {};
  std::uint32_t magic = 0;
  const int fd = fileno(file);
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  if (::pread(fd, &magic, sizeof magic, 0) != sizeof magic) return std::nullopt;
  if (pcap_major_version(handle) != 2 || pcap_minor_version(handle) != 4) return std::nullopt;
  const int link = pcap_datalink(handle);
  if (link != DLT_EN10MB && link != DLT_RAW && link != DLT_NULL && link != DLT_LINUX_SLL &&
      link != DLT_LINUX_SLL2)
    return std::nullopt;
  constexpr std::uint32_t kMicro = 0xa1b2c3d4, kNano = 0xa1b23c4d;
  const std::uint32_t turned = __builtin_bswap32(magic);
  const bool swapped = turned == kMicro || turned == kNano;
  const std::uint32_t plain = swapped ? turned : magic;
  if (plain != kMicro && plain != kNano) return std::nullopt;
  return ClassicFormat{swapped, plain == kNano, static_cast<std::uint32_t>(pcap_snapshot(handle)), link};
}

}  // namespace

core::Result<std::unique_ptr<Source>> open_pcap_file(const std::string& path) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  // Opened here, not by libpcap, to tell "cannot be opened" from "is not a capture".
  std::FILE* file = standard_input ? stdin : std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return core::fail_errno(errno, name);
  char reason[PCAP_ERRBUF_SIZE] = "";
  pcap_t* opened = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_MICRO, reason);
  if (opened == nullptr) {
    if (!standard_input) std::fclose(file);
    return fail(Errc::invalid_input, name + ": not a capture file: " + reason);
  }
  PcapHandle handle(opened);
  if (!standard_input) {
    if (const auto format = classic_format(file, handle.get())) {
      core::UniqueFd fd(::fcntl(fileno(file), F_DUPFD_CLOEXEC, 0));
      if (fd.valid() && ::lseek(fd.get(), kFileHeaderBytes, SEEK_SET) == kFileHeaderBytes)
        return read_classic_pcap(std::move(fd), *format, name);
    }
  }
  return std::make_unique<PcapFileSource>(std::move(handle), name);
}

}  // namespace gatehouse::ids

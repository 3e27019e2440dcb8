#include "ids/capture/classic_pcap.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "ids/capture/frame_batch.h"

namespace gatehouse::ids {
namespace {

using core::Errc;
using core::fail;

// Stays in the cache of the core, which a mapping of the whole file would not; and a file that is cut
// while it is read is a short read here, where a mapping would end the program.
constexpr std::size_t kBlockBytes = FrameBatch::kBytes;
constexpr std::size_t kHeaderBytes = 16;
// The longest record libpcap takes of these link types.
constexpr std::uint32_t kMostBytes = 262'144;

class ClassicPcapSource final : public Source {
 public:
  ClassicPcapSource(core::UniqueFd fd, const ClassicFormat& format, std::string name)
      : fd_(std::move(fd)), format_(format), name_(std::move(name)) {}

  core::Result<SourceState> dispatch(PacketSink& sink, unsigned most) override {
    if (ended_) return SourceState::end;
    if (block_.size() < kBlockBytes) block_.resize(kBlockBytes);
    RawPacket packet;
    for (unsigned handed = 0; most == 0 || handed < most; ++handed) {
      GH_TRY(const bool more, next(packet));
      if (!more) return SourceState::end;
      packet.number = ++number_;
      sink.on_packet(packet);
    }
    return SourceState::more;
  }

  // Read into the batch's own memory. What is left of the last block is less than a record.
  core::Result<SourceState> read(FrameBatch& batch) override {
    std::vector<std::uint8_t> block;
    batch.swap_bytes(block);  // before it is emptied: what has its size already is not filled again
    batch.clear();
    if (ended_) return SourceState::end;
    block.resize(std::max(kBlockBytes, end_ - at_));
    std::copy_n(block_.data() + at_, end_ - at_, block.data());
    block_.swap(block);
    end_ -= at_;
    at_ = 0;
    core::Result<SourceState> state = index(batch);
    block.assign(block_.begin() + static_cast<std::ptrdiff_t>(at_),
                 block_.begin() + static_cast<std::ptrdiff_t>(end_));
    block_.swap(block);
    batch.swap_bytes(block);
    end_ -= at_;
    at_ = 0;
    return state;
  }

  CaptureCounters counters() override {
    CaptureCounters counters;
    counters.received = number_;
    return counters;
  }

 private:
  // The frames of one block, into a batch that will have its bytes.
  core::Result<SourceState> index(FrameBatch& batch) {
    RawPacket packet;
    do {
      GH_TRY(const bool more, next(packet));
      if (!more) return SourceState::end;
      packet.number = ++number_;
      batch.add_view(packet, static_cast<std::size_t>(packet.data.data() - block_.data()));
    } while (!batch.full() && has_record());
    return SourceState::more;
  }

  // Whether next() finds all that it wants in the block.
  bool has_record() const {
    if (end_ - at_ < kHeaderBytes) return false;
    const std::uint32_t captured = word(block_.data() + at_ + 8);
    return captured > kMostBytes || end_ - at_ - kHeaderBytes >= captured;
  }

  // False: the end.
  core::Result<bool> next(RawPacket& packet) {
    GH_TRY(const std::size_t header, available(kHeaderBytes));
    if (header == 0) {
      ended_ = true;
      return false;
    }
    if (header < kHeaderBytes) return damaged("the header of a record is truncated");
    const std::uint8_t* const record = block_.data() + at_;
    const std::int64_t seconds = word(record), fraction = word(record + 4);
    const std::uint32_t captured = word(record + 8);
    packet.wire_length = word(record + 12);
    if (captured > kMostBytes)
      return damaged("a record of " + std::to_string(captured) + " bytes, more than " +
                     std::to_string(kMostBytes));
    GH_TRY(const std::size_t whole, available(kHeaderBytes + captured));
    if (whole < kHeaderBytes + captured) return damaged("a record is truncated");
    // Reading on may have moved the block.
    packet.data =
        core::ByteView(block_.data() + at_ + kHeaderBytes, std::min<std::size_t>(captured, format_.snaplen));
    packet.time_us = seconds * 1'000'000 + (format_.nano ? fraction / 1000 : fraction);
    packet.link_type = format_.link_type;
    at_ += kHeaderBytes + captured;
    return true;
  }

  // How many of `wanted` bytes there are from at_ on; reads until there are enough or the file ends.
  core::Result<std::size_t> available(std::size_t wanted) {
    if (end_ - at_ >= wanted) return wanted;
    std::memmove(block_.data(), block_.data() + at_, end_ - at_);
    end_ -= at_;
    at_ = 0;
    if (wanted > block_.size()) block_.resize(wanted);
    while (end_ < wanted) {
      const ssize_t got = ::read(fd_.get(), block_.data() + end_, block_.size() - end_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return damaged(std::strerror(errno));
      if (got == 0) break;
      end_ += static_cast<std::size_t>(got);
    }
    return std::min(end_, wanted);
  }

  std::uint32_t word(const std::uint8_t* bytes) const {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return format_.swapped ? __builtin_bswap32(value) : value;
  }

  tl::unexpected<core::Error> damaged(const std::string& how) {
    ended_ = true;
    return fail(Errc::invalid_input,
                name_ + ": damaged after packet " + std::to_string(number_) + ": " + how);
  }

  core::UniqueFd fd_;
  ClassicFormat format_;
  std::string name_;
  std::vector<std::uint8_t> block_;
  std::size_t at_ = 0, end_ = 0;  // what was read and not handed over yet
  std::uint64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Source> read_classic_pcap(core::UniqueFd fd, const ClassicFormat& format, std::string name) {
  return std::make_unique<ClassicPcapSource>(std::move(fd), format, std::move(name));
}

}  // namespace gatehouse::ids

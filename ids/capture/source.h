// Where packets come from. A source hands out raw frames; it never interprets them.
#pragma once

#include <cstdint>

#include "core/bytes.h"
#include "core/result.h"

namespace gatehouse::ids {

// Link types as libpcap numbers them (DLT_*), the ones the decoder knows by name.
inline constexpr int kLinkEthernet = 1;

struct RawPacket {
  core::ByteView data;            // captured bytes; valid only during the callback
  std::uint32_t wire_length = 0;  // bytes on the wire; data.size() <= wire_length normally
  std::int64_t time_us = 0;       // since the epoch
  std::uint64_t number = 0;       // 1-based in this source
  int link_type = kLinkEthernet;
};

// Called once per frame. An interface, not std::function: one indirect call and no allocation.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  virtual void on_packet(const RawPacket& packet) = 0;
};

enum class SourceState : std::uint8_t { more, idle, end };

struct CaptureCounters {
  std::uint64_t received = 0;      // frames handed to the sink
  std::uint64_t kernel_drops = 0;  // lost before we could read them
  std::uint64_t interface_drops = 0;
};

class FrameBatch;

class Source {
 public:
  virtual ~Source() = default;
  // Hands at most `most` frames to `sink`. `idle`: none arrived within the poll time of a live
  // source, so that timers can run. A truncated or corrupt file is an Error after the frames
  // before the damage were delivered.
  virtual core::Result<SourceState> dispatch(PacketSink& sink, unsigned most) = 0;
  // The next frames with their bytes, instead of what `batch` held; as many as it likes. The result as of
  // dispatch(), and whatever it is, `batch` holds the frames before the end or the damage.
  virtual core::Result<SourceState> read(FrameBatch& batch);
  virtual CaptureCounters counters() = 0;
};

}  // namespace gatehouse::ids

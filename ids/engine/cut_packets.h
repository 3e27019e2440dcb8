// Packets of captures taken with a short snap length: the decoder refuses them, as half a packet proves
// nothing to a rule, but they count for what floods a host. Reads the headers that are there.
#pragma once

#include <array>
#include <vector>

#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/observation.h"
#include "ids/decode/packet.h"

namespace gatehouse::ids::engine {

class CutPackets {
 public:
  // `sink` must outlive it.
  CutPackets(anomaly::ObservationSink& sink, const anomaly::KeyedHash& hash) : sink_(sink), hash_(hash) {}

  // `packet`: one the decoder gave up because the capture has less of it than there was.
  void see(const Packet& packet);

 private:
  struct Known {  // a conversation, or a datagram of which the first fragment was seen
    std::uint64_t key = 0;
    std::uint32_t packets = 0;
    std::uint16_t from_port = 0, to_port = 0;  // of the first fragment
    bool answered = false;
  };
  void read_ip(const Packet& packet, ByteView ip);
  void fragment(anomaly::Observation& o, std::uint32_t id, bool first, bool last, ByteView payload);
  void transport(anomaly::Observation& o, ByteView payload);
  void datagram(anomaly::Observation& o);
  void echo(anomaly::Observation& o, ByteView payload);
  Known& known(std::uint64_t key);
  std::uint64_t key_of(const IpAddress& from, std::uint16_t from_port, const IpAddress& to,
                       std::uint16_t to_port, std::uint64_t kind) const {
    return hash_(to, hash_(from, std::uint64_t{from_port} << 32U | std::uint64_t{to_port} << 16U | kind)) |
           1U;
  }

  anomaly::ObservationSink& sink_;
  const anomaly::KeyedHash& hash_;
  std::vector<Known> known_;  // made with the first cut packet
};

// A contact that goes on without an answer speaks at 1, 2, 4, 8, 16, 32 packets and then at every 32nd. How
// many packets there were since it last spoke; 0: it does not speak now.
inline std::uint16_t speaks(std::uint64_t packets) {
  constexpr std::uint64_t kSpeakEvery = 32;
  if (packets > kSpeakEvery) return packets % kSpeakEvery == 0 ? static_cast<std::uint16_t>(kSpeakEvery) : 0;
  return (packets & (packets - 1)) == 0 ? static_cast<std::uint16_t>(packets <= 2 ? 1 : packets / 2) : 0;
}

}  // namespace gatehouse::ids::engine

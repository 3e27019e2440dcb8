// Machines among themselves: MQTT, Modbus, DNP3, EtherNet/IP.
#include <algorithm>

#include "ids/parsers/recognised.h"

namespace gatehouse::ids {
namespace {

using recognised::verdict;

constexpr std::uint16_t kMqttPorts[] = {1883};
constexpr std::uint16_t kModbusPorts[] = {502};
constexpr std::uint16_t kDnp3Ports[] = {20000};
constexpr std::uint16_t kEnipPorts[] = {44818};

// MQTT 3.1.1 and 5.0, 3.1: CONNECT names the protocol; CONNACK is four bytes, or more with
// properties.
ProbeVerdict probe_mqtt(ByteView data, Direction direction, AppTransport /*transport*/) {
  const bool request = direction == Direction::to_server;
  if (data[0] != (request ? 0x10 : 0x20)) return ProbeVerdict::no;
  std::size_t at = 1;
  std::size_t length = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (at == data.size()) return ProbeVerdict::maybe;
    if (shift > 21) return ProbeVerdict::no;
    length |= std::size_t{data[at] & 0x7fU} << shift;
    if ((data[at++] & 0x80U) == 0) break;
  }
  const ByteView rest = data.subspan(at);
  if (request) {
    if (length < 10) return ProbeVerdict::no;
    return recognised::begins_with_one(rest, std::string_view("\0\4MQTT", 6),
                                       std::string_view("\0\6MQISDP", 8));
  }
  if (length < 2) return ProbeVerdict::no;
  if (rest.size() < 2) return ProbeVerdict::maybe;
  return verdict(rest[0] <= 1 && (length == 2 ? rest[1] <= 5 : rest[1] == 0 || rest[1] >= 0x80));
}

// Modbus messaging on TCP/IP 3.1.3: protocol 0, a short length, a function.
ProbeVerdict probe_modbus(ByteView data, Direction direction, AppTransport /*transport*/) {
  constexpr std::size_t kHeader = 8;
  if (data.size() > 3 && (data[2] != 0 || data[3] != 0)) return ProbeVerdict::no;
  if (data.size() < kHeader) return ProbeVerdict::maybe;
  const std::size_t length = data[4] * 256U + data[5];
  const unsigned function = direction == Direction::to_client ? data[7] & 0x7fU : data[7];
  return verdict(length >= 2 && length <= 254 && function >= 1 && function <= 127);
}

// IEEE 1815 9.2.4: start octets, and a checksum over the header.
ProbeVerdict probe_dnp3(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  constexpr std::size_t kHeader = 10;
  if (data[0] != 0x05 || (data.size() > 1 && data[1] != 0x64)) return ProbeVerdict::no;
  if (data.size() < kHeader) return ProbeVerdict::maybe;
  std::uint16_t crc = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    crc = static_cast<std::uint16_t>(crc ^ data[i]);
    for (int bit = 0; bit < 8; ++bit)
      crc = static_cast<std::uint16_t>((crc & 1U) != 0 ? (crc >> 1U) ^ 0xa6bcU : crc >> 1U);
  }
  crc = static_cast<std::uint16_t>(~crc);
  return verdict(data[2] >= 5 && crc == data[8] + data[9] * 256U);
}

// CIP Volume 2, 2-3: a known command, and status 0 in requests.
ProbeVerdict probe_enip(ByteView data, Direction direction, AppTransport transport) {
  constexpr std::size_t kHeader = 24;
  constexpr unsigned kCommands[] = {0x00, 0x04, 0x63, 0x64, 0x65, 0x66, 0x6f, 0x70, 0x72, 0x73};
  if (data.size() >= 2) {
    const unsigned command = data[0] + data[1] * 256U;
    if (std::find(std::begin(kCommands), std::end(kCommands), command) == std::end(kCommands))
      return ProbeVerdict::no;
  }
  if (data.size() < kHeader) return transport == AppTransport::tcp ? ProbeVerdict::maybe : ProbeVerdict::no;
  const bool status = std::any_of(data.begin() + 8, data.begin() + 12, [](std::uint8_t b) { return b != 0; });
  return verdict(direction == Direction::to_client || !status);
}

constexpr ParserDescriptor kRows[] = {
    recognised::row("mqtt", "MQTT 5.0", AppTransport::tcp, kMqttPorts, probe_mqtt),
    recognised::row("modbus", "Modbus TCP", AppTransport::tcp, kModbusPorts, probe_modbus, true),
    recognised::row("dnp3", "IEEE 1815", AppTransport::tcp, kDnp3Ports, probe_dnp3),
    recognised::row("enip", "CIP Volume 2", AppTransport::both, kEnipPorts, probe_enip, true),
};

}  // namespace

std::span<const ParserDescriptor> recognised_industry() {
  return kRows;
}

}  // namespace gatehouse::ids

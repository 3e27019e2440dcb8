// Signature ids of detections; their generator id is 900 (gid 1 is that of rules).
#pragma once

#include <cstdint>

namespace gatehouse::ids::anomaly {

inline constexpr std::uint32_t kDetectionGid = 900;

inline constexpr std::uint32_t kSidScanVertical = 1;     // many ports of one host
inline constexpr std::uint32_t kSidScanHorizontal = 2;   // one port of many hosts
inline constexpr std::uint32_t kSidScanBlock = 3;        // several ports of several hosts
inline constexpr std::uint32_t kSidScanSlow = 4;         // over more than the scan window
inline constexpr std::uint32_t kSidScanDistributed = 5;  // many sources, one target
inline constexpr std::uint32_t kSidScanFin = 6;          // probes that are no SYN
inline constexpr std::uint32_t kSidScanNull = 7;
inline constexpr std::uint32_t kSidScanXmas = 8;
inline constexpr std::uint32_t kSidScanAck = 9;
inline constexpr std::uint32_t kSidSynFlood = 20;

}  // namespace gatehouse::ids::anomaly

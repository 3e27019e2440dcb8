// Counters of one worker or of all of them, and the stats event made of them.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/json.h"
#include "ids/capture/source.h"
#include "ids/decode/decoder.h"
#include "ids/engine/event_log.h"
#include "ids/flow/defrag.h"
#include "ids/flow/flow_table.h"
#include "ids/flow/tcp_options.h"
#include "ids/match/detector.h"
#include "ids/triage/desk.h"
#include "ids/triage/guard_client.h"
#include "ids/triage/responder.h"

namespace gatehouse::ids::engine {

// A copy; adding two gives the sum of two workers.
struct StatsSnapshot {
  CaptureCounters capture;
  DecoderCounters decoder;
  DefragCounters defrag;
  FlowTableCounters flow;
  TcpCounters tcp;
  DetectorCounters detect;
  EventCounters events;
  triage::DeskCounters triage;
  triage::ResponderCounters responses;
  triage::GuardCounters guard;
  // What the decoder handed on: frames, packets in tunnels, datagrams put together.
  // packets = detect.inspected_packets + bypassed.
  std::uint64_t packets = 0, bypassed = 0;
  std::vector<std::uint64_t> app_flows;  // by AppProto; index 0: none found, last: failed
  std::array<std::uint64_t, kEventKinds> output_dropped_by_kind{};
  std::uint64_t output_dropped = 0;

  void add(const StatsSnapshot& other);
};

struct StatsContext {
  std::int64_t uptime_s = 0;
  std::uint64_t flow_memcap = 0;
  std::size_t rules_loaded = 0, rules_failed = 0, rules_skipped = 0;
  std::int64_t last_reload_us = 0;  // epoch, the first load included; 0: not told
  bool null_values = true;          // also write counters that are zero
};

// The members of the `stats` object.
void write_stats(core::JsonWriter& json, const StatsSnapshot& stats, const StatsContext& context);

}  // namespace gatehouse::ids::engine

// Memory over a long time: ids_footprint loops|floods. Exit status 1 when a bound does not hold.
//   loops   50 times the same capture, an hour apart: the resident memory of the last loop is that of the
//           tenth
//   floods  a million flows of each flood: resident memory stays within the caps, and the counters add up
#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "core/os.h"
#include "ids/engine/testing/traffic.h"

namespace {

using namespace gatehouse::ids;
using namespace gatehouse::ids::testing;

int failures = 0;

void expect(bool holds, std::string_view what) {
  if (holds) return;
  ++failures;
  fmt::print("failed: {}\n", what);
}

void expect_sums(const engine::StatsSnapshot& stats) {
  const FlowTableCounters& f = stats.flow;
  expect(f.total == f.active + f.timed_out + f.tcp_reuse + f.finished + f.evicted_fresh +
                        f.evicted_established + f.evicted_closed,
         "flows created = active + ended");
  expect(stats.packets == stats.detect.inspected_packets + stats.bypassed, "packets = inspected + bypassed");
}

void loops() {
  constexpr std::int64_t kHour = 3'600'000'000;
  std::vector<Frame> capture;
  for (unsigned i = 0; i < 200; ++i) {
    for (const Talk talk : kTalks) {
      const auto frames = conversation(talk, i * 4 + static_cast<unsigned>(talk));
      capture.insert(capture.end(), frames.begin(), frames.end());
    }
    for (unsigned j = 0; j < 20; ++j) capture.push_back(flood_packet(i * 20 + j, j % 2 == 0));
    capture.push_back(lone_fragment(i));
  }
  // The detectors' tables take their memory page by page, up to this: small ones are full after ten loops.
  Sensor sensor("alert http any any -> any any (msg:\"a\"; http.uri; content:\"/page\"; sid:1;)",
                "anomaly.memory: 8 MiB");
  std::uint64_t tenth = 0, last = 0;
  for (int loop = 1; loop <= 50; ++loop) {
    sensor.feed(capture, loop * kHour);
    if (loop == 10) tenth = gatehouse::core::resident_bytes();
    last = gatehouse::core::resident_bytes();
  }
  fmt::print("{} packets a loop: {} kB after 10 loops, {} kB after 50\n", capture.size(), tenth / 1024,
             last / 1024);
  expect(last <= tenth + (2U << 20U), "resident memory stays where it was");
  sensor.worker().finish();
  expect_sums(sensor.stats());
  expect(sensor.stats().decoder.packets == capture.size() * 50, "every packet was counted");
}

void floods() {
  constexpr unsigned kPackets = 1'000'000;
  for (const char* kind : {"tcp", "udp", "fragments"}) {
    const std::uint64_t before = gatehouse::core::resident_bytes();
    Sensor sensor;
    const std::uint64_t start = gatehouse::core::resident_bytes();
    for (unsigned i = 0; i < kPackets; ++i)
      sensor.feed(kind[0] == 'f' ? lone_fragment(i) : flood_packet(i, kind[0] == 'u'));
    const engine::StatsSnapshot stats = sensor.stats();
    const std::uint64_t grown = gatehouse::core::resident_bytes() - start;
    fmt::print("{}: {} flows, {} live, {} MB more ({} MB for the worker itself)\n", kind, stats.flow.total,
               stats.flow.active, grown >> 20U, (start - before) >> 20U);
    const engine::Settings& settings = sensor.settings();
    expect(stats.flow.memuse <= settings.flow.memcap_bytes, "flow.memcap");
    expect(stats.tcp.memuse <= settings.tcp.session_memcap_bytes, "stream.memcap");
    expect(stats.defrag.memuse <= settings.defrag.memcap_bytes, "defrag.memcap");
    // The share of the unanswered with what hangs on each of them, and the tables of the detectors.
    expect(grown <= 96U << 20U, "memory of a flood");
    expect(stats.decoder.packets == kPackets, "every packet was counted");
    expect_sums(stats);
    sensor.worker().finish();
    expect_sums(sensor.stats());
    expect(sensor.stats().flow.active == 0, "no flow is left");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view which = argc == 2 ? argv[1] : "";
  if (which == "loops") {
    loops();
  } else if (which == "floods") {
    floods();
  } else {
    fmt::print(stderr, "usage: ids_footprint loops|floods\n");
    return 2;
  }
  return failures == 0 ? 0 : 1;
}

// Live workers pause when they like: what they told reaches the detectors, whoever pauses first.
#include "ids/engine/shared_monitor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "ids/engine/testing/replay.h"

namespace gatehouse::ids::engine {
namespace {

using anomaly::Contact;
using anomaly::Observation;

class Kept : public EventSink {
 public:
  explicit Kept(std::vector<std::string>& lines) : lines_(lines) {}
  void write(EventKind /*kind*/, std::string_view line) override { lines_.emplace_back(line); }
  void flush() override {}
  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return 0; }

 private:
  std::vector<std::string>& lines_;
  std::string failure_;
};

constexpr std::int64_t kStart = 1'700'000'000'000'000;

// A port of a scan, refused.
void probe(anomaly::ObservationSink& sink, std::uint16_t port, std::int64_t time_us) {
  Observation o;
  o.time_us = time_us;
  o.packet = port;
  o.client = core::IpAddress::v4(0xc6336401);
  o.server = core::IpAddress::v4(0x0a000001);
  o.client_port = 40000;
  o.server_port = port;
  o.tcp_flags = 0x02;
  o.contact = Contact::tcp_attempt;
  sink.on_observation(o);
  o.contact = Contact::tcp_refused;
  sink.on_observation(o);
}

std::size_t starts(std::size_t lanes, const std::function<void(SharedMonitor&)>& play) {
  core::Diagnostics diagnostics;
  const auto settings = load_settings({}, diagnostics);
  if (!settings) return 0;
  auto compiled = Engine::build(check_rules({}, settings->environment, diagnostics), settings->engine);
  if (!compiled) return 0;
  std::vector<std::string> lines;
  Output output(1, WhenFull::wait);
  output.add_sink(std::make_unique<Kept>(lines));
  output.start();
  {
    SharedMonitor monitor(*settings, output.port(0), "eth0", lanes, nullptr);
    monitor.use(*compiled);
    play(monitor);
    monitor.finish(kStart + 100'000'000);
  }
  output.stop();
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("\"phase\":\"start\"") != std::string::npos;
  }));
}

TEST(SharedMonitor, AScanThatFourWorkersSeePartsOfIsOneEvent) {
  EXPECT_EQ(starts(4,
                   [](SharedMonitor& monitor) {
                     for (std::uint16_t port = 1; port <= 20; ++port)
                       probe(*monitor.lane(port % 4), port, kStart + port * 10'000);
                     for (std::size_t lane = 0; lane < 4; ++lane) monitor.flush(lane, kStart + 300'000);
                   }),
            1u);
}

// What one lane holds back comes late, and counts; those that say nothing hold up nobody.
TEST(SharedMonitor, LanesThatPauseAtOtherTimes) {
  EXPECT_EQ(starts(4,
                   [](SharedMonitor& monitor) {
                     for (std::uint16_t port = 1; port <= 5; ++port)
                       probe(*monitor.lane(0), port, kStart + port * 10'000);
                     for (std::uint16_t port = 6; port <= 12; ++port)
                       probe(*monitor.lane(1), port, kStart + port * 10'000);
                     monitor.flush(1, kStart + 500'000);
                     monitor.flush(2, kStart + 900'000);
                     monitor.flush(0, kStart + 600'000);
                   }),
            1u);
}

TEST(SharedMonitor, FourThreadsAtOnce) {
  EXPECT_EQ(starts(4,
                   [](SharedMonitor& monitor) {
                     std::vector<std::thread> threads;
                     for (std::size_t lane = 0; lane < 4; ++lane) {
                       threads.emplace_back([&monitor, lane] {
                         for (std::uint16_t n = 0; n < 200; ++n) {
                           probe(*monitor.lane(lane), static_cast<std::uint16_t>(lane * 1000 + n),
                                 kStart + n * 10'000);
                           if (n % 7 == lane) monitor.flush(lane, kStart + n * 10'000);
                         }
                         monitor.flush(lane, kStart + 2'000'000);
                       });
                     }
                     for (std::thread& thread : threads) thread.join();
                   }),
            1u);
}

}  // namespace
}  // namespace gatehouse::ids::engine

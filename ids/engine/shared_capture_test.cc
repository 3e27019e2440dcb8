#include "ids/engine/shared_capture.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <set>
#include <thread>

namespace gatehouse::ids::engine {
namespace {

TEST(WorkerOf, BothDirectionsAndAllFragmentsGoTogether) {
  std::vector<std::uint8_t> frame(60, 0);
  frame[12] = 0x08;
  frame[14] = 0x45;
  const auto put = [&](std::uint8_t a, std::uint8_t b) {
    for (std::size_t i = 0; i < 4; ++i) {
      frame[26 + i] = static_cast<std::uint8_t>(a + i);
      frame[30 + i] = static_cast<std::uint8_t>(b + i);
    }
  };
  RawPacket packet;
  packet.data = frame;
  WorkerChoice choice(4);
  std::set<std::size_t> used;
  for (int i = 0; i < 200; ++i) {
    put(static_cast<std::uint8_t>(i), 77);
    const std::size_t there = choice.of(packet);
    put(77, static_cast<std::uint8_t>(i));
    EXPECT_EQ(choice.of(packet), there);
    frame[20] = 0x20;  // more fragments, another offset
    EXPECT_EQ(choice.of(packet), there);
    frame[20] = 0;
    used.insert(there);
  }
  EXPECT_EQ(used.size(), 4u);
  packet.data = packet.data.first(20);
  EXPECT_EQ(choice.of(packet), 0u);
}

TEST(WorkerOf, PairsGoToTheWorkerThatHasLeast) {
  WorkerChoice choice(2), again(2);
  std::array<std::uint64_t, 2> bytes{};
  // Copies of the same few pairs in other networks, as when a small capture is made a large one.
  for (std::uint8_t copy = 0; copy < 100; ++copy) {
    for (std::uint8_t pair = 0; pair < 10; ++pair) {
      std::vector<std::uint8_t> frame(60U + pair * 100U, 0);
      frame[12] = 0x08;
      frame[14] = 0x45;
      frame[26] = 10;
      frame[28] = copy;
      frame[29] = pair;
      frame[30] = 203;
      frame[32] = static_cast<std::uint8_t>(copy ^ 0x71U);
      frame[33] = static_cast<std::uint8_t>(pair + 7);
      RawPacket packet;
      packet.data = frame;
      const std::size_t worker = choice.of(packet);
      EXPECT_EQ(again.of(packet), worker);
      bytes[worker] += frame.size();
    }
  }
  const double share = static_cast<double>(bytes[0]) / static_cast<double>(bytes[0] + bytes[1]);
  EXPECT_NEAR(share, 0.5, 0.02);
}

// Frames of 64 pairs of hosts in turn; their order and their bytes can be told from their numbers.
class Numbers : public Source {
 public:
  Numbers(std::uint64_t frames, bool damaged) : left_(frames), damaged_(damaged) {}
  core::Result<SourceState> dispatch(PacketSink& sink, unsigned most) override {
    for (unsigned i = 0; i < most; ++i) {
      if (left_ == 0) {
        if (std::exchange(damaged_, false)) return core::fail(core::Errc::invalid_input, "damaged");
        return SourceState::end;
      }
      --left_;
      std::vector<std::uint8_t> frame = frame_of(++number_);
      RawPacket packet;
      packet.data = frame;
      packet.wire_length = static_cast<std::uint32_t>(frame.size());
      packet.number = number_;
      packet.time_us = static_cast<std::int64_t>(number_) * 10;
      sink.on_packet(packet);
    }
    return SourceState::more;
  }
  CaptureCounters counters() override { return {number_, 0, 0}; }

  static std::vector<std::uint8_t> frame_of(std::uint64_t number) {
    std::vector<std::uint8_t> frame(60 + number % 900, static_cast<std::uint8_t>(number));
    frame[12] = 0x08;
    frame[13] = 0;
    frame[14] = 0x45;
    for (std::size_t i = 26; i < 34; ++i) frame[i] = 0;
    frame[29] = static_cast<std::uint8_t>(number % 64);
    frame[33] = 77;
    return frame;
  }

 private:
  std::uint64_t left_, number_ = 0;
  bool damaged_;
};

struct Seen : PacketSink {
  void on_packet(const RawPacket& packet) override {
    const auto frame = Numbers::frame_of(packet.number);
    whole = whole && std::equal(frame.begin(), frame.end(), packet.data.begin(), packet.data.end()) &&
            packet.time_us == static_cast<std::int64_t>(packet.number) * 10;
    ordered = ordered && (numbers.empty() || numbers.back() < packet.number);
    numbers.push_back(packet.number);
    pairs.insert(packet.number % 64);
  }
  std::vector<std::uint64_t> numbers;
  std::set<std::uint64_t> pairs;
  bool whole = true, ordered = true;
};

struct Outcome {
  std::vector<Seen> seen;
  std::vector<std::vector<std::int64_t>> stretches;
  core::Status status;
  std::int64_t last_us = 0;
};

// Worker 0 rests after each of its first batches: the others come to the end of what is kept for it.
Outcome run(std::uint64_t frames, std::size_t workers, bool damaged, bool one_is_slow) {
  Numbers source(frames, damaged);
  SharedCapture capture(source, workers);
  Outcome r{std::vector<Seen>(workers), std::vector<std::vector<std::int64_t>>(workers), {}, 0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < workers; ++i) {
    threads.emplace_back([&, i] {
      int batches = 0;
      while (const SharedCapture::Batch* batch = capture.next(i)) {
        if (i == 0 && one_is_slow && ++batches < 20)
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        batch->deliver(i, r.seen[i]);
        if (batch->stretch_end_us != 0) r.stretches[i].push_back(batch->stretch_end_us);
      }
      EXPECT_EQ(capture.next(i), nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  r.status = capture.status();
  r.last_us = capture.last_us();
  return r;
}

void expect_all(const Outcome& r, std::uint64_t frames) {
  std::set<std::uint64_t> all, pairs;
  std::size_t told = 0;
  for (const Seen& seen : r.seen) {
    EXPECT_TRUE(seen.whole);
    EXPECT_TRUE(seen.ordered);
    told += seen.numbers.size();
    all.insert(seen.numbers.begin(), seen.numbers.end());
    for (const std::uint64_t pair : seen.pairs) EXPECT_TRUE(pairs.insert(pair).second) << pair;
  }
  EXPECT_EQ(told, frames);
  EXPECT_EQ(all.size(), frames);
  EXPECT_EQ(r.last_us, static_cast<std::int64_t>(frames) * 10);
  for (const auto& stretches : r.stretches) EXPECT_EQ(stretches, r.stretches[0]);
}

TEST(SharedCapture, EachFrameGoesToOneWorkerInOrder) {
  for (const std::size_t workers : {1U, 2U, 5U}) {
    for (const bool slow : {false, true}) {
      SCOPED_TRACE(testing::Message() << workers << " workers, slow: " << slow);
      const Outcome r = run(50'000, workers, false, slow);
      expect_all(r, 50'000);
      EXPECT_TRUE(r.status);
      EXPECT_GT(r.stretches[0].size(), 5U);
    }
  }
}

TEST(SharedCapture, WhatComesBeforeDamageIsHandedOut) {
  const Outcome r = run(5'000, 3, true, false);
  expect_all(r, 5'000);
  ASSERT_FALSE(r.status);
  EXPECT_EQ(r.status.error().text, "damaged");
}

TEST(SharedCapture, AnEmptyCaptureEndsAtOnce) {
  const Outcome r = run(0, 2, false, false);
  expect_all(r, 0);
  EXPECT_TRUE(r.status);
}

}  // namespace
}  // namespace gatehouse::ids::engine

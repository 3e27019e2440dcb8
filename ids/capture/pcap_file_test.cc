#include "ids/capture/pcap_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "core/os.h"
#include "ids/capture/frame_batch.h"
#include "ids/decode/testing/packet_builder.h"

namespace gatehouse::ids {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::PcapFormat;

struct Collector : PacketSink {
  void on_packet(const RawPacket& packet) override {
    frames.push_back({Bytes(packet.data.begin(), packet.data.end()), packet.time_us});
    numbers.push_back(packet.number);
    link_type = packet.link_type;
  }
  std::vector<Frame> frames;
  std::vector<std::uint64_t> numbers;
  int link_type = -1;
};

class PcapFile : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gh-pcap-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string file(const Bytes& content) {
    const std::string path = directory_ + "/a.pcap";
    EXPECT_TRUE(core::write_file_atomic(path, core::as_text(content)));
    return path;
  }
  std::string directory_;
};

std::vector<Frame> three_frames() {
  return testing::TcpConversation().handshake().frames();
}

TEST_F(PcapFile, ReadsEveryFormat) {
  for (const auto format :
       {PcapFormat::micro, PcapFormat::nano, PcapFormat::micro_swapped, PcapFormat::pcapng}) {
    SCOPED_TRACE(static_cast<int>(format));
    const auto frames = three_frames();
    auto source = open_pcap_file(file(testing::pcap_bytes(frames, format)));
    ASSERT_TRUE(source) << source.error().to_string();
    Collector sink;
    auto state = (*source)->dispatch(sink, 2);
    ASSERT_TRUE(state);
    EXPECT_EQ(*state, SourceState::more);
    EXPECT_EQ(sink.frames.size(), 2U);
    while (*state == SourceState::more) {
      state = (*source)->dispatch(sink, 100);
      ASSERT_TRUE(state) << state.error().to_string();
    }
    EXPECT_EQ(*state, SourceState::end);
    ASSERT_EQ(sink.frames.size(), frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      EXPECT_EQ(sink.frames[i].data, frames[i].data);
      EXPECT_EQ(sink.frames[i].time_us, frames[i].time_us);
      EXPECT_EQ(sink.numbers[i], i + 1);
    }
    EXPECT_EQ(sink.link_type, kLinkEthernet);
    EXPECT_EQ((*source)->counters().received, 3U);
  }
}

TEST_F(PcapFile, CutAnywhereDeliversWholeFramesThenFails) {
  const auto frames = three_frames();
  for (const auto format : {PcapFormat::micro, PcapFormat::pcapng}) {
    const Bytes whole = testing::pcap_bytes(frames, format);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      SCOPED_TRACE(length);
      auto source =
          open_pcap_file(file(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))));
      if (!source) {
        EXPECT_EQ(core::exit_status(source.error().code), 2);
        EXPECT_NE(source.error().text.find("a.pcap"), std::string::npos);
        continue;
      }
      Collector sink;
      auto state = (*source)->dispatch(sink, 100);
      while (state && *state == SourceState::more) state = (*source)->dispatch(sink, 100);
      for (std::size_t i = 0; i < sink.frames.size(); ++i) EXPECT_EQ(sink.frames[i].data, frames[i].data);
      if (!state) {
        EXPECT_NE(state.error().text.find("a.pcap: damaged after packet"), std::string::npos);
        // It stays ended: no second error, no more frames.
        const auto again = (*source)->dispatch(sink, 100);
        ASSERT_TRUE(again);
        EXPECT_EQ(*again, SourceState::end);
      }
    }
  }
}

// Reads from a pipe, as libpcap reads it; from a file, as we do.
struct Read {
  std::vector<Frame> frames;
  bool damaged = false;
};
Read read_all(const std::string& path) {
  Read read;
  auto source = open_pcap_file(path);
  if (!source) return read;
  Collector sink;
  auto state = (*source)->dispatch(sink, 0);
  while (state && *state == SourceState::more) state = (*source)->dispatch(sink, 7);
  read.frames = sink.frames;
  read.damaged = !state;
  return read;
}

// The same by batches, the first frames one by one; each batch lives until the next.
Read read_batches(const std::string& path) {
  Read read;
  auto source = open_pcap_file(path);
  if (!source) return read;
  Collector sink;
  FrameBatch batch;
  auto state = (*source)->dispatch(sink, 1);
  while (state && *state == SourceState::more) {
    state = (*source)->read(batch);
    batch.deliver(sink);
  }
  for (std::size_t i = 0; i < sink.numbers.size(); ++i) EXPECT_EQ(sink.numbers[i], i + 1);
  read.frames = sink.frames;
  read.damaged = !state;
  const auto again = (*source)->read(batch);
  EXPECT_TRUE(again && *again == SourceState::end && batch.empty());
  return read;
}

void expect_equal(const Read& ours, const Read& theirs) {
  EXPECT_EQ(ours.damaged, theirs.damaged);
  ASSERT_EQ(ours.frames.size(), theirs.frames.size());
  for (std::size_t i = 0; i < ours.frames.size(); ++i) {
    EXPECT_EQ(ours.frames[i].data, theirs.frames[i].data) << i;
    EXPECT_EQ(ours.frames[i].time_us, theirs.frames[i].time_us) << i;
  }
}

TEST_F(PcapFile, PlainFilesAreReadAsLibpcapReadsThem) {
  std::vector<Frame> many;
  for (std::size_t i = 0; i < 400; ++i)
    many.push_back(
        {Bytes(40 + i * 37 % 3000, static_cast<std::uint8_t>(i)), static_cast<std::int64_t>(i) * 999});
  many.push_back({Bytes(200'000, 7), 1'000'000});
  // More than a batch takes.
  for (std::size_t i = 0; i < 30'000; ++i) many.push_back({Bytes(i % 3), 1});
  Bytes short_snaplen = testing::pcap_bytes(many);
  short_snaplen[16] = 100;  // of 262,144 or 65,535: the low byte; the rest is cleared
  short_snaplen[17] = short_snaplen[18] = short_snaplen[19] = 0;
  Bytes too_long = testing::pcap_bytes(many);
  const std::size_t second = 24 + 16 + many[0].data.size();
  too_long[second + 10] = 0x20;  // more than two million bytes
  Bytes odd_time = testing::pcap_bytes(many);
  odd_time[24 + 3] = odd_time[second + 7] = 0xff;
  // The seconds of the year 2105, not of 1969.
  const Read late = read_all(file(odd_time));
  ASSERT_FALSE(late.frames.empty());
  EXPECT_EQ(late.frames[0].time_us, 0xff00'0000 * std::int64_t{1'000'000});
  Bytes odd_time_swapped = testing::pcap_bytes(many, PcapFormat::micro_swapped);
  odd_time_swapped[24] = odd_time_swapped[second + 4] = 0xff;
  Bytes cut = testing::pcap_bytes(many);
  cut.resize(cut.size() - 600'000);
  const struct {
    const char* name;
    Bytes content;
    bool damaged;
  } rows[] = {{"micro", testing::pcap_bytes(many), false},
              {"nano", testing::pcap_bytes(many, PcapFormat::nano), false},
              {"swapped", testing::pcap_bytes(many, PcapFormat::micro_swapped), false},
              {"short snaplen", short_snaplen, false},
              {"odd time", odd_time, false},
              {"odd time, swapped", odd_time_swapped, false},
              {"too long", too_long, true},
              {"cut", cut, true}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const Read ours = read_all(file(row.content));
    EXPECT_EQ(ours.damaged, row.damaged);
    expect_equal(read_batches(file(row.content)), ours);
    const std::string pipe = directory_ + "/pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    // The reader of damaged content leaves before the writer is done.
    ::signal(SIGPIPE, SIG_IGN);
    const auto write = [&] {
      std::FILE* out = std::fopen(pipe.c_str(), "wb");
      std::fwrite(row.content.data(), 1, row.content.size(), out);
      std::fclose(out);
    };
    std::thread writer(write);
    const Read theirs = read_all(pipe);
    writer.join();
    expect_equal(ours, theirs);
    std::thread again(write);
    expect_equal(read_batches(pipe), ours);
    again.join();
    std::filesystem::remove(pipe);
  }
}

TEST_F(PcapFile, AFileThatIsCutWhileItIsReadIsDamaged) {
  std::vector<Frame> many(2'000, Frame{Bytes(1'000, 1), 1});
  const std::string path = file(testing::pcap_bytes(many));
  auto source = open_pcap_file(path);
  ASSERT_TRUE(source);
  Collector sink;
  ASSERT_TRUE((*source)->dispatch(sink, 10));
  std::filesystem::resize_file(path, 1'000'000);
  FrameBatch batch;
  auto state = (*source)->read(batch);
  EXPECT_TRUE(state);
  batch.deliver(sink);
  state = (*source)->dispatch(sink, 0);
  EXPECT_FALSE(state);
  EXPECT_GT(sink.frames.size(), 900U);
  EXPECT_LT(sink.frames.size(), 1'000U);
}

TEST_F(PcapFile, RefusesWhatIsNotACapture) {
  const auto text = open_pcap_file(file(testing::from_text("this is not a capture file at all, not at all")));
  ASSERT_FALSE(text);
  EXPECT_EQ(core::exit_status(text.error().code), 2);
  EXPECT_NE(text.error().text.find("not a capture file"), std::string::npos);

  const auto missing = open_pcap_file(directory_ + "/missing.pcap");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, core::Errc::not_found);

  const auto folder = open_pcap_file(directory_);
  ASSERT_FALSE(folder);
}

}  // namespace
}  // namespace gatehouse::ids

#include "ids/capture/pcap_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "core/os.h"
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

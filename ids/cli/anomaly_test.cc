// ids anomaly: from a capture with an attack to words about it.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/os.h"
#include "ids/cli/verbs.h"
#include "ids/decode/testing/packet_builder.h"

namespace gatehouse::ids::cli {
namespace {

using nlohmann::json;
using testing::TcpConversation;

class Anomaly : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = "/tmp/gh-ids-anomaly-XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    std::vector<testing::Frame> frames;
    for (std::uint16_t port = 1; port <= 40; ++port) {
      TcpConversation::Endpoints e;
      e.server_port = port;
      e.start_us += port * 1000;
      TcpConversation probe(e);
      probe.raw(true, 0x02, 0, 0).raw(false, 0x14, 0, 1);
      frames.insert(frames.end(), probe.frames().begin(), probe.frames().end());
    }
    write("scan.pcap", core::as_text(testing::pcap_bytes(frames)));
    // Estimates go by the seed of the hashes.
    write("open.yaml", "anomaly.seed: 7\n");
    write("strict.yaml", "anomaly.seed: 7\nanomaly.strict-eve: yes\n");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, std::string_view content) const {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << content;
  }
  // Runs `ids WORDS...`, @ standing for the directory.
  int run(std::vector<std::string> words) {
    for (std::string& word : words) {
      if (word.starts_with("@")) word = directory_ + "/" + word.substr(1);
    }
    words.insert(words.begin(), "ids");
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    ::testing::internal::CaptureStderr();
    ::testing::internal::CaptureStdout();
    const int status = core::run_tool(ids_tool(), static_cast<int>(argv.size()), argv.data());
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return status;
  }
  bool says(std::string_view text) const { return out_.find(text) != std::string::npos; }

  std::string directory_, out_, err_;
};

TEST_F(Anomaly, ExplainSaysWhyAndWhatWouldHavePreventedIt) {
  ASSERT_EQ(run({"run", "--config", "@open.yaml", "--pcap", "@scan.pcap", "--log-dir", "@"}), 0) << err_;
  ASSERT_EQ(run({"anomaly", "explain", "@eve.json"}), 0) << err_;
  EXPECT_TRUE(says("scan.syn.vertical")) << out_;
  EXPECT_TRUE(says("by          192.0.2.1")) << out_;
  EXPECT_TRUE(says("   had to reach 64")) << out_;
  EXPECT_TRUE(says("evidence below 64 (8 refusals)")) << out_;
  ASSERT_EQ(run({"anomaly", "explain", "1", "--log-dir", "@", "--json"}), 0) << err_;
  const json list = json::parse(out_);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0]["events"], 2);
  EXPECT_EQ(list[0]["figures"][0]["name"], "evidence");
  EXPECT_EQ(list[0]["figures"][0]["had_to_reach"], 64);
  EXPECT_GE(list[0]["figures"][0]["value"], 64);
  // A second run counts its attacks from one again: they are two.
  ASSERT_EQ(run({"run", "--config", "@open.yaml", "--pcap", "@scan.pcap", "--log-dir", "@"}), 0) << err_;
  ASSERT_EQ(run({"anomaly", "explain", "@eve.json", "--json"}), 0);
  EXPECT_EQ(json::parse(out_).size(), 2u);
}

TEST_F(Anomaly, ExplainReadsStrictEventsAlike) {
  ASSERT_EQ(run({"run", "--config", "@open.yaml", "--pcap", "@scan.pcap", "--log-dir", "@"}), 0) << err_;
  ASSERT_EQ(run({"anomaly", "explain", "@eve.json"}), 0);
  const std::string open = out_;
  std::filesystem::remove(directory_ + "/eve.json");
  ASSERT_EQ(run({"run", "--config", "@strict.yaml", "--pcap", "@scan.pcap", "--log-dir", "@"}), 0) << err_;
  ASSERT_EQ(run({"anomaly", "explain", "@eve.json"}), 0);
  EXPECT_EQ(out_, open);
}

TEST_F(Anomaly, ExplainOfWhatIsNoEventSaysNo) {
  write("eve.json",
        "{\"event_type\":\"alert\",\"alert\":{\"gid\":900},\"detection\":{\"class\":7}}\n[]\n\x01{\n");
  EXPECT_EQ(run({"anomaly", "explain", "@eve.json"}), 1);
  EXPECT_EQ(run({"anomaly", "explain", "x", "--log-dir", "@"}), 2);
  EXPECT_EQ(run({"anomaly", "explain", "@nothing"}), 2);
  write("eve.json",
        "{\"event_type\":\"alert\",\"alert\":{\"gid\":900,\"signature\":\"\\u001b[2J\"},\"detection\":{"
        "\"class\":"
        "\"scan.udp\",\"id\":-1,\"sources\":[1,null],\"evidence\":{\"failed\":\"x\"},\"limits\":[]}}\n");
  EXPECT_EQ(run({"anomaly", "explain", "@eve.json"}), 0);
  EXPECT_EQ(out_.find('\x1b'), std::string::npos);
}

TEST_F(Anomaly, TopShowsWhoIsSuspectedAtTheEndOfACapture) {
  ASSERT_EQ(run({"anomaly", "top", "--pcap", "@scan.pcap"}), 0) << err_;
  EXPECT_TRUE(says("1 attack(s), 1 suspect(s)")) << out_;
  EXPECT_TRUE(says("scan.syn.vertical")) << out_;
  ASSERT_EQ(run({"anomaly", "top", "--pcap", "@scan.pcap", "--json"}), 0) << err_;
  const json top = json::parse(out_);
  EXPECT_EQ(top["suspects"][0]["source"], "192.0.2.1");
  EXPECT_GE(top["suspects"][0]["evidence_percent"], 100);
  EXPECT_EQ(top["attacks"][0]["fate"], "told");
  write("except.yaml",
        "anomaly.exceptions: [{source: 192.0.2.0/24, class: scan.*, until: 2099-01-01, reason: pentest}]\n");
  ASSERT_EQ(run({"anomaly", "top", "--config", "@except.yaml", "--pcap", "@scan.pcap"}), 0) << err_;
  EXPECT_TRUE(says("excepted: pentest")) << out_;
  EXPECT_EQ(run({"anomaly", "top"}), 2);
  EXPECT_EQ(run({"anomaly", "top", "--socket", "@nobody.sock"}), 2);
}

// Neither half of the scan is one; who looks leaves the state as it is.
TEST_F(Anomaly, TopTakesUpAStateAndLeavesIt) {
  std::vector<testing::Frame> halves[2];
  for (std::uint16_t port = 1; port <= 12; ++port) {
    TcpConversation::Endpoints e;
    e.server_port = port;
    e.start_us += port * 1000;
    TcpConversation probe(e);
    probe.raw(true, 0x02, 0, 0).raw(false, 0x14, 0, 1);
    auto& half = halves[port <= 6 ? 0 : 1];
    half.insert(half.end(), probe.frames().begin(), probe.frames().end());
  }
  write("first.pcap", core::as_text(testing::pcap_bytes(halves[0])));
  write("second.pcap", core::as_text(testing::pcap_bytes(halves[1])));
  ASSERT_EQ(run({"anomaly", "top", "--config", "@open.yaml", "--pcap", "@second.pcap"}), 0) << err_;
  EXPECT_TRUE(says("0 attack(s), 1 suspect(s)")) << out_;
  ASSERT_EQ(
      run({"run", "--config", "@open.yaml", "--pcap", "@first.pcap", "--log-dir", "@", "--state", "@state"}),
      0);
  const auto before = core::read_file(directory_ + "/state", 1U << 28U);
  ASSERT_TRUE(before);
  for (int turn = 0; turn < 2; ++turn) {
    ASSERT_EQ(
        run({"anomaly", "top", "--config", "@open.yaml", "--pcap", "@second.pcap", "--state", "@state"}), 0);
    EXPECT_TRUE(says("1 attack(s), 1 suspect(s)")) << out_ << err_;
  }
  EXPECT_TRUE(*core::read_file(directory_ + "/state", 1U << 28U) == *before);
}

TEST_F(Anomaly, ReplayGivesTheSameEventsAtAnySpeed) {
  ASSERT_EQ(run({"run", "--config", "@open.yaml", "--pcap", "@scan.pcap", "--log-dir", "@"}), 0) << err_;
  std::ifstream log(directory_ + "/eve.json");
  std::string line, events;
  while (std::getline(log, line)) {
    if (line.find("\"gid\":900") != std::string::npos) events += line + "\n";
  }
  ASSERT_FALSE(events.empty());
  for (const char* speed : {"0", "10", "0.5"}) {
    ASSERT_EQ(run({"anomaly", "replay", "--config", "@open.yaml", "--pcap", "@scan.pcap", "--speed", speed}),
              0)
        << err_;
    EXPECT_EQ(out_, events) << speed;
  }
  write("quiet.rules",
        "pass ip any any -> any any (gid:900; sid:1;)\nalert ip any any -> any any (sid:1;)\n");
  ASSERT_EQ(run({"anomaly", "replay", "--pcap", "@scan.pcap", "--rules", "@quiet.rules"}), 0) << err_;
  EXPECT_EQ(out_, "");
  EXPECT_EQ(run({"anomaly", "replay", "--pcap", "@scan.pcap", "--speed", "fast"}), 2);
}

TEST_F(Anomaly, ReplayTakesUpAStateAndLeavesOne) {
  const std::vector<std::string> words = {"anomaly", "replay",     "--config", "@open.yaml",
                                          "--pcap",  "@scan.pcap", "--state",  "@state"};
  ASSERT_EQ(run(words), 0) << err_;
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/state"));
  EXPECT_TRUE(says("\"phase\":\"start\"")) << out_;
  // The attack goes on in a run to come: it has not ended.
  EXPECT_FALSE(says("\"phase\":\"end\"")) << out_;
}

}  // namespace
}  // namespace gatehouse::ids::cli

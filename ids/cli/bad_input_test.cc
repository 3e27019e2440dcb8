// What the command does with input that is wrong: the exit status and what it says.
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

using testing::TcpConversation;

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = "/tmp/gh-ids-cli-XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    const auto frames =
        TcpConversation().handshake().client_sends("GET / HTTP/1.1\r\nHost: a\r\n\r\n").close().frames();
    const testing::Bytes capture = testing::pcap_bytes(frames);
    const std::string_view bytes = core::as_text(capture);
    write("good.pcap", bytes);
    write("cut.pcap", bytes.substr(0, bytes.size() - 20));
    write("text.pcap", "this is no capture");
    write("empty.pcap", "");
    write("good.rules", "alert tcp any any -> any any (msg:\"syn\"; flags:S; sid:1;)\n");
    write("mixed.rules",
          "alert tcp any any -> any any (msg:\"syn\"; flags:S; sid:1;)\nalert tcp any any -> any any "
          "(msg:\"x\"; contnet:\"a\"; sid:2;)\n");
    write("bad.rules", "alert tcp any any -> any any (msg:\"x\"; contnet:\"a\"; sid:2;)\n");
    write("bad.yaml", "stream:\n  reassembly:\n    dept: 1\n");
    write("none.rules", "# nothing here\n");
    std::filesystem::create_directory(directory_ + "/no-rules");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, std::string_view content) {
    std::ofstream(directory_ + "/" + name, std::ios::binary) << content;
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  // Runs `ids WORDS...`, @ standing for the directory.
  int run(std::vector<std::string> words) {
    for (std::string& word : words) {
      if (word.starts_with("@")) word = path(word.substr(1));
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
  std::size_t events() const {
    std::ifstream in(path("out/eve.json"));
    std::string line;
    std::size_t count = 0;
    while (std::getline(in, line)) count += nlohmann::json::parse(line).is_object() ? 1 : 0;
    return count;
  }

  std::string directory_, out_, err_;
};

struct Row {
  const char* name;
  std::vector<std::string> words;
  int status;
  const char* says;  // on standard error
};

TEST_F(BadInput, ExitStatusAndMessage) {
  const std::vector<Row> rows = {
      {"good", {"run", "--rules", "@good.rules", "--pcap", "@good.pcap", "--log-dir", "@o1"}, 0, ""},
      {"no rules at all", {"run", "--pcap", "@good.pcap", "--log-dir", "@o2"}, 0, ""},
      {"rule file without rules",
       {"run", "--rules", "@none.rules", "--pcap", "@good.pcap", "--log-dir", "@o3"},
       0,
       ""},
      {"some bad rules",
       {"run", "--rules", "@mixed.rules", "--pcap", "@good.pcap", "--log-dir", "@o4"},
       0,
       "mixed.rules:2:"},
      {"only bad rules",
       {"run", "--rules", "@bad.rules", "--pcap", "@good.pcap", "--log-dir", "@o5"},
       2,
       "refused"},
      {"rule file missing",
       {"run", "--rules", "@nowhere.rules", "--pcap", "@good.pcap", "--log-dir", "@o6"},
       2,
       "nowhere.rules"},
      {"directory without rules",
       {"run", "--rules", "@no-rules", "--pcap", "@good.pcap", "--log-dir", "@o7"},
       2,
       "no-rules"},
      {"capture missing", {"run", "--pcap", "@nowhere.pcap", "--log-dir", "@o8"}, 2, "nowhere.pcap"},
      {"no capture", {"run", "--pcap", "@text.pcap", "--log-dir", "@o9"}, 2, "text.pcap"},
      {"empty file", {"run", "--pcap", "@empty.pcap", "--log-dir", "@o10"}, 2, "empty.pcap"},
      {"configuration missing",
       {"run", "--pcap", "@good.pcap", "--log-dir", "@o11", "--config", "@nowhere.yaml"},
       2,
       "nowhere.yaml"},
      {"unknown key",
       {"run", "--pcap", "@good.pcap", "--log-dir", "@o12", "--config", "@bad.yaml"},
       2,
       "bad.yaml:3:5"},
      {"its hint", {"config", "--config", "@bad.yaml"}, 2, "stream.reassembly.depth"},
      {"site missing",
       {"run", "--pcap", "@good.pcap", "--log-dir", "@o13", "--site", "@nowhere.yaml"},
       2,
       "nowhere.yaml"},
      {"classification missing",
       {"run", "--pcap", "@good.pcap", "--log-dir", "@o14", "--classification", "@nowhere"},
       2,
       "nowhere"},
      {"nowhere to write", {"run", "--pcap", "@good.pcap"}, 2, "--log-dir"},
      {"nothing to read", {"run", "--log-dir", "@o15"}, 2, "--pcap"},
      {"both", {"run", "--pcap", "@good.pcap", "--interface", "lo", "--log-dir", "@o16"}, 2, "exclude"},
      {"workers", {"run", "--pcap", "@good.pcap", "--log-dir", "@o17", "--workers", "0"}, 2, "--workers"},
      {"log directory", {"run", "--pcap", "@good.pcap", "--log-dir", "/proc/nope"}, 2, "/proc/nope"},
      {"profile of what is live",
       {"run", "--interface", "lo", "--log-dir", "@o18", "--profile"},
       2,
       "--pcap"},
      {"profile among events",
       {"run", "--pcap", "@good.pcap", "--log-dir", "-", "--profile"},
       2,
       "--profile"},
      {"unknown option", {"run", "--pcab", "x"}, 2, "--pcab"},
      {"check: bad", {"check", "@mixed.rules"}, 1, "content"},
      {"check: good", {"check", "@good.rules"}, 0, ""},
      {"check: nothing", {"check"}, 2, "rule file"},
      {"bench: no capture", {"bench", "--pcap", "@text.pcap"}, 2, "text.pcap"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(run(row.words), row.status) << row.name << "\n" << err_;
    EXPECT_NE(err_.find(row.says), std::string::npos) << row.name << " says: " << err_;
  }
}

TEST_F(BadInput, InterfaceThatDoesNotExist) {
  const int status = run({"run", "--interface", "gh-nowhere0", "--log-dir", "@out"});
  EXPECT_TRUE(status == 2 || status == 3) << status;
  EXPECT_NE(err_.find("gh-nowhere0"), std::string::npos) << err_;
}

TEST_F(BadInput, ACutCaptureIsWorkedThroughAndReported) {
  EXPECT_EQ(run({"run", "--rules", "@good.rules", "--pcap", "@cut.pcap", "--log-dir", "@out"}), 0);
  EXPECT_NE(err_.find("cut.pcap"), std::string::npos) << err_;
  EXPECT_GE(events(), 2u);  // the alert on the SYN and the flow
}

TEST_F(BadInput, CheckSpeaksJson) {
  EXPECT_EQ(run({"check", "--json", "@mixed.rules"}), 1);
  const nlohmann::json result = nlohmann::json::parse(out_);
  EXPECT_EQ(result["loaded"], 1);
  EXPECT_EQ(result["failed"], 1);
  ASSERT_EQ(result["diagnostics"].size(), 1u);
  EXPECT_EQ(result["diagnostics"][0]["line"], 2);
  EXPECT_EQ(result["diagnostics"][0]["column"], 40);
}

TEST_F(BadInput, SeveralWorkersWriteTheSameEvents) {
  EXPECT_EQ(run({"run", "--rules", "@good.rules", "--pcap", "@good.pcap", "--log-dir", "@out"}), 0);
  const std::size_t one = events();
  std::filesystem::remove_all(path("out"));
  EXPECT_EQ(
      run({"run", "--rules", "@good.rules", "--pcap", "@good.pcap", "--log-dir", "@out", "--workers", "3"}),
      0);
  EXPECT_EQ(events(), one);
}

}  // namespace
}  // namespace gatehouse::ids::cli

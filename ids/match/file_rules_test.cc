// Rules about files, from the bytes of a flow to the match.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ids/keywords/file_tests.h"
#include "ids/match/detector.h"

namespace gatehouse::ids {
namespace {

namespace fs = std::filesystem;

// What a store was told.
class CountingStore : public FileStore {
 public:
  std::unique_ptr<FileSink> open() override {
    contents.emplace_back();
    return std::make_unique<Sink>(contents, contents.size() - 1);
  }
  std::vector<std::string> contents;

 private:
  class Sink : public FileSink {
   public:
    Sink(std::vector<std::string>& all, std::size_t i) : all_(all), i_(i) {}
    void write(ByteView bytes) override { all_[i_] += core::as_text(bytes); }
    void finish(std::string, std::string) override {}
    std::uint64_t id() const override { return i_ + 1; }
    bool failed() const override { return false; }

   private:
    std::vector<std::string>& all_;
    std::size_t i_;
  };
};

class FileRules : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "gh-files-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { fs::remove_all(directory_); }

  void list(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
  }

  // The rules stand beside the lists; each text is one rule's options without sid.
  RuleList rules(const std::vector<std::string>& options) {
    std::string text;
    for (std::size_t i = 0; i < options.size(); ++i)
      text += "alert http any any -> any any (" + options[i] + " sid:" + std::to_string(i + 1) + ";)\n";
    core::Diagnostics d;
    const core::SourceText source(directory_ + "/t.rules", text);
    RuleEnvironment environment;
    RuleList checked = check_rules(std::span(&source, 1), environment, d);
    EXPECT_FALSE(d.has_errors()) << d.render_all();
    return checked;
  }

  // Sids that fire on a request, in order. `pieces` come with an inspection after each.
  std::vector<std::uint32_t> run(const std::vector<std::string>& options,
                                 const std::vector<std::string>& pieces) {
    RuleList checked = rules(options);
    const FileNeeds needs = checked.file_needs;
    auto engine = Engine::build(std::move(checked), {});
    EXPECT_TRUE(engine) << engine.error().to_string();
    const auto detector = Detector::make(*engine);
    auto policy = std::make_shared<FilePolicy>();
    policy->needs = needs;
    policy->store = &store_;
    AppLayer layer{ParserConfig{}};
    layer.use_file_policy(std::move(policy));
    Flow flow;
    flow.key.server_port = 80;
    flow.key.protocol = kProtoTcp;
    flow.state = FlowState::established;
    Packet packet;
    packet.ip_version = 4;
    packet.protocol = kProtoTcp;
    packet.has_transport = true;
    packet.source = packet.destination = *IpAddress::parse("10.0.0.1");
    packet.destination_port = 80;
    std::vector<std::uint32_t> fired;
    for (const std::string& piece : pieces) {
      StreamChunk chunk;
      chunk.data = core::as_bytes(piece);
      layer.on_stream(flow, chunk, 0);
      std::vector<Match> matches;
      detector->inspect(packet, &flow, matches);
      for (const Match& match : matches) fired.push_back(match.rule->meta.sid);
    }
    return fired;
  }

  std::string directory_;
  CountingStore store_;
};

using Sids = std::vector<std::uint32_t>;

// Two files in one request.
std::string form(const std::string& first, const std::string& second) {
  const std::string body =
      "--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"one.TXT\"\r\n\r\n" + first +
      "\r\n--B\r\nContent-Disposition: form-data; name=\"b\"; filename=\"two.bin\"\r\n\r\n" + second +
      "\r\n--B--\r\n";
  return "POST /up HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(FileRules, NamesAndExtensions) {
  EXPECT_EQ(run({"filename:\"ONE\";", "fileext:\"txt\";", "fileext:\"tx\";", "filename:!\"one\";",
                 "fileext:!\"bin\"; filename:!\"two\";", "filename:one;", "file.name; content:\"one.TXT\";",
                 "file.name; content:\"one\"; content:\"bin\";", "filename:\"one\"; filename:\"two\";"},
                {form("abc", "0123456789")}),
            (Sids{1, 2, 4, 5, 6, 7, 9}));
}

TEST_F(FileRules, SizesAreOfOneFile) {
  EXPECT_EQ(run({"filesize:3;", "filesize:>9;", "filesize:>10;", "filesize:<3;", "filesize:5<>11;",
                 "filesize:3; filesize:10;"},
                {form("abc", "0123456789")}),
            (Sids{1, 2, 5}));
}

TEST_F(FileRules, DigestsInLists) {
  list("md5", "# a comment\n\n900150983CD24FB0D6963F7D28E17F72  abc\n00000000000000000000000000000000\r\n");
  list("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d\n");
  list("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
  list("none", "");
  EXPECT_EQ(run({"filemd5:md5;", "filesha1:sha1;", "filesha256:sha256;", "filemd5:!md5;", "filemd5:none;",
                 "filemd5:md5; filesize:10;", "filemd5:!md5; filesize:3;"},
                {form("abc", "0123456789")}),
            (Sids{1, 2, 3, 4}));
  EXPECT_EQ(run({"filemd5:md5;"}, {form("abd", "")}), Sids{});
}

TEST_F(FileRules, DigestListsAreChecked) {
  list("short", "900150983cd24fb0d6963f7d28e17f7\n");
  list("long", "900150983cd24fb0d6963f7d28e17f7200\n");
  list("word", "hello\n");
  for (const char* name : {"short", "long", "word", "absent"}) {
    EXPECT_FALSE(DigestList::read(directory_ + "/" + name, 16)) << name;
  }
  list("twice", "900150983cd24fb0d6963f7d28e17f72\n900150983cd24fb0d6963f7d28e17f72\n");
  EXPECT_EQ((*DigestList::read(directory_ + "/twice", 16))->size(), 1U);
}

TEST_F(FileRules, WaitForTheEndOfTheFile) {
  const std::string whole = form("abc", "0123456789");
  const std::size_t cut = whole.find("6789");
  EXPECT_EQ(run({"filesize:10;"}, {whole.substr(0, cut), whole.substr(cut)}), Sids{1});
  EXPECT_EQ(run({"filename:\"two\";"}, {whole.substr(0, cut), whole.substr(cut)}), Sids{1});
}

TEST_F(FileRules, Types) {
  const std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0", 29);
  EXPECT_EQ(run({"filemagic:\"png image\";", "file.magic; content:\"PNG image\"; startswith;",
                 "filemagic:\"JPEG\";"},
                {form("abc", png)}),
            (Sids{1, 2}));
}

TEST_F(FileRules, StoreTheFilesThatFit) {
  EXPECT_EQ(run({"filestore; filesize:10;"}, {form("abc", "0123456789")}), Sids{1});
  EXPECT_EQ(store_.contents, std::vector<std::string>{"0123456789"});
}

TEST_F(FileRules, StoreAllFilesWithoutAQuestion) {
  EXPECT_EQ(run({"filestore;"}, {form("abc", "0123456789")}), Sids{1});
  EXPECT_EQ(store_.contents, (std::vector<std::string>{"abc", "0123456789"}));
}

TEST_F(FileRules, StoreEachFileAsItComes) {
  const std::string whole = form("abc", "0123456789");
  const std::size_t first = whole.find("abc") + 1;
  const std::size_t second = whole.find("6789");
  const std::vector<std::string> pieces = {whole.substr(0, first), whole.substr(first, second - first),
                                           whole.substr(second)};
  // Other rules match once in a transaction.
  EXPECT_EQ(run({"filestore;", "filename:\".\";", "filestore:response,tx;"}, pieces), (Sids{1, 2, 3, 1, 3}));
  EXPECT_EQ(store_.contents, (std::vector<std::string>{"abc", "0123456789"}));
}

TEST_F(FileRules, StoreByScope) {
  const std::string first = form("abc", "01");
  const std::string second = form("de", "23");
  EXPECT_EQ(run({"filestore:request,file; http.uri; content:\"/up\";"}, {first}), Sids{1});
  EXPECT_EQ(store_.contents.size(), 2U);
  store_.contents.clear();
  run({"filestore:response,flow; filesize:3;"}, {first, second});
  EXPECT_EQ(store_.contents.size(), 0U);
  run({"filestore:both,flow; filesize:3;"}, {first, second});
  EXPECT_EQ(store_.contents, (std::vector<std::string>{"abc", "01", "de", "23"}));
  store_.contents.clear();
  run({"filestore:both,tx; filesize:3;"}, {first, second});
  EXPECT_EQ(store_.contents, (std::vector<std::string>{"abc", "01"}));
}

TEST_F(FileRules, NothingIsStoredThatDoesNotMatch) {
  EXPECT_EQ(run({"filestore; filesize:10; http.uri; content:\"/other\";"}, {form("abc", "0123456789")}),
            Sids{});
  EXPECT_TRUE(store_.contents.empty());
}

}  // namespace
}  // namespace gatehouse::ids

#include "ids/state/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "core/os.h"
#include "ids/state/dataset_store.h"

namespace gatehouse::ids {
namespace {

ByteView bytes(std::string_view text) {
  return core::as_bytes(text);
}
Dataset make(DatasetType type, std::uint64_t memcap = 1U << 20U) {
  return Dataset("set", type, memcap, 16);
}

TEST(Dataset, HoldsValuesOfItsType) {
  Dataset names("names", DatasetType::string, 1U << 20U, 16);
  EXPECT_EQ(names.add(bytes("a.example")), Dataset::Added::added);
  EXPECT_EQ(names.add(bytes("a.example")), Dataset::Added::present);
  EXPECT_TRUE(names.contains(bytes("a.example")));
  EXPECT_FALSE(names.contains(bytes("b.example")));
  EXPECT_FALSE(names.contains({}));
  EXPECT_TRUE(names.remove(bytes("a.example")));
  EXPECT_FALSE(names.remove(bytes("a.example")));
  EXPECT_EQ(names.memory_bytes(), 0U);

  Dataset hashes("hashes", DatasetType::md5, 1U << 20U, 16);
  EXPECT_EQ(hashes.add(bytes("short")), Dataset::Added::wrong);
  EXPECT_EQ(hashes.add(bytes("0123456789abcdef")), Dataset::Added::added);
}

TEST(Dataset, MappedAddressesAreIpv4) {
  Dataset set("ips", DatasetType::ip, 1U << 20U, 16);
  const std::string v4("\xc0\x00\x02\x01", 4);
  const std::string mapped = std::string(10, '\0') + "\xff\xff" + v4;
  EXPECT_EQ(set.add(bytes(mapped)), Dataset::Added::added);
  EXPECT_TRUE(set.contains(bytes(v4)));
  EXPECT_EQ(set.add(bytes(v4)), Dataset::Added::present);
  EXPECT_FALSE(set.contains(bytes(v4 + std::string(12, '\0'))));
  EXPECT_EQ(set.text(), "192.0.2.1\n");
}

TEST(Dataset, SubdomainsBeginWithADot) {
  Dataset set("names", DatasetType::string, 1U << 20U, 16);
  set.add(bytes(".evil.com"));
  for (const char* name : {".evil.com", "www.evil.com", ".a.b.evil.com"})
    EXPECT_TRUE(set.find_subdomain(bytes(name))) << name;
  for (const char* name : {"evil.com", "notevil.com", ".evil.com.org", "com"})
    EXPECT_FALSE(set.find_subdomain(bytes(name))) << name;
  EXPECT_FALSE(set.find_subdomain(bytes(std::string(100'000, '.') + "evil.com")));
}

TEST(Dataset, StaysWithinItsMemcap) {
  Dataset set("names", DatasetType::string, 64U << 10U, 16);
  for (int i = 0; i < 100'000; ++i) set.add(bytes("host-" + std::to_string(i)));
  EXPECT_LE(set.memory_bytes(), 64U << 10U);
  EXPECT_GT(set.size(), 400U);
  EXPECT_EQ(set.size() + set.refused(), 100'000U);
  EXPECT_TRUE(set.contains(bytes("host-0")));
}

TEST(Dataset, WorkersShareIt) {
  Dataset set("names", DatasetType::string, 16U << 20U, 16);
  std::atomic<unsigned> added{0};
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        if (set.add(bytes(std::to_string(i))) == Dataset::Added::added) ++added;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(added, 5000U);
  EXPECT_EQ(set.size(), 5000U);
}

TEST(DatasetFile, ReadsWhatItWrites) {
  const std::pair<DatasetType, const char*> files[] = {
      {DatasetType::string, "YQ==\nYWI=,7\nYWJj\n"},
      {DatasetType::md5, "00112233445566778899aabbccddeeff\n"},
      {DatasetType::sha256, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff,65535\n"},
      {DatasetType::ipv4, "192.0.2.1\n"},
      {DatasetType::ip, "192.0.2.1\n2001:db8::1\n"}};
  for (const auto& [type, text] : files) {
    Dataset set = make(type);
    core::Diagnostics d;
    EXPECT_TRUE(read_dataset(core::SourceText("f", text), false, set, d)) << d.render_all();
    EXPECT_EQ(set.text(), text);
  }
}

TEST(DatasetFile, RefusesMistakesWhereTheyAre) {
  struct Row {
    DatasetType type;
    const char* line;
    bool reputation;
    const char* code;
  };
  const Row rows[] = {{DatasetType::string, "abc", false, "dataset-value"},
                      {DatasetType::string, "ab=c", false, "dataset-value"},
                      {DatasetType::string, "YQ==,", false, "dataset-reputation"},
                      {DatasetType::string, "YQ==,65536", false, "dataset-reputation"},
                      {DatasetType::string, "YQ==", true, "dataset-reputation"},
                      {DatasetType::string, ",1", false, "dataset-value"},
                      {DatasetType::md5, "00", false, "dataset-value"},
                      {DatasetType::sha256, "00112233445566778899aabbccddeeff", false, "dataset-value"},
                      {DatasetType::md5, "0011223344556677889 aabbccddeeff", false, "dataset-value"},
                      {DatasetType::ipv4, "::1", false, "dataset-value"},
                      {DatasetType::ip, "192.0.2.0/24", false, "dataset-value"}};
  for (const Row& row : rows) {
    Dataset set = make(row.type);
    core::Diagnostics d;
    EXPECT_FALSE(read_dataset(core::SourceText("f", "\n  " + std::string(row.line)), row.reputation, set, d));
    ASSERT_EQ(d.all().size(), 1U) << row.line;
    EXPECT_EQ(d.all()[0].code, row.code) << row.line;
    EXPECT_EQ(d.all()[0].where.line, 2U) << row.line;
  }
}

TEST(DatasetFile, StopsWhenTheMemcapIsReached) {
  Dataset set = make(DatasetType::ipv4, 1000);
  std::string text;
  for (int i = 0; i < 200; ++i) text += "10.0.0." + std::to_string(i) + "\n";
  core::Diagnostics d;
  EXPECT_FALSE(read_dataset(core::SourceText("f", text), false, set, d));
  ASSERT_EQ(d.all().size(), 1U);
  EXPECT_EQ(d.all()[0].code, "dataset-memcap");
}

TEST(DatasetJson, TakesValuesFromNestedPlaces) {
  Dataset set = make(DatasetType::string);
  core::Diagnostics d;
  const DatasetJson form{false, "host.name", "info.list", false};
  ASSERT_TRUE(read_json_dataset(
      core::SourceText("f", R"({"info": {"list": [{"year": 1, "host": {"name": "a", "os": "x"}},
                                                   {"host": {"name": "a"}, "year": 2}]}})"),
      form, set, d))
      << d.render_all();
  // The first one of equal values counts; keys keep their order.
  EXPECT_EQ(set.find(bytes("a"))->json, R"({"year":1,"host":{"name":"a","os":"x"}})");
}

TEST(DatasetJson, ReadsLinesAndLeavesTheValueOut) {
  Dataset set = make(DatasetType::ip);
  core::Diagnostics d;
  const DatasetJson form{true, "ip", "", true};
  ASSERT_TRUE(
      read_json_dataset(core::SourceText("f", "{\"ip\": \"::1\", \"n\": [1, null]}\r\n\n"), form, set, d));
  EXPECT_EQ(set.size(), 1U);
  EXPECT_EQ(set.find(bytes(std::string(15, '\0') + '\x01'))->json, R"({"n":[1,null]})");
}

TEST(DatasetJson, SkipsObjectsOfAnotherKind) {
  Dataset set = make(DatasetType::string);
  core::Diagnostics d;
  EXPECT_TRUE(read_json_dataset(core::SourceText("f", "{\"v\": \"a\"}\n{\"w\": \"b\"}\n{}\n"),
                                {true, "v", "", false}, set, d));
  EXPECT_EQ(set.size(), 1U);
  ASSERT_EQ(d.warning_count(), 1U);
  EXPECT_EQ(d.all()[0].where.line, 2U);
  EXPECT_NE(d.all()[0].message.find("2 object(s)"), std::string::npos);
}

TEST(DatasetJson, RefusesMistakesWhereTheyAre) {
  struct Row {
    const char* text;
    bool lines;
    std::uint32_t line;
  };
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  const Row rows[] = {{"[{\"v\": \"a\"},\n {\"v\" 1}]", false, 2},
                      {"{}", false, 1},
                      {"[1]", false, 1},
                      {"[{\"v\": 1}]", false, 1},
                      {"{\"v\": \"a\"}\n{\"v\": [\"a\"]}", true, 2},
                      {"[{\"v\": \"a\", \"n\": 1e999}]", false, 1},
                      {deep.c_str(), false, 1},
                      {"", false, 1}};
  for (const Row& row : rows) {
    Dataset set = make(DatasetType::string);
    core::Diagnostics d;
    EXPECT_FALSE(read_json_dataset(core::SourceText("f", row.text), {row.lines, "v", "", false}, set, d))
        << row.text;
    ASSERT_EQ(d.all().size(), 1U) << row.text;
    EXPECT_EQ(d.all()[0].where.line, row.line) << row.text;
  }
}

class Store : public ::testing::Test {
 protected:
  Store() {
    std::filesystem::create_directories(directory_);
    store_.set_base_directory(directory_);
  }
  ~Store() override { std::filesystem::remove_all(directory_); }

  DatasetSpec spec(const char* name, std::optional<DatasetType> type = DatasetType::string) const {
    DatasetSpec out;
    out.name = name;
    out.type = type;
    out.directory = directory_;
    return out;
  }
  std::string error(const DatasetSpec& s) {
    const auto set = store_.open(s, diagnostics_);
    return set ? std::string() : set.error().text;
  }
  void write(const std::string& file, const std::string& text) const {
    ASSERT_TRUE(core::write_file_atomic(directory_ + "/" + file, text));
  }

  std::string directory_ = ::testing::TempDir() + "gatehouse-sets-" + std::to_string(::getpid());
  DatasetStore store_;
  core::Diagnostics diagnostics_;
};

TEST_F(Store, StateSurvivesARestart) {
  DatasetSpec s = spec("seen");
  s.state = "seen.lst";
  {
    const auto set = store_.open(s, diagnostics_);
    ASSERT_TRUE(set) << set.error().text;
    (*set)->add(bytes("one"));
    ASSERT_TRUE(store_.save());
  }
  DatasetStore next;
  next.set_base_directory(directory_);
  const auto set = next.open(s, diagnostics_);
  ASSERT_TRUE(set);
  EXPECT_TRUE((*set)->contains(bytes("one")));
  EXPECT_EQ(*core::read_file(directory_ + "/seen.lst"), "b25l\n");
}

TEST_F(Store, AReloadReadsWhatIsOnlyLoadedAndKeepsWhatRulesChange) {
  write("list.lst", "YQ==\n");
  DatasetSpec loaded = spec("list");
  loaded.load = "list.lst";
  const auto before = *store_.open(loaded, diagnostics_);
  const auto seen = *store_.open(spec("seen"), diagnostics_);
  seen->add(bytes("x"));
  write("list.lst", "Yg==\n");
  EXPECT_EQ(*store_.open(loaded, diagnostics_), before);
  store_.begin_load();
  const auto after = *store_.open(loaded, diagnostics_);
  EXPECT_TRUE(after->contains(bytes("b")));
  EXPECT_FALSE(after->contains(bytes("a")));
  EXPECT_TRUE(before->contains(bytes("a")));
  EXPECT_EQ(*store_.open(spec("seen", std::nullopt), diagnostics_), seen);
}

TEST_F(Store, RefusesWhatDoesNotFit) {
  EXPECT_NE(error(spec("new", std::nullopt)).find("is not defined"), std::string::npos);
  EXPECT_EQ(error(spec("known")), "");
  EXPECT_NE(error(spec("known", DatasetType::md5)).find("is of type string"), std::string::npos);
  DatasetSpec s = spec("mixed");
  s.state = "a";
  s.load = "b";
  EXPECT_NE(error(s).find("excludes"), std::string::npos);
  s = spec("absolute");
  s.save = "/etc/passwd";
  EXPECT_NE(error(s).find("absolute"), std::string::npos);
  s.save = "a/../../b";
  EXPECT_NE(error(s).find("climbs"), std::string::npos);
  s = spec("missing");
  s.load = "no-such-file";
  EXPECT_NE(error(s), "");
  s = spec("json");
  s.json = true;
  s.load = "x";
  EXPECT_NE(error(s).find("value_key"), std::string::npos);
  write("bad.lst", "!\n");
  s = spec("bad");
  s.load = "bad.lst";
  EXPECT_NE(error(s).find("no file of the dataset"), std::string::npos);
  EXPECT_NE(error(s).find("could not be loaded"), std::string::npos);  // told once, refused each time
  EXPECT_EQ(diagnostics_.error_count(), 1U);
}

TEST_F(Store, HashSizesAreBounded) {
  DatasetSpec s = spec("big");
  s.expected = 262'145;
  EXPECT_NE(error(s).find("single-hashsize"), std::string::npos);
  DatasetLimits limits;
  limits.total_expected = 10'000;
  DatasetStore small(limits);
  EXPECT_TRUE(small.open(spec("a"), diagnostics_));
  EXPECT_TRUE(small.open(spec("b"), diagnostics_));
  EXPECT_FALSE(small.open(spec("c"), diagnostics_));
}

}  // namespace
}  // namespace gatehouse::ids

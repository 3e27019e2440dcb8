#include "ids/state/geo.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/os.h"
#include "ids/state/testing_mmdb.h"

// libmaxminddb 1.7 forgets two small blocks when the metadata of a file is damaged.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT: a name the sanitizer looks for
  return "leak:libmaxminddb";
}

namespace gatehouse::ids {
namespace {

std::string country(const GeoDatabase& database, const char* address) {
  return database.country(*core::IpAddress::parse(address));
}

class Geo : public ::testing::Test {
 protected:
  std::string write(const std::string& content) const {
    EXPECT_TRUE(core::write_file_atomic(path_, content));
    return path_;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ = ::testing::TempDir() + "gatehouse-geo-" + std::to_string(::getpid()) + ".mmdb";
};

TEST_F(Geo, FindsCountriesOfBothVersions) {
  testing::MmdbWriter writer;
  writer.add("192.0.2.0/24", "FR");
  writer.add("198.51.100.0/25", "DE");
  writer.add("2001:db8::/32", "JP");
  const auto database = GeoDatabase::open(write(writer.file()));
  ASSERT_TRUE(database) << database.error().to_string();
  EXPECT_EQ(country(**database, "192.0.2.255"), "FR");
  EXPECT_EQ(country(**database, "198.51.100.1"), "DE");
  EXPECT_EQ(country(**database, "198.51.100.200"), "");
  EXPECT_EQ(country(**database, "2001:db8:1::1"), "JP");
  EXPECT_EQ(country(**database, "2001:db9::1"), "");
  EXPECT_EQ((*database)->country(core::IpAddress{}), "");
}

TEST_F(Geo, RefusesWhatIsNoDatabase) {
  EXPECT_FALSE(GeoDatabase::open(path_ + ".missing"));
  const auto text = GeoDatabase::open(write("this is no database"));
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().text.find("is no country database"), std::string::npos);
}

// A damaged file is refused or answers with nothing; it never crashes.
TEST_F(Geo, SurvivesDamage) {
  testing::MmdbWriter writer;
  writer.add("192.0.2.0/24", "FR");
  const std::string good = writer.file();
  for (std::size_t i = 0; i < good.size(); i += 7) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0xff);
    const auto database = GeoDatabase::open(write(bad));
    if (database) (void)country(**database, "192.0.2.1");
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{16}, good.size() / 2, good.size() - 1}) {
    const auto database = GeoDatabase::open(write(good.substr(0, size)));
    if (!database) continue;
    EXPECT_EQ(country(**database, "192.0.2.1"), "") << size;
  }
}

}  // namespace
}  // namespace gatehouse::ids

// The only file that includes maxminddb.h. The library maps the file and checks every offset in it.
#include "ids/state/geo.h"

#include <maxminddb.h>
#include <netinet/in.h>

#include <cstring>

namespace gatehouse::ids {
namespace {

class MaxMind : public GeoDatabase {
 public:
  MaxMind() = default;
  MaxMind(const MaxMind&) = delete;
  MaxMind& operator=(const MaxMind&) = delete;
  ~MaxMind() override {
    if (open_) MMDB_close(&database_);
  }

  core::Status load(const std::string& path) {
    const int status = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &database_);
    if (status != MMDB_SUCCESS)
      return core::fail(core::Errc::invalid_input,
                        path + " is no country database: " + MMDB_strerror(status));
    open_ = true;
    return {};
  }

  std::string country(const core::IpAddress& address) const override {
    sockaddr_storage room{};
    if (address.is_v4()) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(room);
      v4.sin_family = AF_INET;
      std::memcpy(&v4.sin_addr, address.bytes.data(), 4);
    } else if (address.is_v6()) {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(room);
      v6.sin6_family = AF_INET6;
      std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
    } else {
      return {};
    }
    int error = MMDB_SUCCESS;
    MMDB_lookup_result_s result =
        MMDB_lookup_sockaddr(&database_, reinterpret_cast<const sockaddr*>(&room), &error);
    if (error != MMDB_SUCCESS || !result.found_entry) return {};
    MMDB_entry_data_s data{};
    if (MMDB_get_value(&result.entry, &data, "country", "iso_code", nullptr) != MMDB_SUCCESS) return {};
    if (!data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2) return {};
    return {data.utf8_string, data.data_size};
  }

 private:
  MMDB_s database_{};
  bool open_ = false;
};

}  // namespace

core::Result<std::shared_ptr<const GeoDatabase>> GeoDatabase::open(const std::string& path) {
  auto database = std::make_shared<MaxMind>();
  GH_CHECK(database->load(path));
  return std::shared_ptr<const GeoDatabase>(std::move(database));
}

}  // namespace gatehouse::ids

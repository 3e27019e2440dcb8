// The country an address belongs to, by a database in MaxMind's format.
#pragma once

#include <memory>
#include <string>

#include "core/ip.h"
#include "core/result.h"

namespace gatehouse::ids {

class GeoDatabase {
 public:
  virtual ~GeoDatabase() = default;
  // ISO 3166 code, two capitals; empty: not known.
  virtual std::string country(const core::IpAddress& address) const = 0;

  static core::Result<std::shared_ptr<const GeoDatabase>> open(const std::string& path);
};

}  // namespace gatehouse::ids

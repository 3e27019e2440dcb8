// Everything rules share and remember beyond one flow: the names of bits, the tables of hosts and
// pairs, datasets, reputation, countries, what thresholds counted. One per engine process, shared by its workers, kept over
// reloads of the rules.
#pragma once

#include <memory>
#include <string>

#include "ids/state/address_table.h"
#include "ids/state/dataset_store.h"
#include "ids/state/geo.h"
#include "ids/state/metadata_pool.h"
#include "ids/state/names.h"
#include "ids/state/reputation.h"
#include "ids/state/tags.h"
#include "ids/state/threshold_counts.h"

namespace gatehouse::ids {

struct ResourceLimits {
  std::uint64_t host_memcap_bytes = 32U << 20U;
  std::uint64_t pair_memcap_bytes = 32U << 20U;
  DatasetLimits datasets;
};

class RuleResources {
 public:
  explicit RuleResources(const ResourceLimits& limits = {})
      : host_bits(limits.host_memcap_bytes),
        pair_bits(limits.pair_memcap_bytes),
        host_tags(kTagBytes),
        datasets(limits.datasets) {}

  NameTable flowbits, flowints, address_bits, transaction_bits;
  // For the order of rules: "flowint:NAME", "xbits:NAME", "dataset:NAME".
  NameTable state_names;
  AddressBits host_bits, pair_bits;
  AddressTable<HostTags> host_tags;
  ThresholdCounts thresholds;
  // Sessions and hosts are looked at for tags only once a tag was set.
  std::atomic<bool> tagged{false};
  DatasetStore datasets;
  MetadataPool metadata;
  // Replaced before rules are checked; the rules hold on to what they were checked with.
  std::shared_ptr<const Reputation> reputation;
  std::shared_ptr<const GeoDatabase> geo;

 private:
  // About ten thousand tagged hosts.
  static constexpr std::uint64_t kTagBytes = 8U << 20U;
};

}  // namespace gatehouse::ids

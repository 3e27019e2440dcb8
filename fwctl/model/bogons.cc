#include "fwctl/model/bogons.h"

namespace gatehouse::fwctl {
namespace {

constexpr Bogon kImpossible[] = {
    {"0.0.0.0/8", "this network, RFC 791"},
    {"127.0.0.0/8", "loopback, RFC 1122"},
    {"224.0.0.0/4", "multicast, RFC 5771"},
    {"240.0.0.0/4", "reserved and broadcast, RFC 1112, RFC 8190"},
    {"::/127", "unspecified and loopback, RFC 4291"},
    {"::ffff:0.0.0.0/96", "IPv4-mapped, RFC 4291"},
    {"fe80::/10", "link-local, RFC 4291"},
    {"ff00::/8", "multicast, RFC 4291"},
};

// As of the registries' state of 2025; blocks within a larger one of the list are left out.
constexpr Bogon kRegistry[] = {
    {"10.0.0.0/8", "private use, RFC 1918"},
    {"100.64.0.0/10", "shared address space, RFC 6598"},
    {"169.254.0.0/16", "link-local, RFC 3927"},
    {"172.16.0.0/12", "private use, RFC 1918"},
    {"192.0.0.0/29", "IPv4 service continuity, RFC 7335"},
    {"192.0.0.8/32", "dummy address, RFC 7600"},
    {"192.0.0.170/31", "NAT64 discovery, RFC 7050, RFC 8880"},
    {"192.0.2.0/24", "documentation, RFC 5737"},
    {"192.168.0.0/16", "private use, RFC 1918"},
    {"198.18.0.0/15", "benchmarking, RFC 2544"},
    {"198.51.100.0/24", "documentation, RFC 5737"},
    {"203.0.113.0/24", "documentation, RFC 5737"},
    {"64:ff9b:1::/48", "local translation, RFC 8215"},
    {"100::/64", "discard only, RFC 6666"},
    {"100:0:0:1::/64", "dummy prefix, RFC 9780"},
    {"2001:2::/48", "benchmarking, RFC 5180"},
    {"2001:db8::/32", "documentation, RFC 3849"},
    {"3fff::/20", "documentation, RFC 9637"},
    {"5f00::/16", "segment routing, RFC 9602"},
    {"fc00::/7", "unique local, RFC 4193"},
};

}  // namespace

std::span<const Bogon> impossible_bogons() {
  return kImpossible;
}
std::span<const Bogon> registry_bogons() {
  return kRegistry;
}

}  // namespace gatehouse::fwctl

// Links, routes and connections of the calling thread's network namespace, for namespaces we make ourselves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/ip.h"
#include "core/result.h"

namespace gatehouse::fwctl {

struct Connection {
  core::IpAddress source, destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0, destination_port = 0;  // TCP and UDP
  std::uint8_t icmp_type = 0;                           // ICMP and ICMPv6 echo; the identifier is source_port
};

class Network {
 public:
  static core::Result<Network> open();
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;
  ~Network();

  core::Status link_up(const std::string& interface);
  core::Status add_address(const core::IpAddress& address, const std::string& interface);
  // To one address, out of an interface; or to ourselves.
  core::Status add_route(const core::IpAddress& to, const std::string& interface, bool local);
  core::Status delete_route(const core::IpAddress& to, const std::string& interface, bool local);
  // A connection that has seen packets both ways.
  core::Status add_connection(const Connection& connection);
  core::Status forget_connections();

 private:
  struct State;
  explicit Network(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse::fwctl

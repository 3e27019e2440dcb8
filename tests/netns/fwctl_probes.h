// A matrix of probes against full_site(): what must pass, what must not, over real sockets where a
// normal program could do it and with hand-made packets where only an attacker would.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/netns/fwctl_packets.h"
#include "tests/netns/fwctl_topology.h"

namespace gatehouse::test {

struct Probe {
  std::string name;
  bool expected = false;
  std::function<void()> start;
  std::function<bool()> seen;  // asked again and again until the round ends
};

class Matrix {
 public:
  explicit Matrix(const Topology& topology);
  ~Matrix();

  // All probes at once. The names of those whose outcome is not the expected one.
  std::vector<std::string> run();
  std::size_t size() const { return probes_.size(); }
  // The TCP ports of `ports` that answer a connection from outside to the front server.
  std::vector<std::uint16_t> scan(const std::string& address, const std::vector<std::uint16_t>& ports);

 private:
  struct Net;
  void add_connections();
  void add_exchanges();
  void add_pings();
  void add_injections();
  void add_neighbours();
  void tcp(const Namespace& from, const std::string& source, const std::string& to, std::uint16_t port,
           bool expected);
  void udp(const Namespace& from, const std::string& to, std::uint16_t port, const std::string& outcome);
  void ping(const Namespace& from, const std::string& source, const std::string& to, bool expected);
  void pump();

  const Topology& t_;
  std::unique_ptr<Net> net_;
  std::vector<Probe> probes_;
};

}  // namespace gatehouse::test

// Anonymous network namespaces for firewall tests: nothing has a name, everything is gone with the
// process, and the host's namespace is never configured.
#pragma once

#include <functional>
#include <string>

#include "core/os.h"
#include "core/result.h"

namespace gatehouse::test {

// False, with the reason, where the kernel or our rights do not allow network namespaces.
bool can_make_namespaces(std::string& reason);

class Namespace {
 public:
  static core::Result<Namespace> create();
  // Runs `work` with the calling thread inside; sockets opened there stay there.
  void enter(const std::function<void()>& work) const;
  // `sh -ec command` inside; false when it failed.
  bool run(const std::string& command) const;
  // The same namespace.
  Namespace share() const;
  // A path that other processes can name this namespace by while we live.
  std::string path() const;

 private:
  core::UniqueFd fd_;
};

// outside -- wan0 [gatehouse] srv0 -- servers
//                             adm0 -- admin
//                             soc0 -- soc
// Zone k has 10.66.k.0/24 and fd66:k::/64, the gatehouse .1, the hosts .10; admin has .77 as well.
// Outside: 198.51.100.2 and 2001:db8:ff::2, the gatehouse .1, default routes both ways.
struct Topology {
  Namespace gatehouse, outside, servers, admin, soc;

  static core::Result<Topology> build();
};

}  // namespace gatehouse::test

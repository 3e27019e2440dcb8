// The site that the firewall tests put in force: the shipped example plus one of everything that
// makes another kind of rule.
#pragma once

#include "site/model/site.h"

namespace gatehouse::test {

site::Site full_site();
// The same, with forwarded ports (198.51.100.1 and 2001:db8:ff::1, 8443 to 443, 9000-9010) and hidden servers.
site::Site translating_site();

}  // namespace gatehouse::test

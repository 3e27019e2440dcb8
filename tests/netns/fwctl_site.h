// The site that the firewall tests put in force: the shipped example plus one of everything that
// makes another kind of rule.
#pragma once

#include "site/model/site.h"

namespace gatehouse::test {

site::Site full_site();

}  // namespace gatehouse::test

// Expressions of rules as libnftnl's objects.
#pragma once

#include <cstdio>  // libnftnl does not include what it names

#include <libnftnl/rule.h>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

// False when it is one that cannot be sent, or memory is short.
bool add_expression(nftnl_rule* rule, const Expression& expression);

}  // namespace gatehouse::fwctl

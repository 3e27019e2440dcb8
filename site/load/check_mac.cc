// People and mandatory access control: who may do what, and who answers for it.
#include <set>

#include "site/load/checker.h"

namespace gatehouse::site {
namespace {

class MacChecks : public Checks {
 public:
  using Checks::Checks;

  void run() {
    check_people();
    check_mac();
  }

 private:
  void check_people() {
    std::set<std::string> accounts;
    for (const Role& role : site_.roles) {
      if (role.group.empty()) {
        error("role-without-group", role.where, "role `" + role.name + "` has no group of people").hint =
            "add `group:` and list its people under people.groups";
      } else if (site_.find_group(role.group) == nullptr) {
        unknown("group", role.group, role.where, site_.groups);
      }
      if (role.domain.empty()) {
        error("no-domain", role.where, "role `" + role.name + "` has no MAC domain for its sessions");
      } else if (site_.find_domain(role.domain) == nullptr) {
        unknown("domain", role.domain, role.where, site_.mac.domains);
      }
      if (role.account == "root")
        error("root-account", role.where, "role `" + role.name + "` may not log in as root");
      if (!accounts.insert(role.account).second)
        error("shared-account", role.where, "account `" + role.account + "` is used by two roles");
      for (const std::string& name : role.may_read) check_role_reads(role, name);
    }
    for (const Group& group : site_.groups) {
      if (group.people.empty())
        diagnostics_.warning("empty-group", group.where, "group `" + group.name + "` has no people");
    }
  }
  void check_role_reads(const Role& role, const std::string& name) {
    if (site_.find_object(name) == nullptr) {
      unknown("object", name, role.where, site_.mac.objects);
      return;
    }
    const MacDomain* domain = site_.find_domain(role.domain);
    if (domain != nullptr && !may(*domain, MacPermission::read, name)) {
      error("role-cannot-read", role.where,
            "role `" + role.name + "` says it may read `" + name + "`, but its domain `" + domain->name +
                "` may not");
    }
  }
  static bool may(const MacDomain& domain, MacPermission permission, const std::string& object) {
    return std::any_of(domain.grants.begin(), domain.grants.end(), [&](const MacGrant& g) {
      return std::find(g.permissions.begin(), g.permissions.end(), permission) != g.permissions.end() &&
             std::find(g.objects.begin(), g.objects.end(), object) != g.objects.end();
    });
  }

  void check_mac() {
    for (const MacDomain& domain : site_.mac.domains) {
      for (const MacGrant& grant : domain.grants) {
        for (const std::string& name : grant.objects) check_grant(grant, name);
      }
      for (const MacTransition& t : domain.transitions) {
        if (site_.find_domain(t.domain) == nullptr) unknown("domain", t.domain, t.where, site_.mac.domains);
      }
      check_customer_data(domain);
    }
    for (const MacNever& never : site_.mac.nevers) {
      if (site_.find_object(never.object) == nullptr)
        unknown("object", never.object, never.where, site_.mac.objects);
      for (const std::string& name : never.except) {
        if (site_.find_domain(name) == nullptr) unknown("domain", name, never.where, site_.mac.domains);
      }
    }
  }
  void check_grant(const MacGrant& grant, const std::string& name) {
    const MacObject* object = site_.find_object(name);
    if (object == nullptr) {
      unknown("object", name, grant.where, site_.mac.objects);
      return;
    }
    for (const MacPermission p : grant.permissions) {
      const bool network = p == MacPermission::bind || p == MacPermission::connect;
      if (network && object->ports.empty())
        error("wrong-object", grant.where,
              "`" + std::string(to_string(p)) + "` needs an object with ports; `" + name + "` has none");
      if (!network && object->paths.empty())
        error("wrong-object", grant.where,
              "`" + std::string(to_string(p)) + "` needs an object with paths; `" + name + "` has none");
    }
  }
  // Customer data is read by a role, or by a service's own domain, never by a domain nobody answers for.
  void check_customer_data(const MacDomain& domain) {
    for (const MacGrant& grant : domain.grants) {
      if (std::find(grant.permissions.begin(), grant.permissions.end(), MacPermission::read) ==
          grant.permissions.end())
        continue;
      for (const std::string& name : grant.objects) {
        const MacObject* object = site_.find_object(name);
        if (object == nullptr || !object->customer_data) continue;
        const bool role = std::any_of(site_.roles.begin(), site_.roles.end(), [&](const Role& r) {
          return r.domain == domain.name &&
                 std::find(r.may_read.begin(), r.may_read.end(), name) != r.may_read.end();
        });
        const bool service = std::any_of(site_.services.begin(), site_.services.end(),
                                         [&](const Service& s) { return s.domain == domain.name; });
        if (!role && !service)
          error("customer-data", grant.where,
                "domain `" + domain.name + "` reads customer data `" + name +
                    "` but belongs to no role that lists it in `may-read`");
      }
    }
  }
};

}  // namespace

void check_people_and_mac(const Site& site, Diagnostics& diagnostics) {
  MacChecks(site, diagnostics).run();
}

}  // namespace gatehouse::site

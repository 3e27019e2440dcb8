# Puts the site policy in force on the lab's machines with the project's own programs. Sourced by `lab`.

mac_run="$tools/mac run $site"
seccomp_run="$tools/harden run /usr/share/gatehouse/rules/hardening/web-server.yaml --"
safeguards_prepare() { :; }
safeguards_up() { :; }

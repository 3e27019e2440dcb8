# Writes the lab's description as `gatehouse drill` reads it. Sourced by `lab`.

# A YAML flow sequence of the words given, each quoted.
yaml_list() {
  local word separator='' text=''
  for word in "$@"; do
    text+="$separator\"$word\""
    separator=', '
  done
  echo "[$text]"
}

describe_machine() {
  local name=$1 addresses=$2 more=${3:-} enter
  mapfile -t enter < <(machine_enter "$name")
  enter+=(env -i "PATH=$machine_path" HOME=/root LC_ALL=C.UTF-8)
  echo "  $name:"
  echo "    enter: $(yaml_list "${enter[@]}")"
  # shellcheck disable=SC2086
  echo "    addresses: $(yaml_list $addresses)"
  # shellcheck disable=SC2086
  [ -z "$more" ] || echo "    more-addresses: $(yaml_list $more)"
}

describe() {
  local -a web=(env) sandboxed=(env)
  # shellcheck disable=SC2206
  [ -n "${without[mac]:-}" ] || web=($mac_run web --)
  # shellcheck disable=SC2206
  [ -n "${without[seccomp]:-}" ] || sandboxed=($seccomp_run)
  echo "site: $site_file"
  echo "machines:"
  describe_machine outside '198.51.100.66 2001:db8:66::66' '198.51.100.77 2001:db8:66::77'
  describe_machine gatehouse '198.51.100.1 2001:db8:66::1'
  describe_machine front '10.66.1.10 fd66:1::10'
  describe_machine bastion '10.66.2.10 fd66:2::10' '10.66.2.20 fd66:2::20'
  describe_machine collector '10.66.3.10 fd66:3::10'
  cat <<EOF
attacker: outside
target: front
administration: bastion
decoy-tcp: [3306, 8080]
decoy-udp: [53, 123, 161, 514]
attacker-listener: 4444
web-process: $(yaml_list "${web[@]}")
sandboxed-process: $(yaml_list "${sandboxed[@]}")
web-file: /srv/www/index.html
customer-file: /srv/customerdb/customers.csv
shadow-file: /etc/shadow
ssh-directory: /root/.ssh
ssh-password: $password
ca-file: /etc/gatehouse/ca.pem
server-name: www.web-mail.example
mail-domain: web-mail.example
mail-user: info
received-file: $run/collector/var/log/received
ids-log: $run/gatehouse/var/log/gatehouse/ids/eve.json
EOF
}

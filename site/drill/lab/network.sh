# The lab's network: four machines around the gatehouse, with the addresses of
# rules/site/web-mail.yaml. Sourced by `lab`. Each veth pair is created straight into the two
# machines: no interface ever exists on the host.

# link INTERFACE-OF-GATEHOUSE MACHINE V4-NET V6-NET MACHINE-HOST-NUMBERS...
# The gatehouse is .1; the machine gets every number given, the first one as its own address.
link() {
  local interface=$1 machine=$2 v4=$3 v6=$4 number
  shift 4
  ip link add "$interface" netns "${machine_pid[gatehouse]}" type veth \
    peer name eth0 netns "${machine_pid[$machine]}"
  in_machine gatehouse ip addr add "$v4.1/24" dev "$interface"
  in_machine gatehouse ip -6 addr add "$v6::1/64" dev "$interface" nodad
  in_machine gatehouse ip link set "$interface" up
  for number in "$@"; do
    in_machine "$machine" ip addr add "$v4.$number/24" dev eth0
    # `preferred_lft 0` keeps the extra addresses from becoming the source address.
    if [ "$number" = "$1" ]; then
      in_machine "$machine" ip -6 addr add "$v6::$number/64" dev eth0 nodad
    else
      in_machine "$machine" ip -6 addr add "$v6::$number/64" dev eth0 nodad preferred_lft 0
    fi
  done
  in_machine "$machine" ip link set eth0 up
  in_machine "$machine" ip route add default via "$v4.1"
  in_machine "$machine" ip -6 route add default via "$v6::1"
  # A veth leaves checksums to hardware that is not there; whoever captures would see them wrong.
  in_machine gatehouse ethtool -K "$interface" tx off gso off gro off tso off >/dev/null
  in_machine "$machine" ethtool -K eth0 tx off gso off gro off tso off >/dev/null
}

network_up() {
  local name
  for name in "${machines[@]}"; do
    in_machine "$name" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
      net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0
  done
  link wan0 outside 198.51.100 2001:db8:66 66 77
  link srv0 front 10.66.1 fd66:1 10
  link adm0 bastion 10.66.2 fd66:2 10 20
  link soc0 collector 10.66.3 fd66:3 10
  # The attacker is also the rest of the Internet: answers to forged sources go there.
  in_machine gatehouse ip route add default via 198.51.100.66
  in_machine gatehouse ip -6 route add default via 2001:db8:66::66
  in_machine gatehouse sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  # Nobody else shares the link; the default of 1000/s would hide ports from a fast scan.
  in_machine front sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
}

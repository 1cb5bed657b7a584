# Hosts in network namespaces, each car behind a link of its own; sourced by benches/rig.sh.
#
# The server is 10.77.0.1 and car N 10.77.0.(10 + N) on the bridge to which the links lead; on the LAN of net_lan,
# which has no other way out, car N is 10.78.0.(10 + N). Names hold the process's id, so that several rigs may run at
# once.
# shellcheck shell=bash

net_prefix=rig$$
net_clean_link='0 0 0 0 0 0 0'
net_pids=()

net_of_server() { echo "$net_prefix-server"; }
net_of_car() { echo "$net_prefix-car$1"; }

#     net_up CARS BUILD RUN      RUN, a folder, gets the links' files
net_up() {
    local cars=$1 build=$2 hub=$net_prefix-hub server car there
    net_run=$3
    server=$(net_of_server)
    ip netns add "$hub"
    ip -n "$hub" link set lo up
    ip -n "$hub" link add road type bridge
    ip -n "$hub" link set road up
    ip netns add "$server"
    ip -n "$server" link set lo up
    ip -n "$server" link add eth0 type veth peer name server netns "$hub"
    ip -n "$hub" link set server master road up
    ip -n "$server" addr add 10.77.0.1/24 dev eth0
    ip -n "$server" link set eth0 up
    for ((car = 1; car <= cars; car++)); do
        there=$(net_of_car "$car")
        ip netns add "$there"
        ip -n "$there" link set lo up
        echo "$net_clean_link" >"$net_run/link$car"
        ip netns exec "$hub" "$build/unetem" "$there" eth0 "car$car" "$net_run/link$car" 2>"$net_run/link$car.log" &
        net_pids[car]=$!
        net_await "$hub" "car$car"
        ip -n "$hub" link set "car$car" master road up
        ip -n "$there" addr add "10.77.0.$((10 + car))/24" dev eth0
        ip -n "$there" link set eth0 up
    done
}

# Until there is such a device.
net_await() {
    local tries=100
    until ip -n "$1" link show "$2" >/dev/null 2>&1; do
        ((tries-- > 0)) || { echo "no link $2: $(cat "$net_run"/*.log)" >&2; return 1; }
        sleep 0.05
    done
}

# A LAN among the cars; over their links they reach the server only, as over a phone network.
net_lan() {
    local cars=$1 hub=$net_prefix-hub car there
    ip -n "$hub" link add lan type bridge
    ip -n "$hub" link set lan up
    for ((car = 1; car <= cars; car++)); do
        there=$(net_of_car "$car")
        ip -n "$hub" link set "car$car" type bridge_slave isolated on
        ip -n "$there" link add eth1 type veth peer name "lan$car" netns "$hub"
        ip -n "$hub" link set "lan$car" master lan up
        ip -n "$there" addr add "10.78.0.$((10 + car))/24" dev eth1
        ip -n "$there" link set eth1 up
    done
}

#     net_link LINK CAR...      LINK as unetem.c has it: delay, jitter, loss of the way there, of the way back, a rate
net_link() {
    local link=$1 car
    shift
    for car in "$@"; do
        echo "$link" >"$net_run/link$car"
        kill -HUP "${net_pids[car]}"
    done
}

# Takes all down that net_up made, also if it came only half way.
net_down() {
    local pid name
    for pid in "${net_pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    net_pids=()
    while read -r name _; do
        case $name in "$net_prefix"-*) ip netns del "$name" || true ;; esac
    done < <(ip netns list)
}

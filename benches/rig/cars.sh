# A server and cars in the namespaces of net.sh, with a card and a clock each; sourced by benches/rig.sh.
#
# Whoever sources it sets: programs (the folder of ours), build (of the rig's), run (a folder for this run alone).
# shellcheck shell=bash disable=SC2154

# How far off the crystals of the cars' cards are, and of their system clocks where these are skewed.
crystals_ppm=(0 40 -35)
clocks_ppm=(0 30 -25)
server_address=10.77.0.1
server_port=7747

declare -A children=()

#     child NAME LOG COMMAND...      starts it; it is ended by its name
child() {
    local name=$1 log=$2
    shift 2
    "$@" >>"$log" 2>&1 &
    children[$name]=$!
}

#     end_child SIGNAL NAME      and waits until it is gone; one that does not hear is killed after ten seconds
end_child() {
    local pid=${children[$2]:-} tries=100
    [ -n "$pid" ] || return 0
    kill "-$1" "$pid" 2>/dev/null || true
    while ((tries-- > 0)) && is_running "$pid"; do sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    unset "children[$2]"
}

# A child that has ended stays in the list of processes until it is waited for.
is_running() {
    local state
    state=$(awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null) && [ "$state" != Z ]
}

# All hear it at once, so that the last one does not go on for long without the others.
end_children() {
    local name
    for name in "${!children[@]}"; do kill "${children[$name]}" 2>/dev/null || true; done
    for name in "${!children[@]}"; do end_child TERM "$name"; done
}

# Becomes a car's player: in its namespace, with its card, and with its clock where that is skewed.
#     in_car NUMBER SKEWED COMMAND...      SKEWED is true or false
in_car() {
    local number=$1 skewed=$2 clock=()
    shift 2
    if $skewed; then
        clock=(LD_PRELOAD="$build/skew.so" SKEW_PPM="${clocks_ppm[number - 1]}")
    fi
    exec ip netns exec "$(net_of_car "$number")" env VDAC_RECORD="$run/cards/$number" \
        VDAC_PPM="${crystals_ppm[number - 1]}" ALSA_CONFIG_PATH="$run/asound.conf" "${clock[@]}" "$@"
}

# An ALSA configuration in which the virtual card is the one that players take.
write_asound_conf() {
    cat >"$run/asound.conf" <<END
</usr/share/alsa/alsa.conf>
pcm_type.vdac { lib "$build/libasound_module_pcm_vdac.so" }
pcm.!default { type plug slave.pcm "virtual" }
pcm.virtual { type vdac hint { show on description "virtual" } }
ctl.!default { type hw card 0 }
END
}

start_server() {
    local tries=100
    mkdir -p "$run/server"
    child server "$run/server.log" ip netns exec "$(net_of_server)" \
        "$programs/jamz-server" --state "$run/server" --listen "$server_address:$server_port"
    until [ -s "$run/server/jwt-secret" ]; do
        ((tries-- > 0)) || { echo "the server does not start: $run/server.log" >&2; return 1; }
        sleep 0.1
    done
}

#     make_car NUMBER MESH MUSIC      its folder and its bus; MESH is true or false
make_car() {
    local number=$1 dir=$run/car$1 tries=100
    mkdir -p "$dir"
    "$programs/jamz-server" token --state "$run/server" --user "car$number" --convoy rig >"$dir/token"
    cat >"$dir/bus.conf" <<END
<busconfig><type>session</type><listen>unix:path=$dir/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
    cat >"$dir/jamzd.toml" <<END
car = { name = "car$number" }
convoy = { id = "rig" }
server = { url = "http://$server_address:$server_port", token_file = "$dir/token" }
mesh = { enabled = $2 }
audio = { output = "alsa" }
library = { folders = ["$3"] }
bus = { bus = "unix:path=$dir/bus" }
paths = { state = "$dir/state", cache = "$dir/cache" }
END
    child "bus$number" "$dir/bus.log" dbus-daemon --nofork --config-file="$dir/bus.conf"
    until [ -S "$dir/bus" ]; do
        ((tries-- > 0)) || { echo "no bus: $dir/bus.log" >&2; return 1; }
        sleep 0.05
    done
}

#     start_car NUMBER SKEWED
start_car() { child "car$1" "$run/car$1/log" in_car "$1" "$2" "$programs/jamzd" --config "$run/car$1/jamzd.toml"; }

#     ctl NUMBER VERB...      jamzctl of that car
ctl() {
    local number=$1
    shift
    "$programs/jamzctl" --bus "unix:path=$run/car$number/bus" "$@"
}

#     await_cars CARS TRACKS      until each car sees that many, and its library has that many tracks
await_cars() {
    local cars=$1 tracks=$2 number tries=150
    for ((number = 1; number <= cars; number++)); do
        until ctl "$number" --json status 2>/dev/null | jq -e --argjson cars "$cars" --argjson tracks "$tracks" \
            '([.members[] | select(.online)] | length) == $cars and .library.tracks == $tracks' >/dev/null; do
            ((tries-- > 0)) || { echo "the cars do not find each other: $run/car$number/log" >&2; return 1; }
            sleep 0.2
        done
    done
}

#!/usr/bin/env bash
# Measures three cars on a rig: namespaces with a link each, and ALSA cards whose every sample has a known instant.
#
#   sudo RIG=dir benches/rig.sh [SECONDS] ["LINK"] [OUT]
#
# RIG holds the rig's tools (net_up.sh, link.sh, asound.sh, mksig.py, ana.py, gaps.py and what its Makefile builds). LINK is
# delay, jitter and loss of each way and a rate, as link.sh takes it; OUT, a fresh folder, gets records, logs and figures.
# SKEW=1 gives every car a system clock that runs at another rate as well. PROGRAMS names the folder of the programs (default:
# cargo's release folder).
set -euo pipefail

rig=$(realpath "${RIG:?name the folder of the rig: RIG=dir benches/rig.sh}")
seconds=${1:-180}
link=${2:-0 0 0 0 0 0 0}
out=$(realpath -m "${3:-rig-$(date +%Y%m%d-%H%M%S)}")
root=$(cd "$(dirname "$0")/.." && pwd)
programs=${PROGRAMS:-$(cd "$root" && cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/release}
crystals_ppm=(0 40 -35)
clocks_ppm=(0 30 -25)
settle_s=15

for program in jamzd jamzctl jamz-server; do
    [ -x "$programs/$program" ] || { echo "$programs/$program is missing: cargo build --release" >&2; exit 1; }
done
mkdir "$out"
mkdir "$out/run" "$out/music" "$out/server" "$out/cards"

pids=()
finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    "$rig/net_down.sh" 3 "$out/run"
}
trap finish EXIT

"$rig/mksig.py" "$out/music/signal.wav" $((seconds + 120)) 3000
"$rig/mksig.py" "$out/signal.raw" $((seconds + 120)) 3000
"$rig/net_up.sh" 3 "$out/run"
"$rig/asound.sh" "$out/run/asound.conf"
"$rig/link.sh" "$out/run" "$link"

ip netns exec srv "$programs/jamz-server" --state "$out/server" --listen 10.77.0.1:7747 >"$out/server/log" 2>&1 &
pids+=($!)
until [ -s "$out/server/jwt-secret" ]; do sleep 0.1; done

car() {
    local number=$1 dir=$out/car$1
    mkdir "$dir"
    "$programs/jamz-server" token --state "$out/server" --user "car$number" --convoy rig >"$dir/token"
    cat >"$dir/bus.conf" <<END
<busconfig><type>session</type><listen>unix:path=$dir/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
    cat >"$dir/jamzd.toml" <<END
car = { name = "car$number" }
convoy = { id = "rig" }
server = { url = "http://10.77.0.1:7747", token_file = "$dir/token" }
audio = { output = "alsa" }
library = { folders = ["$out/music"] }
bus = { bus = "unix:path=$dir/bus" }
paths = { state = "$dir/state", cache = "$dir/cache" }
END
    dbus-daemon --nofork --config-file="$dir/bus.conf" 2>"$dir/bus.log" &
    pids+=($!)
    local skew=()
    if [ -n "${SKEW:-}" ]; then
        skew=(LD_PRELOAD="$rig/skew.so" SKEW_PPM="${clocks_ppm[number - 1]}")
    fi
    until [ -S "$dir/bus" ]; do sleep 0.05; done
    awk -v car="$number" '{ printf "%s start c%s\n", $1, car }' /proc/uptime >>"$out/cards/events"
    ip netns exec "cl$number" env VDAC_OUT="$out/cards/c$number" VDAC_PPM="${crystals_ppm[number - 1]}" \
        ALSA_CONFIG_PATH="$out/run/asound.conf" "${skew[@]}" \
        "$programs/jamzd" --config "$dir/jamzd.toml" >"$dir/log" 2>&1 &
    pids+=($!)
}
for number in 1 2 3; do car "$number"; done

ctl() { "$programs/jamzctl" --bus "unix:path=$out/car1/bus" "$@"; }
for _ in $(seq 100); do
    sleep 0.2
    present=$(ctl --json status 2>/dev/null | jq '[.members[] | select(.online)] | length' 2>/dev/null || echo 0)
    [ "$present" = 3 ] && ctl --json library search signal 2>/dev/null | jq -e 'length > 0' >/dev/null && break
done
ctl queue add signal
ctl play
sleep "$settle_s"
sleep "$seconds"
for number in 1 2 3; do
    "$programs/jamzctl" --bus "unix:path=$out/car$number/bus" --json status >"$out/car$number/status.json"
done

for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
REF="$out/signal.raw" "$rig/ana.py" "$out/cards" "$settle_s" | tee "$out/figures"
"$rig/gaps.py" "$out/cards" | tee -a "$out/figures"

#!/usr/bin/env bash
# What the daemon costs: memory, processor, wake-ups (voluntary context switches of all its threads), and the time from
# its start to the first sound, on a virtual card.
#
#   benches/footprint.sh [SECONDS]
#
# PROGRAMS names the folder of the programs (default: cargo's release folder). Prints one line of JSON. Needs ffmpeg,
# dbus-daemon, jq.
set -euo pipefail

seconds=${1:-20}
root=$(cd "$(dirname "$0")/.." && pwd)
programs=${PROGRAMS:-$(cd "$root" && cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/release}
for program in jamzd jamzctl jamz-server; do
    [ -x "$programs/$program" ] || { echo "$programs/$program is missing: cargo build --release" >&2; exit 1; }
done
dir=$(mktemp -d)
daemon=''
bus=''
finish() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$bus" ] || kill "$bus" 2>/dev/null || true
    wait
    rm -rf "$dir"
}
trap finish EXIT

mkdir "$dir/music" "$dir/record"
noise="anoisesrc=color=pink:amplitude=0.3:sample_rate=44100:duration=$((4 * seconds + 60))"
ffmpeg -v error -f lavfi -i "$noise" -ac 2 -c:a flac -metadata title=lossless "$dir/music/lossless.flac"
ffmpeg -v error -f lavfi -i "$noise" -ac 2 -c:a libmp3lame -b:a 256k -metadata title=lossy "$dir/music/lossy.mp3"
cat >"$dir/bus.conf" <<END
<busconfig><type>session</type><listen>unix:path=$dir/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
cat >"$dir/jamzd.toml" <<END
audio = { output = "virtual", record = "$dir/record/card" }
library = { folders = ["$dir/music"] }
bus = { bus = "unix:path=$dir/bus" }
paths = { state = "$dir/state", cache = "$dir/cache" }
END
dbus-daemon --nofork --config-file="$dir/bus.conf" 2>/dev/null &
bus=$!
until [ -S "$dir/bus" ]; do sleep 0.05; done

ctl() { "$programs/jamzctl" --bus "unix:path=$dir/bus" "$@"; }
monotonic_ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
rss_mb() { awk '/^VmRSS/ { printf "%.1f", $2 / 1000 }' "/proc/$daemon/status"; }
wakeups() { awk '/^voluntary_ctxt/ { sum += $2 } END { print sum }' "/proc/$daemon"/task/*/status; }
ticks() { sed 's/.*) //' "/proc/$daemon/stat" | awk '{ print $12 + $13 }'; }
start() {
    rm -f "$dir"/record/*
    started_ms=$(monotonic_ms)
    "$programs/jamzd" --config "$dir/jamzd.toml" 2>"$dir/log" &
    daemon=$!
    until ctl status >/dev/null 2>&1; do kill -0 "$daemon" || { cat "$dir/log" >&2; exit 1; }; sleep 0.1; done
}
stop() {
    kill "$daemon"
    wait "$daemon" || true
    daemon=
}
# Percent of a core, and wake-ups per second, of the next seconds.
load() {
    local ticks wakeups
    ticks=$(ticks)
    wakeups=$(wakeups)
    sleep "$seconds"
    awk -v ticks=$(($(ticks) - ticks)) -v wakeups=$(($(wakeups) - wakeups)) -v hz="$(getconf CLK_TCK)" -v s="$seconds" \
        'BEGIN { printf "%.2f %.0f\n", 100 * ticks / hz / s, wakeups / s }'
}

start
until [ "$(ctl --json library search loss | jq '.tracks | length')" = 2 ]; do sleep 0.2; done
sleep 2
idle_rss=$(rss_mb)
read -r idle_cpu idle_wakeups < <(load)
ctl queue add lossless >/dev/null
ctl queue add lossy >/dev/null
ctl play >/dev/null
sleep 2
read -r flac_cpu flac_wakeups < <(load)
flac_rss=$(rss_mb)
ctl next >/dev/null
sleep 2
read -r mp3_cpu mp3_wakeups < <(load)
mp3_rss=$(rss_mb)
stop

# It was playing when it ended, so it plays when it starts.
start
sleep 2
stop
read -r _ start_ns _ rate_hz < <(grep '^S ' "$dir/record/card.0.seg")
frame=$(awk '$1 != "00000000" { print NR - 1; exit }' < <(od -An -v -tx4 -w4 "$dir/record/card.0.raw"))
sound_ms=$(awk -v ns="$start_ns" -v frame="${frame:?no sound}" -v hz="$rate_hz" 'BEGIN { printf "%d", ns / 1e6 + 1000 * frame / hz }')

size_mb() { awk -v bytes="$(stat -c %s "$programs/$1")" 'BEGIN { printf "%.1f", bytes / 1e6 }'; }
printf '{"start_to_sound_ms":%d,"idle_rss_mb":%s,"idle_cpu_percent":%s,"idle_wakeups_per_s":%s,' \
    $((sound_ms - started_ms)) "$idle_rss" "$idle_cpu" "$idle_wakeups"
printf '"playing_rss_mb":%s,"playing_cpu_percent":%s,"playing_wakeups_per_s":%s,' "$flac_rss" "$flac_cpu" "$flac_wakeups"
printf '"playing_mp3_rss_mb":%s,"playing_mp3_cpu_percent":%s,"playing_mp3_wakeups_per_s":%s,' \
    "$mp3_rss" "$mp3_cpu" "$mp3_wakeups"
printf '"jamzd_mb":%s,"jamzctl_mb":%s,"jamz_server_mb":%s}\n' "$(size_mb jamzd)" "$(size_mb jamzctl)" "$(size_mb jamz-server)"

#!/usr/bin/env bash
# What it costs to keep the mesh warm while the server leads: bytes and processor time of each car per hour of play, against
# a convoy without a mesh. The DJ changes the track every three minutes.
#     benches/warm.sh [MINUTES [CARS]]      6 minutes each way, 3 cars
# The last line is JSON; the exit status is 1 when a bound is missed. Needs what `make run` needs, and jq.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-6} cars=${2:-3}
cargo build --quiet --locked --profile demo --bins --example demo

script=''
for ((at = 90; at < 60 * minutes; at += 180)); do
    script+="$at next; "
done
output=$(mktemp) results=$(mktemp)
trap 'rm -f "$output" "$results"' EXIT
for mesh in off on; do
    DEMO_MESH=$mesh DEMO_CARS=$cars DEMO_JUDGED=2 DEMO_SECONDS=$((60 * minutes)) DEMO_SCRIPT=$script \
        target/demo/examples/demo >"$output" 2>&1 || true
    if grep -q 'no network can be cut' "$output"; then
        echo "warm: SKIPPED: this user may make no network namespaces here"
        echo '{"skipped":true,"ok":true}'
        exit 0
    fi
    tail -n 1 "$output" | jq -ce --arg mesh "$mesh" '
        (3600 / .music_s) as $scale
        | {mesh: $mesh, wan_mb: ([.costs[].wan_bytes] | add / length * $scale / 1e6), lan_mb: ([.costs[].lan_bytes] | add / length * $scale / 1e6),
           cpu_s: ([.costs[].cpu_percent] | add / length * 36), links: [.costs[].links]}' | tee -a "$results"
done
load=$(cut -d ' ' -f 1 /proc/loadavg)
jq -sce --argjson load "$load" --argjson cars "$cars" '
    def bytes: .wan_mb + .lan_mb;
    def thousandths: . * 1000 | round / 1000;
    {cars: $cars, mb_per_h: {server_only: (.[0] | bytes | thousandths), warm: (.[1] | bytes | thousandths)},
     cpu_s_per_h: {server_only: (.[0].cpu_s | thousandths), warm: (.[1].cpu_s | thousandths)},
     bytes_ratio: ((.[1] | bytes) / (.[0] | bytes) | thousandths), wan_ratio: (.[1].wan_mb / .[0].wan_mb | thousandths),
     cpu_ratio: (.[1].cpu_s / .[0].cpu_s | thousandths), load: $load}
    | .ok = (.bytes_ratio <= 1.05)
    | (., if .ok then empty else halt_error(1) end)' "$results"

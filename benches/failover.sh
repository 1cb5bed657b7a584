#!/usr/bin/env bash
# From the server to the mesh in the middle of a song, over and over: how long a control takes that is given at the
# very moment of the cut, and whether anything is lost or heard. Real programs in network namespaces of their own.
#     benches/failover.sh [CUTS [CARS]]      10 cuts, 3 cars
# The last line is JSON; the exit status is 1 when a bound is missed. Needs what `make run` needs, and jq.
set -euo pipefail
cd "$(dirname "$0")/.."

cuts=${1:-10} cars=${2:-3}
cargo build --quiet --locked --profile demo --bins --example demo

# A cut, controls on the mesh, all back, a control on the server; each round in a time that a slow machine can keep.
script=''
for ((round = 0; round < cuts; round++)); do
    at=$((4 + 12 * round))
    script+="$at cut-internet; $((at + 3)) pause; $((at + 4)) play; $((at + 5)) restore; $((at + 11)) seek 5; "
done

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
DEMO_CARS=$cars DEMO_SCRIPT=$script target/demo/examples/demo | tee "$output" | cut -c 1-160 || status=$?
load=$(cut -d ' ' -f 1 /proc/loadavg)
tail -n 1 "$output" | jq -ce --argjson cuts "$cuts" --argjson load "$load" --argjson status "$status" '
    def at(share): sort | .[((length * share | ceil) - 1)];
    ([.failovers[] | select(.from == "socket" and .to == "webrtc") | .ms]) as $ms
    | {cars, cuts: ($ms | length), failover_ms: {p50: ($ms | at(0.5)), p99: ($ms | at(0.99)), max: ($ms | max)},
       back_ms_max: ([.failovers[] | select(.to == "socket") | .ms] | max),
       offset_ms, silence_ms, controls_sent, controls_lost, load: $load,
       ok: (.ok and $status == 0 and ($ms | length) == $cuts and ($ms | at(0.99)) < 1000 and .offset_ms.max < 5)}
    | (., if .ok then empty else halt_error(1) end)'

#!/usr/bin/env bash
# From the server to the mesh and back in the middle of a song, in every way in which a road can break and heal: how long a
# control takes that is given at that very moment, and whether anything is lost or heard. Real programs in network
# namespaces of their own.
#     benches/failover.sh [short|whole|CONDITION...]      short: three cars, four minutes at most; whole: 3, 5 and 10 cars
# CARS="3 5" names other numbers of cars, ROUNDS=n other numbers of cuts. One line for each condition; the last line is
# JSON, and the exit status is 1 when a bound is missed. A condition that missed one while the machine itself stood still (a
# virtual one may not be run for a while) is measured again, twice at most. Needs what `make run` needs, and jq.
set -euo pipefail
cd "$(dirname "$0")/.."

# Of this, many failovers: the server goes, controls are given on the mesh, it comes back.
#     rounds NUMBER GOES COMES
rounds() {
    local round at
    for ((round = 0; round < $1; round++)); do
        at=$((4 + 12 * round))
        printf '%s' "$at $2; $((at + 3)) pause; $((at + 4)) play; $((at + 5)) $3; $((at + 11)) seek 5; "
    done
}

# What a condition does, as DEMO_SCRIPT.
script() {
    case $1 in
        silent) rounds "$rounds" cut-internet restore ;;
        killed) rounds "$rounds" kill-server start-server ;;
        stopped) rounds "$rounds" stop-server start-server ;;
        # Cut again on the mesh, a control that nobody hears, and healed in this order.
        internet-first) echo '3 cut-internet; 6 cut-lan; 10 seek 9; 12 mend-internet; 22 mend-lan; 26 pause; 27 play' ;;
        lan-first) echo '3 cut-internet; 6 cut-lan; 10 seek 9; 12 mend-lan; 20 mend-internet; 32 pause; 33 play' ;;
        server-first) echo '3 kill-server; 6 cut-lan; 7 cut-internet; 10 seek 9; 12 start-server; 14 mend-internet; 26 mend-lan; 30 pause; 31 play' ;;
        together) echo '3 cut-internet; 6 kill-server; 7 cut-lan; 10 seek 9; 12 restore; 26 pause; 27 play' ;;
        # Everything is cut for half a minute, and ten things are done in two cars meanwhile.
        apart) echo '3 cut-internet; 4 cut-lan; 6 seek 9; 8 add 2; 10 add 1; 12 pause; 13 play; 15 add 2; 18 add 2; 21 seek 12; 24 add 2; 27 add 2; 34 restore; 46 pause; 47 play' ;;
        hub-killed) echo '3 cut-internet; 6 kill 1; 14 pause; 15 play; 16 revive; 24 restore; 36 pause; 37 play' ;;
        # The hub does not hear a listener when the server goes.
        half-heard) echo '3 deafen 1 2; 8 cut-internet; 12 pause; 13 play; 14 hear 1 2; 18 restore; 28 pause; 29 play' ;;
        # A listener hears the hub no more, in the middle of the mesh.
        deaf-listener) echo '3 cut-internet; 6 deafen 2 1; 11 pause; 12 play; 13 hear 2 1; 17 restore; 28 pause; 29 play' ;;
        *) echo "no such condition: $1" >&2; return 1 ;;
    esac
}

orders=(internet-first lan-first server-first together)
case ${1:-whole} in
    short) conditions=(silent killed lan-first apart half-heard) cars=${CARS:-3} rounds=${ROUNDS:-3} ;;
    whole) conditions=(silent killed stopped "${orders[@]}" apart hub-killed half-heard deaf-listener)
        cars=${CARS:-3 5 10} rounds=${ROUNDS:-10} ;;
    *) conditions=("$@") cars=${CARS:-3} rounds=${ROUNDS:-10} ;;
esac
cargo build --quiet --locked --profile demo --bins --example demo
demo=$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/demo/examples/demo
# So long a stand of the machine empties the buffer of a card.
stood_ms_min=40

output=$(mktemp) results=$(mktemp)
trap 'rm -f "$output" "$results"' EXIT
# What is to be said of the run in $output, as JSON.
verdict() {
    tail -n 1 "$output" | jq -ce --arg name "$1" --argjson load "$(cut -d ' ' -f 1 /proc/loadavg)" '
        {name: $name, cars, load: $load, host_stood_ms, offset_ms: .offset_ms.max, silence_ms, silences, controls_sent,
         controls_applied, controls_lost,
         failover_ms: [.failovers[] | select(.from == "socket" and .to == "webrtc") | .ms],
         on_mesh_ms: [.failovers[] | select(.from == "webrtc" and .to == "webrtc") | .ms],
         back_ms: [.failovers[] | select(.from == "webrtc" and .to == "socket") | .ms],
         reunion_ms: [.failovers[] | select(.from == "offline") | .ms]}
        # A server that goes and comes back is a failover each time, and a control that is never applied is null.
        | .ok = (([.failover_ms, .on_mesh_ms, .back_ms | .[] | . != null and . < 1000] | all)
            and ([.reunion_ms[] | . != null and . < 10000] | all) and (.failover_ms | length) > 0
            and .silence_ms == 0 and .offset_ms != null and .offset_ms < 5
            and .controls_lost == 0 and .controls_applied == .controls_sent)' 2>/dev/null
}
# One condition: a line for people, and one of JSON for the verdict.
condition() {
    local name=$1 count=$2 line try result
    line=$(script "$name")
    for ((try = 1; try <= 3; try++)); do
        DEMO_CARS=$count DEMO_SCRIPT=$line "$demo" >"$output" 2>&1 || true
        if grep -q 'no network can be cut' "$output"; then
            echo "failover: SKIPPED: this user may make no network namespaces here"
            echo '{"skipped":true,"ok":true}'
            exit 0
        fi
        if ! result=$(verdict "$name"); then
            tail -n 5 "$output" | cut -c 1-400
            result=$(jq -nc --arg name "$name" --argjson cars "$count" '{name: $name, cars: $cars, failover_ms: [], ok: false}')
        fi
        jq -r '
            def ms: if length == 0 then "-" else "\(length)x max \(if any(. == null) then "never" else max end)" end;
            "\(if .ok then "ok    " else "MISSED" end) \(.name) \(.cars) cars: failover \(.failover_ms | ms) ms, " +
            "on the mesh \(.on_mesh_ms // [] | ms) ms, back \(.back_ms // [] | ms) ms, reunion \(.reunion_ms // [] | ms) ms, " +
            "offset \(.offset_ms) ms, silence \(.silence_ms) ms, lost \(.controls_lost) of \(.controls_sent), load \(.load)" +
            if .ok then "" else "; the machine stood still for \(.host_stood_ms) ms, silences \(.silences)" end' <<<"$result"
        jq -e --argjson min $stood_ms_min '.ok or (.host_stood_ms // 0) < $min' <<<"$result" >/dev/null && break
    done
    echo "$result" >>"$results"
}
for count in $cars; do
    for name in "${conditions[@]}"; do
        condition "$name" "$count"
    done
done
jq -sce '
    def at(share): sort | .[((length * share | ceil) - 1)];
    [.[].failover_ms[]] as $ms
    | {conditions: length, missed: [.[] | select(.ok | not) | "\(.name) \(.cars)"], failovers: ($ms | length),
       failover_ms: {p50: ($ms | at(0.5)), p99: ($ms | at(0.99)), max: ($ms | max)}, reunion_ms_max: ([.[].reunion_ms // [] | .[]] | max),
       offset_ms_max: ([.[].offset_ms] | max), silence_ms: ([.[].silence_ms // 0] | add),
       controls: ([.[].controls_sent // 0] | add), controls_lost: ([.[].controls_lost // 0] | add)}
    | .ok = ((.missed | length) == 0 and .failover_ms.p99 < 1000)
    | (., if .ok then empty else halt_error(1) end)' "$results"

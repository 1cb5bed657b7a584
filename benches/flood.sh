#!/usr/bin/env bash
# One member with a valid key and token says 10,000 things a second: what the others notice of it, before, meanwhile and after.
# Real programs, each car in a network namespace of its own; the rogue is `examples/rogue`. Over the mesh, after the server has
# got out of reach, and at the server.
#     benches/flood.sh ["OVER MIX"...]      "mesh all" "mesh edits" "mesh idle" "server all" "server edits" "server idle"
# MIX: each kind of message in turn (all), tracks that are added (edits), or what is borne in the greatest number (idle).
# A table, and JSON in the last line; the exit status is 1 when a bound is missed. Needs what `make run` needs, and jq.
set -euo pipefail
cd "$(dirname "$0")/.."

floods=("$@")
if [ ${#floods[@]} = 0 ]; then
    floods=("mesh all" "mesh edits" "mesh idle" "server all" "server edits" "server idle")
fi
cargo build --quiet --locked --profile demo --bins --example demo --example rogue
demo=$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/demo/examples/demo

output=$(mktemp) results=$(mktemp)
trap 'rm -f "$output" "$results"' EXIT
row='%-13s %9s %9s  %-20s %-20s %-17s %-20s %s\n'
# shellcheck disable=SC2059
printf "$row" '' said/s muted/s 'control p50 (max) ms' 'offset p99 ms' 'silence ms' 'CPU % of the dearest' 'MB'
for flood in "${floods[@]}"; do
    DEMO_CARS=${CARS:-3} DEMO_FLOOD=$flood "$demo" >"$output" 2>&1 || true
    if grep -q 'no network can be cut' "$output"; then
        echo "flood: SKIPPED: this user may make no network namespaces here"
        echo '{"skipped":true,"ok":true}'
        exit 0
    fi
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    if ! tail -n 1 "$output" | jq -ce --argjson load "$load" '
        def at(share): sort | .[((length * share | ceil) - 1)];
        def phase: {controls: (.controls_ms | length), control_ms: {p50: (.controls_ms | at(0.5)), max: (.controls_ms | max)},
            offset_ms: .offset_ms, silence_ms, cpu_percent: ([.costs[].cpu_percent, .server.cpu_percent] | max),
            rss_kb: ([.costs[].rss_kb, .server.rss_kb] | max)};
        {over, mix, load: $load, said, said_per_s, expelled, linked, muted_s, controls_lost: .after.controls_lost,
         before: (.before | phase), meanwhile: (.meanwhile | phase), after: (.after | phase)}
        # At the server the rogue may be shown the door before anyone counts what it did.
        | (if .over == "mesh" then .linked else ["server"] end) as $who
        | .muted_s_max = ([.muted_s[]] | max)
        | .held = (if .over == "server" and .expelled > 0 then true
            else ($who | length) > 0 and ([$who[] as $car | .muted_s[$car] | . != null and . <= 10] | all) end)
        | .ok = (.held and .controls_lost == 0
            and .meanwhile.control_ms.p50 != null and .meanwhile.control_ms.p50 <= 2 * .before.control_ms.p50 + 50
            and .before.silence_ms + .meanwhile.silence_ms + .after.silence_ms == 0
            and .meanwhile.offset_ms.p99 <= .before.offset_ms.p99 + 5 and .after.offset_ms.p99 <= .before.offset_ms.p99 + 5)' \
        >>"$results" 2>/dev/null; then
        tail -n 5 "$output" | cut -c 1-400
        jq -nc --arg flood "$flood" '($flood | split(" ")) as [$over, $mix] | {over: $over, mix: $mix, ok: false}' >>"$results"
        continue
    fi
    readarray -t cells < <(tail -n 1 "$results" | jq -r '
        def three(f): [.before, .meanwhile, .after] | map(f | tostring) | join(" ");
        "\(.over) \(.mix)", (.said_per_s | round), (.muted_s_max // "-" | if type == "number" then . * 100 | round / 100 else . end),
        three("\(.control_ms.p50)(\(.control_ms.max))"), three(.offset_ms.p99), three(.silence_ms), three(.cpu_percent | round),
        three(.rss_kb / 1024 | round)')
    # shellcheck disable=SC2059
    printf "$row" "${cells[@]}"
done
echo 'in each cell: before, meanwhile, after'
jq -sce '{floods: ., missed: [.[] | select(.ok | not) | "\(.over) \(.mix)"]} | .ok = ((.missed | length) == 0)
    | (., if .ok then empty else halt_error(1) end)' "$results"

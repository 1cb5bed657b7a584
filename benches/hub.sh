#!/usr/bin/env bash
# A large convoy through one hub, after its server has died: how long a control takes until every member has applied it, and
# what the hub and a listener cost. Real programs, each car in a network namespace of its own. One machine plays all of them,
# so they are given time to start before the server is killed.
#     benches/hub.sh [MEMBERS]      32 members
# The last line is JSON; the exit status is 1 when a bound is missed. Needs what `make run` needs, and jq.
set -euo pipefail
cd "$(dirname "$0")/.."

members=${1:-32} controls=24 killed_s=45 settle_s=60
cargo build --quiet --locked --profile demo --bins --example demo

script="$killed_s kill-server; "
for ((control = 0; control < controls; control += 2)); do
    at=$((settle_s + 2 * control))
    script+="$at pause; $((at + 2)) play; "
done
output=$(mktemp)
trap 'rm -f "$output"' EXIT
DEMO_CARS=$members DEMO_JUDGED=2 DEMO_SCRIPT=$script target/demo/examples/demo >"$output" 2>&1 || true
if grep -q 'no network can be cut' "$output"; then
    echo "hub: SKIPPED: this user may make no network namespaces here"
    echo '{"skipped":true,"ok":true}'
    exit 0
fi
load=$(cut -d ' ' -f 1 /proc/loadavg)
# Each listener has a link with the hub and one with the standby; the standby has one with each as well.
tail -n 1 "$output" | jq -ce --argjson load "$load" --argjson controls "$controls" '
    def at(share): sort | .[((length * share | ceil) - 1)];
    def mean: add / length * 100 | round / 100;
    ([.costs[] | select(.leads)][0]) as $hub | ([.costs[] | select(.leads | not)]) as $others
    | .cars as $n | [.costs[].links] as $links
    | {members: $n, control_ms: {count: (.controls_ms | length), p50: (.controls_ms | at(0.5)), p99: (.controls_ms | at(0.99))},
       hub: ($hub | {cpu_percent, rss_kb, pss_kb, links}),
       listener: {cpu_percent: ([$others[].cpu_percent] | mean), rss_kb: ([$others[].rss_kb] | mean | round),
           pss_kb: ([$others[].pss_kb] | mean | round), links: ([$others[].links] | at(0.5))},
       links: (($links | add) / 2), links_max: (2 * $n - 3), offset_ms: .offset_ms.max, silence_ms, controls_lost, load: $load}
    | .ok = (.control_ms.count >= $controls and .control_ms.p99 != null and .control_ms.p99 < 1000 and .hub.links == $n - 1
        and .listener.links <= 2 and .links <= .links_max and .hub.cpu_percent < 50 and .hub.rss_kb < 65536
        and .controls_lost == 0)
    | (., if .ok then empty else halt_error(1) end)' || { tail -n 5 "$output" | cut -c 1-400; exit 1; }

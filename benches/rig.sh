#!/usr/bin/env bash
# How far apart the cars' sound cards are, under each condition of the road: three cars in network namespaces with a
# link each, and cards whose every sample has a known instant (benches/rig). Snapcast goes the same road where it is
# installed.
#
#     benches/rig.sh [CONDITION...]      all that rig/conditions.sh names; `make bench-offset` builds what it needs
#
# SECONDS_EACH=n is how long each is measured (180; 1800 after a cut that is not told otherwise), CUT_AFTER=n how many of
# these seconds go by before that cut (0, when the cars have known each other for 20 s), OUT=dir gets logs and figures
# (target/bench-offset), PROGRAMS=dir has the programs (cargo's demo folder), PEERS=none leaves others' players out,
# KEEP=1 keeps what the cards played. Progress goes to stderr; the last line of stdout is JSON, and the exit status is 1
# when one of our bars is missed. Root only, as it makes namespaces. Needs `scripts/needs rig`.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
rig=$root/benches/rig
# shellcheck source=benches/rig/net.sh
. "$rig/net.sh"
# shellcheck source=benches/rig/cars.sh
. "$rig/cars.sh"
# shellcheck source=benches/rig/peers.sh
. "$rig/peers.sh"
# shellcheck source=benches/rig/conditions.sh
. "$rig/conditions.sh"

if [ "$(id -u)" != 0 ]; then
    echo "this makes network namespaces, which takes root: sudo make bench-offset" >&2
    exit 1
fi
cars=3
settle_s=20
cut_after_s=${CUT_AFTER:-0}
if ! [[ $cut_after_s =~ ^[0-9]{1,4}$ ]]; then
    echo "CUT_AFTER is how many seconds go by before a cut, not \"$cut_after_s\"" >&2
    exit 2
fi
conditions=("$@")
[ $# -gt 0 ] || conditions=("${all_conditions[@]}")
for condition in "${conditions[@]}"; do
    set_condition "$condition"
done
seconds_each=${SECONDS_EACH:-}
if ! [[ ${seconds_each:-180} =~ ^[0-9]{1,5}$ ]] || [ "${seconds_each:-180}" -lt 10 ]; then
    echo "SECONDS_EACH is how long each condition is measured: 10 or more, not \"$seconds_each\"" >&2
    exit 2
fi

target=${CARGO_TARGET_DIR:-$root/target}
cargo_target() { cd "$root" && cargo metadata --format-version 1 --no-deps | jq -r .target_directory; }
programs=$(realpath -m "${PROGRAMS:-$(cargo_target)/demo}")
for program in jamzd jamzctl jamz-server; do
    if ! [ -x "$programs/$program" ]; then
        echo "$programs/$program is missing: make bench-offset builds it" >&2
        exit 1
    fi
done
build=$(realpath -m "$target/rig")
make --quiet -C "$rig" BUILD="$build"
out=$(realpath -m "${OUT:-$target/bench-offset}")
mkdir -p "$out"
results=$out/results
: >"$results"
export PYTHONDONTWRITEBYTECODE=1
# The track goes on for so long beyond the measuring: cars have to meet first.
spare_s=120

now_s() { /usr/bin/python3 -c 'import time; print(f"{time.monotonic():.3f}")'; }
say() { echo "$*" >&2; }

# Lets seconds go by, and shows them to who watches; calls what the condition has to do in each.
#     pass WHAT SECONDS [DO]      DO gets how many seconds have gone by
pass() {
    local what=$1 seconds=$2 do=${3:-:} started=$SECONDS passed=-1
    [ -t 2 ] || say "$title: $what, $seconds s"
    while ((SECONDS - started < seconds)); do
        while ((passed < SECONDS - started && passed < seconds)); do
            passed=$((passed + 1))
            [ ! -t 2 ] || printf '\r\033[K%s: %s, %d of %d s' "$title" "$what" "$passed" "$seconds" >&2
            "$do" "$passed"
        done
        sleep 0.1
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
}

# Of a part of the run: what it started, and its namespaces.
finish_part() {
    end_children
    net_down
    [ -n "${KEEP:-}" ] || rm -f "$run"/cards/*.raw
}

# To the end of it, or of this part.
await_child() {
    local status=0
    wait "${children[$1]}" || status=$?
    unset "children[$1]"
    return "$status"
}

#     analyse_by COMMAND...      what it prints are the figures
analyse_by() {
    "$@" >"$run/figures" 2>"$run/analysis.log" &
    children[analysis]=$!
}

analyse_offsets() {
    analyse_by "$rig/offsets.py" "$run/cards" "$music/${tracks[0]}" "$1" "$2" "${ended_cards[@]}"
}

# Each condition has tracks of its own, no longer than it needs: they are large, and each car reads them.
make_tracks() {
    local seed=0 track
    rm -rf "${music:?}"/*
    for track in "${tracks[@]}"; do
        seed=$((seed + 1))
        "$rig/noise.py" "$music/$track" $((seconds + spare_s)) "$seed"
    done
}

begin_part() {
    trap finish_part EXIT
    trap 'exit 143' TERM
    ended_cards=()
    rm -rf "$run"
    mkdir -p "$run/cards"
    net_up "$cars" "$build" "$run"
    ! $with_lan || net_lan "$cars"
    net_link "$link_all" $(seq "$cars")
    [ -z "$link_one" ] || net_link "$link_one" "$cars"
    write_asound_conf
}

# What is said of a part, as a line of JSON: what its cards say, what was seen beside, and whether that is enough.
#     end_part WHO SECONDS FROM_S TO_S
end_part() {
    local load
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    end_children
    net_down
    [ -t 2 ] || say "$title: what the cards played"
    "$analyse" "$3" "$4"
    await_child analysis || { cat "$run/analysis.log" >&2; return 1; }
    jq -c --arg condition "$condition" --arg who "$1" --argjson seconds "$2" --argjson load "$load" \
        --arg bar "$bar" --slurpfile beside <("$beside") \
        '{condition: $condition, who: $who, seconds: $seconds, load: $load, bar: $bar} + . + $beside[0]
        | .ok = ('"$verdict"' and .count >= 0.9 * .expected)' "$run/figures" >>"$results"
}

ours() {
    local number from_s
    run=$out/$condition/jamz
    begin_part
    start_server
    for ((number = 1; number <= cars; number++)); do
        make_car "$number" "$with_mesh" "$music"
        start_car "$number" "$skewed"
    done
    await_cars "$cars" "${#tracks[@]}"
    "$queue"
    ctl 1 play >/dev/null
    pass settling "$settle_s"
    from_s=$(now_s)
    pass measuring "$seconds" "$each_second"
    end_part jamz "$seconds" "$from_s" "$(now_s)"
}

snapcast() {
    local from_s
    run=$out/$condition/snapcast
    begin_part
    start_snapcast "$cars" "$peer_skewed" "$music/${tracks[0]}"
    pass settling "$settle_s"
    from_s=$(now_s)
    pass measuring "$seconds"
    # It is measured, and not judged.
    verdict=true bar=''
    [ "$skewed" = "$peer_skewed" ] || bar='(clocks not skewed)'
    end_part snapcast "$seconds" "$from_s" "$(now_s)"
}

music=$(mktemp -d "$out/music.XXXXXX")
part=''
finish() {
    if [ -n "$part" ]; then
        kill "$part" 2>/dev/null || true
        wait "$part" 2>/dev/null || true
    fi
    rm -rf "$music"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# In a shell of its own, so that one that goes wrong, or is interrupted, is cleaned up, and the others go on.
#     apart WHO FUNCTION
apart() {
    local status=0
    title="$condition, $1"
    ("$2") &
    part=$!
    wait "$part" || status=$?
    part=''
    if [ "$status" != 0 ]; then
        say "$title: it could not be measured"
        jq -nc --arg condition "$condition" --arg who "$1" --arg bar "$bar" \
            '{condition: $condition, who: $who, bar: $bar, error: "it could not be measured", ok: false}' >>"$results"
    fi
}

# The condition, and how long it is measured: some take a while to happen.
choose() {
    set_condition "$1"
    seconds=${seconds_each:-$seconds_usual}
    ((seconds >= seconds_min)) || seconds=$seconds_min
}

for condition in "${conditions[@]}"; do
    choose "$condition"
    make_tracks
    apart jamz ours
    if $with_peers && [ "${PEERS:-}" != none ] && has_snapcast; then
        apart snapcast snapcast
    fi
done
"$rig/report.py" "$results"

# The conditions of the road, and what has to hold under each; sourced by benches/rig.sh.
# shellcheck shell=bash disable=SC2034,SC2154

all_conditions=(clean skewed jitter20 jitter40 blackout asymmetric-mesh asymmetric cut starts)

round_s=12
blackout_link='0 0 100 0 0 100 0'

# Sets what the condition NAME is. Links are as net.sh takes them; `verdict` is of jq, over the figures of report.py.
set_condition() {
    bar='' verdict='' seconds_usual=180 seconds_min=10
    link_all=$net_clean_link link_one=''
    skewed=false peer_skewed=false with_mesh=true with_lan=false with_peers=false
    each_second=: beside=nothing_beside analyse=analyse_offsets tracks=(noise.wav) queue=queue_all
    case $1 in
        clean)
            with_peers=true
            below p99_ms 0.15
            ;;
        skewed)
            with_peers=true skewed=true peer_skewed=true
            below p99_ms 0.2
            ;;
        # The peer has right clocks here, or it would show what skewed ones do to it and not what jitter does.
        jitter20)
            with_peers=true skewed=true with_mesh=false link_all='20 10 1 20 10 1 0'
            below p99_ms 0.5
            ;;
        jitter40)
            skewed=true with_mesh=false link_all='40 20 2 40 20 2 0'
            below p99_ms 0.8
            ;;
        # Without a network, without the server, and then without the hub of the mesh as well.
        blackout)
            seconds_min=75 each_second=blackout_second
            bar='silence 0, jumps 0'
            verdict='.silence_ms == 0 and .jumps == 0'
            ;;
        # What a way and its way back differ by cannot be known from its ends; another way has to tell.
        asymmetric-mesh)
            link_one='60 0 0 20 0 0 0' with_lan=true
            below p99_ms 1
            ;;
        # Without another way it stays, and the bound has to say so.
        asymmetric)
            link_one='60 0 0 20 0 0 0' with_mesh=false each_second=note_bounds beside=judge_bounds
            bar='in bound 99 %'
            verdict='.inside_share != null and .inside_share >= 0.99'
            ;;
        cut)
            skewed=true seconds_usual=$((1800 + cut_after_s)) each_second=cut_second
            below end_ms 3
            bar+=" (cut after $((settle_s + cut_after_s)) s)"
            ;;
        # Each round has three starts; twenty of them, if not told otherwise.
        starts)
            seconds_usual=$((20 * round_s)) seconds_min=$round_s
            tracks=(noise1.wav noise2.wav noise3.wav)
            queue=queue_rounds each_second=start_second analyse=analyse_starts
            bar='max < 1 ms, none lost'
            verdict='.max_ms != null and .max_ms < 1 and .lost_count == 0'
            ;;
        *)
            echo "no such condition: $1 (there are ${all_conditions[*]})" >&2
            return 2
            ;;
    esac
}

#     below FIGURE MS
below() {
    bar="${1%_ms} < $2 ms"
    verdict=".$1 != null and .$1 < $2"
}

nothing_beside() { echo '{}'; }

queue_all() { ctl 1 queue add --all noise >/dev/null; }

queue_rounds() {
    local round
    for ((round = 0; round <= seconds / round_s; round++)); do
        ctl 1 queue add "noise$((round % 3 + 1))" >/dev/null
    done
}

# Each round is of the next track, from where it begins and from elsewhere.
start_second() {
    local round=$(($1 / round_s)) kind place_s
    place_s=$((20 + round))
    ((round < seconds / round_s)) || return 0
    case $(($1 % round_s)) in
        0) kind=next place_s=0 && ctl 1 next >/dev/null ;;
        3) kind=seek && ctl 1 seek "$place_s" >/dev/null ;;
        6) kind=pause && ctl 1 pause >/dev/null ;;
        9) kind=play && ctl 1 play >/dev/null ;;
        *) return 0 ;;
    esac
    jq -nc --argjson at_s "$(now_s)" --arg kind "$kind" --argjson place_s "$place_s" \
        --arg track "${tracks[(round + 1) % 3]}" \
        '{at_s: $at_s, kind: $kind, track: $track, place_s: $place_s}' >>"$run/controls"
}

analyse_starts() { analyse_by "$rig/starts.py" "$run/cards" "$music" "$run/controls"; }

blackout_second() {
    case $1 in
        5) net_link "$blackout_link" $(seq "$cars") ;;
        15) net_link "$link_all" $(seq "$cars") ;;
        30) end_child KILL server ;;
        # The DJ's car is the hub.
        45)
            ended_cards+=("1=$(now_s)")
            end_child KILL car1
            ;;
        60) start_server ;;
    esac
}

cut_second() {
    [ "$1" != "$cut_after_s" ] || net_link "$blackout_link" $(seq "$cars")
}

note_bounds() {
    local number
    for ((number = 1; number <= cars; number++)); do
        ctl "$number" --json status | jq -c --argjson second "$1" --arg card "$number" \
            '{second: $second, card: $card, bound_us: .clock.bound_us}' >>"$run/bounds"
    done
}
judge_bounds() { "$rig/bounds.py" "$run/cards/places.npz" "$run/bounds"; }

# Players of others, on the same links, cards and clocks as ours; sourced by benches/rig.sh after rig/cars.sh.
# shellcheck shell=bash disable=SC2154

has_snapcast() { command -v snapserver snapclient >/dev/null; }

# Its clients get the priority that our player takes for itself.
#     start_snapcast CARS SKEWED TRACK
start_snapcast() {
    local cars=$1 skewed=$2 track=$3 number
    mkdir "$run/snapcast"
    child snapserver "$run/snapserver.log" ip netns exec "$(net_of_server)" snapserver --config /dev/null \
        --server.datadir="$run/snapcast" --http.enabled=false --tcp.enabled=false \
        --stream.source="file://$track?name=rig&sampleformat=48000:16:2"
    for ((number = 1; number <= cars; number++)); do
        child "snapclient$number" "$run/snapclient$number.log" in_car "$number" "$skewed" chrt --fifo 20 \
            snapclient --host "$server_address" --hostID "car$number" --logsink stdout
    done
}

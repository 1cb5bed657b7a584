# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_jamzctl_global_optspecs
    string join \n bus= json h/help V/version
end

function __fish_jamzctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_jamzctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_jamzctl_using_subcommand
    set -l cmd (__fish_jamzctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c jamzctl -n "__fish_jamzctl_needs_command" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_needs_command" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -s V -l version -d 'Print version'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "status" -d 'Show what plays, with whom, and how well'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "watch" -d 'Show it live, until interrupted'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "play" -d 'Go on, or play an entry of the queue from its start'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "pause" -d 'Stop the music where it is'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "toggle" -d 'Pause when playing, play when paused'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "seek" -d 'Go to a position of the track'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "next" -d 'Go to the next track'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "previous" -d 'Go to the previous track'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "volume" -d 'Show or set this car\'s loudness'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "duck" -d 'Play quieter for as long as a call or the navigation speaks'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "queue" -d 'Show or change the convoy\'s playlist'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "library" -d 'Show or search the music of this car'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "outputs" -d 'List the sound outputs that the configuration may name, or set what one needs to be heard'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "calibrate" -d 'Measure what the output in use needs to be heard, and remember it as `outputs delay` does'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "found" -d 'Found a convoy on the roadside, or name a new code for it, so that others on this network can join'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "join" -d 'Join a convoy, by the code that `jamzctl found` named in a car on this network, or by its id'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "leave" -d 'Leave the convoy'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "take" -d 'Take control: this car is the DJ\'s from now on'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "release" -d 'Give control back'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "invite" -d 'Show a link, and a square code of it, by which a phone joins with its browser'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "who" -d 'List the members of the convoy'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "history" -d 'List what was done, and what became of it, the newest first'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "config" -d 'Show the configuration in force, or check a file'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "man" -d 'Write the man pages into a folder'
complete -c jamzctl -n "__fish_jamzctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand status" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand status" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand watch" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand watch" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand watch" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand play" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand play" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand play" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand pause" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand pause" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand pause" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand toggle" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand toggle" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand toggle" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand seek" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand seek" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand seek" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand next" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand next" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand next" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand previous" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand previous" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand previous" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand volume" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand volume" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand volume" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand duck" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand duck" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand duck" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -f -a "add" -d 'Add tracks of the library, or addresses of audio files'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -f -a "remove" -d 'Remove entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -f -a "move" -d 'Move an entry'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -f -a "list" -d 'List the entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -f -a "pending" -d 'List what was done here and no server or leader has yet, the oldest first'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -f -a "clear" -d 'Remove all entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and not __fish_seen_subcommand_from add remove move list pending clear help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from add" -l at -d 'Place in the queue, counted from 1; the end if not given' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from add" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from add" -l all -d 'Add every track that a search text finds, not only a single one'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from add" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from remove" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from move" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from move" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from move" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from list" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from list" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from pending" -l limit -d 'Most changes to list' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from pending" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from pending" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from pending" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from clear" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from clear" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from clear" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add tracks of the library, or addresses of audio files'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "move" -d 'Move an entry'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "pending" -d 'List what was done here and no server or leader has yet, the oldest first'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "clear" -d 'Remove all entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and not __fish_seen_subcommand_from scan search problems help" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and not __fish_seen_subcommand_from scan search problems help" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and not __fish_seen_subcommand_from scan search problems help" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and not __fish_seen_subcommand_from scan search problems help" -f -a "scan" -d 'Index the music folders anew, in the background'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and not __fish_seen_subcommand_from scan search problems help" -f -a "search" -d 'Find tracks by words of title, artist, album or path'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and not __fish_seen_subcommand_from scan search problems help" -f -a "problems" -d 'List files that cannot be used, and why'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and not __fish_seen_subcommand_from scan search problems help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from scan" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from scan" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from scan" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from search" -l limit -d 'Most tracks to list' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from search" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from search" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from search" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from problems" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from problems" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from problems" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from help" -f -a "scan" -d 'Index the music folders anew, in the background'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from help" -f -a "search" -d 'Find tracks by words of title, artist, album or path'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from help" -f -a "problems" -d 'List files that cannot be used, and why'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand library; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and not __fish_seen_subcommand_from delay help" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and not __fish_seen_subcommand_from delay help" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and not __fish_seen_subcommand_from delay help" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and not __fish_seen_subcommand_from delay help" -f -a "delay" -d 'Show or set what the sound needs from the card to the ear: an amplifier\'s delay, or a Bluetooth speaker\'s'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and not __fish_seen_subcommand_from delay help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and __fish_seen_subcommand_from delay" -l output -d 'Another output than the one in use' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and __fish_seen_subcommand_from delay" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and __fish_seen_subcommand_from delay" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and __fish_seen_subcommand_from delay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and __fish_seen_subcommand_from help" -f -a "delay" -d 'Show or set what the sound needs from the card to the ear: an amplifier\'s delay, or a Bluetooth speaker\'s'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand outputs; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand calibrate" -l microphone -d 'Listen by this microphone: alsa, alsa:CARD, or virtual (which hears the virtual card)' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand calibrate" -l recording -d 'Find the delay in a recording of two cars: WAV, FLAC, MP3 or M4A, of 180 s at most' -r -F
complete -c jamzctl -n "__fish_jamzctl_using_subcommand calibrate" -l play -d 'Only play, for half a minute, to be recorded' -r -f -a "reference\t'The car that is heard in time already'
measured\t'The car whose delay is to be found'"
complete -c jamzctl -n "__fish_jamzctl_using_subcommand calibrate" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand calibrate" -l dry-run -d 'Show what was found, and change nothing'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand calibrate" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand calibrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand found" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand found" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand found" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand join" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand join" -l code -d 'Take it for a code, whatever it looks like'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand join" -l id -d 'Take it for an id, whatever it looks like'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand join" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand join" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand leave" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand leave" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand leave" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand take" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand take" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand take" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand release" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand release" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand release" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand invite" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand invite" -l listener -d 'Who comes by it may only look'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand invite" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand invite" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand who" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand who" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand who" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand history" -l limit -d 'Most changes to list' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand history" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand history" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand history" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -f -a "check" -d 'Check a configuration file without starting anything'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and __fish_seen_subcommand_from check" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a configuration file without starting anything'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand completions" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand completions" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand man" -l bus -d 'The bus of the head unit: system, session, or a D-Bus address' -r
complete -c jamzctl -n "__fish_jamzctl_using_subcommand man" -l json -d 'Print JSON, as the man page describes it'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand man" -s h -l help -d 'Print help'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "status" -d 'Show what plays, with whom, and how well'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "watch" -d 'Show it live, until interrupted'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "play" -d 'Go on, or play an entry of the queue from its start'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "pause" -d 'Stop the music where it is'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "toggle" -d 'Pause when playing, play when paused'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "seek" -d 'Go to a position of the track'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "next" -d 'Go to the next track'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "previous" -d 'Go to the previous track'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "volume" -d 'Show or set this car\'s loudness'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "duck" -d 'Play quieter for as long as a call or the navigation speaks'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "queue" -d 'Show or change the convoy\'s playlist'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "library" -d 'Show or search the music of this car'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "outputs" -d 'List the sound outputs that the configuration may name, or set what one needs to be heard'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "calibrate" -d 'Measure what the output in use needs to be heard, and remember it as `outputs delay` does'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "found" -d 'Found a convoy on the roadside, or name a new code for it, so that others on this network can join'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "join" -d 'Join a convoy, by the code that `jamzctl found` named in a car on this network, or by its id'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "leave" -d 'Leave the convoy'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "take" -d 'Take control: this car is the DJ\'s from now on'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "release" -d 'Give control back'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "invite" -d 'Show a link, and a square code of it, by which a phone joins with its browser'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "who" -d 'List the members of the convoy'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "history" -d 'List what was done, and what became of it, the newest first'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "config" -d 'Show the configuration in force, or check a file'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "completions" -d 'Print completions for a shell'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "man" -d 'Write the man pages into a folder'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and not __fish_seen_subcommand_from status watch play pause toggle seek next previous volume duck queue library outputs calibrate found join leave take release invite who history config completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "add" -d 'Add tracks of the library, or addresses of audio files'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "remove" -d 'Remove entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "move" -d 'Move an entry'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "list" -d 'List the entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "pending" -d 'List what was done here and no server or leader has yet, the oldest first'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "clear" -d 'Remove all entries'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from library" -f -a "scan" -d 'Index the music folders anew, in the background'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from library" -f -a "search" -d 'Find tracks by words of title, artist, album or path'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from library" -f -a "problems" -d 'List files that cannot be used, and why'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from outputs" -f -a "delay" -d 'Show or set what the sound needs from the card to the ear: an amplifier\'s delay, or a Bluetooth speaker\'s'
complete -c jamzctl -n "__fish_jamzctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check a configuration file without starting anything'

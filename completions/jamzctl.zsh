#compdef jamzctl

autoload -U is-at-least

_jamzctl() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_jamzctl_commands" \
"*::: :->jamzctl" \
&& ret=0
    case $state in
    (jamzctl)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-command-$line[1]:"
        case $line[1] in
            (status)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(watch)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(play)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
'::entry -- Place in the queue, or an entry'\''s id:_default' \
&& ret=0
;;
(pause)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(toggle)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(seek)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
':position -- 1\:23, 83.5 (seconds), +10 or -10:_default' \
&& ret=0
;;
(next)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(previous)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(volume)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
'::level -- 0 to 100, +5 or -5 (percent):_default' \
&& ret=0
;;
(duck)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
':switch:(on off)' \
&& ret=0
;;
(queue)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_jamzctl__subcmd__queue_commands" \
"*::: :->queue" \
&& ret=0

    case $state in
    (queue)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-queue-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
'--at=[Place in the queue, counted from 1; the end if not given]:PLACE:_default' \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--all[Add every track that a search text finds, not only a single one]' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
'*::tracks -- A track'\''s id or its beginning (8 hex digits or more), an http(s) address, or words to search for:_default' \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
'*::entries -- Place in the queue, or an entry'\''s id:_default' \
&& ret=0
;;
(move)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
':entry -- Place in the queue, or an entry'\''s id:_default' \
':place -- The place it shall have, counted from 1:_default' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(pending)
_arguments "${_arguments_options[@]}" : \
'--limit=[Most changes to list]:COUNT:_default' \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(clear)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__queue__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-queue-help-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(move)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pending)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(clear)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(library)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_jamzctl__subcmd__library_commands" \
"*::: :->library" \
&& ret=0

    case $state in
    (library)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-library-command-$line[1]:"
        case $line[1] in
            (scan)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(search)
_arguments "${_arguments_options[@]}" : \
'--limit=[Most tracks to list]:COUNT:_default' \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
'*::words:_default' \
&& ret=0
;;
(problems)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__library__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-library-help-command-$line[1]:"
        case $line[1] in
            (scan)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(search)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(problems)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(outputs)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_jamzctl__subcmd__outputs_commands" \
"*::: :->outputs" \
&& ret=0

    case $state in
    (outputs)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-outputs-command-$line[1]:"
        case $line[1] in
            (delay)
_arguments "${_arguments_options[@]}" : \
'--output=[Another output than the one in use]:NAME:_default' \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::delay_ms -- Milliseconds, -2000 to 2000; negative where the card claims too much:_default' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__outputs__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-outputs-help-command-$line[1]:"
        case $line[1] in
            (delay)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(calibrate)
_arguments "${_arguments_options[@]}" : \
'(--recording --play)--microphone=[Listen by this microphone\: alsa, alsa\:CARD, or virtual (which hears the virtual card)]:NAME:_default' \
'(--play)--recording=[Find the delay in a recording of two cars\: WAV, FLAC, MP3 or M4A, of 180 s at most]:FILE:_files' \
'--play=[Only play, for half a minute, to be recorded]:CAR:((reference\:"The car that is heard in time already"
measured\:"The car whose delay is to be found"))' \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'(--play)--dry-run[Show what was found, and change nothing]' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(found)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
'::name -- What to call it:_default' \
&& ret=0
;;
(join)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'(--id)--code[Take it for a code, whatever it looks like]' \
'--id[Take it for an id, whatever it looks like]' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
'*::convoy -- The code'\''s four words, or the convoy'\''s id:_default' \
&& ret=0
;;
(leave)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(take)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(invite)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--listener[Who comes by it may only look]' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(who)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(history)
_arguments "${_arguments_options[@]}" : \
'--limit=[Most changes to list]:COUNT:_default' \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_jamzctl__subcmd__config_commands" \
"*::: :->config" \
&& ret=0

    case $state in
    (config)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-config-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
':file:_files' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__config__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-config-help-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
':shell:(bash elvish fish powershell zsh)' \
&& ret=0
;;
(man)
_arguments "${_arguments_options[@]}" : \
'--bus=[The bus of the head unit\: system, session, or a D-Bus address]:ADDRESS:_default' \
'--json[Print JSON, as the man page describes it]' \
'-h[Print help]' \
'--help[Print help]' \
':folder:_files -/' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-help-command-$line[1]:"
        case $line[1] in
            (status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(watch)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(play)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pause)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(toggle)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(seek)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(next)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(previous)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(volume)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(duck)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(queue)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__help__subcmd__queue_commands" \
"*::: :->queue" \
&& ret=0

    case $state in
    (queue)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-help-queue-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(move)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pending)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(clear)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(library)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__help__subcmd__library_commands" \
"*::: :->library" \
&& ret=0

    case $state in
    (library)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-help-library-command-$line[1]:"
        case $line[1] in
            (scan)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(search)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(problems)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(outputs)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__help__subcmd__outputs_commands" \
"*::: :->outputs" \
&& ret=0

    case $state in
    (outputs)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-help-outputs-command-$line[1]:"
        case $line[1] in
            (delay)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(calibrate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(found)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(join)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(leave)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(take)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(invite)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(who)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(history)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
":: :_jamzctl__subcmd__help__subcmd__config_commands" \
"*::: :->config" \
&& ret=0

    case $state in
    (config)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:jamzctl-help-config-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(completions)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(man)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_jamzctl_commands] )) ||
_jamzctl_commands() {
    local commands; commands=(
'status:Show what plays, with whom, and how well' \
'watch:Show it live, until interrupted' \
'play:Go on, or play an entry of the queue from its start' \
'pause:Stop the music where it is' \
'toggle:Pause when playing, play when paused' \
'seek:Go to a position of the track' \
'next:Go to the next track' \
'previous:Go to the previous track' \
'volume:Show or set this car'\''s loudness' \
'duck:Play quieter for as long as a call or the navigation speaks' \
'queue:Show or change the convoy'\''s playlist' \
'library:Show or search the music of this car' \
'outputs:List the sound outputs that the configuration may name, or set what one needs to be heard' \
'calibrate:Measure what the output in use needs to be heard, and remember it as \`outputs delay\` does' \
'found:Found a convoy on the roadside, or name a new code for it, so that others on this network can join' \
'join:Join a convoy, by the code that \`jamzctl found\` named in a car on this network, or by its id' \
'leave:Leave the convoy' \
'take:Take control\: this car is the DJ'\''s from now on' \
'release:Give control back' \
'invite:Show a link, and a square code of it, by which a phone joins with its browser' \
'who:List the members of the convoy' \
'history:List what was done, and what became of it, the newest first' \
'config:Show the configuration in force, or check a file' \
'completions:Print completions for a shell' \
'man:Write the man pages into a folder' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__calibrate_commands] )) ||
_jamzctl__subcmd__calibrate_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl calibrate commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__completions_commands] )) ||
_jamzctl__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl completions commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__config_commands] )) ||
_jamzctl__subcmd__config_commands() {
    local commands; commands=(
'check:Check a configuration file without starting anything' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl config commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__config__subcmd__check_commands] )) ||
_jamzctl__subcmd__config__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl config check commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__config__subcmd__help_commands] )) ||
_jamzctl__subcmd__config__subcmd__help_commands() {
    local commands; commands=(
'check:Check a configuration file without starting anything' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl config help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__config__subcmd__help__subcmd__check_commands] )) ||
_jamzctl__subcmd__config__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl config help check commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__config__subcmd__help__subcmd__help_commands] )) ||
_jamzctl__subcmd__config__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl config help help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__duck_commands] )) ||
_jamzctl__subcmd__duck_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl duck commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__found_commands] )) ||
_jamzctl__subcmd__found_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl found commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help_commands] )) ||
_jamzctl__subcmd__help_commands() {
    local commands; commands=(
'status:Show what plays, with whom, and how well' \
'watch:Show it live, until interrupted' \
'play:Go on, or play an entry of the queue from its start' \
'pause:Stop the music where it is' \
'toggle:Pause when playing, play when paused' \
'seek:Go to a position of the track' \
'next:Go to the next track' \
'previous:Go to the previous track' \
'volume:Show or set this car'\''s loudness' \
'duck:Play quieter for as long as a call or the navigation speaks' \
'queue:Show or change the convoy'\''s playlist' \
'library:Show or search the music of this car' \
'outputs:List the sound outputs that the configuration may name, or set what one needs to be heard' \
'calibrate:Measure what the output in use needs to be heard, and remember it as \`outputs delay\` does' \
'found:Found a convoy on the roadside, or name a new code for it, so that others on this network can join' \
'join:Join a convoy, by the code that \`jamzctl found\` named in a car on this network, or by its id' \
'leave:Leave the convoy' \
'take:Take control\: this car is the DJ'\''s from now on' \
'release:Give control back' \
'invite:Show a link, and a square code of it, by which a phone joins with its browser' \
'who:List the members of the convoy' \
'history:List what was done, and what became of it, the newest first' \
'config:Show the configuration in force, or check a file' \
'completions:Print completions for a shell' \
'man:Write the man pages into a folder' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__calibrate_commands] )) ||
_jamzctl__subcmd__help__subcmd__calibrate_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help calibrate commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__completions_commands] )) ||
_jamzctl__subcmd__help__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help completions commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__config_commands] )) ||
_jamzctl__subcmd__help__subcmd__config_commands() {
    local commands; commands=(
'check:Check a configuration file without starting anything' \
    )
    _describe -t commands 'jamzctl help config commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__config__subcmd__check_commands] )) ||
_jamzctl__subcmd__help__subcmd__config__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help config check commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__duck_commands] )) ||
_jamzctl__subcmd__help__subcmd__duck_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help duck commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__found_commands] )) ||
_jamzctl__subcmd__help__subcmd__found_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help found commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__help_commands] )) ||
_jamzctl__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__history_commands] )) ||
_jamzctl__subcmd__help__subcmd__history_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help history commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__invite_commands] )) ||
_jamzctl__subcmd__help__subcmd__invite_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help invite commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__join_commands] )) ||
_jamzctl__subcmd__help__subcmd__join_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help join commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__leave_commands] )) ||
_jamzctl__subcmd__help__subcmd__leave_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help leave commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__library_commands] )) ||
_jamzctl__subcmd__help__subcmd__library_commands() {
    local commands; commands=(
'scan:Index the music folders anew, in the background' \
'search:Find tracks by words of title, artist, album or path' \
'problems:List files that cannot be used, and why' \
    )
    _describe -t commands 'jamzctl help library commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__library__subcmd__problems_commands] )) ||
_jamzctl__subcmd__help__subcmd__library__subcmd__problems_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help library problems commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__library__subcmd__scan_commands] )) ||
_jamzctl__subcmd__help__subcmd__library__subcmd__scan_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help library scan commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__library__subcmd__search_commands] )) ||
_jamzctl__subcmd__help__subcmd__library__subcmd__search_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help library search commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__man_commands] )) ||
_jamzctl__subcmd__help__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help man commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__next_commands] )) ||
_jamzctl__subcmd__help__subcmd__next_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help next commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__outputs_commands] )) ||
_jamzctl__subcmd__help__subcmd__outputs_commands() {
    local commands; commands=(
'delay:Show or set what the sound needs from the card to the ear\: an amplifier'\''s delay, or a Bluetooth speaker'\''s' \
    )
    _describe -t commands 'jamzctl help outputs commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__outputs__subcmd__delay_commands] )) ||
_jamzctl__subcmd__help__subcmd__outputs__subcmd__delay_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help outputs delay commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__pause_commands] )) ||
_jamzctl__subcmd__help__subcmd__pause_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help pause commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__play_commands] )) ||
_jamzctl__subcmd__help__subcmd__play_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help play commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__previous_commands] )) ||
_jamzctl__subcmd__help__subcmd__previous_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help previous commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__queue_commands] )) ||
_jamzctl__subcmd__help__subcmd__queue_commands() {
    local commands; commands=(
'add:Add tracks of the library, or addresses of audio files' \
'remove:Remove entries' \
'move:Move an entry' \
'list:List the entries' \
'pending:List what was done here and no server or leader has yet, the oldest first' \
'clear:Remove all entries' \
    )
    _describe -t commands 'jamzctl help queue commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__queue__subcmd__add_commands] )) ||
_jamzctl__subcmd__help__subcmd__queue__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help queue add commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__queue__subcmd__clear_commands] )) ||
_jamzctl__subcmd__help__subcmd__queue__subcmd__clear_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help queue clear commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__queue__subcmd__list_commands] )) ||
_jamzctl__subcmd__help__subcmd__queue__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help queue list commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__queue__subcmd__move_commands] )) ||
_jamzctl__subcmd__help__subcmd__queue__subcmd__move_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help queue move commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__queue__subcmd__pending_commands] )) ||
_jamzctl__subcmd__help__subcmd__queue__subcmd__pending_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help queue pending commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__queue__subcmd__remove_commands] )) ||
_jamzctl__subcmd__help__subcmd__queue__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help queue remove commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__release_commands] )) ||
_jamzctl__subcmd__help__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help release commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__seek_commands] )) ||
_jamzctl__subcmd__help__subcmd__seek_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help seek commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__status_commands] )) ||
_jamzctl__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help status commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__take_commands] )) ||
_jamzctl__subcmd__help__subcmd__take_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help take commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__toggle_commands] )) ||
_jamzctl__subcmd__help__subcmd__toggle_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help toggle commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__volume_commands] )) ||
_jamzctl__subcmd__help__subcmd__volume_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help volume commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__watch_commands] )) ||
_jamzctl__subcmd__help__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help watch commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__help__subcmd__who_commands] )) ||
_jamzctl__subcmd__help__subcmd__who_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl help who commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__history_commands] )) ||
_jamzctl__subcmd__history_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl history commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__invite_commands] )) ||
_jamzctl__subcmd__invite_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl invite commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__join_commands] )) ||
_jamzctl__subcmd__join_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl join commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__leave_commands] )) ||
_jamzctl__subcmd__leave_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl leave commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library_commands] )) ||
_jamzctl__subcmd__library_commands() {
    local commands; commands=(
'scan:Index the music folders anew, in the background' \
'search:Find tracks by words of title, artist, album or path' \
'problems:List files that cannot be used, and why' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl library commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library__subcmd__help_commands] )) ||
_jamzctl__subcmd__library__subcmd__help_commands() {
    local commands; commands=(
'scan:Index the music folders anew, in the background' \
'search:Find tracks by words of title, artist, album or path' \
'problems:List files that cannot be used, and why' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl library help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library__subcmd__help__subcmd__help_commands] )) ||
_jamzctl__subcmd__library__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl library help help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library__subcmd__help__subcmd__problems_commands] )) ||
_jamzctl__subcmd__library__subcmd__help__subcmd__problems_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl library help problems commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library__subcmd__help__subcmd__scan_commands] )) ||
_jamzctl__subcmd__library__subcmd__help__subcmd__scan_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl library help scan commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library__subcmd__help__subcmd__search_commands] )) ||
_jamzctl__subcmd__library__subcmd__help__subcmd__search_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl library help search commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library__subcmd__problems_commands] )) ||
_jamzctl__subcmd__library__subcmd__problems_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl library problems commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library__subcmd__scan_commands] )) ||
_jamzctl__subcmd__library__subcmd__scan_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl library scan commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__library__subcmd__search_commands] )) ||
_jamzctl__subcmd__library__subcmd__search_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl library search commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__man_commands] )) ||
_jamzctl__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl man commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__next_commands] )) ||
_jamzctl__subcmd__next_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl next commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__outputs_commands] )) ||
_jamzctl__subcmd__outputs_commands() {
    local commands; commands=(
'delay:Show or set what the sound needs from the card to the ear\: an amplifier'\''s delay, or a Bluetooth speaker'\''s' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl outputs commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__outputs__subcmd__delay_commands] )) ||
_jamzctl__subcmd__outputs__subcmd__delay_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl outputs delay commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__outputs__subcmd__help_commands] )) ||
_jamzctl__subcmd__outputs__subcmd__help_commands() {
    local commands; commands=(
'delay:Show or set what the sound needs from the card to the ear\: an amplifier'\''s delay, or a Bluetooth speaker'\''s' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl outputs help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__outputs__subcmd__help__subcmd__delay_commands] )) ||
_jamzctl__subcmd__outputs__subcmd__help__subcmd__delay_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl outputs help delay commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__outputs__subcmd__help__subcmd__help_commands] )) ||
_jamzctl__subcmd__outputs__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl outputs help help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__pause_commands] )) ||
_jamzctl__subcmd__pause_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl pause commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__play_commands] )) ||
_jamzctl__subcmd__play_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl play commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__previous_commands] )) ||
_jamzctl__subcmd__previous_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl previous commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue_commands] )) ||
_jamzctl__subcmd__queue_commands() {
    local commands; commands=(
'add:Add tracks of the library, or addresses of audio files' \
'remove:Remove entries' \
'move:Move an entry' \
'list:List the entries' \
'pending:List what was done here and no server or leader has yet, the oldest first' \
'clear:Remove all entries' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl queue commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__add_commands] )) ||
_jamzctl__subcmd__queue__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue add commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__clear_commands] )) ||
_jamzctl__subcmd__queue__subcmd__clear_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue clear commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__help_commands] )) ||
_jamzctl__subcmd__queue__subcmd__help_commands() {
    local commands; commands=(
'add:Add tracks of the library, or addresses of audio files' \
'remove:Remove entries' \
'move:Move an entry' \
'list:List the entries' \
'pending:List what was done here and no server or leader has yet, the oldest first' \
'clear:Remove all entries' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'jamzctl queue help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__help__subcmd__add_commands] )) ||
_jamzctl__subcmd__queue__subcmd__help__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue help add commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__help__subcmd__clear_commands] )) ||
_jamzctl__subcmd__queue__subcmd__help__subcmd__clear_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue help clear commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__help__subcmd__help_commands] )) ||
_jamzctl__subcmd__queue__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue help help commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__help__subcmd__list_commands] )) ||
_jamzctl__subcmd__queue__subcmd__help__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue help list commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__help__subcmd__move_commands] )) ||
_jamzctl__subcmd__queue__subcmd__help__subcmd__move_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue help move commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__help__subcmd__pending_commands] )) ||
_jamzctl__subcmd__queue__subcmd__help__subcmd__pending_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue help pending commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__help__subcmd__remove_commands] )) ||
_jamzctl__subcmd__queue__subcmd__help__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue help remove commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__list_commands] )) ||
_jamzctl__subcmd__queue__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue list commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__move_commands] )) ||
_jamzctl__subcmd__queue__subcmd__move_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue move commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__pending_commands] )) ||
_jamzctl__subcmd__queue__subcmd__pending_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue pending commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__queue__subcmd__remove_commands] )) ||
_jamzctl__subcmd__queue__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl queue remove commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__release_commands] )) ||
_jamzctl__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl release commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__seek_commands] )) ||
_jamzctl__subcmd__seek_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl seek commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__status_commands] )) ||
_jamzctl__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl status commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__take_commands] )) ||
_jamzctl__subcmd__take_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl take commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__toggle_commands] )) ||
_jamzctl__subcmd__toggle_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl toggle commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__volume_commands] )) ||
_jamzctl__subcmd__volume_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl volume commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__watch_commands] )) ||
_jamzctl__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl watch commands' commands "$@"
}
(( $+functions[_jamzctl__subcmd__who_commands] )) ||
_jamzctl__subcmd__who_commands() {
    local commands; commands=()
    _describe -t commands 'jamzctl who commands' commands "$@"
}

if [ "$funcstack[1]" = "_jamzctl" ]; then
    _jamzctl "$@"
else
    compdef _jamzctl jamzctl
fi

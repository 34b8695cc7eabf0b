# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_synchroniser_global_optspecs
    string join \n q/quiet v/verbose h/help V/version
end

function __fish_synchroniser_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_synchroniser_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_synchroniser_using_subcommand
    set -l cmd (__fish_synchroniser_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c synchroniser -n "__fish_synchroniser_needs_command" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -s V -l version -d 'Print version'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "init" -d 'Write a first configuration with one mirror, and say what to do next'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "serve" -d 'Listen for push hooks and sync the mirrors that they ask for'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "sync" -d 'Sync mirrors now: all that are configured, or those named'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "status" -d 'Show how the mirrors of the daemon are, or one of them in full'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "queue" -d 'Show what the daemon syncs now, and what waits'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "runs" -d 'Show the last syncs of the daemon'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "deliveries" -d 'Show the last hooks that came to the daemon, and what became of them'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "hook-config" -d 'Print what to type into a forge so that it sends the hooks of a mirror here'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "test-hook" -d 'Send the daemon a hook as a forge does, signed, and show what becomes of it'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "notify" -d 'Tell a daemon elsewhere of a push: a hook of Mercurial, which keeps nobody waiting'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "pause" -d 'Let the daemon leave mirrors alone; what is asked for meanwhile is kept'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "resume" -d 'Let the daemon go on with paused mirrors'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "retry" -d 'Let the daemon try again: mirrors that it has given up, and refused refs'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "backup" -d 'Copy the queue of the daemon, and what was published, into a file'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "restore" -d 'Put a backup back, before the daemon is started'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "rebuild" -d 'Make the cache of a mirror again from its source'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "doctor" -d 'Check everything that a mirror needs, here and at its servers, and say what to do'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "caches" -d 'List the caches, and empty those of mirrors that are not configured any more'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "notify-test" -d 'Have the daemon send a test to those who are told of mirrors in trouble'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "plan" -d 'Show what a sync would change, and change nothing'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "convert" -d 'Convert a Mercurial repository into a bare Git repository, or update that'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "mirror" -d 'Sync one source to one target, without a configuration'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "fetch" -d 'Make or update a Mercurial clone without a working copy'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "adopt" -d 'Continue a mirror that another tool made: record its commits, publish nothing yet'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "verify" -d 'Compare a Mercurial repository with what was converted from it'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "inspect" -d 'Show the data of a Mercurial repository or a bundle, to find what is wrong with it'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "authors" -d 'Print an author map to edit: each user of a repository, and the author of its commits'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "known-hosts" -d 'List the host keys of SSH servers that are known, or add one'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "demo" -d 'Sync a sample repository with a push hook, in a temporary folder'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "config" -d 'Check the configuration, or print its defaults and its documentation'
complete -c synchroniser -n "__fish_synchroniser_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l source -d 'The Mercurial repository: a path, https://, ssh://, or a bundle file' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l target -d 'The Git repository: a path, https://, ssh:// or user@host:path. It must be there, and may be empty' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l name -d 'The name of the mirror; without it, the last part of the target\'s address' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l source-token-file -d 'A file with the token that may read the source; a copy goes to where the daemon may read it' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l source-key-file -d 'A file with the private key that may read the source over SSH; a copy goes to where the daemon may read it' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l target-token-file -d 'A file with the token that may push to the target; a copy goes to where the daemon may read it' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l target-key-file -d 'A file with the private key that may push to the target over SSH; a copy goes to where the daemon may read it' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l source-token-user -d 'The user that goes with the token of the source; without it, the one in the address' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l target-token-user -d 'The user that goes with the token of the target, where the forge wants a certain one; without it, `x-access-token`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l source-ca-file -d 'A file with the certificate authority of the source\'s server; a copy goes to where the daemon may read it' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l target-ca-file -d 'A file with the certificate authority of the target\'s server; a copy goes to where the daemon may read it' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l hook -d 'The forge that sends push hooks: a `format` such as gitlab, or none. Without it, what the address of the source tells; `synchroniser`, which scripts and Mercurial itself send, if it tells nothing' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l public-url -d 'The address under which forges and people reach the daemon, such as `https://sync.example.org`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l listen -d 'The address that the daemon is to listen on' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l source-plain-http -d 'Allow http:// for the source, which is not encrypted'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l target-plain-http -d 'Allow http:// and git:// for the target, which are not encrypted'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -l offline -d 'Look neither at the source nor at the target'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand init" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand serve" -l role -d 'What this daemon does, whatever the configuration says, which may be the same on every machine' -r -f -a "all\t''
front\t''
work\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand serve" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand serve" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand serve" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand serve" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l skip-damaged -d 'Put a placeholder in place of each damaged or missing file revision, and continue'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l no-verify -d 'Do not verify what was converted before refs move'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l allow-empty -d 'Accept, this once, a source with none of the changesets converted before, and remove their refs'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l allow-rewrite -d 'Move, this once, refs away from commits that the source no longer has'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l allow-prune -d 'Remove, this once, more than half of the refs that were published, if the source has lost their names'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l retry -d 'Try again what the target refused before, though nothing has changed; a sync that is started at a terminal always does'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l daemon -d 'Ask the daemon for it, which does it as soon as it can, instead of doing it here'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -l follow -d 'With --daemon: wait until each sync is over, and say what came of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand sync" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand status" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand status" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand status" -l trouble -d 'List only mirrors that are not good'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand status" -l json -d 'Print the answer of the daemon as JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand status" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand status" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand status" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and not __fish_seen_subcommand_from move help" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and not __fish_seen_subcommand_from move help" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and not __fish_seen_subcommand_from move help" -l json -d 'Print the answer of the daemon as JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and not __fish_seen_subcommand_from move help" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and not __fish_seen_subcommand_from move help" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and not __fish_seen_subcommand_from move help" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and not __fish_seen_subcommand_from move help" -f -a "move" -d 'Take along mirrors, requests and history when `queue.store` has changed, before the daemon is started'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and not __fish_seen_subcommand_from move help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and __fish_seen_subcommand_from move" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and __fish_seen_subcommand_from move" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and __fish_seen_subcommand_from move" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and __fish_seen_subcommand_from move" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and __fish_seen_subcommand_from move" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "move" -d 'Take along mirrors, requests and history when `queue.store` has changed, before the daemon is started'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand runs" -l count -d 'How many, the newest first' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand runs" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand runs" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand runs" -l json -d 'Print the answer of the daemon as JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand runs" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand runs" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand runs" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand deliveries" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand deliveries" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand deliveries" -l json -d 'Print the answer of the daemon as JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand deliveries" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand deliveries" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand deliveries" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand hook-config" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand hook-config" -l show-secret -d 'Print the secret itself instead of where it is'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand hook-config" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand hook-config" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand hook-config" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand test-hook" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand test-hook" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand test-hook" -l no-wait -d 'Do not wait for the sync that the hook asks for'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand test-hook" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand test-hook" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand test-hook" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify" -l ca-file -d 'A file with certificates to trust, in place of those of the system' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify" -l in-background -d 'What the hook starts, and nobody types'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify" -l wait -d 'Wait for the answer, and say what it is: to try it by hand'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand pause" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand pause" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand pause" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand pause" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand pause" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand resume" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand resume" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand resume" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand resume" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand resume" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand retry" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand retry" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand retry" -l follow -d 'Wait until each sync is over, and say what came of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand retry" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand retry" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand retry" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand backup" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand backup" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand backup" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand backup" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand backup" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand restore" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand restore" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand restore" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand restore" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand restore" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand rebuild" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand rebuild" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand rebuild" -l fetch -d 'Fetch a source that is not on this machine again, too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand rebuild" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand rebuild" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand rebuild" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand doctor" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand doctor" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand doctor" -l offline -d 'Look at nothing that is not on this machine'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand doctor" -l json -d 'Print JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand doctor" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand doctor" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand caches" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand caches" -l remove-unused -d 'Empty the caches that no mirror is configured for, and that nobody uses: what was published stays known'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand caches" -l ledgers -d 'With --remove-unused: remove also what they know of what was published'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand caches" -l yes -d 'With --remove-unused: really do it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand caches" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand caches" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand caches" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify-test" -l socket -d 'The admin socket of the daemon; without it, that of the configuration' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify-test" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify-test" -l json -d 'Print the answer of the daemon as JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify-test" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify-test" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand notify-test" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand plan" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand plan" -l json -d 'Print the plan as JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand plan" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand plan" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand plan" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l map -d 'Write a line `<commit id> <node>` for each changeset to this file' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l identity -d 'The rules that decide what a commit is, and so its id' -r -f -a "auto\t''
native\t''
hg-git\t''
fast-export\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l author-map -d 'A file of lines `user = author` that says which author stands for a user' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l phases -d 'Which changesets are converted; `draft` takes drafts from a source that does not publish too' -r -f -a "public\t''
draft\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l adopt -d 'Whether each commit of a target that another tool made must be a changeset of the source' -r -f -a "exact\t''
partial\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l main -d 'What the main branch follows: `tip`, the newest changeset, or the head of a named branch' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l main-branch -d 'The name of the main branch' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l ref-prefix -d 'A prefix for the name of every branch and tag, the main branch included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l publish -d 'Only names that match one of these patterns become refs; all if there are none; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l exclude -d 'Names that match one of these patterns do not become refs; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l closed-branches -d 'The prefix of tags for named branches whose heads are all closed' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l topics -d 'The prefix of branches for the topics of draft changesets' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l branches -d 'Other names for named branches and bookmarks; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l tags -d 'Other names for tags; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l notes -d 'Write a note with the node of its changeset for each commit, in `refs/notes/hg`'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l skip-damaged -d 'Put a placeholder in place of each damaged or missing file revision, and continue'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l verify -d 'Verify what was converted before refs move, as a sync does'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l allow-empty -d 'Accept, this once, a source with none of the changesets converted before, and remove their refs'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -l compact -d 'Make the packs as small as a full repack by Git does, at the end: takes as long again as the conversion, once'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand convert" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l cache -d 'The folder for what has been converted, made if it is not there. By default one below `$XDG_CACHE_HOME/synchroniser` or `~/.cache/synchroniser`. If it is lost, it is made again' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l identity -d 'The rules that decide what a commit is, and so its id' -r -f -a "auto\t''
native\t''
hg-git\t''
fast-export\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l author-map -d 'A file of lines `user = author` that says which author stands for a user' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l phases -d 'Which changesets are converted; `draft` takes drafts from a source that does not publish too' -r -f -a "public\t''
draft\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l adopt -d 'Whether each commit of a target that another tool made must be a changeset of the source' -r -f -a "exact\t''
partial\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l main -d 'What the main branch follows: `tip`, the newest changeset, or the head of a named branch' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l main-branch -d 'The name of the main branch' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l ref-prefix -d 'A prefix for the name of every branch and tag, the main branch included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l publish -d 'Only names that match one of these patterns become refs; all if there are none; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l exclude -d 'Names that match one of these patterns do not become refs; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l closed-branches -d 'The prefix of tags for named branches whose heads are all closed' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l topics -d 'The prefix of branches for the topics of draft changesets' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l branches -d 'Other names for named branches and bookmarks; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l tags -d 'Other names for tags; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l divergence -d 'What becomes of a ref where commits would be lost, since the source no longer has them' -r -f -a "reject\t''
keep\t''
overwrite\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l prune -d 'Which refs are removed whose name the source does not have any more' -r -f -a "merged\t''
off\t''
all\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-max-file -d 'Bytes of the largest file that the target takes' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-max-push -d 'Bytes of one push, about; a larger history goes in several, one after the other' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-api -d 'Where the API of the forge is that has a target: GitHub, or GitHub Enterprise' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-visibility -d 'Who can see a target that was made so' -r -f -a "private\t''
public\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-app-id -d 'Log in as a GitHub App: its id, or its client id' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-app-key-file -d 'The private key of the app, in PEM form, as GitHub gives it out' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-app-installation -d 'The number of the app\'s installation; without it, it is looked up' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l skip-damaged -d 'Put a placeholder in place of each damaged or missing file revision, and continue'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l no-verify -d 'Do not verify what was converted before refs move'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l allow-empty -d 'Accept, this once, a source with none of the changesets converted before, and remove their refs'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l notes -d 'Write a note with the node of its changeset for each commit, in `refs/notes/hg`'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l backup -d 'Keep what a ref had in `refs/heads/synchroniser-backup/` when commits would be lost'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l allow-rewrite -d 'Move, this once, refs away from commits that the source no longer has'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l allow-prune -d 'Remove, this once, more than half of the refs that were published, if the source has lost their names'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l retry -d 'Try again what the target refused before, though nothing has changed; a sync that is started at a terminal always does'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-ssh-agent -d 'Use the keys of the SSH agent that `SSH_AUTH_SOCK` names'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-create -d 'Make the target on its forge if it does not exist'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-allow-public -d 'Allow a target that everybody can see although the source is reached with a credential'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -l target-app-workflows -d 'Let the app change GitHub\'s workflow files too, which it must be allowed to'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand mirror" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand fetch" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l hg-git-map -d 'The `git-mapfile` of hg-git' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l fast-export -d 'The path of hg-fast-export\'s state without the endings `-mapping` and `-marks`, such as `repo.git/hg2git`' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l mapping -d 'The `hg2git-mapping` of hg-fast-export' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l marks -d 'The `hg2git-marks` of hg-fast-export' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l export-map -d 'Write each adopted changeset and its commit to this file, in the form of a git-mapfile' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l identity -d 'The rules that decide what a commit is, and so its id' -r -f -a "auto\t''
native\t''
hg-git\t''
fast-export\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l author-map -d 'A file of lines `user = author` that says which author stands for a user' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l phases -d 'Which changesets are converted; `draft` takes drafts from a source that does not publish too' -r -f -a "public\t''
draft\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l adopt -d 'Whether each commit of a target that another tool made must be a changeset of the source' -r -f -a "exact\t''
partial\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l main -d 'What the main branch follows: `tip`, the newest changeset, or the head of a named branch' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l main-branch -d 'The name of the main branch' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l ref-prefix -d 'A prefix for the name of every branch and tag, the main branch included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l publish -d 'Only names that match one of these patterns become refs; all if there are none; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l exclude -d 'Names that match one of these patterns do not become refs; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l closed-branches -d 'The prefix of tags for named branches whose heads are all closed' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l topics -d 'The prefix of branches for the topics of draft changesets' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l branches -d 'Other names for named branches and bookmarks; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l tags -d 'Other names for tags; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l notes -d 'Write a note with the node of its changeset for each commit, in `refs/notes/hg`'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand adopt" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l changeset -d 'Only this changeset: its node, the beginning of its node, or its revision number. May be repeated' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l since -d 'Only changesets that are neither this one nor its ancestors' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l identity -d 'The rules that decide what a commit is, and so its id' -r -f -a "auto\t''
native\t''
hg-git\t''
fast-export\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l author-map -d 'A file of lines `user = author` that says which author stands for a user' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l phases -d 'Which changesets are converted; `draft` takes drafts from a source that does not publish too' -r -f -a "public\t''
draft\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l adopt -d 'Whether each commit of a target that another tool made must be a changeset of the source' -r -f -a "exact\t''
partial\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l main -d 'What the main branch follows: `tip`, the newest changeset, or the head of a named branch' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l main-branch -d 'The name of the main branch' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l ref-prefix -d 'A prefix for the name of every branch and tag, the main branch included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l publish -d 'Only names that match one of these patterns become refs; all if there are none; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l exclude -d 'Names that match one of these patterns do not become refs; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l closed-branches -d 'The prefix of tags for named branches whose heads are all closed' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l topics -d 'The prefix of branches for the topics of draft changesets' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l branches -d 'Other names for named branches and bookmarks; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l tags -d 'Other names for tags; may be given again' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l json -d 'Print JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -l notes -d 'Write a note with the node of its changeset for each commit, in `refs/notes/hg`'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand verify" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -f -a "bundle" -d 'A bundle file: its parts, and what is in them'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -f -a "changeset" -d 'One changeset: its user, date, files and extras'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -f -a "manifest" -d 'The manifest of a changeset: each file with its node and flag'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -f -a "file" -d 'The contents of a file, or its metadata'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -f -a "delta-chain" -d 'How the text of a revision is stored: a full text and the deltas on top of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -f -a "repository" -d 'Formats, counts, phases, heads and names'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and not __fish_seen_subcommand_from bundle changeset manifest file delta-chain repository help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from bundle" -l entries -d 'Show each revision of a changegroup, not only how many there are'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from bundle" -l json -d 'Print JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from bundle" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from bundle" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from bundle" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -l json -d 'Print JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from changeset" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -l json -d 'Print JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from manifest" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l metadata -d 'Show the metadata of the revision instead of its contents; `--json` does so too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -l json -d 'Print JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from file" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -l json -d 'Print JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from delta-chain" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -l json -d 'Print JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from repository" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from help" -f -a "bundle" -d 'A bundle file: its parts, and what is in them'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from help" -f -a "changeset" -d 'One changeset: its user, date, files and extras'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from help" -f -a "manifest" -d 'The manifest of a changeset: each file with its node and flag'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from help" -f -a "file" -d 'The contents of a file, or its metadata'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from help" -f -a "delta-chain" -d 'How the text of a revision is stored: a full text and the deltas on top of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from help" -f -a "repository" -d 'Formats, counts, phases, heads and names'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand inspect; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-token-file -d 'A file with a token or a password for a web server, and nothing else' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-token-env -d 'The name of an environment variable with the token, for machines that keep secrets there' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-token-user -d 'The user name that goes with the token' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-key-file -d 'A private key for SSH, without a passphrase' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-known-hosts -d 'The host keys that an SSH server must show, in the form of OpenSSH\'s `known_hosts`' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-ca-file -d 'Certificates (PEM) of the authorities that are trusted in place of the system\'s' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-proxy -d 'The web proxy to use; the environment is not asked' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-connect-timeout -d 'Seconds until there is a connection, encryption and login included' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-answer-timeout -d 'Seconds until the beginning of each answer: a server may have to think before' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-idle-timeout -d 'Seconds without progress, once an answer has begun' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l identity -d 'The rules that decide what a commit is, and so its id' -r -f -a "auto\t''
native\t''
hg-git\t''
fast-export\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l author-map -d 'A file of lines `user = author` that says which author stands for a user' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l phases -d 'Which changesets are converted; `draft` takes drafts from a source that does not publish too' -r -f -a "public\t''
draft\t''"
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-plain-http -d 'Allow http:// too, and git:// for a target, which anybody on the network path can read and change'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -l source-private-downloads -d 'Allow bundles for first fetches from hosts in private networks too'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand authors" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and not __fish_seen_subcommand_from add list help" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and not __fish_seen_subcommand_from add list help" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and not __fish_seen_subcommand_from add list help" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and not __fish_seen_subcommand_from add list help" -f -a "add" -d 'Show the host key of an SSH server, ask whether it is the right one, and add it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and not __fish_seen_subcommand_from add list help" -f -a "list" -d 'Print the host keys that are known'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and not __fish_seen_subcommand_from add list help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from add" -l fingerprint -d 'Add the key if it has this fingerprint, and ask nothing' -r
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from add" -l file -d 'The file with the host keys; without it the one that the configuration names' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from add" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from list" -l file -d 'The file with the host keys; without it the one that the configuration names' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from list" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from help" -f -a "add" -d 'Show the host key of an SSH server, ask whether it is the right one, and add it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print the host keys that are known'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand known-hosts; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand demo" -l keep -d 'Keep the folder of the demo, and print its path'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand demo" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand demo" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand demo" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -f -a "check" -d 'Read a configuration and print what is wrong with it, or which mirrors it has'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -f -a "default" -d 'Print a configuration to start from: every key with its default and its meaning'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -f -a "reference" -d 'Print the documentation of every key, in Markdown'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -f -a "token" -d 'Make a token for the pages and the API, and print what the configuration has to know of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -f -a "openapi" -d 'Print the description of the daemon\'s API for programs'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and not __fish_seen_subcommand_from check default reference token openapi help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from check" -l config -d 'The configuration to use' -r -F
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from check" -l online -d 'Try every source and target too, with one request each and without writing anywhere'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'With --online: print what was found as JSON'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from default" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from default" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from default" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from reference" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from reference" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from reference" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from token" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from token" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from openapi" -s q -l quiet -d 'Print only errors and results'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from openapi" -s v -l verbose -d 'Log more; give it twice for even more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from openapi" -s h -l help -d 'Print help'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Read a configuration and print what is wrong with it, or which mirrors it has'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "default" -d 'Print a configuration to start from: every key with its default and its meaning'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "reference" -d 'Print the documentation of every key, in Markdown'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "token" -d 'Make a token for the pages and the API, and print what the configuration has to know of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "openapi" -d 'Print the description of the daemon\'s API for programs'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "init" -d 'Write a first configuration with one mirror, and say what to do next'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "serve" -d 'Listen for push hooks and sync the mirrors that they ask for'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "sync" -d 'Sync mirrors now: all that are configured, or those named'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "status" -d 'Show how the mirrors of the daemon are, or one of them in full'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "queue" -d 'Show what the daemon syncs now, and what waits'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "runs" -d 'Show the last syncs of the daemon'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "deliveries" -d 'Show the last hooks that came to the daemon, and what became of them'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "hook-config" -d 'Print what to type into a forge so that it sends the hooks of a mirror here'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "test-hook" -d 'Send the daemon a hook as a forge does, signed, and show what becomes of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "notify" -d 'Tell a daemon elsewhere of a push: a hook of Mercurial, which keeps nobody waiting'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "pause" -d 'Let the daemon leave mirrors alone; what is asked for meanwhile is kept'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "resume" -d 'Let the daemon go on with paused mirrors'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "retry" -d 'Let the daemon try again: mirrors that it has given up, and refused refs'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "backup" -d 'Copy the queue of the daemon, and what was published, into a file'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "restore" -d 'Put a backup back, before the daemon is started'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "rebuild" -d 'Make the cache of a mirror again from its source'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "doctor" -d 'Check everything that a mirror needs, here and at its servers, and say what to do'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "caches" -d 'List the caches, and empty those of mirrors that are not configured any more'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "notify-test" -d 'Have the daemon send a test to those who are told of mirrors in trouble'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "plan" -d 'Show what a sync would change, and change nothing'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "convert" -d 'Convert a Mercurial repository into a bare Git repository, or update that'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "mirror" -d 'Sync one source to one target, without a configuration'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "fetch" -d 'Make or update a Mercurial clone without a working copy'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "adopt" -d 'Continue a mirror that another tool made: record its commits, publish nothing yet'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "verify" -d 'Compare a Mercurial repository with what was converted from it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "inspect" -d 'Show the data of a Mercurial repository or a bundle, to find what is wrong with it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "authors" -d 'Print an author map to edit: each user of a repository, and the author of its commits'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "known-hosts" -d 'List the host keys of SSH servers that are known, or add one'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "demo" -d 'Sync a sample repository with a push hook, in a temporary folder'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "config" -d 'Check the configuration, or print its defaults and its documentation'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and not __fish_seen_subcommand_from init serve sync status queue runs deliveries hook-config test-hook notify pause resume retry backup restore rebuild doctor caches notify-test plan convert mirror fetch adopt verify inspect authors known-hosts demo config help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "move" -d 'Take along mirrors, requests and history when `queue.store` has changed, before the daemon is started'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from inspect" -f -a "bundle" -d 'A bundle file: its parts, and what is in them'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from inspect" -f -a "changeset" -d 'One changeset: its user, date, files and extras'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from inspect" -f -a "manifest" -d 'The manifest of a changeset: each file with its node and flag'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from inspect" -f -a "file" -d 'The contents of a file, or its metadata'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from inspect" -f -a "delta-chain" -d 'How the text of a revision is stored: a full text and the deltas on top of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from inspect" -f -a "repository" -d 'Formats, counts, phases, heads and names'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from known-hosts" -f -a "add" -d 'Show the host key of an SSH server, ask whether it is the right one, and add it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from known-hosts" -f -a "list" -d 'Print the host keys that are known'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Read a configuration and print what is wrong with it, or which mirrors it has'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "default" -d 'Print a configuration to start from: every key with its default and its meaning'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "reference" -d 'Print the documentation of every key, in Markdown'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "token" -d 'Make a token for the pages and the API, and print what the configuration has to know of it'
complete -c synchroniser -n "__fish_synchroniser_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "openapi" -d 'Print the description of the daemon\'s API for programs'

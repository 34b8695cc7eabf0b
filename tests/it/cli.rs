//! What the program says and does at the command line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use insta::assert_snapshot;
use synchroniser::cli::exit;

use crate::support::TestEnv;

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    let env = TestEnv::new();
    let help = env.synchronise(["--help"]).ok().unwrap();
    assert_snapshot!(help, @r#"
    Keeps Git mirrors of Mercurial repositories

    Usage: synchroniser [OPTIONS] <COMMAND>

    Commands:
      init         Write a first configuration with one mirror, and say what to do next
      serve        Listen for push hooks and sync the mirrors that they ask for
      sync         Sync mirrors now: all that are configured, or those named
      status       Show how the mirrors of the daemon are, or one of them in full
      queue        Show what the daemon syncs now, and what waits
      runs         Show the last syncs of the daemon
      deliveries   Show the last hooks that came to the daemon, and what became of them
      hook-config  Print what to type into a forge so that it sends the hooks of a mirror here
      test-hook    Send the daemon a hook as a forge does, signed, and show what becomes of it
      notify       Tell a daemon elsewhere of a push: a hook of Mercurial, which keeps nobody waiting
      pause        Let the daemon leave mirrors alone; what is asked for meanwhile is kept
      resume       Let the daemon go on with paused mirrors
      retry        Let the daemon try again: mirrors that it has given up, and refused refs
      backup       Copy the queue of the daemon, and what was published, into a file
      restore      Put a backup back, before the daemon is started
      rebuild      Make the cache of a mirror again from its source
      doctor       Check everything that a mirror needs, here and at its servers, and say what to do
      caches       List the caches, and empty those of mirrors that are not configured any more
      notify-test  Have the daemon send a test to those who are told of mirrors in trouble
      plan         Show what a sync would change, and change nothing
      convert      Convert a Mercurial repository into a bare Git repository, or update that
      mirror       Sync one source to one target, without a configuration
      fetch        Make or update a Mercurial clone without a working copy
      adopt        Continue a mirror that another tool made: record its commits, publish nothing yet
      verify       Compare a Mercurial repository with what was converted from it
      inspect      Show the data of a Mercurial repository or a bundle, to find what is wrong with it
      authors      Print an author map to edit: each user of a repository, and the author of its commits
      known-hosts  List the host keys of SSH servers that are known, or add one
      demo         Sync a sample repository with a push hook, in a temporary folder
      config       Check the configuration, or print its defaults and its documentation
      help         Print this message or the help of the given subcommand(s)

    Options:
      -q, --quiet       Print only errors and results
      -v, --verbose...  Log more; give it twice for even more
      -h, --help        Print help
      -V, --version     Print version

    Exit codes:
       0  all went well
       2  the command line is not valid
       3  verify: source and target differ
      10  wrong configuration, a path that is not there, a server that is not trusted
      11  credentials are missing, wrong, or do not allow it
      12  this machine or the other side cannot do it now; later it may work
      13  the other side understood and refused
      14  damaged data, or an answer that cannot be understood
      15  a format or a feature that is not supported
      16  stopped by a signal
      17  a mistake in synchroniser itself

    Environment:
      SYNCHRONISER_LOG  what to log to standard error, such as "debug" or "synchroniser::hg=trace"
    "#);
}

/// Who types a token where its name should be finds it nowhere again.
#[test]
fn a_token_that_was_typed_is_not_repeated() {
    let env = TestEnv::new();
    let token = crate::support::secrets::token("ghp_");
    for args in [
        vec!["fetch", "--source-token-env", &token, "https://127.0.0.1:9/x", "x"],
        vec!["fetch", &token],
        vec!["sync", &token],
        vec![&token],
    ] {
        assert_ne!(env.synchronise(args).code, Some(0));
    }
}

#[test]
fn every_command_has_help() {
    let env = TestEnv::new();
    for command in [
        "serve",
        "sync",
        "plan",
        "authors",
        "convert",
        "verify",
        "inspect bundle",
        "inspect changeset",
        "demo",
        "config check",
        "config default",
    ] {
        let help = env.synchronise(command.split(' ').chain(["--help"])).ok().unwrap();
        assert!(help.contains("Usage: synchroniser"), "{command}: {help}");
    }
}

#[test]
fn nonsense_is_a_usage_error() {
    let env = TestEnv::new();
    for line in ["", "frobnicate", "convert only-one", "sync --frobnicate"] {
        let ran = env.synchronise(line.split_whitespace());
        let ran = ran.with_code(i32::from(exit::USAGE)).unwrap();
        assert!(ran.stdout.is_empty() && ran.stderr.contains("Usage"), "{line:?}: {ran:?}");
    }
}

#[test]
fn a_missing_configuration_is_named() {
    let env = TestEnv::new();
    for command in ["serve", "sync", "config check"] {
        let args = command.split(' ').chain(["--config", "nowhere.toml"]);
        let ran = env.synchronise(args).with_code(i32::from(exit::CONFIG)).unwrap();
        assert!(ran.stderr.starts_with("error: failed to "), "{command}: {ran:?}");
        assert!(ran.stderr.contains("nowhere.toml"), "{command}: {ran:?}");
    }
}

/// A configuration with one mirror between two local paths.
fn write_config(env: &TestEnv, name: &str) {
    let text = format!(
        "cache = \"cache\"\n[mirrors.{name}]\nsource = \"{}\"\ntarget = \"{}\"\n\
         user = \"someone\"\nproject = \"{name}\"\n",
        env.path("source/repository").display(),
        env.path("target.git").display(),
    );
    std::fs::write(env.path("synchroniser.toml"), text).unwrap();
}

#[test]
fn an_unknown_mirror_is_an_error_that_lists_those_there_are() {
    let env = TestEnv::new();
    write_config(&env, "rocket");
    let ran = env.synchronise(["sync", "rokcet", "--config", "synchroniser.toml"]);
    let ran = ran.with_code(i32::from(exit::CONFIG)).unwrap();
    assert_snapshot!(ran.stderr, @r"
    error: failed to find the mirror rokcet: the configuration has no such mirror
    hint: it has rocket
    ");
}

#[test]
fn a_sound_configuration_is_summed_up() {
    let env = TestEnv::new();
    write_config(&env, "rocket");
    let told = env.synchronise(["config", "check", "--config", "synchroniser.toml"]).ok().unwrap();
    assert!(told.starts_with("synchroniser.toml: 1 mirror\n  rocket: from "), "{told}");
    let quiet = env.synchronise(["-q", "config", "check", "--config", "synchroniser.toml"]);
    assert_eq!(quiet.ok().unwrap(), "");
}

#[test]
fn the_default_configuration_is_one() {
    let env = TestEnv::new();
    let text = env.synchronise(["config", "default"]).ok().unwrap();
    std::fs::write(env.path("default.toml"), text).unwrap();
    env.synchronise(["config", "check", "--config", "default.toml"]).ok().unwrap();
}

#[test]
fn a_source_that_is_not_there_is_named_and_no_target_made() {
    let env = TestEnv::new();
    let ran = env.synchronise(["convert", "nowhere", "target.git"]);
    let ran = ran.with_code(i32::from(exit::CONFIG)).unwrap();
    assert!(
        ran.stderr.starts_with("error at the source: failed to convert nowhere into target.git"),
        "{ran:?}"
    );
    let made = env.path("target.git/HEAD").exists();
    assert!(!made, "a target was made of nothing");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let env = TestEnv::new();
    let mut child = env
        .synchroniser()
        .args(["config", "default"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let env = TestEnv::new();
    let full = std::fs::File::create("/dev/full").unwrap();
    let status = env.synchroniser().args(["config", "default"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(i32::from(exit::UNAVAILABLE)));
}

#[test]
fn the_demo_shows_the_whole_way_and_leaves_nothing() {
    let env = TestEnv::new();
    let told = env.synchronise(["demo"]).ok().unwrap();
    for expected in [
        "http://127.0.0.1:",
        "POST /synchronise/",
        " 200 ",
        "refs/heads/master",
        "refs/tags/v1.0",
        "300 commits",
        "demo --keep",
    ] {
        assert!(told.contains(expected), "{expected} is not in {told}");
    }
    assert!(told.contains("no difference"), "{told}");
    assert_eq!(env.leftovers(), Vec::<String>::new());
    assert_eq!(env.home_entries(), Vec::<String>::new());
}

#[test]
fn the_demo_keeps_its_folder_when_asked_to() {
    let env = TestEnv::new();
    let mut demo = env.synchroniser();
    let mut demo = demo.args(["demo", "--keep"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let lines: Vec<_> = lines.take_while(|line| line != "Ctrl-C ends it.").collect();
    let line = |text: &str| lines.iter().find(|line| line.contains(text)).unwrap();
    let address = line("Have a look at").split('/').nth(2).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /mirrors/lighthouse HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.contains("<title>Good: lighthouse"), "its pages are up for a look: {page}");
    let token = line("  syn_").trim();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /api/v1/mirrors/lighthouse/sync HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let told =
        lines.iter().find(|line| line.starts_with(env.path("tmp").to_str().unwrap())).unwrap();
    let _ = env.run("kill", ["-INT", &demo.id().to_string()]);
    assert!(demo.wait().unwrap().success());
    let folder = Path::new(told);
    assert!(folder.join("repository/.hg").is_dir());
    assert!(git2::Repository::open_bare(folder.join("target.git")).unwrap().head().is_ok());
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_conversion_with_its_own_code() {
    use crate::support::Fixture;

    let env = TestEnv::new();
    let source = Fixture::demo().unpack(&env);
    // A signal before the handler is there ends the program as any other, one after the end does
    // nothing: try later and later until one arrives in the midst.
    let interrupted = (1..100).any(|step| {
        let target = env.path(format!("target-{step}.git"));
        let mut child = env
            .synchroniser()
            .args([Path::new("-q"), Path::new("convert"), &source, &target])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3 * step));
        let _ = env.run("kill", ["-TERM", &child.id().to_string()]);
        child.wait().unwrap().code() == Some(i32::from(exit::INTERRUPTED))
    });
    assert!(interrupted, "no signal ended a conversion with {}", exit::INTERRUPTED);
}

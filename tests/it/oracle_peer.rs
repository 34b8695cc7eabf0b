//! Talking to real Mercurial servers, over HTTP and SSH.

mod nginx;
mod ssh;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::BString;
use synchroniser::base::{Fault, HasFault as _, Interrupt, Limits};
use synchroniser::hg::Node;
use synchroniser::hg::bundle::{Bundle, BundleError, Content, Group, Item};
use synchroniser::hg::peer::{Peer, PeerError, connect};
use synchroniser::hg::wire::{Capabilities, Command, GetBundle, Lookup, answer, our_bundle2};
use synchroniser::net::{Access, NetError, SourceUrl, Timeouts, Token};

use crate::support::hg_server::HgServe;
use crate::support::serve::{fake_ssh, free_port};
use crate::support::{Fixture, Hg, TestEnv, env, one_by_one, same, skip};

/// What has bookmarks, branches, tags, phases, merges.
const REPOSITORIES: [&str; 6] =
    ["bookmark-names", "branch-names", "heads", "phases", "obsolete", "graph"];

fn options() -> Access {
    let long = Duration::from_mins(1);
    let timeouts = Timeouts { connect: long, first_byte: long, idle: long };
    Access { plain_http: true, timeouts, ..Access::default() }
}

fn peer(url: &str, options: &Access) -> Result<Box<dyn Peer>, PeerError> {
    connect(&SourceUrl::parse(url).unwrap(), options, &Limits::default(), &Interrupt::default())
}

fn text(error: impl std::error::Error) -> String {
    synchroniser::base::fault::one_line(&error)
}

/// `hg serve` with these settings.
fn serve(hg: &Hg<'_>, repository: &Path, settings: &[&str]) -> HgServe {
    let settings = [&["experimental.evolution=all"], settings].concat();
    HgServe::start(hg.env, &hg.program, repository, &settings)
}

/// Nodes that `hg log` lists, sorted.
fn nodes(hg: &Hg<'_>, repository: &Path, revset: &str) -> Result<Vec<Node>, String> {
    let ran = hg.run(repository, &["log", "-r", revset, "-T", "{node}\n"]).ok()?;
    let mut nodes: Vec<Node> =
        ran.lines().map(|line| Node::from_hex(line.as_bytes()).unwrap()).collect();
    nodes.sort();
    Ok(nodes)
}

fn sorted(mut nodes: Vec<Node>) -> Vec<Node> {
    nodes.sort();
    nodes
}

/// What a bundle holds: changesets, and the names of its other parts.
fn read(reader: impl std::io::Read) -> Result<(Vec<Node>, Vec<String>), BundleError> {
    let mut bundle = Bundle::open(reader, &Limits::default())?;
    let (mut changesets, mut parts) = (Vec::new(), Vec::new());
    while let Some(mut part) = bundle.next_part()? {
        parts.push(part.header().kind.clone());
        let Content::Changegroup(mut group) = part.content()? else { continue };
        let mut is_changelog = false;
        while let Some(item) = group.next_item()? {
            match item {
                Item::Group(group) => is_changelog = matches!(group, Group::Changelog),
                Item::Revision(revision) if is_changelog => changesets.push(revision.node),
                Item::Revision(_) => {}
            }
        }
    }
    // Over SSH nothing ends where the bundle does, so that is not asked for.
    Ok((changesets, parts))
}

/// Everything that can be asked, against what `hg` says of the repository.
fn check(hg: &Hg<'_>, repository: &Path, peer: &mut dyn Peer) -> Result<(), String> {
    let served = "not (secret() or hidden())";
    let all = nodes(hg, repository, served)?;
    let capabilities = peer.capabilities().map_err(text)?;
    assert!(capabilities.has("getbundle"), "{capabilities:?}");
    let bundle2 = capabilities.bundle2().ok_or("no bundle2")?;
    assert!(bundle2.values("changegroup").any(|version| version == "02"), "{bundle2:?}");

    let heads = answer::heads(&peer.call(&Command::heads()).map_err(text)?).map_err(text)?;
    same("heads", &sorted(heads.clone()), &nodes(hg, repository, &format!("heads({served})"))?)?;

    let asked: Vec<Node> = all.iter().copied().chain([Node::from_bytes([9; 20])]).collect();
    let known = peer.call(&Command::known(&asked)).map_err(text)?;
    let known = answer::known(&known, asked.len()).map_err(text)?;
    let expected: Vec<bool> = asked.iter().map(|node| all.contains(node)).collect();
    same("known", &known, &expected)?;

    let branches = peer.call(&Command::branchmap()).map_err(text)?;
    let log = hg.run(repository, &["log", "-r", served, "-T", "{node}{branch}\n"]).ok()?;
    for (branch, heads) in answer::branchmap(&branches).map_err(text)? {
        for head in heads {
            let head = head.to_string();
            let found =
                log.lines().find_map(|line| line.strip_prefix(&head)).ok_or("no such head")?;
            // Those that a server's cache has told have no blanks around them.
            same("branch", &branch.trim_ascii(), &found.as_bytes().trim_ascii())?;
        }
    }

    check_names(hg, repository, peer, &all)?;
    check_bundles(hg, repository, peer, &all, &heads)
}

fn check_names(
    hg: &Hg<'_>,
    repository: &Path,
    peer: &mut dyn Peer,
    all: &[Node],
) -> Result<(), String> {
    let listed = peer.call(&Command::listkeys("bookmarks")).map_err(text)?;
    let listed: BTreeMap<BString, BString> =
        answer::listkeys(&listed).map_err(text)?.into_iter().collect();
    let marked = nodes(hg, repository, "bookmark() and not (secret() or hidden())")?;
    let mut found: Vec<Node> =
        listed.values().map(|value| Node::from_hex(value).unwrap()).collect();
    found.sort();
    found.dedup();
    same("bookmarks", &found, &marked)?;

    let mut commands = vec![Command::listkeys("phases"), Command::heads(), Command::known(all)];
    commands.push(Command::lookup(b"no;thing=,:"));
    // A server under Python 3 cannot be asked over HTTP for a name beyond ASCII: status 500.
    let names = listed.iter().filter(|(name, _)| name.is_ascii());
    commands.extend(names.clone().map(|(name, _)| Command::lookup(name)));
    let answers = peer.call(&Command::batch(&commands)).map_err(text)?;
    let answers = answer::batch(&answers, commands.len()).map_err(text)?;
    for (command, answer) in commands.iter().zip(&answers) {
        same(command.name(), answer, &peer.call(command).map_err(text)?)?;
    }
    assert!(answer::listkeys(&answers[0]).map_err(text)?.len() <= all.len() + 1);
    let lookups = answers.iter().skip(3).map(|answer| answer::lookup(answer).map_err(text));
    let lookups: Vec<Lookup> = lookups.collect::<Result<_, _>>()?;
    assert!(
        matches!(&lookups[0], Lookup::Not(text) if text.contains("no;thing=,:")),
        "{lookups:?}"
    );
    for (lookup, (_, value)) in lookups.iter().skip(1).zip(names) {
        same("lookup", lookup, &Lookup::Found(Node::from_hex(value).unwrap()))?;
    }
    Ok(())
}

fn check_bundles(
    hg: &Hg<'_>,
    repository: &Path,
    peer: &mut dyn Peer,
    all: &[Node],
    heads: &[Node],
) -> Result<(), String> {
    let capabilities = peer.capabilities().map_err(text)?;
    let sends = |part| capabilities.bundle2().is_some_and(|caps| caps.has(part));
    let whole = GetBundle {
        common: vec![Node::NULL],
        heads: heads.to_vec(),
        changegroup: true,
        phases: sends("phases"),
        bookmarks: sends("bookmarks"),
        listkeys: vec!["namespaces".to_owned()],
        bundle_caps: Some(our_bundle2()),
        ..GetBundle::default()
    };
    let stream = peer.stream(&Command::getbundle(&whole)).map_err(text)?;
    let (changesets, parts) = read(stream).map_err(text)?;
    same("all", &sorted(changesets), &all.to_vec())?;
    let has_bookmarks = sends("bookmarks")
        && !nodes(hg, repository, "bookmark() and not (secret() or hidden())")?.is_empty();
    if has_bookmarks && !parts.iter().any(|part| part == "bookmarks") {
        return Err(format!("no bookmarks: {parts:?}"));
    }
    let mut wanted = vec!["changegroup", "listkeys"];
    wanted.extend(sends("phases").then_some("phase-heads"));
    for wanted in wanted {
        assert!(parts.iter().any(|part| part == wanted), "{wanted}: {parts:?}");
    }
    let first = heads.first().ok_or("no head")?;
    let some = GetBundle { common: vec![*first], ..whole.clone() };
    let stream = peer.stream(&Command::getbundle(&some)).map_err(text)?;
    let (changesets, _) = read(stream).map_err(text)?;
    let rest = nodes(hg, repository, &format!("not (secret() or hidden() or ::{first})"))?;
    same("the rest", &sorted(changesets), &rest)?;
    let none = GetBundle { changegroup: false, ..whole };
    let stream = peer.stream(&Command::getbundle(&none)).map_err(text)?;
    let (changesets, parts) = read(stream).map_err(text)?;
    same("none", &changesets, &Vec::new())?;
    assert_eq!(parts.iter().any(|part| part == "phase-heads"), sends("phases"), "{parts:?}");
    // The next answer is where it should be.
    let again = peer.call(&Command::heads()).map_err(text)?;
    same("heads", &answer::heads(&again).map_err(text)?, &heads.to_vec())
}

fn with_repositories(run: impl Fn(&Hg<'_>, &Path) -> Result<(), String>) {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let cases = REPOSITORIES.iter().map(|name| ((*name).to_owned(), *name));
    one_by_one(cases, |name| {
        let env = TestEnv::new();
        let repository = Fixture::named(name).unpack(&env);
        run(&Hg { env: &env, program: program.clone() }, &repository)
    });
}

#[test]
fn over_http() {
    with_repositories(|hg, repository| {
        let server = serve(hg, repository, &[]);
        let mut peer = peer(&server.url, &options()).map_err(text)?;
        check(hg, repository, &mut *peer)
    });
}

#[test]
fn over_ssh() {
    with_repositories(|hg, repository| {
        let options = Access { ssh_command: fake_ssh(hg.env, &hg.program), ..options() };
        // A path that a careless shell would take apart.
        let strange = hg.env.path("it's $(a) \"path\"");
        std::fs::rename(repository, &strange).unwrap();
        let path = strange.display().to_string().replace(' ', "%20").replace('"', "%22");
        let mut peer = peer(&format!("ssh://hg@host.example/{path}"), &options).map_err(text)?;
        check(hg, &strange, &mut *peer)
    });
}

/// Servers of other versions, each with a history that a bundle of the first kind can hold.
#[test]
fn servers_of_other_versions() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let Some(others) = std::env::var_os("SYNCHRONISER_HGS") else {
        return skip("SYNCHRONISER_HGS names no other hg");
    };
    let scratch = TestEnv::new();
    let bundle = scratch.path("graph.hg");
    let hg = Hg { env: &scratch, program };
    let words = ["bundle", "-q", "-a", "-t", "gzip-v1", bundle.to_str().unwrap()];
    hg.run(&Fixture::named("graph").unpack(&scratch), &words).ok().unwrap();
    let others = std::env::split_paths(&others);
    one_by_one(others.map(|program| (program.display().to_string(), program)), |program| {
        let env = TestEnv::new();
        let hg = Hg { env: &env, program };
        let repository = env.path("repository");
        for words in [
            &["init", repository.to_str().unwrap()][..],
            &["unbundle", "-q", bundle.to_str().unwrap()],
            &["bookmark", "-r", "0", "a=b;c,d"],
            &["phase", "-s", "-f", "heads(all()) and not tip"],
        ] {
            let place = if words[0] == "init" { env.path("") } else { repository.clone() };
            hg.run(&place, words).ok()?;
        }
        let server = serve(&hg, &repository, &[]);
        let mut over_http = peer(&server.url, &options()).map_err(text)?;
        check(&hg, &repository, &mut *over_http).map_err(|error| format!("http: {error}"))?;
        let options = Access { ssh_command: fake_ssh(&env, &hg.program), ..options() };
        let url = format!("ssh://h/{}", repository.display());
        let mut over_ssh = peer(&url, &options).map_err(text)?;
        check(&hg, &repository, &mut *over_ssh).map_err(|error| format!("ssh: {error}"))
    });
}

/// Ways in which servers want to be asked and answer, from the newest to the oldest.
#[test]
fn over_http_of_every_kind() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let repository = Fixture::named("bookmark-names").unpack(&env);
    let hg = Hg { env: &env, program };
    for setting in [
        "server.compressionengines=zstd",
        "server.compressionengines=zlib",
        "server.compressionengines=none",
        "experimental.httppostargs=true",
        "server.maxhttpheaderlen=100",
    ] {
        let server = serve(&hg, &repository, &[setting]);
        let mut peer = peer(&server.url, &options()).unwrap();
        let found = check(&hg, &repository, &mut *peer);
        assert_eq!(found, Ok(()), "{setting}");
    }
    let server = serve(&hg, &repository, &[]);
    for left_out in [&["httpmediatype"][..], &["httpmediatype", "httpheader"]] {
        let mut peer = peer(&server.url, &options()).unwrap();
        let known = String::from_utf8(peer.capabilities().unwrap().to_bytes()).unwrap();
        let words =
            known.split(' ').filter(|word| !left_out.iter().any(|out| word.starts_with(out)));
        let known = words.collect::<Vec<_>>().join(" ");
        peer.remember(Capabilities::parse(known.as_bytes(), &Limits::default()).unwrap());
        assert_eq!(check(&hg, &repository, &mut *peer), Ok(()), "{left_out:?}");
    }
}

#[test]
fn what_real_servers_say_no_to() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let repository = Fixture::named("bookmark-names").unpack(&env);
    let hg = Hg { env: &env, program };
    let server = serve(&hg, &repository, &[]);
    let http = |path: &str| peer(&format!("{}{path}", server.url), &options()).unwrap();
    let error = http("nowhere").capabilities().unwrap_err();
    assert!(matches!(error, PeerError::Net(NetError::Denied { .. })), "{error:?}");

    let ssh_command = fake_ssh(&env, &hg.program);
    let options = Access { ssh_command, ..options() };
    let error = peer("ssh://host.example/nowhere", &options).err().unwrap();
    assert!(matches!(error, PeerError::Net(NetError::Denied { .. })), "{error:?}");
    assert!(error.to_string().contains("not found"), "{error}");

    let unknown = GetBundle {
        heads: vec![Node::from_bytes([9; 20])],
        changegroup: true,
        bundle_caps: Some(our_bundle2()),
        ..GetBundle::default()
    };
    let unknown = Command::getbundle(&unknown);
    let error = http("").stream(&unknown).err().unwrap();
    assert_eq!(error.fault(), Fault::Unavailable, "{error:?}");
    let mut over_ssh = peer(&format!("ssh://h/{}", repository.display()), &options).unwrap();
    let error = over_ssh.stream(&unknown).err().unwrap();
    assert!(error.to_string().contains("no node"), "{error}");
    // That was the end of the server.
    let error = over_ssh.call(&Command::heads()).unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable, "{error:?}");
}

#[test]
fn clone_bundles_are_listed() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let repository = Fixture::named("heads").unpack(&env);
    let hg = Hg { env: &env, program };
    let manifest = "https://cdn.example/a.hg BUNDLESPEC=zstd-v2 x=y%20z\n";
    std::fs::write(repository.join(".hg/clonebundles.manifest"), manifest).unwrap();
    let server = serve(&hg, &repository, &["extensions.clonebundles="]);
    let mut peer = peer(&server.url, &options()).unwrap();
    assert!(peer.capabilities().unwrap().has("clonebundles"));
    let listed = answer::clone_bundles(&peer.call(&Command::clonebundles()).unwrap()).unwrap();
    assert_eq!(listed[0].url, "https://cdn.example/a.hg");
    assert_eq!(listed[0].attribute("BUNDLESPEC"), Some("zstd-v2"));
    assert_eq!(listed[0].attribute("x"), Some("y z"));
}

/// A certificate for the address of this machine, with its key.
fn certificate(env: &TestEnv) -> Option<PathBuf> {
    if !env::has("openssl") {
        skip("openssl is not installed");
        return None;
    }
    let (key, certificate) = (env.path("key.pem"), env.path("certificate.pem"));
    let request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x \
                   -addext subjectAltName=IP:127.0.0.1 -keyout";
    let words = request.split(' ').filter(|word| !word.is_empty()).map(PathBuf::from);
    let files = [key.clone(), "-out".into(), certificate.clone()];
    env.run("openssl", words.chain(files)).ok().unwrap();
    let both = [key, certificate].map(|path| std::fs::read(path).unwrap()).concat();
    std::fs::write(env.path("both.pem"), both).unwrap();
    Some(env.path("both.pem"))
}

#[test]
fn over_https() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let Some(both) = certificate(&env) else { return };
    let repository = Fixture::named("heads").unpack(&env);
    let hg = Hg { env: &env, program };
    let setting = format!("web.certificate={}", both.display());
    let server = serve(&hg, &repository, &[&setting]);
    let url = server.url.replace("http:", "https:");
    let secure = Access { plain_http: false, ..options() };
    let trusting = Access { ca_file: Some(env.path("certificate.pem")), ..secure.clone() };
    let mut trusted = peer(&url, &trusting).unwrap();
    assert_eq!(check(&hg, &repository, &mut *trusted), Ok(()));
    let elsewhere = url.replace("127.0.0.1", "localhost");
    for (url, options) in [(&url, &secure), (&elsewhere, &trusting)] {
        let error = peer(url, options).unwrap().capabilities().unwrap_err();
        assert!(matches!(error, PeerError::Net(NetError::Untrusted { .. })), "{url}: {error:?}");
        assert_eq!(error.fault(), Fault::Config);
        assert!(error.hint().unwrap().contains("certificate"));
    }
}

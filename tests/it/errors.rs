//! What a person reads when something is not as it should be: each situation provoked through the
//! program, each with its own sentence, its side, its remedy and its exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::support::serve::Web;
use crate::support::{Fixture, Ran, TestEnv, files_below};

/// A folder with a Mercurial repository `hg`, and a configuration of one mirror.
struct Scene {
    env: TestEnv,
    /// Ports of servers, which are different at each run.
    ports: Vec<u16>,
}

impl Scene {
    fn new() -> Self {
        let env = TestEnv::new();
        let unpacked = Fixture::demo().unpack(&env);
        fs::rename(unpacked, env.path("hg")).unwrap();
        Self { env, ports: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.env.path(name)
    }

    /// What the program says, without what differs from run to run, and how it ends.
    fn told(&self, ran: &Ran) -> String {
        let folder = format!("{}/", self.path("").display());
        let folder = folder.trim_end_matches('/').to_owned() + "/";
        let mut text = ran.stderr.replace(&folder, "");
        for port in &self.ports {
            text = text.replace(&format!(":{port}"), ":PORT");
        }
        format!("{text}exit {}", ran.code.unwrap())
    }

    fn says(&self, args: &[&str]) -> String {
        self.told(&self.env.synchronise(["--quiet"].iter().chain(args)))
    }

    /// What a sync of one mirror from `source` to `target` says.
    fn sync(&self, source: &str, target: &str) -> String {
        self.sync_with(&format!("source = {source:?}\ntarget = {target:?}"))
    }

    /// What a sync of the mirror with these keys says.
    fn sync_with(&self, keys: &str) -> String {
        let config =
            format!("cache = \"cache\"\n[mirrors.rocket]\nuser = \"u\"\nproject = \"p\"\n{keys}\n");
        fs::write(self.path("x.toml"), config).unwrap();
        self.says(&["sync", "--config", "x.toml"])
    }

    /// A bare repository that the mirror was synced into.
    fn synced(&self) -> git2::Repository {
        let target = git2::Repository::init_bare(self.path("t.git")).unwrap();
        let told = self.sync("hg", "t.git");
        assert!(told.ends_with("exit 0"), "{told}");
        target
    }

    fn serve(&mut self, status: &str, headers: &str) -> String {
        let web = Web::saying(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}\r\n"));
        self.ports.push(web.port);
        web.url("/repo")
    }
}

/// The name of the branch that the fixture's `default` becomes.
const MAIN: &str = "refs/heads/master";

/// A commit of the empty tree.
fn foreign(repository: &git2::Repository) -> git2::Oid {
    let who = git2::Signature::new("A", "a@b", &git2::Time::new(0, 0)).unwrap();
    let tree = repository.treebuilder(None).unwrap().write().unwrap();
    let tree = repository.find_tree(tree).unwrap();
    repository.commit(None, &who, &who, "by hand", &tree, &[]).unwrap()
}

/// Lets every user come here and read, whoever runs the tests.
fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn configurations() {
    let scene = Scene::new();
    assert_snapshot!(scene.says(&["sync", "--config", "none.toml"]), @r"
    error: failed to read the configuration none.toml
      1: No such file or directory (os error 2)
    hint: `synchroniser init` writes a first one; if it is elsewhere, name it with --config
    exit 10
    ");
    fs::write(scene.path("empty.toml"), "").unwrap();
    let none = scene.says(&["sync", "--config", "empty.toml"]);
    assert_snapshot!(none, @r"
    error: failed to find a mirror: the configuration has none
    hint: add a section [mirrors.NAME] with `source` and `target`; `synchroniser init` writes a first one, and `synchroniser config default` shows all keys
    exit 10
    ");
    for command in [&["sync", "rocket"][..], &["plan"], &["verify", "rocket"]] {
        let args = [command, &["--config", "empty.toml"]].concat();
        assert_eq!(scene.says(&args), none, "{command:?}");
    }
    assert_snapshot!(scene.sync("hg", "https://us:geheim@example.org/x"), @r"
    error: failed to use the configuration:
      x.toml:6: mirrors.rocket.target: cannot use a target address with a password or token in it; take the user and the secret out of the address, and put the token into a file that is named by `target.token_file`; the user goes into `target.token_user`
    exit 10
    ");
    assert_snapshot!(scene.sync("https://us:geheim@example.org/x", "t.git"), @r"
    error: failed to use the configuration:
      x.toml:5: mirrors.rocket.source: cannot use a source address with a password or token in it; take the secret out of the address, and put it into a file that is named by `source.token_file` in the configuration, or by --source-token-file
    exit 10
    ");
    assert_snapshot!(scene.sync("hg", "file:///srv/t.git"), @r#"
    error: failed to use the configuration:
      x.toml:6: mirrors.rocket.target: cannot push over "file": only https, ssh, git and paths are supported; write the path alone, without file://
    exit 10
    "#);
    assert_snapshot!(scene.sync("file:///srv/hg", "t.git"), @r#"
    error: failed to use the configuration:
      x.toml:5: mirrors.rocket.source: cannot fetch over "file": only https, http, ssh and paths are supported; write the path alone, without file://
    exit 10
    "#);
    assert_snapshot!(scene.sync("hg", "http://example.org/t.git"), @r"
    error: failed to use the configuration:
      x.toml:6: mirrors.rocket.target: cannot push over http: it sends the token and the history without encryption; use https://, or allow it with `target.plain_http = true`
    exit 10
    ");
    assert_snapshot!(scene.sync("hg@example.org:rocket", "t.git"), @r"
    error: failed to use the configuration:
      x.toml:5: mirrors.rocket.source: cannot fetch from hg@example.org:rocket: the address of an SSH server begins with ssh://; write ssh://hg@example.org/rocket; a path that does not begin in the user's home folder has two slashes after the host
    exit 10
    ");
}

#[test]
fn sources_on_this_machine() {
    let scene = Scene::new();
    assert_snapshot!(scene.says(&["convert", "nowhere", "x.git"]), @r"
    error at the source: failed to convert nowhere into x.git
      1: open nowhere: there is nothing at this path
    hint: check the path
    exit 10
    ");
    fs::create_dir(scene.path("folder")).unwrap();
    assert_snapshot!(scene.says(&["convert", "folder", "x.git"]), @r"
    error at the source: failed to convert folder into x.git
      1: open folder: it is not a Mercurial repository
    hint: name the folder that holds `.hg`, or the `.hg` folder itself
    exit 10
    ");
    git2::Repository::init(scene.path("git")).unwrap();
    assert_snapshot!(scene.says(&["convert", "git", "x.git"]), @r"
    error at the source: failed to convert git into x.git
      1: open git: it is not a Mercurial repository
    hint: it is a Git repository: the source is named first, and is a Mercurial repository
    exit 10
    ");
    assert_snapshot!(scene.says(&["convert", "file:///srv/hg", "x.git"]), @r#"
    error: failed to fetch over "file": only https, http, ssh and paths are supported
    hint: write the path alone, without file://
    exit 10
    "#);
    assert_snapshot!(scene.says(&["convert", "hg@example.org:rocket", "x.git"]), @r"
    error: failed to fetch from hg@example.org:rocket: the address of an SSH server begins with ssh://
    hint: write ssh://hg@example.org/rocket; a path that does not begin in the user's home folder has two slashes after the host
    exit 10
    ");
    assert_snapshot!(scene.says(&["convert", "https://u:geheim@h/x", "x.git"]), @r"
    error: failed to use a source address with a password or token in it
    hint: take the secret out of the address, and put it into a file that is named by `source.token_file` in the configuration, or by --source-token-file
    exit 10
    ");
    assert_snapshot!(scene.says(&["convert", "ftp://h/x", "x.git"]), @r#"
    error: failed to fetch over "ftp": only https, http, ssh and paths are supported
    exit 10
    "#);
    fs::write(scene.path("hg/.hg/requires"), "revlogv1\nstore\nfncache\nnew-thing\n").unwrap();
    assert_snapshot!(scene.says(&["convert", "hg", "x.git"]), @r"
    error at the source: failed to convert hg into x.git
      1: open hg: it requires new-thing
    hint: a newer synchroniser may read this; otherwise make a repository in the default format with `hg clone --pull`, or upgrade this one with `hg debugupgraderepo`
    exit 15
    ");
}

#[test]
fn a_source_that_may_not_be_read() {
    let scene = Scene::new();
    let locked = scene.path("hg/.hg");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    open_to_all(&scene.path(""));
    let mut command = scene.env.synchroniser();
    if fs::read_dir(&locked).is_ok() {
        // Nothing is locked for root: the program runs as another user.
        use std::os::unix::process::CommandExt as _;
        let program = scene.path("program");
        fs::copy(command.get_program(), &program).unwrap();
        open_to_all(&program);
        command = scene.env.command(&program);
        command.uid(65534).gid(65534);
    }
    let output = command.args(["--quiet", "convert", "hg", "x.git"]).output().unwrap();
    let told = scene.told(&Ran::from(&output));
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    assert_snapshot!(told, @r"
    error at the source: failed to convert hg into x.git
      1: open hg
      2: read hg/.hg
      3: Permission denied (os error 13)
    hint: give the user that runs synchroniser access to that file or folder
    exit 10
    ");
}

#[test]
fn a_transaction_that_was_broken_off() {
    let scene = Scene::new();
    let changelog = scene.path("hg/.hg/store/00changelog.i");
    let bytes = fs::read(&changelog).unwrap();
    fs::write(&changelog, &bytes[..bytes.len() - 20]).unwrap();
    let damaged = scene.says(&["convert", "hg", "x.git"]);
    assert!(damaged.contains("hg verify") && damaged.ends_with("exit 14"), "{damaged}");
    fs::write(scene.path("hg/.hg/store/journal"), "00changelog.i\x00100\n").unwrap();
    assert_snapshot!(scene.says(&["convert", "hg", "x.git"]), @r"
    error at the source: failed to convert hg into x.git
      1: read hg: a transaction in it was broken off
      2: open the repository hg
      3: read the index of 00changelog
      4: the file ends within an entry
      5: entry at offset 19136 needs 64 bytes, 44 are left
    hint: if no Mercurial is at work there, `hg recover -R hg` undoes what was broken off; then try again
    exit 14
    ");
}

#[test]
fn sources_behind_servers() {
    let mut scene = Scene::new();
    let refusing = scene.serve("401 Unauthorized", "WWW-Authenticate: Basic\r\n");
    assert_snapshot!(scene.says(&["convert", &refusing, "x.git"]), @r"
    error at the source: failed to convert http://127.0.0.1:PORT/repo into x.git
      1: ask http://127.0.0.1:PORT/repo: without encryption anybody on the way can read and change what is fetched
    hint: use https://, or allow it with `source.plain_http = true` in the configuration, or with --source-plain-http
    exit 10
    ");
    let plain = |url: &str| ["convert", "--source-plain-http", url, "x.git"].map(str::to_owned);
    let says = |scene: &Scene, url: &str| scene.says(&plain(url).each_ref().map(String::as_str));
    assert_snapshot!(says(&scene, &refusing), @r"
    error at the source: failed to convert http://127.0.0.1:PORT/repo into x.git
      1: get access to http://127.0.0.1:PORT/repo: HTTP 401 Unauthorized
    hint: check the address; a token that may read it is named by `source.token_file` in the configuration, or by --source-token-file; the user by `source.token_user`, or by --source-token-user
    exit 11
    ");
    let missing = scene.serve("404 Not Found", "");
    assert_snapshot!(says(&scene, &missing), @r"
    error at the source: failed to convert http://127.0.0.1:PORT/repo into x.git
      1: get access to http://127.0.0.1:PORT/repo: HTTP 404 Not Found
    hint: check the address; a token that may read it is named by `source.token_file` in the configuration, or by --source-token-file; the user by `source.token_user`, or by --source-token-user
    exit 11
    ");
    let page = scene.serve("200 OK", "Content-Type: text/html\r\n");
    assert_snapshot!(says(&scene, &page), @r#"
    error at the source: failed to convert http://127.0.0.1:PORT/repo into x.git
      1: understand what http://127.0.0.1:PORT/repo answers to capabilities: it is of the type "text/html"
    hint: check that the address is that of a Mercurial repository
    exit 14
    "#);
    let moved = scene.serve("301 Moved", "Location: https://elsewhere.example.org/repo\r\n");
    assert_snapshot!(says(&scene, &moved), @r"
    error at the source: failed to convert http://127.0.0.1:PORT/repo into x.git
      1: ask http://127.0.0.1:PORT/repo: it sends us to https://elsewhere.example.org/repo, which is another server
    hint: use the new address, if you trust it
    exit 10
    ");
    let token = scene.path("token");
    fs::write(&token, "geheim\n").unwrap();
    open_to_all(&token);
    let with_token = ["--source-token-file", "token", "--source-token-user", "us"];
    let args = [&["convert", "--source-plain-http", &refusing, "x.git"][..], &with_token].concat();
    assert_snapshot!(scene.says(&args), @r"
    error: failed to convert http://127.0.0.1:PORT/repo into x.git
      1: use the secret in token: other users have access (mode 0755)
    hint: chmod 600 token
    exit 10
    ");
    fs::remove_file(token).unwrap();
    assert_snapshot!(scene.says(&args), @r"
    error: failed to convert http://127.0.0.1:PORT/repo into x.git
      1: read the secret in token
      2: No such file or directory (os error 2)
    exit 10
    ");
}

#[test]
fn targets_on_this_machine() {
    let scene = Scene::new();
    assert_snapshot!(scene.sync("hg", "nothing.git"), @r"
    error at the target: failed to sync the mirror rocket
      1: open the target nothing.git: there is nothing at this path
    hint: `git init --bare nothing.git` makes an empty repository
    exit 10
    ");
    fs::create_dir(scene.path("folder")).unwrap();
    assert_snapshot!(scene.sync("hg", "folder"), @r"
    error at the target: failed to sync the mirror rocket
      1: open the target folder: it is not a Git repository
    hint: name the folder of a repository; `git init --bare` makes one of an empty folder
    exit 10
    ");
    let mut options = git2::RepositoryInitOptions::new();
    options.initial_head("master");
    git2::Repository::init_opts(scene.path("copy"), &options).unwrap();
    assert_snapshot!(scene.sync("hg", "copy"), @r"
    error at the target: failed to sync the mirror rocket
      1: publish refs/heads/master: it is checked out there, and its files would no longer fit it
    hint: publish to a bare repository, check out another branch there, or allow it with `git config receive.denyCurrentBranch ignore` at the target
    exit 13
    ");
    assert_snapshot!(scene.says(&["convert", "hg", "copy"]), @r"
    error at the target: failed to convert hg into copy
      1: use copy as a bare repository: it has a working copy
    hint: name a bare repository, or a path with nothing at it, where one is made
    exit 10
    ");
    fs::write(scene.path("folder/file"), "").unwrap();
    assert_snapshot!(scene.says(&["convert", "hg", "folder"]), @r"
    error at the target: failed to convert hg into folder
      1: open the Git repository folder: there is none at this path
    hint: name a bare repository, an empty folder, or a path with nothing at it, where one is made
    exit 10
    ");
    fs::write(scene.path("file"), "").unwrap();
    assert_snapshot!(scene.says(&["convert", "hg", "file/x.git"]), @r"
    error at the target: failed to convert hg into file/x.git
      1: make a Git repository at file/x.git
      2: Not a directory (os error 20)
    exit 10
    ");
}

#[test]
fn a_shallow_target() {
    let scene = Scene::new();
    let target = scene.synced();
    // It is fetched only where none of its refs names a commit of ours.
    for reference in target.references().unwrap() {
        reference.unwrap().delete().unwrap();
    }
    let tip = foreign(&target);
    target.reference(MAIN, tip, true, "").unwrap();
    fs::write(scene.path("t.git/shallow"), format!("{tip}\n")).unwrap();
    fs::remove_dir_all(scene.path("cache")).unwrap();
    assert_snapshot!(scene.sync("hg", "t.git"), @r"
    error at the target: failed to sync the mirror rocket
      1: read the history of t.git: it is a shallow clone, which lacks the beginning of it
    hint: the target is a shallow clone: publish to a whole repository, or complete it with `git fetch --unshallow`
    exit 15
    ");
}

#[test]
fn refusals() {
    let scene = Scene::new();
    let target = scene.synced();
    let tip = target.refname_to_id(MAIN).unwrap();
    let sync = || scene.sync("hg", "t.git");
    let parent = target.find_commit(tip).unwrap().parent_id(0).unwrap();

    target.reference(MAIN, foreign(&target), true, "").unwrap();
    assert_snapshot!(sync(), @r"
    error at the target: failed to sync the mirror rocket
      1: publish refs/heads/master: the target is at d582969d5187424378767142fbb1bf321184ab1e, a commit that did not come from this mirror
    hint: another program pushed to the target: move that work to a branch of another name, or delete it, and let this mirror alone write to the branches that it publishes
    exit 13
    ");

    // A branch that is ahead in our own history, on another line than the wanted one.
    let other = target.references_glob("refs/heads/*").unwrap().filter_map(Result::ok);
    let other = other.filter_map(|reference| reference.target());
    let other = other
        .filter(|&other| other != tip && other != foreign(&target))
        .find(|&other| !target.graph_descendant_of(tip, other).unwrap())
        .unwrap();
    target.reference(MAIN, other, true, "").unwrap();
    assert_snapshot!(sync(), @r"
    error at the target: failed to sync the mirror rocket
      1: publish refs/heads/master: the target is at 3aee6f99f9881bd6650519d52ea94cbee9d28758, and it was not this mirror that moved it there
    hint: another program moved it: put it back, or delete it at the target, and let this mirror alone write to the refs that it publishes
    exit 13
    ");

    target.reference(MAIN, parent, true, "").unwrap();
    fs::write(scene.path("t.git/refs/heads/master.lock"), "").unwrap();
    assert_snapshot!(sync(), @r"
    error at the target: failed to sync the mirror rocket
      1: publish refs/heads/master: another program has locked it: t.git/refs/heads/master.lock exists
    hint: wait until the other program is done; if none is at work, delete the .lock file at the target
    exit 12
    ");
    fs::remove_file(scene.path("t.git/refs/heads/master.lock")).unwrap();

    target.find_reference(MAIN).unwrap().delete().unwrap();
    let in_the_way = format!("{MAIN}/old");
    target.reference(&in_the_way, tip, true, "").unwrap();
    assert_snapshot!(sync(), @r"
    error at the target: failed to sync the mirror rocket
      1: publish refs/heads/master: refs/heads/master/old is in the way: one of the two would have to be a folder
    hint: a ref cannot be both a name and a folder of names: delete or rename the one that is in the way at the target
    exit 13
    ");
    target.find_reference(&in_the_way).unwrap().delete().unwrap();
    assert!(sync().ends_with("exit 0"));

    let tags = target.tag_names(None).unwrap();
    let tag = tags.iter().next().unwrap().unwrap().unwrap().to_owned();
    target.reference(&format!("refs/tags/{tag}"), foreign(&target), true, "").unwrap();
    assert_snapshot!(sync(), @r"
    error at the target: failed to sync the mirror rocket
      1: publish refs/tags/nightly%20build: the target has this tag, at d582969d5187424378767142fbb1bf321184ab1e
    hint: this mirror did not make that tag, or not so: delete it at the target if it may mean what the source means by it
    exit 13
    ");
}

#[test]
fn a_second_conversion_with_other_rules() {
    let scene = Scene::new();
    assert!(scene.says(&["convert", "hg", "x.git"]).ends_with("exit 0"));
    assert_snapshot!(scene.says(&["convert", "--identity", "hg-git", "hg", "x.git"]), @r"
    error at the target: failed to convert hg into x.git
      1: convert with the identity hg-git: the repository was made with native
    hint: ask for the identity native, or convert into a new repository: under another identity every commit has another id
    exit 10
    ");
    assert_snapshot!(scene.says(&["convert", "--identity", "hg-gti", "hg", "y.git"]), @r"
    error: invalid value 'hg-gti' for '--identity <NAME>'
      [possible values: auto, native, hg-git, fast-export]

      tip: a similar value exists: 'hg-git'

    For more information, try '--help'.
    exit 2
    ");
}

/// A hint that names what does not exist is worse than none.
#[test]
fn hints_name_keys_and_flags_that_exist() {
    let env = TestEnv::new();
    let help = ["convert", "sync"].map(|name| env.synchronise([name, "--help"]).ok().unwrap());
    let help = help.concat();
    let keys = env.synchronise(["config", "default"]).ok().unwrap();
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_' || c == '-';
    let mut seen = 0;
    let mut check = |text: &str, mark: &str, known: &str, whole: bool, file: &Path| {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let name = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
            let name = if whole { format!("{mark}{name}") } else { name.to_owned() };
            assert!(known.contains(&name), "{}: there is no {name}", file.display());
            seen += 1;
        }
    };
    for file in files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        check(&text, "--source-", &help, true, &file);
        check(&text, "`source.", &keys, false, &file);
        check(&text, "`target.", &keys, false, &file);
    }
    assert!(seen > 10, "only {seen} are named");
}

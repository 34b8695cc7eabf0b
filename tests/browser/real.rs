//! The daemon itself in a folder of its own: its queue on the disk, real repositories that are converted and
//! published, hooks that arrive over HTTP. Only the pace is ours, where a test has to see a run go on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use synchroniser::base::Interrupt;
use synchroniser::base::compress::Decompressor;
use synchroniser::config::Config;
use synchroniser::daemon::{Daemon, Setup};
use synchroniser::git::destination::Target;
use synchroniser::git::{BareRepository, init};
use synchroniser::hg::pull::Source;
use synchroniser::mirror::{self, Mirror, Observer, SyncContext, SyncEvent, SyncReport};
use synchroniser::queue::SqliteStore;
use synchroniser::service::{SyncFailure, Syncer};
use ureq::http::StatusCode;

use crate::browser::Pages;

/// The tokens that open everything, and what anybody may see.
pub(crate) const ADMIN: &str = "token-of-the-administrator";
pub(crate) const READER: &str = "token-of-a-reader";
/// What the sender of hooks knows.
const SECRET: &str = "the secret of the forge";
/// More than any repository here is, unpacked.
const LARGEST: usize = 64 << 20;
/// Longer than anything here takes, however busy the machine is.
const LONG: Duration = Duration::from_mins(2);
/// A pace at which everything waits until it is told to go on.
const HELD: u64 = u64::MAX;

/// Mirrors that only fill the list: none has a repository, and each of their runs is said to have gone well.
pub(crate) const FLEET: usize = 120;

/// A name that is a page wide, and one that would be markup, steer the reading, or be anything but a name.
pub(crate) const LONG_NAME: &str = "a-mirror-with-a-name-that-is-as-long-as-a-name-can-be-and-has-not-one-place-where-it-could-be-broken";
pub(crate) const MARKUP: &str =
    "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>";
pub(crate) const BIDI: &str =
    "\u{202e}gnihtemos\u{202c} \u{5e9}\u{5dc}\u{5d5}\u{5dd} &lt;b&gt; \"quoted\" 'too'";

/// One mirror of a repository in `fixtures/`.
struct Kept {
    name: &'static str,
    fixture: &'static str,
    owner: &'static str,
}

const fn kept(name: &'static str, fixture: &'static str, owner: &'static str) -> Kept {
    Kept { name, fixture, owner }
}

const KEPT: [Kept; 8] = [
    kept("almanac", "hg/tags", "observatory"),
    kept("astrolabe", "hg/graph", "observatory"),
    kept("beacon", "hg/contents", "coastguard"),
    kept("compass", "hg/renames", "coastguard"),
    kept("harbour", "hg/branch-names", "harbourmaster"),
    kept("lighthouse", "demo", "coastguard"),
    kept("logbook", "hg/heads", "harbourmaster"),
    // It needs what no version has, until somebody mends it.
    kept("sextant", "hg/unknown-requirement", "observatory"),
];

/// How fast the mirror `lighthouse` is, in milliseconds for each thing that it says.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<AtomicU64>);

impl Pace {
    /// Lets it stop at whatever it does next.
    pub(crate) fn hold(&self) {
        self.0.store(HELD, Ordering::SeqCst);
    }

    /// Lets it take so long for each thing that it says.
    pub(crate) fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }

    fn keep(&self, interrupt: &Interrupt) {
        let began = Instant::now();
        loop {
            let millis = self.0.load(Ordering::SeqCst);
            let is_over = millis != HELD && began.elapsed() >= Duration::from_millis(millis);
            if is_over || interrupt.is_raised() || began.elapsed() > LONG {
                return;
            }
            std::thread::sleep(Duration::from_millis(millis.clamp(1, 5)));
        }
    }
}

/// Hears what a sync says, in its own time.
struct Paced<'a> {
    observer: &'a dyn Observer,
    pace: &'a Pace,
    interrupt: &'a Interrupt,
}

impl Observer for Paced<'_> {
    fn event(&self, event: &SyncEvent) {
        self.observer.event(event);
        if matches!(event, SyncEvent::Advanced { .. }) {
            self.pace.keep(self.interrupt);
        }
    }
}

/// The daemon with its mirrors.
pub(crate) struct Real {
    daemon: Option<Daemon>,
    pub(crate) pace: Pace,
    folder: tempfile::TempDir,
    config: Arc<Mutex<String>>,
}

impl Pages for Real {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.daemon.as_ref().unwrap().address())
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // What is held ends.
        self.pace.set(0);
        if let Some(daemon) = self.daemon.take() {
            // It is waited for, which a thread of the browser's runtime may not do by itself.
            let _ = std::thread::spawn(move || daemon.shut_down()).join();
        }
    }
}

impl Real {
    /// Starts it with all mirrors; with `fleet`, there are more than fit on one page.
    pub(crate) fn start(read: &str, fleet: usize) -> Self {
        Self::start_with(read, fleet, true)
    }

    /// Starts it with what a person likes to look at.
    pub(crate) fn for_pictures() -> Self {
        Self::start_with("open", 0, false)
    }

    fn start_with(read: &str, fleet: usize, with_hostile: bool) -> Self {
        init::ensure().unwrap();
        let folder = tempfile::Builder::new().prefix("mirrors-").tempdir().unwrap();
        let at = folder.path();
        for Kept { name, fixture, .. } in &KEPT {
            unpack(fixture, &at.join("hg").join(name));
            BareRepository::open_or_create(&at.join("git").join(format!("{name}.git")), "master")
                .unwrap();
        }
        let hostile = at.join("hg").join(MARKUP.replace('/', "-"));
        unpack("hg/graph", &hostile);
        BareRepository::open_or_create(&at.join(MARKUP.replace('/', "-")), "master").unwrap();
        bookmark(&hostile, &[MARKUP, BIDI, &"w".repeat(200)]);
        fs::create_dir(at.join("secrets")).unwrap();
        fs::write(at.join("secrets/hook"), SECRET).unwrap();
        only_ours(&at.join("secrets/hook"));
        let text = configuration(read, fleet, with_hostile.then_some(&*hostile));
        fs::write(at.join("synchroniser.toml"), &text).unwrap();
        fs::create_dir(at.join("state")).unwrap();
        let (path, pace) = (at.join("synchroniser.toml"), Pace::default());
        let load = {
            let path = path.clone();
            move || {
                let text = fs::read_to_string(&path).unwrap();
                Config::parse(&text, &path, None)
            }
        };
        let daemon = Daemon::start(Setup {
            config: load().unwrap(),
            store: Arc::new(SqliteStore::open(&at.join("state/queue.sqlite")).unwrap()),
            syncer: syncer(at.to_owned(), pace.clone()),
            reload: Box::new(load),
        });
        let config = Arc::new(Mutex::new(text));
        Self { daemon: Some(daemon.unwrap()), pace, folder, config }
    }

    /// Waits until every mirror was run, and nothing runs.
    pub(crate) fn settle(&self) {
        self.settle_but(0);
    }

    /// Waits until so many mirrors run, and all others were.
    pub(crate) fn settle_but(&self, running: usize) {
        for (state, found) in [("new", 0), ("queued", 0), ("running", running)] {
            self.until(&format!("/api/v1/mirrors?state={state}"), |it| it["found"] == found);
        }
    }

    /// What the API says of `path`, once it is as wanted.
    pub(crate) fn until(
        &self,
        path: &str,
        is_wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let began = Instant::now();
        loop {
            let found = self.json(path);
            if is_wanted(&found) {
                return found;
            }
            assert!(began.elapsed() < LONG, "{path}: {found:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a mirror is in a state.
    pub(crate) fn until_state(&self, mirror: &str, state: &str) {
        self.until(&format!("/api/v1/mirrors/{mirror}"), |it| it["state"] == state);
    }

    /// The address of the last run of a mirror.
    pub(crate) fn last_run(&self, mirror: &str) -> String {
        let found = self.json(&format!("/api/v1/mirrors/{mirror}"));
        format!("/runs/{}", found["runs"][0]["id"].as_str().unwrap())
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let request = ureq::get(self.url(path)).header("Authorization", format!("Bearer {ADMIN}"));
        let text = request.call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// A delivery of the format `gitlab`, with this token; what is answered.
    pub(crate) fn hook(&self, token: &str, event: &str, body: &str) -> StatusCode {
        let request = ureq::post(self.url("/hook/gitlab"))
            .config()
            .http_status_as_error(false)
            .build()
            .header("X-Gitlab-Token", token)
            .header("X-Gitlab-Event", event)
            .content_type("application/json");
        request.send(body).unwrap().status()
    }

    /// Hooks of every fate: taken, not about a push, of no mirror, not understood, not proven.
    pub(crate) fn post_hooks(&self) {
        let push = |path: &str| {
            let body = fs::read_to_string(fixtures().join("hooks/gitlab/push.json")).unwrap();
            body.replace("foss.heptapod.net/acme/space/rocket", &format!("hg.example.org/{path}"))
        };
        for (token, event, body, expected) in [
            (SECRET, "Push Hook", push("coastguard/beacon"), 202),
            (
                SECRET,
                "Issue Hook",
                fs::read_to_string(fixtures().join("hooks/gitlab/issue.json")).unwrap(),
                200,
            ),
            (SECRET, "Push Hook", push("nobody/knows-it"), 200),
            (SECRET, "Push Hook", "{\"object_kind\": ".to_owned(), 400),
            ("a guess", "Push Hook", push("coastguard/beacon"), 401),
        ] {
            assert_eq!(self.hook(token, event, &body).as_u16(), expected, "{body}");
        }
    }

    /// Does what an administrator does who has found out why `sextant` is parked.
    pub(crate) fn mend(&self, mirror: &str) {
        let path = self.folder.path().join("hg").join(mirror);
        fs::remove_dir_all(&path).unwrap();
        unpack("hg/graph", &path);
    }

    /// Adds lines to the configuration, and has it read again.
    pub(crate) fn reconfigure(&self, more: &str) {
        let mut text = self.config.lock().unwrap();
        text.push_str(more);
        fs::write(self.folder.path().join("synchroniser.toml"), &*text).unwrap();
        self.daemon.as_ref().unwrap().reload();
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// Unpacks a fixture's repository to `path`.
fn unpack(fixture: &str, path: &Path) {
    let archive = fs::read(fixtures().join(fixture).join("repository.tar.zst")).unwrap();
    let archive = Decompressor::default().zstd(&archive, LARGEST).unwrap();
    let beside = tempfile::tempdir_in(std::env::temp_dir()).unwrap();
    tar::Archive::new(archive.as_slice()).unpack(beside.path()).unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::rename(beside.path().join("repository"), path).unwrap();
}

/// Gives bookmarks to a repository, all on its first changeset.
fn bookmark(repository: &Path, names: &[&str]) {
    let changelog = fs::read(repository.join(".hg/store/00changelog.i")).unwrap();
    // Bytes 32 to 51 of the first entry of an index are its node.
    let node: String = changelog[32..52].iter().map(|byte| format!("{byte:02x}")).collect();
    let lines = names.iter().map(|name| format!("{node} {name}\n"));
    fs::write(repository.join(".hg/bookmarks"), lines.collect::<String>()).unwrap();
}

fn only_ours(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Syncs what has a repository here in the place of its server, and the others as they are configured.
fn syncer(folder: PathBuf, pace: Pace) -> Syncer {
    let synced = move |mirror: &Mirror,
                       context: &SyncContext<'_>,
                       observer: &dyn Observer,
                       interrupt: &Interrupt| {
        if mirror.name.starts_with("fleet-") {
            return Ok(SyncReport { changesets: 12, ..SyncReport::default() });
        }
        let mut mirror = mirror.clone();
        if KEPT.iter().any(|kept| kept.name == mirror.name) {
            mirror.source = Source::Path(folder.join("hg").join(&mirror.name));
            // Two mirrors that publish to one target: the second may not move what the first has made.
            let name = if mirror.name == "logbook" { "harbour" } else { &mirror.name };
            let target = folder.join("git").join(format!("{name}.git"));
            while mirror.name == "logbook"
                && BareRepository::open(&target).unwrap().refs().unwrap().is_empty()
            {
                interrupt
                    .pause(Duration::from_millis(20))
                    .map_err(|error| -> SyncFailure { Box::new(error) })?;
            }
            mirror.target = Some(Target::local(target));
            mirror.forge = None;
        }
        let result = match mirror.name.as_str() {
            "lighthouse" => {
                let observer = &Paced { observer, pace: &pace, interrupt };
                mirror::sync_in(&mirror, context, observer, interrupt)
            }
            _ => mirror::sync_in(&mirror, context, observer, interrupt),
        };
        result.map_err(|error| -> SyncFailure { Box::new(error) })
    };
    Arc::new(synced)
}

fn configuration(read: &str, fleet: usize, hostile: Option<&Path>) -> String {
    let hash = |token: &str| {
        let hash = Sha256::digest(token);
        hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut text = format!(
        r#"
cache = "cache"
daemon = {{ listen = "127.0.0.1:0", socket = "none", state = "state", workers = 8, long_workers = 8, stop_timeout = 5 }}
schedule = {{ debounce = 0, shortest = 3600, per_source_host = 100, per_target_host = 100, per_target_owner = 100 }}
web = {{ read = "{read}", public_url = "https://mirrors.example.org" }}
tokens.administrator = {{ scope = "admin", sha256 = "{}" }}
tokens.reader = {{ scope = "read", sha256 = "{}" }}
hooks.gitlab = {{ format = "gitlab", scheme = "token-header", secret_file = "secrets/hook" }}
"#,
        hash(ADMIN),
        hash(READER),
    );
    // What is told of `logbook` fills half of a picture.
    for Kept { name, owner, .. } in
        KEPT.iter().filter(|it| hostile.is_some() || it.name != "logbook")
    {
        text.push_str(&format!(
            "[mirrors.{name}]\nsource = \"https://hg.example.org/{owner}/{name}\"\n\
             target = \"https://git.example.org/{owner}/{name}.git\"\n"
        ));
    }
    // No name server knows a host of this kind.
    text.push_str(
        "[mirrors.tide-tables]\nsource = \"https://hg.tides.invalid/tables\"\n\
         target = \"https://git.example.org/harbourmaster/tide-tables.git\"\n",
    );
    if let Some(hostile) = hostile {
        text.push_str(&format!(
            "[mirrors.{LONG_NAME}]\nowner = {}\nsource = {}\ntarget = {}\n",
            quoted(BIDI),
            quoted(&hostile.display().to_string()),
            quoted(&MARKUP.replace('/', "-")),
        ));
    }
    for number in 0..fleet {
        text.push_str(&format!(
            "[mirrors.fleet-{number:03}]\nowner = \"fleet\"\nsource = \"fleet/{number}\"\ntarget = \"fleet/{number}.git\"\n"
        ));
    }
    text
}

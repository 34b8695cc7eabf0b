//! A cache that goes from one machine to another: it goes on there as if it had been made there, and whatever is wrong
//! with it, it is made from the source instead.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use synchroniser::base::durable::{self, Step};
use synchroniser::base::{Fault, HasFault, Interrupt, NoFence};
use synchroniser::convert::ConvertOptions;
use synchroniser::git::destination::Target;
use synchroniser::hg::pull::Source;
use synchroniser::mirror::{
    self, Arriving, CacheElsewhere, CacheLocation, Decoder, LedgerStore, Mirror, NoObserver,
    NotSent, Note, Outgoing, PublishRules, Seal, SyncContext, SyncReport,
};
use synchroniser::net::{Access, SourceUrl};

use crate::support::generator::{Generated, Shape};
use crate::support::hg_server::HgServe;
use crate::support::{TestEnv, env, git, skip};

/// The names and contents of the files of a stream.
type Parts = Vec<(Vec<u8>, Vec<u8>)>;

fn seal() -> Seal {
    Box::new(|hash| hash.map(|byte| !byte))
}

/// What another machine sends.
struct Sent {
    stream: Vec<u8>,
    room: Option<u64>,
    asked: AtomicUsize,
}

impl Sent {
    fn new(stream: Vec<u8>) -> Self {
        Self { stream, room: None, asked: AtomicUsize::new(0) }
    }
}

impl CacheElsewhere for Sent {
    fn ask(&self, _: &Interrupt) -> Result<Option<Arriving>, NotSent> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (node, stream) = ("other".to_owned(), Box::new(Cursor::new(self.stream.clone())));
        Ok(Some(Arriving { node, stream, seal: seal(), room: self.room }))
    }
}

/// A ledger that machines share.
#[derive(Default)]
struct Shared(Mutex<Option<String>>);

impl LedgerStore for Shared {
    fn read(&self) -> io::Result<Option<String>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn write(&self, contents: &str) -> io::Result<()> {
        *self.0.lock().unwrap() = Some(contents.to_owned());
        Ok(())
    }
}

fn parts(stream: &[u8]) -> Parts {
    let mut decoder = Decoder::begin(stream).unwrap();
    let mut parts = Vec::new();
    while let Some((name, _)) = decoder.next_file().unwrap() {
        let mut contents = Vec::new();
        decoder.contents().read_to_end(&mut contents).unwrap();
        parts.push((name, contents));
    }
    decoder.finish(&seal()).unwrap();
    parts
}

fn stream(parts: &Parts) -> Vec<u8> {
    let number = |number: usize| (number as u64).to_be_bytes();
    let mut stream = b"synchroniser cache 1\n".to_vec();
    stream.extend(number(parts.len()));
    stream.extend(number(parts.iter().map(|(_, contents)| contents.len()).sum()));
    for (name, contents) in parts {
        stream.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        stream.extend(name);
        stream.extend(number(contents.len()));
        stream.extend(contents);
    }
    stream.extend([0; 2]);
    let hash: [u8; 32] = Sha256::digest(&stream).into();
    stream.extend(seal()(&hash));
    stream
}

fn mirror(env: &TestEnv, cache: &str, source: Source) -> Mirror {
    Mirror {
        name: "it".to_owned(),
        source,
        cache: CacheLocation::Folder(env.path(cache)),
        target: Some(Target::local(env.path("target.git"))),
        forge: None,
        options: ConvertOptions::default(),
        publish: PublishRules::default(),
    }
}

fn sync(
    mirror: &Mirror,
    ledger: Option<&Arc<Shared>>,
    elsewhere: Option<&Sent>,
) -> Result<SyncReport, mirror::SyncError> {
    let ledger = ledger.map(|ledger| Arc::clone(ledger) as Arc<dyn LedgerStore>);
    let elsewhere = elsewhere.map(|sent| sent as &dyn CacheElsewhere);
    let context = SyncContext { fence: &NoFence, ledger, elsewhere };
    mirror::sync_in(mirror, &context, &NoObserver, &Interrupt::default())
}

fn sent(mirror: &Mirror) -> Vec<u8> {
    let outgoing = Outgoing::open(mirror).unwrap();
    let announced = outgoing.announced();
    let mut stream = Vec::new();
    outgoing.send(&mut stream, &seal()).unwrap();
    assert_eq!(Decoder::begin(&*stream).unwrap().announced(), announced);
    stream
}

fn refs(repository: &Path) -> BTreeMap<String, String> {
    let repository = git2::Repository::open_bare(repository).unwrap();
    let all = repository.references().unwrap().flatten();
    let all: BTreeMap<_, _> = all
        .filter_map(|it| Some((it.name().ok()?.to_owned(), it.target()?.to_string())))
        // What is hidden depends on the way.
        .filter(|(name, _)| !name.starts_with("refs/synchroniser/"))
        .collect();
    all
}

/// A source, an empty target, and a cache that is up to date with the first `synced` changesets.
struct Place {
    env: TestEnv,
    history: Generated,
    source: PathBuf,
    first: Mirror,
}

impl Place {
    fn new(changesets: usize, synced: usize) -> Self {
        let env = TestEnv::new();
        let shape = Shape { seed: 21, changesets, files: 6, heads: 3, ..Shape::PLAIN };
        let history = Generated::new(shape);
        let source = env.path("source");
        Generated::create(&source);
        history.add(&source, 0..synced);
        git2::Repository::init_bare(env.path("target.git")).unwrap();
        let first = mirror(&env, "first", Source::Path(source.clone()));
        sync(&first, None, None).unwrap();
        Self { env, history, source, first }
    }

    fn mirror(&self, cache: &str) -> Mirror {
        mirror(&self.env, cache, Source::Path(self.source.clone()))
    }

    /// The refs that a cache has which was made from the source alone.
    fn truth(&self) -> BTreeMap<String, String> {
        let alone = self.mirror("alone");
        mirror::sync(&alone, &NoObserver, &Interrupt::default()).unwrap();
        refs(&self.env.path("alone/git"))
    }
}

#[test]
fn a_cache_that_was_taken_goes_on_as_if_it_had_been_made_here() {
    let place = Place::new(60, 40);
    let stream = sent(&place.first);
    let names: Vec<_> =
        parts(&stream).iter().map(|(name, _)| String::from_utf8(name.clone()).unwrap()).collect();
    for name in &names {
        let is_known = name.starts_with("git/pack-")
            || ["map", "identity", "packs", "refs", "told", "authors"].contains(&&**name);
        assert!(is_known, "{name} leaves the machine");
    }
    let second = place.mirror("second");
    assert!(second.is_cold() && !place.first.is_cold());
    // What is there of an earlier one that was broken off is of no use, and does no harm.
    std::fs::create_dir_all(place.env.path("second/arriving/git")).unwrap();
    std::fs::create_dir_all(place.env.path("second/git/objects")).unwrap();
    let elsewhere = Sent::new(stream);
    let report = sync(&second, None, Some(&elsewhere)).unwrap();
    let bytes: usize = parts(&elsewhere.stream).iter().map(|(_, contents)| contents.len()).sum();
    let [Note::CacheTaken { node, bytes: told, .. }, ..] = &*report.notes else {
        panic!("{:?}", report.notes)
    };
    assert_eq!((&**node, *told), ("other", bytes as u64));
    assert_eq!((report.converted, report.changesets), (0, 40));
    assert!(!place.env.path("second/arriving").exists() && !second.is_cold());
    let read = |cache: &str, file: &str| std::fs::read(place.env.path(cache).join(file)).unwrap();
    assert_eq!(read("second", "map"), read("first", "map"));
    // From here on it is like any other.
    place.history.add(&place.source, 40..60);
    let report = sync(&second, None, Some(&elsewhere)).unwrap();
    assert_eq!((report.converted, elsewhere.asked.load(Ordering::SeqCst)), (20, 1));
    assert_eq!(refs(&place.env.path("second/git")), place.truth());
    git::fsck(&place.env, &place.env.path("second/git")).unwrap();
    assert_eq!(refs(&place.env.path("target.git")).len(), 1 + refs_of_names(&place));
}

/// How many refs beside the main branch the target has.
fn refs_of_names(place: &Place) -> usize {
    let names = refs(&place.env.path("alone/git")).into_keys();
    names.filter(|name| name.starts_with("refs/heads/") && name != "refs/heads/master").count()
}

/// Why a cache was not taken, and whether all was converted from the source then.
fn refused(place: &Place, cache: &str, elsewhere: &Sent, ledger: Option<&Arc<Shared>>) -> String {
    let second = place.mirror(cache);
    let report = sync(&second, ledger, Some(elsewhere)).unwrap();
    let [Note::CacheNotTaken { node, cause }, ..] = &*report.notes else {
        panic!("{cache}: {:?}", report.notes)
    };
    assert_eq!(node, "other");
    assert_eq!(report.converted, report.changesets, "{cache}: {cause}");
    assert!(!place.env.path(cache).join("arriving").exists(), "{cache}");
    assert_eq!(refs(&place.env.path(cache).join("git")), place.truth(), "{cache}: {cause}");
    cause.message.clone()
}

/// What is done to the files of a cache.
type Change = Box<dyn Fn(&mut Parts)>;

/// Names that no file of a cache has that is sent, or has once only.
const NAMES: [&str; 20] = [
    "../escaped",
    "/tmp/escaped",
    "git/../../escaped",
    "ledger",
    "token",
    "lock",
    "config",
    "git/config",
    "git/HEAD",
    "git/pack-x.pack",
    "git/objects/info/alternates",
    "seen",
    "map",
    "hg/requires",
    "hg/store/00changelog.i",
    "hg/hgrc",
    "branches",
    "mapped",
    "forge",
    "x\u{1b}",
];

/// What can be wrong with the files of the cache `whole`: what it is, and what is said of it.
fn what_can_be_wrong(whole: &Parts) -> Vec<(String, Change, &'static str)> {
    let place_of = |end: &str| whole.iter().position(|(name, _)| name.ends_with(end.as_bytes()));
    let (pack, index) = (place_of(".pack").unwrap(), place_of(".idx").unwrap());
    let (map, refs_at, packs) =
        (place_of("map").unwrap(), place_of("refs").unwrap(), place_of("packs").unwrap());
    let named = |name: &'static str| -> (String, Change, &'static str) {
        let add = move |parts: &mut Parts| parts.push((name.into(), b"x\n".to_vec()));
        (format!("named {name}"), Box::new(add), "it has a file called")
    };
    let change = |at: usize, how: fn(&mut Vec<u8>)| -> Change {
        Box::new(move |parts: &mut Parts| how(&mut parts[at].1))
    };
    let remove =
        |at: usize| -> Change { Box::new(move |parts: &mut Parts| drop(parts.remove(at))) };
    let mut cases: Vec<(String, Change, &str)> = NAMES.map(named).into();
    let flip: fn(&mut Vec<u8>) = |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    // Sound for whoever looks at nothing but the hash at its end.
    let flip_and_hash: fn(&mut Vec<u8>) = |bytes| {
        let (middle, end) = (bytes.len() / 2, bytes.len() - 20);
        bytes[middle] ^= 1;
        let hash = synchroniser::base::sha1::digest(&[&bytes[..end]]);
        bytes[end..].copy_from_slice(&hash);
    };
    for (what, change, reason) in [
        ("a pack that was changed", change(pack, flip), "damaged"),
        ("an index that was changed", change(index, flip), "damaged"),
        ("a pack that was changed with its hash", change(pack, flip_and_hash), ""),
        ("an index that was changed with its hash", change(index, flip_and_hash), ""),
        ("a pack that is missing", remove(pack), "\"packs\" in it is damaged"),
        ("an index that is missing", remove(index), "\"packs\" in it is damaged"),
        ("no list of packs", remove(packs), "\"packs\" in it is damaged"),
        ("no map", remove(map), "\"map\" in it is damaged"),
        ("an empty map", change(map, Vec::clear), "\"map\" in it is damaged"),
        ("half a record", change(map, |map| map.truncate(60)), "\"map\" in it is damaged"),
        ("a commit that is nowhere", change(map, |map| map[79] ^= 1), "which its map names"),
        ("a ref to nothing", change(refs_at, |refs| refs[3] = b'0' + (refs[3] & 1)), ""),
        ("a name that is none", change(refs_at, |refs| *refs = refs.replace_all()), "\"refs\""),
    ] {
        cases.push((what.to_owned(), change, reason));
    }
    cases
}

#[test]
fn what_is_wrong_with_a_cache_leads_to_the_source() {
    let place = Place::new(30, 30);
    let whole = parts(&sent(&place.first));
    let before = place.env.leftovers();
    for (number, (what, change, reason)) in what_can_be_wrong(&whole).iter().enumerate() {
        let mut changed = whole.clone();
        change(&mut changed);
        let elsewhere = Sent::new(stream(&changed));
        let said = refused(&place, &format!("c{number}"), &elsewhere, None);
        assert!(said.contains(reason), "{what}: {said}");
    }
    let sound = stream(&whole);
    for (what, stream, reason) in [
        ("half", sound[..sound.len() / 2].to_vec(), "read the cache that another daemon sends"),
        ("all but its end", sound[..sound.len() - 1].to_vec(), "read the cache"),
        ("garbage", vec![7; 5000], "none that this version knows"),
        ("nothing", Vec::new(), "read the cache that another daemon sends"),
        ("another seal", [&sound[..sound.len() - 1], &[0]].concat(), "with our secret"),
    ] {
        let said = refused(&place, &format!("s-{}", stream.len()), &Sent::new(stream), None);
        assert!(said.contains(reason), "{what}: {said}");
    }
    let small = Sent { room: Some(10_000), ..Sent::new(sound) };
    let said = refused(&place, "small", &small, None);
    assert!(said.contains("there is room for"), "{said}");
    assert_eq!(place.env.leftovers(), before);
    assert!(!place.env.path("escaped").exists() && !Path::new("/tmp/escaped").exists());
}

trait ReplaceAll {
    fn replace_all(&self) -> Vec<u8>;
}

impl ReplaceAll for Vec<u8> {
    /// With names that go up.
    fn replace_all(&self) -> Vec<u8> {
        String::from_utf8(self.clone()).unwrap().replace("refs/heads/", "refs/../").into_bytes()
    }
}

#[test]
fn a_cache_that_is_older_than_what_was_published_is_not_taken() {
    let place = Place::new(50, 30);
    let ledger = Arc::new(Shared::default());
    sync(&place.first, Some(&ledger), None).unwrap();
    let (old, known) = (sent(&place.first), ledger.read().unwrap());
    place.history.add(&place.source, 30..50);
    sync(&place.first, Some(&ledger), None).unwrap();
    assert_ne!(ledger.read().unwrap(), known);
    let said = refused(&place, "second", &Sent::new(old.clone()), Some(&ledger));
    assert!(said.contains("which the ledger of what was published names"), "{said}");
    // With the ledger of its time it is good enough.
    *ledger.0.lock().unwrap() = known;
    let report = sync(&place.mirror("third"), Some(&ledger), Some(&Sent::new(old))).unwrap();
    assert_eq!(report.converted, 20, "{:?}", report.notes);
}

#[test]
fn wherever_it_is_broken_off_the_next_sync_is_right() {
    let place = Place::new(12, 12);
    let (stream, truth) = (sent(&place.first), place.truth());
    for stays_broken in [false, true] {
        let mut steps = 0;
        for at in 0.. {
            let cache = format!("cache-{stays_broken}-{at}");
            let second = place.mirror(&cache);
            let folder = place.env.path(&cache);
            std::fs::create_dir(&folder).unwrap();
            let seen = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&seen);
            let fail = move |_: &Step<'_>| match count.fetch_add(1, Ordering::SeqCst) {
                seen if seen == at || stays_broken && seen > at => {
                    Err(io::ErrorKind::StorageFull.into())
                }
                _ => Ok(()),
            };
            let observation = durable::observe(&folder, Arc::new(fail));
            let first = sync(&second, None, Some(&Sent::new(stream.clone())));
            drop(observation);
            let is_over = seen.load(Ordering::SeqCst) <= at;
            assert!(first.is_ok() || !is_over, "{first:?}");
            let again = sync(&second, None, Some(&Sent::new(stream.clone())));
            let again = again.unwrap_or_else(|error| panic!("{cache}: {error}"));
            assert_eq!(refs(&folder.join("git")), truth, "{cache}: {:?}", again.notes);
            if is_over {
                break;
            }
            steps += 1;
        }
        assert!(steps > 20, "only {steps} steps");
    }
}

#[test]
fn who_has_no_whole_cache_sends_none() {
    let place = Place::new(12, 12);
    let failed = |mirror: &Mirror| match Outgoing::open(mirror) {
        Ok(_) => panic!("there is a cache"),
        Err(error) => (error.fault(), error.to_string()),
    };
    let nothing = place.mirror("nothing");
    let (fault, text) = failed(&nothing);
    assert!(fault == Fault::Unavailable && text.contains("it is not whole"), "{text}");
    assert!(!place.env.path("nothing").exists(), "it was made by the question");
    // Nobody works in it while it is sent.
    let outgoing = Outgoing::open(&place.first).unwrap();
    let (_, text) = failed(&place.first);
    assert!(text.contains("another process is at work there"), "{text}");
    assert!(sync(&place.first, None, None).is_err());
    drop(outgoing);
    // A link to somewhere else is not followed.
    let (told, secret) = (place.env.path("first/told"), place.env.path("secret"));
    drop(std::fs::remove_file(&told));
    std::fs::write(&secret, "nobody's business").unwrap();
    std::os::unix::fs::symlink(&secret, &told).unwrap();
    failed(&place.first);
    std::fs::remove_file(&told).unwrap();
    std::fs::remove_file(place.env.path("first/packs")).unwrap();
    let (_, text) = failed(&place.first);
    assert!(text.contains("it is not whole"), "{text}");
}

/// The source is a server: its copy goes along, and it is asked for nothing but what is new.
#[test]
fn the_copy_of_a_source_goes_along() {
    let Some(hg) = env::hg() else { return skip("there is no hg") };
    let place = Place::new(60, 40);
    let log = place.env.path("access.log");
    let setting = format!("web.accesslog={}", log.display());
    let server = HgServe::start(&place.env, &hg, &place.source, &[&setting]);
    let source = || Source::Server {
        url: SourceUrl::parse(&server.url).unwrap(),
        access: Box::new(Access { plain_http: true, ..Access::default() }),
    };
    std::fs::remove_dir_all(place.env.path("target.git")).unwrap();
    git2::Repository::init_bare(place.env.path("target.git")).unwrap();
    let first = mirror(&place.env, "from", source());
    sync(&first, None, None).unwrap();
    let whole = parts(&sent(&first));
    let asked = || {
        let log = std::fs::read_to_string(&log).unwrap();
        let fetches = |line: &&str| line.contains("cmd=getbundle") || line.contains("cmd=stream");
        log.lines().filter(fetches).count()
    };
    let before = asked();
    assert!(before > 0);
    let second = mirror(&place.env, "to", source());
    let report = sync(&second, None, Some(&Sent::new(stream(&whole)))).unwrap();
    assert!(matches!(report.notes[0], Note::CacheTaken { .. }), "{:?}", report.notes);
    assert_eq!((report.converted, report.changesets, asked()), (0, 40, before));
    place.history.add(&place.source, 40..60);
    let report = sync(&second, None, None).unwrap();
    assert_eq!((report.converted, asked()), (20, before + 1));
    assert_eq!(refs(&place.env.path("to/git")), place.truth());
    let copy = place.env.path("to/hg");
    let verified =
        place.env.command(&hg).args(["-R", copy.to_str().unwrap(), "verify", "-q"]).output();
    assert!(verified.unwrap().status.success());
    // What is wrong with the copy is found as well.
    let changelog = whole.iter().position(|(name, _)| name == b"hg/store/00changelog.i").unwrap();
    let requires = whole.iter().position(|(name, _)| name == b"hg/requires").unwrap();
    for (number, (at, contents)) in [
        (changelog, None),
        (requires, Some("store\nrevlogv1\nsecret-extension\n")),
        (requires, Some("")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut changed = whole.clone();
        if let Some(contents) = contents {
            changed[at].1 = contents.into();
        } else {
            let middle = changed[at].1.len() / 2;
            changed[at].1[middle] ^= 0x40;
        }
        let mirror = mirror(&place.env, &format!("damaged-{number}"), source());
        let report = sync(&mirror, None, Some(&Sent::new(stream(&changed)))).unwrap();
        assert!(matches!(report.notes[0], Note::CacheNotTaken { .. }), "{:?}", report.notes);
        assert_eq!(report.converted, 60);
    }
}

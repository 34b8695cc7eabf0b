//! Stock Git, which says what is right.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::base::NoProgress;

/// A repository that stock Git works on; `None` if there is no Git.
pub(super) struct Stock {
    folder: tempfile::TempDir,
}

impl Stock {
    pub(super) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let found = Command::new("git").args(["init", "-q", "--bare"]).arg(folder.path()).status();
        found.is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path()).args(arguments);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "A").env(format!("GIT_{who}_EMAIL"), "a@b");
        }
        command
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(super) fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        use std::io::Write as _;
        let mut command = self.command(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().unwrap()
        });
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Makes all objects loose.
    pub(super) fn unpack(&self) {
        let (folder, away) = (self.path().join("objects/pack"), self.path().join("away"));
        std::fs::rename(&folder, &away).unwrap();
        std::fs::create_dir(&folder).unwrap();
        for file in std::fs::read_dir(&away).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "pack") {
                self.feed(&["unpack-objects", "-q"], &std::fs::read(path).unwrap());
            }
        }
        std::fs::remove_dir_all(away).unwrap();
    }

    pub(super) fn id(&self, name: &str) -> ObjectId {
        ObjectId::from_hex(self.git(&["rev-parse", name]).as_bytes()).unwrap()
    }

    pub(super) fn open(&self) -> BareRepository {
        BareRepository::open(self.path()).unwrap()
    }

    /// The objects that some commits and tags reach.
    pub(super) fn reached(&self, tips: &[ObjectId]) -> BTreeSet<ObjectId> {
        let listed = self.feed(&["rev-list", "--objects", "--stdin"], lines(tips).as_bytes());
        listed.lines().map(|line| ObjectId::from_hex(&line.as_bytes()[..40]).unwrap()).collect()
    }

    pub(super) fn select(&self, tips: &[ObjectId], has: &[ObjectId]) -> Outgoing {
        let (limits, interrupt) = (Limits::default(), Interrupt::default());
        Outgoing::select(&self.open(), tips, has, &limits, &NoProgress, &interrupt).unwrap()
    }
}

/// Ids, a line each.
pub(super) fn lines<'i>(ids: impl IntoIterator<Item = &'i ObjectId>) -> String {
    ids.into_iter().fold(String::new(), |text, id| format!("{text}{id}\n"))
}

pub(super) fn ids(outgoing: &Outgoing) -> BTreeSet<ObjectId> {
    let ids: Vec<_> = outgoing.objects.new_ids().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), outgoing.objects() as usize);
    ids.into_iter().collect()
}

pub(super) fn written(outgoing: &Outgoing) -> Vec<u8> {
    let mut pack = Vec::new();
    outgoing.write(&mut pack, &NoProgress, &Interrupt::default()).unwrap();
    pack
}

/// Sends to a repository that has `has` and nothing else what it needs for `tips`, and has Git look at
/// it. Returns how many objects were sent, and how many of them it had.
pub(super) fn check(source: &Stock, tips: &[ObjectId], has: &[ObjectId]) -> (usize, usize) {
    let outgoing = source.select(tips, has);
    let sent = ids(&outgoing);
    let (reached, there) = (source.reached(tips), source.reached(has));
    assert!(sent.is_subset(&reached), "what nobody asked for is sent");
    let needed: BTreeSet<_> = reached.difference(&there).copied().collect();
    let missing: Vec<_> = needed.difference(&sent).take(3).collect();
    assert!(
        missing.is_empty(),
        "{} {} {} {missing:?} {}",
        sent.len(),
        needed.len(),
        has.len(),
        source.git(&["cat-file", "-t", &missing[0].to_string()])
    );
    let target = Stock::new().unwrap();
    let list = lines(&there);
    if !there.is_empty() {
        let packed = source.command(&["pack-objects", "--stdout", "-q"]);
        let packed = output(packed, list.as_bytes());
        target.feed(&["index-pack", "--stdin"], &packed);
    }
    if !sent.is_empty() {
        target.feed(&["index-pack", "--stdin", "--strict", "--fix-thin"], &written(&outgoing));
    }
    for (number, tip) in tips.iter().enumerate() {
        target.git(&["update-ref", &format!("refs/tags/{number}"), &tip.to_string()]);
    }
    target.git(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(target.reached(tips), reached);
    let objects = target.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
    assert_eq!(objects.lines().count(), there.union(&sent).count());
    // As a pack on disk.
    let target = Stock::new().unwrap();
    let folder = target.path().join("objects/pack");
    let pack = outgoing.save(&folder, &NoProgress, &Interrupt::default()).unwrap();
    if !sent.is_empty() {
        let index = pack.with_extension("idx");
        target.git(&["verify-pack", index.to_str().unwrap()]);
        let shown = target.git(&["verify-pack", "-v", index.to_str().unwrap()]);
        let shown = shown.lines().filter_map(|line| ObjectId::from_hex(line.as_bytes().get(..40)?));
        assert_eq!(shown.collect::<BTreeSet<_>>(), sent);
    }
    (sent.len(), sent.intersection(&there).count())
}

pub(super) fn output(mut command: Command, input: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    output.stdout
}

/// A history with a seed: branches, merges, moved files, folders that are copied, reverts.
pub(super) fn grown(seed: u64, commits: usize) -> Option<(Stock, Vec<ObjectId>)> {
    let stock = Stock::new()?;
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 20) % below
    };
    let mut stream = String::new();
    let mut files: Vec<BTreeSet<String>> = Vec::new();
    for number in 1..=commits {
        let time = 1000 + number as u64 * 10 + next(40);
        stream.push_str(&format!(
            "commit refs/heads/b{number}\nmark :{number}\ncommitter A <a@b> {time} +0000\ndata 1\nm\n"
        ));
        let parent = |n: u64| 1 + usize::try_from(n).unwrap();
        let mut have = BTreeSet::new();
        if number > 1 && next(20) > 0 {
            let reach = (number as u64 - 1).min(8);
            let first = number - parent(next(reach));
            stream.push_str(&format!("from :{first}\n"));
            have = files[first - 1].clone();
            if next(4) == 0 {
                let second = number - parent(next(reach));
                if second != first {
                    stream.push_str(&format!("merge :{second}\n"));
                }
            }
        }
        for _ in 0..=next(3) {
            let path = format!("d{}/e{}/f{}", next(3), next(3), next(6));
            let text = format!("{}{}\n", "line of a file\n".repeat(20), next(60));
            stream.push_str(&format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len()));
            have.insert(path);
        }
        if let Some(path) = have.iter().nth(usize::try_from(next(30)).unwrap()).cloned() {
            match next(3) {
                0 => stream.push_str(&format!("D {path}\n")),
                1 => stream.push_str(&format!("R {path} g{}/moved{}\n", next(3), next(9))),
                _ => stream.push_str(&format!("C {path} h{}/copy{}\n", next(3), next(9))),
            }
            have.remove(&path);
        }
        files.push(have);
    }
    stock.feed(&["fast-import", "--quiet", "--force"], stream.as_bytes());
    let ids = (1..=commits).map(|number| stock.id(&format!("refs/heads/b{number}"))).collect();
    Some((stock, ids))
}

/// Commits in a row, each with the file that it says.
pub(super) fn line(stock: &Stock, commits: &[(&str, Vec<u8>)]) -> Vec<ObjectId> {
    let mut stream = Vec::new();
    for (number, (path, text)) in commits.iter().enumerate() {
        let time = 1_000_000_000 + number;
        let head = format!(
            "commit refs/heads/line\nmark :{}\ncommitter A <a@b> {time} +0000\ndata 1\nm\n",
            number + 1
        );
        stream.extend_from_slice(head.as_bytes());
        if number > 0 {
            stream.extend_from_slice(format!("from :{number}\n").as_bytes());
        }
        let file = format!("M 100644 inline {path}\ndata {}\n", text.len());
        stream.extend_from_slice(file.as_bytes());
        stream.extend_from_slice(text);
        stream.push(b'\n');
    }
    stock.feed(&["fast-import", "--quiet", "--force"], &stream);
    let listed = stock.git(&["rev-list", "--reverse", "refs/heads/line"]);
    listed.lines().map(|line| ObjectId::from_hex(line.as_bytes()).unwrap()).collect()
}

pub(super) fn texts(count: usize) -> Vec<(&'static str, Vec<u8>)> {
    let text = |number: usize| format!("{}{number}\n", "a line\n".repeat(50)).into_bytes();
    (0..count).map(|number| ("folder/file", text(number))).collect()
}

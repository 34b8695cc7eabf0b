//! Against what stock Git says of the same repositories.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::base::NoProgress;

/// A repository that stock Git works on; `None` if there is no Git.
struct Stock {
    folder: tempfile::TempDir,
}

impl Stock {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let found = Command::new("git").args(["init", "-q", "--bare"]).arg(folder.path()).status();
        found.is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path()).args(arguments);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "A").env(format!("GIT_{who}_EMAIL"), "a@b");
        }
        command
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
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
    fn unpack(&self) {
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

    fn id(&self, name: &str) -> ObjectId {
        ObjectId::from_hex(self.git(&["rev-parse", name]).as_bytes()).unwrap()
    }

    fn open(&self) -> BareRepository {
        BareRepository::open(self.path()).unwrap()
    }

    /// The objects that some commits and tags reach.
    fn reached(&self, tips: &[ObjectId]) -> BTreeSet<ObjectId> {
        let listed = self.feed(&["rev-list", "--objects", "--stdin"], lines(tips).as_bytes());
        listed.lines().map(|line| ObjectId::from_hex(&line.as_bytes()[..40]).unwrap()).collect()
    }

    fn select(&self, tips: &[ObjectId], has: &[ObjectId]) -> Outgoing {
        let (limits, interrupt) = (Limits::default(), Interrupt::default());
        Outgoing::select(&self.open(), tips, has, &limits, &NoProgress, &interrupt).unwrap()
    }
}

/// Ids, a line each.
fn lines<'i>(ids: impl IntoIterator<Item = &'i ObjectId>) -> String {
    ids.into_iter().fold(String::new(), |text, id| format!("{text}{id}\n"))
}

fn ids(outgoing: &Outgoing) -> BTreeSet<ObjectId> {
    let ids: Vec<_> = outgoing.objects.new_ids().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), outgoing.objects() as usize);
    ids.into_iter().collect()
}

fn written(outgoing: &Outgoing) -> Vec<u8> {
    let mut pack = Vec::new();
    outgoing.write(&mut pack, &NoProgress, &Interrupt::default()).unwrap();
    pack
}

/// Sends to a repository that has `has` and nothing else what it needs for `tips`, and has Git look at
/// it. Returns how many objects were sent, and how many of them it had.
fn check(source: &Stock, tips: &[ObjectId], has: &[ObjectId]) -> (usize, usize) {
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

fn output(mut command: Command, input: &[u8]) -> Vec<u8> {
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
fn grown(seed: u64, commits: usize) -> Option<(Stock, Vec<ObjectId>)> {
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

/// However the objects lie, stock Git is content with what is sent, and little is sent in vain.
#[test]
fn random_histories_arrive() {
    for seed in 0..2 {
        let Some((stock, commits)) = grown(seed, 40) else { return };
        let some = |from: usize, step: usize| -> Vec<ObjectId> {
            commits.iter().skip(from).step_by(step).copied().collect()
        };
        let mut in_vain = 0;
        for round in 0..3 {
            match round {
                0 => {}
                1 => drop(stock.git(&["repack", "-adfq", "--depth=40", "--window=50"])),
                _ => stock.unpack(),
            }
            in_vain += check(&stock, &some(0, 1), &[]).1;
            for (tips, has) in [
                (some(39, 1), some(38, 1)),
                (some(30, 3), some(5, 7)),
                (some(0, 1), some(20, 1)),
                (some(39, 1), some(0, 9)),
                (some(10, 11), vec![commits[39]]),
            ] {
                in_vain += check(&stock, &tips, &has).1;
            }
        }
        assert!(in_vain < 200, "seed {seed}: {in_vain} objects were sent in vain");
    }
}

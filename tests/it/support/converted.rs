//! A converted repository, read with libgit2, and compared with what Mercurial says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository};

use super::truth::Changeset;
use super::{TestEnv, Truth, same};

/// Node to commit id, both as 40 hexadecimal digits.
pub(crate) type Commits = BTreeMap<String, String>;

/// A bare repository that the program made, and the map it wrote.
pub(crate) struct Converted {
    pub(crate) path: PathBuf,
    repository: Repository,
    pub(crate) commits: Commits,
}

impl Converted {
    /// Converts `source` into `target` by the program; the target may hold an earlier state.
    pub(crate) fn make(env: &TestEnv, source: &Path, target: &Path) -> Result<Self, String> {
        let made = Self::make_as(env, source, target, "native")?;
        let different: BTreeSet<_> = made.commits.values().collect();
        same("changesets for each commit", &different.len(), &made.commits.len())?;
        Ok(made)
    }

    /// The same under any identity. Two changesets may have one commit then.
    pub(crate) fn make_as(
        env: &TestEnv,
        source: &Path,
        target: &Path,
        identity: &str,
    ) -> Result<Self, String> {
        let map = target.with_extension("map");
        let args = [Path::new("convert"), source, target, Path::new("--map"), &map];
        env.synchronise(args.into_iter().chain(["--identity", identity].map(Path::new))).ok()?;
        Self::read(target, &map)
    }

    /// What is in `target` already, and in the map that was written with it.
    pub(crate) fn read(target: &Path, map: &Path) -> Result<Self, String> {
        let repository = Repository::open_bare(target).map_err(|error| error.to_string())?;
        Ok(Self { path: target.to_owned(), repository, commits: read_map(map)? })
    }

    /// All references but those that are ours alone: name to commit id.
    pub(crate) fn refs(&self) -> BTreeMap<String, String> {
        let references = self.repository.references().unwrap();
        references
            .map(|reference| {
                let reference = reference.unwrap();
                let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
                (name, reference.target().unwrap().to_string())
            })
            .filter(|(name, _)| !name.starts_with("refs/synchroniser/"))
            .collect()
    }

    /// Compares everything with what Mercurial says.
    pub(crate) fn check(&self, truth: &Truth) -> Result<(), String> {
        let served: BTreeSet<_> = truth.served().map(|changeset| &changeset.node).collect();
        same("converted changesets", &self.commits.keys().collect(), &served)?;
        for changeset in truth.served() {
            self.check_commit(changeset)
                .map_err(|problem| format!("changeset {}: {problem}", changeset.node))?;
        }
        self.check_refs(truth)
    }

    fn check_commit(&self, changeset: &Changeset) -> Result<(), String> {
        let commit = self.raw_commit(&self.commits[&changeset.node])?;
        same("tree", &commit.values("tree"), &vec![changeset.tree.as_bytes()])?;
        let parents: Vec<_> =
            changeset.parents.iter().map(|node| self.commits[node].as_bytes()).collect();
        same("parents", &commit.values("parent"), &parents)?;
        same("HG:node", &commit.values("HG:node"), &vec![changeset.node.as_bytes()])?;
        same("message", &text(&commit.message), &message(&changeset.description))?;
        let [author] = commit.values("author")[..] else { return Err("not one author".to_owned()) };
        same("committer", &commit.values("committer"), &vec![author])?;
        check_author(&text(author), changeset)
    }

    /// The tree of the commit with this id.
    pub(crate) fn tree_of(&self, commit: &str) -> Result<String, String> {
        let commit = self.raw_commit(commit)?;
        let [tree] = commit.values("tree")[..] else { return Err("not one tree".to_owned()) };
        Ok(text(tree))
    }

    fn raw_commit(&self, id: &str) -> Result<RawCommit, String> {
        let odb = self.repository.odb().map_err(|error| error.to_string())?;
        let id = Oid::from_str(id).map_err(|error| error.to_string())?;
        let object = odb.read(id).map_err(|error| error.to_string())?;
        same("kind", &object.kind(), &ObjectType::Commit)?;
        RawCommit::parse(object.data())
    }

    /// Each wanted reference is there: under its own name where that is beyond dispute, under some
    /// name where it has to be mapped. And there are no others.
    pub(crate) fn check_refs(&self, truth: &Truth) -> Result<(), String> {
        let refs = self.refs();
        let wanted = truth.wanted_refs();
        for (folder, name, node) in &wanted {
            let commit = &self.commits[*node];
            let shown = format!("{folder}{}", String::from_utf8_lossy(name));
            if is_plain(folder, name, &wanted) {
                same(&shown, &refs.get(&shown), &Some(commit))?;
            } else if !refs.iter().any(|(name, id)| name.starts_with(folder) && id == commit) {
                return Err(format!("{shown}: no reference in {folder} has {commit}"));
            }
        }
        for (name, id) in &refs {
            let stands_for = |(folder, _, node): &&(&str, Vec<u8>, &str)| {
                name.starts_with(folder) && self.commits[*node] == *id
            };
            if wanted.iter().find(stands_for).is_none() {
                return Err(format!("{name} at {id}: the source has no such name"));
            }
        }
        Ok(())
    }
}

/// Lines of `<commit id> <node>`.
fn read_map(path: &Path) -> Result<Commits, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut commits = BTreeMap::new();
    for line in text.lines() {
        let (commit, node) = line.split_once(' ').ok_or_else(|| format!("in the map: {line}"))?;
        if commits.insert(node.to_owned(), commit.to_owned()).is_some() {
            return Err(format!("twice in the map: {node}"));
        }
    }
    Ok(commits)
}

/// A commit's own bytes, taken apart.
struct RawCommit {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    message: Vec<u8>,
}

impl RawCommit {
    fn parse(data: &[u8]) -> Result<Self, String> {
        let end = data.windows(2).position(|pair| pair == b"\n\n").ok_or("no empty line")?;
        let header = |line: &[u8]| {
            let blank = line.iter().position(|&byte| byte == b' ').ok_or("no blank in a header")?;
            Ok((line[..blank].to_vec(), line[blank + 1..].to_vec()))
        };
        let headers = data[..end].split(|&byte| byte == b'\n').map(header);
        Ok(Self {
            headers: headers.collect::<Result<_, &str>>()?,
            message: data[end + 2..].to_vec(),
        })
    }

    fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.headers.iter().filter(|(key, _)| key == name.as_bytes());
        named.map(|(_, value)| value.as_slice()).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| format!("not UTF-8: {bytes:?}"))
}

/// UTF-8 where it is, Latin-1 otherwise.
fn decoded(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// The message that a description must become.
fn message(description: &[u8]) -> String {
    decoded(description).replace('\0', "\u{fffd}") + "\n"
}

/// `NAME <ADDRESS> SECONDS ZONE`, and exactly what the changeset says where that is beyond dispute.
fn check_author(line: &str, changeset: &Changeset) -> Result<(), String> {
    let parts = line.split_once(" <").and_then(|(name, rest)| {
        let (address, date) = rest.split_once("> ")?;
        Some((name, address, date))
    });
    let (name, address, date) = parts.ok_or_else(|| format!("author {line:?}"))?;
    let forbidden = |c: char| c == '<' || c == '>' || c.is_control();
    if name.is_empty() || name.contains(forbidden) || address.contains(forbidden) {
        return Err(format!("author {line:?}"));
    }
    let user = decoded(&changeset.user);
    if is_plain_user(&user) {
        same("author", &format!("{name} <{address}>"), &user)?;
    }
    same("date", &date.to_owned(), &expected_date(changeset))
}

/// Whether nobody could want `user` in any other form than the one it has.
fn is_plain_user(user: &str) -> bool {
    let Some((name, address)) = user.strip_suffix('>').and_then(|user| user.split_once(" <"))
    else {
        return false;
    };
    let odd = |c: char| "<>\"".contains(c) || c.is_control() || (c.is_whitespace() && c != ' ');
    let words = name.split(' ');
    !name.contains(odd)
        && words.clone().count() > 0
        && words.into_iter().all(|word| !word.is_empty())
        && address.contains('@')
        && !address.contains(|c| odd(c) || c == ' ')
}

/// Seconds from 1970 to the end of the year 9999, whole minutes, zones up to fourteen hours.
fn expected_date(changeset: &Changeset) -> String {
    let seconds = changeset.seconds.clamp(0, 253_402_300_799);
    let east = (-changeset.west / 60).clamp(-840, 840);
    let sign = if east < 0 { '-' } else { '+' };
    let minutes = east.abs();
    format!("{seconds} {sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// Whether `name` can only become itself: Git takes it, and no other wanted one is like it.
fn is_plain(folder: &str, name: &[u8], wanted: &[(&str, Vec<u8>, &str)]) -> bool {
    let plain_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_".contains(byte);
    let well_formed = name.iter().all(|byte| plain_byte(byte) || b".-".contains(byte))
        && [name.first(), name.last()].iter().all(|byte| byte.is_some_and(plain_byte))
        && ![&b".."[..], b"//", b"/.", b"./", b".lock", b"/-"]
            .iter()
            .any(|bad| contains(name, bad))
        && !name.starts_with(b"/")
        && !name.ends_with(b"/")
        && !name.eq_ignore_ascii_case(b"head")
        // GitHub refuses what is long, and what looks like a commit.
        && folder.len() + name.len() <= 255
        && !(name.len() == 40 && name.iter().all(u8::is_ascii_hexdigit));
    let lower = name.to_ascii_lowercase();
    let below = |a: &[u8], b: &[u8]| a.strip_prefix(b).is_some_and(|rest| rest.starts_with(b"/"));
    let rivals = wanted.iter().filter(|(other_folder, other, _)| {
        let other = other.to_ascii_lowercase();
        *other_folder == folder
            && (other == lower || below(&other, &lower) || below(&lower, &other))
    });
    well_formed && rivals.count() == 1
}

fn contains(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|window| window == part)
}

#[test]
fn plain_names() {
    let wanted = |name: &str| ("refs/heads/", name.as_bytes().to_vec(), "");
    let all = ["default", "a", "a/b", "Case", "case", "v1.0", "x..y", "with blank"].map(wanted);
    let plain: Vec<_> = all.iter().filter(|(f, name, _)| is_plain(f, name, &all)).collect();
    assert_eq!(plain, [&wanted("default"), &wanted("v1.0")]);
}

#[test]
fn plain_users() {
    assert!(is_plain_user("Jöhn Doe <j@d.com>"));
    for odd in ["John", "<j@d>", "John  Doe <j@d>", "\"J\" <j@d>", "J <j@d> x", " J <j@d>", "J <j>"]
    {
        assert!(!is_plain_user(odd), "{odd}");
    }
}

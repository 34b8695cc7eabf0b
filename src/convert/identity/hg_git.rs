//! The commits of hg-git 1.2.0, so that what it began can go on.
//!
//! It writes into a commit what Git has no place for: the named branch at the end of the message,
//! copies and other extras as headers. Where it ends with an error of its own, what it meant to do
//! is done here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice};

use super::gitmodules::gitmodules;
use super::submodules::{Follows, MODULES, Modules, SubmoduleRules, Submodules, SubrepoStep};
use super::{Facts, History, Identity, Place};
use crate::base::RepoPath;
use crate::base::repo_path::components;
use crate::base::text::utf8_or_latin1;
use crate::convert::left_out::LeftOutReason;
use crate::git::commit::{Commit, Signature, zone};
use crate::git::pack::apply_delta;
use crate::git::tree::Mode;
use crate::git::tree_name::{Forbidden, impossible_path};
use crate::git::{ObjectId, ObjectKind};
use crate::hg::revlog::RevlogError;
use crate::hg::subrepo::{STATE, SUB};
use crate::hg::{Changeset, Rev};

/// See the module.
pub(super) struct HgGit;

/// The extra that says which part of an octopus merge a changeset is.
const OCTOPUS: &str = "hg-git";
/// Its value for one that is not there in Git.
const PART: &str = "octopus";
/// Its value for the last one, which is the merge.
const DONE: &str = "octopus-done";
/// The extra that says who found out about renames.
const RENAME_SOURCE: &str = "hg-git-rename-source";

/// Extras that are told otherwise than by a header of their own, or not at all.
const NO_HEADER: [&str; 7] =
    ["author", "committer", "encoding", "message", "branch", OCTOPUS, RENAME_SOURCE];

impl Identity for HgGit {
    fn name(&self) -> &'static str {
        "hg-git"
    }

    fn commit(&self, facts: &Facts<'_>) -> Commit {
        let changeset = facts.changeset;
        let author = author(changeset);
        let committer = changeset.extra("committer").and_then(committer);
        let block = branch_block(changeset);
        let mut headers = headers(facts);
        if headers.is_empty() && block.is_empty() && !renames_are_gits(changeset) {
            headers.push(("HG:rename-source".into(), "hg".into()));
        }
        let mut message = message(changeset);
        message.extend_from_slice(&block);
        Commit {
            tree: facts.tree,
            parents: facts.parents.to_vec(),
            committer: committer.unwrap_or_else(|| author.clone()),
            author,
            headers,
            message,
        }
    }

    fn place(&self, path: &RepoPath, _mode: Mode) -> Place {
        if path == SUB || path == STATE {
            return Place::Nowhere;
        }
        if path == MODULES {
            return Place::LeftOut(LeftOutReason::WrittenByHgGit);
        }
        // It writes the impossible, too.
        let dotgit = components(path).any(is_refused_as_dotgit).then_some(Forbidden::DotGit);
        match dotgit.or_else(|| impossible_path(path)) {
            Some(why) => Place::LeftOut(why.into()),
            None => Place::Same,
        }
    }

    fn parents(
        &self,
        rev: Rev,
        changeset: &Changeset,
        history: &mut History<'_>,
    ) -> Result<Vec<Rev>, RevlogError> {
        let dag = history.dag();
        if octopus_role(changeset) == Some(DONE) {
            let is_link = |rev| Ok(octopus_role(&history.changeset(rev)?).is_some());
            return octopus(rev, |rev| dag.parents(rev), is_link);
        }
        let mut parents = Vec::with_capacity(2);
        for parent in dag.parents(rev) {
            // Every part of an octopus is a merge; others need not be looked at.
            let is_merge = dag.parents(parent).count() == 2;
            if !is_merge || octopus_role(&history.changeset(parent)?) != Some(PART) {
                parents.push(parent);
            }
        }
        Ok(parents)
    }

    fn is_bypassed(&self, changeset: &Changeset) -> bool {
        octopus_role(changeset) == Some(PART)
    }

    fn submodules(&self) -> Option<&'static dyn SubmoduleRules> {
        Some(&HgGit)
    }

    fn records_copies(&self) -> bool {
        true
    }
}

impl SubmoduleRules for HgGit {
    /// It edits one tree all the way through the history.
    fn follows(&self) -> Follows {
        Follows::Previous
    }

    fn is_followed(&self, changeset: &Changeset) -> bool {
        octopus_role(changeset) != Some(PART)
    }

    /// The file stays when the last submodule goes, and whatever changeset comes next has it.
    fn next(&self, step: &SubrepoStep<'_>) -> (Submodules, Option<Vec<u8>>) {
        let mut next = step.before.clone();
        if !step.is_about_subrepositories() {
            return (next, None);
        }
        next.links = step.links();
        if next.links.is_empty() {
            return (next, None);
        }
        let text = gitmodules(step.contents, step.subrepositories);
        next.modules = Modules::Made(step.mode, ObjectId::of(ObjectKind::Blob, &text));
        (next, Some(text))
    }
}

/// The parents of an octopus merge that is a chain of merges of two: the first of each link, and
/// the second of the last. `parents` tells those of a changeset, `is_link` which are links.
fn octopus<E, I: Iterator<Item = Rev>>(
    done: Rev,
    parents: impl Fn(Rev) -> I,
    mut is_link: impl FnMut(Rev) -> Result<bool, E>,
) -> Result<Vec<Rev>, E> {
    let mut all = Vec::new();
    let mut next = Some(done);
    while let Some(link) = next {
        let mut two = parents(link);
        all.extend(two.next());
        next = two.next();
        if let Some(second) = next
            && !is_link(second)?
        {
            all.push(second);
            next = None;
        }
    }
    Ok(all)
}

/// Whether the extra says that this is a part of an octopus merge, or its end.
fn octopus_role(changeset: &Changeset) -> Option<&'static str> {
    let role = changeset.extra(OCTOPUS)?;
    [PART, DONE].into_iter().find(|known| role == *known)
}

/// Whether hg-git leaves this component out, as a spelling of `.git`.
pub(in crate::convert) fn is_refused_as_dotgit(name: &[u8]) -> bool {
    let ignored = |c: &char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let is_dotgit =
        name.to_str().is_ok_and(|name| name.chars().filter(|c| !ignored(c)).eq(".git".chars()));
    let is_short_name = name.split_once_str("~").is_some_and(|(head, tail)| {
        let begins = head.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"git"));
        begins && !tail.is_empty() && tail.iter().all(u8::is_ascii_digit)
    });
    is_dotgit || is_short_name
}

/// Whether the renames of a changeset are those that Git finds by itself.
fn renames_are_gits(changeset: &Changeset) -> bool {
    changeset.extra(RENAME_SOURCE).is_some_and(|source| source == "git")
}

fn author(changeset: &Changeset) -> Signature {
    let person = BString::from(person(&utf8_or_latin1(&changeset.user)));
    // What came from Git and would be another author now is kept as a delta.
    let exact = changeset.extra("author").and_then(|delta| exact(&person, delta));
    let exact = exact.filter(|person| is_one_line(person));
    Signature {
        person: exact.map_or(person, BString::from),
        seconds: changeset.date.seconds,
        // Down to whole minutes in Mercurial's direction, which is west.
        zone: zone(changeset.date.west.div_euclid(60).saturating_neg()),
    }
}

/// The longest text that a delta in an extra may make. A delta of a few bytes may make very long
/// ones, over and over.
const LONGEST_EXACT: usize = 16 << 20;

/// What a delta in an extra makes of what would be written without it.
fn exact(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    apply_delta(base, delta, LONGEST_EXACT)
}

/// `Name <address>`; what follows the first `>` is part of the name, quoted.
fn person(user: &str) -> String {
    let Some((name, rest)) = user.split_once('<') else {
        let name = sanitized(user);
        return match user.contains('@') {
            true => format!("{name} <{name}>"),
            false => format!("{name} <none@none>"),
        };
    };
    let name = sanitized(name.strip_suffix(' ').unwrap_or(name));
    let (address, extra) = rest.split_once('>').unwrap_or((rest, ""));
    let name = match extra {
        "" => name,
        extra => sanitized(&format!("{name} ext:({})", quoted(extra.as_bytes()))),
    };
    format!("{name} <{}>", sanitized(address))
}

/// Without what would end a name or an address early.
fn sanitized(text: &str) -> String {
    let text = text.trim_start_matches(['<', ' ']).trim_end_matches(['>', ' ']);
    text.replace(['<', '>', '\n'], "?")
}

/// Bytes as they are written in a URL.
fn quoted(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte);
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, &byte| {
        match plain(byte) {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

/// The bytes that [`quoted`] wrote.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut parts = text.split(|&byte| byte == b'%');
    let mut bytes = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let hex = part.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex.to_str().ok()?, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        let rest = if byte.is_some() { part.get(2..).unwrap_or_default() } else { part };
        bytes.extend_from_slice(rest);
    }
    bytes
}

/// The committer in an extra: `Name <address> SECONDS ZONE`, the name as it is.
fn committer(line: &BStr) -> Option<Signature> {
    let mut parts = line.rsplitn(3, |&byte| byte == b' ');
    let (written_zone, seconds, person) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |text: &[u8]| text.to_str().ok()?.trim().parse::<i64>().ok();
    let west = number(written_zone)?;
    // Seconds west, or else Git's hours and minutes east.
    let minutes = if west % 60 == 0 {
        (west / 60).checked_neg()?
    } else {
        let sign = written_zone.first().filter(|sign| b"+-".contains(sign))?;
        let digits = number(written_zone.get(1..)?)?;
        let east = if *sign == b'-' { digits.checked_neg()? } else { digits };
        (east / 100).checked_mul(60)?.checked_add(east % 100)?
    };
    let person = Some(person).filter(|person| is_one_line(person))?;
    Some(Signature { person: person.into(), seconds: number(seconds)?, zone: zone(minutes) })
}

/// Whether a header can hold this: an extra may hold anything.
fn is_one_line(text: &[u8]) -> bool {
    !text.contains(&b'\n')
}

/// The description and a newline, or what a delta makes of them.
fn message(changeset: &Changeset) -> Vec<u8> {
    let mut text = utf8_or_latin1(&changeset.description).into_owned().into_bytes();
    text.push(b'\n');
    let exact = changeset.extra("message").and_then(|delta| exact(&text, delta));
    exact.unwrap_or(text)
}

/// What is said at the end of the message about a branch other than the default one.
fn branch_block(changeset: &Changeset) -> Vec<u8> {
    let branch =
        changeset.extra("branch").map_or(Cow::Borrowed("default"), |name| utf8_or_latin1(name));
    match branch.as_ref() {
        "default" => Vec::new(),
        branch => format!("\n--HG--\nbranch : {branch}\n").into_bytes(),
    }
}

/// The headers: those that a commit had in Git before, copies, and extras.
fn headers(facts: &Facts<'_>) -> Vec<(BString, BString)> {
    let changeset = facts.changeset;
    let mut extras: BTreeMap<&BStr, &BStr> =
        changeset.extra.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
    extras.retain(|key, _| NO_HEADER.iter().all(|name| key != name));
    let mut from_git = BTreeMap::new();
    extras.retain(|key, value| {
        let header = git_header(key).map(|(at, field)| (at, (field, unquoted(value).into())));
        let is_extra = header.is_none();
        from_git.extend(header);
        is_extra
    });
    let mut headers: Vec<(BString, BString)> = from_git.into_values().collect();
    if !renames_are_gits(changeset) {
        for path in &changeset.files {
            let copies = facts.copies.iter().filter(|copy| copy.to == *path);
            headers.extend(copies.map(|copy| {
                let names = format!("{}:{}", quoted(&copy.from), quoted(&copy.to));
                ("HG:rename".into(), names.into())
            }));
        }
    }
    headers.extend(extras.into_iter().map(|(key, value)| {
        let value = format!("{}:{}", quoted(key), quoted(value));
        ("HG:extra".into(), value.into())
    }));
    headers
}

/// The place and the name of the header that an extra `GIT<place>-<name>` keeps.
fn git_header(key: &BStr) -> Option<(u64, BString)> {
    let (place, field) = key.strip_prefix(b"GIT")?.split_once_str("-")?;
    let digits = place.iter().all(u8::is_ascii_digit);
    let place = place.to_str().ok().filter(|_| digits)?.parse().ok()?;
    let field = unquoted(field);
    let is_name = !field.is_empty() && field.iter().all(u8::is_ascii_graphic);
    is_name.then(|| (place, field.into()))
}

#[cfg(test)]
mod tests {
    use super::super::CopiedFile;
    use super::*;
    use crate::hg::Node;

    fn changeset(text: &str) -> Changeset {
        Changeset::parse(format!("{}\n{text}", "0".repeat(40)).as_bytes()).unwrap()
    }

    /// What follows the line of the committer.
    fn rest(changeset: &Changeset, copies: &[(&str, &str)]) -> String {
        let copy =
            |(from, to): &(&str, &str)| CopiedFile { to: (*to).into(), from: (*from).into() };
        let copies: Vec<_> = copies.iter().map(copy).collect();
        let (node, tree) = (Node::NULL, ObjectId::NULL);
        let facts = Facts { node, changeset, tree, parents: &[], copies: &copies };
        let bytes = String::from_utf8(HgGit.commit(&facts).to_bytes()).unwrap();
        let (_, rest) = bytes.split_once("\ncommitter A <a@b> 5 +0000\n").unwrap();
        rest.to_owned()
    }

    #[test]
    fn messages_and_headers() {
        for (extra, description, expected) in [
            ("", "root", "HG:rename-source hg\n\nroot\n"),
            ("", "", "HG:rename-source hg\n\n\n"),
            ("", "\n\n  lead\ntrail   \n", "HG:rename-source hg\n\n\n\n  lead\ntrail   \n\n"),
            ("", "x\n--HG--\nbranch : e", "HG:rename-source hg\n\nx\n--HG--\nbranch : e\n"),
            (" branch:f x", "on", "\non\n\n--HG--\nbranch : f x\n"),
            (
                " branch:f x\0close:1",
                "close",
                "HG:extra close:1\n\nclose\n\n--HG--\nbranch : f x\n",
            ),
            (" branch:default", "d", "HG:rename-source hg\n\nd\n"),
            (
                " zz:\0source:abc def:g\0rebase_source:0\0encoding:x\0gpgsig:--\\nabc",
                "extras",
                "HG:extra gpgsig:--%0Aabc\nHG:extra rebase_source:0\n\
                 HG:extra source:abc%20def%3Ag\nHG:extra zz:\n\nextras\n",
            ),
            (" hg-git-rename-source:git", "renames", "\nrenames\n"),
            (
                " GIT10-b:2\0GIT2-a%25:x%0Ay\0GITx-c:\0GIT3-%0A:z",
                "headers",
                "a% x\n y\nb 2\nHG:extra GIT3-%250A:z\nHG:extra GITx-c:\n\nheaders\n",
            ),
        ] {
            let changeset = changeset(&format!("A <a@b>\n5 0{extra}\n\n{description}"));
            assert_eq!(rest(&changeset, &[]), expected, "{extra:?}");
        }
    }

    #[test]
    fn copies() {
        let changeset = changeset("A <a@b>\n5 0\nc d/x%y:z\nb\n\nmoved");
        let copies = [("a", "b"), ("a", "c d/x%y:z"), ("a", "not listed")];
        let expected = "HG:rename a:c%20d/x%25y%3Az\nHG:rename a:b\n\nmoved\n";
        assert_eq!(rest(&changeset, &copies), expected);
        let mut found_by_git = changeset;
        found_by_git.extra.push((RENAME_SOURCE.into(), "git".into()));
        assert_eq!(rest(&found_by_git, &copies), "\nmoved\n");
    }

    #[test]
    fn committers() {
        for (line, expected) in [
            ("Com Mit <c@d> 1234567890 3600", Some("Com Mit <c@d> 1234567890 -0100")),
            ("x 5 -0700", Some("x 5 -0700")),
            ("x 5 +0545", Some("x 5 +0545")),
            // Read as seconds, as hg-git does.
            ("x 5 +0600", Some("x 5 -0010")),
            ("Com Mit <c@d>", None),
            ("x 5", None),
            ("x y 0", None),
            ("x\ny 5 0", None),
        ] {
            let written = committer(line.into()).map(|signature| signature.to_bytes());
            assert_eq!(written.as_deref(), expected.map(str::as_bytes), "{line:?}");
        }
    }

    #[test]
    fn exact_texts_are_deltas() {
        // From 7 bytes to 8: the first three, then "xy", then three from the fourth on.
        let delta = b"\x07\x08\x90\x03\x02xy\x91\x04\x03";
        let mut changeset = changeset("A <a@b>\n5 0\n\n1");
        changeset.extra.push(("author".into(), delta.into()));
        assert_eq!(author(&changeset).person, "A <xy@b>");
        changeset.extra.push(("message".into(), delta.into()));
        assert_eq!(message(&changeset), b"1\n", "a delta of something else is not used");
        changeset.description = "123456".into();
        assert_eq!(message(&changeset), b"123xy56\n");
    }

    /// Each instruction, one byte of it, copies all 64 KiB: 768 MiB in all.
    #[test]
    fn a_delta_in_an_extra_is_no_bomb() {
        let mut changeset = changeset("A <a@b>\n5 0\n\n1");
        changeset.description = vec![b'x'; 0xffff].into();
        let lengths = b"\x80\x80\x04\x80\x80\x80\x80\x03";
        changeset.extra.push(("message".into(), [&lengths[..], &[0x80; 0x3000]].concat().into()));
        assert_eq!(message(&changeset).len(), 0x1_0000);
    }

    #[test]
    fn an_octopus_is_a_chain_of_merges() {
        let [a, b, c, d, part, inner, done] = [0, 1, 2, 3, 4, 5, 6].map(Rev::new);
        let parents = |rev: Rev| {
            let parents = match rev {
                _ if rev == done => vec![a, inner],
                _ if rev == inner => vec![b, part],
                _ if rev == part => vec![c, d],
                _ => Vec::new(),
            };
            parents.into_iter()
        };
        let is_link = |rev| Ok::<_, ()>(rev == part || rev == inner);
        assert_eq!(octopus(done, parents, is_link), Ok(vec![a, b, c, d]));
        assert_eq!(octopus(done, parents, |_| Ok::<_, ()>(false)), Ok(vec![a, inner]));
    }

    #[test]
    fn places() {
        let place = |path: &str| HgGit.place(path.into(), Mode::Regular);
        for path in [".GIT/x", "ok/.gitmodules", ".gitignore", ".hgtags", "git~", "~1", "a~git~1"] {
            assert_eq!(place(path), Place::Same, "{path}");
        }
        assert_eq!(place(".hgsub"), Place::Nowhere);
        assert_eq!(place(".hgsubstate"), Place::Nowhere);
        let hfs = ".g\u{200c}it/z";
        for path in
            ["sub/.git/config", "git~1", "gitx~12", ".gitmodules", "GIT~0/x", hfs, "a//b", "x/.."]
        {
            assert!(matches!(place(path), Place::LeftOut(_)), "{path}");
        }
    }

    proptest::proptest! {
        /// Whatever was typed, name and address are well-formed.
        #[test]
        fn always_well_formed(user: String) {
            let person = person(&user);
            let (name, rest) = person.split_once(" <").unwrap();
            let address = rest.strip_suffix('>').unwrap();
            assert!(![name, address].concat().contains(['<', '>', '\n']), "{person:?}");
        }

        #[test]
        fn quoting_can_be_undone(bytes: Vec<u8>) {
            assert_eq!(unquoted(quoted(&bytes).as_bytes()), bytes);
        }

        #[test]
        fn never_panics(extra: Vec<u8>, path: Vec<u8>) {
            let mut changeset = changeset("A <a@b>\n5 0\n\nd");
            for key in ["author", "committer", "message", "GIT1-x"] {
                changeset.extra.push((key.into(), extra.clone().into()));
            }
            let (node, tree) = (Node::NULL, ObjectId::NULL);
            let facts = Facts { node, changeset: &changeset, tree, parents: &[], copies: &[] };
            HgGit.commit(&facts).to_bytes();
            HgGit.place(path.as_slice().into(), Mode::Regular);
        }
    }
}

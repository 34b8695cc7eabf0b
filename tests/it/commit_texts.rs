//! What commits say under each identity, against what the other converters were observed to write
//! and, for our own, what its rules ask for.

use std::path::Path;

use git2::{ObjectType, Repository};
use synchroniser::convert::identity::{Facts, Identity, named, names};
use synchroniser::git::commit::header;
use synchroniser::git::{ObjectId, ObjectKind};
use synchroniser::hg::{Changeset, Node};

use crate::support::truth::unescape;
use crate::support::{TestEnv, env, for_all, git, same, skip};

/// A table of `fixtures/identities`: its first column, and what each identity makes of it.
struct Table {
    identities: Vec<&'static dyn Identity>,
    rows: Vec<Row>,
}

#[derive(Clone)]
struct Row {
    typed: Vec<u8>,
    /// In the order of [`Table::identities`]; empty where the other converter makes no commit.
    written: Vec<Vec<u8>>,
}

impl Table {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/identities");
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let mut lines = text.lines();
        let identities = lines.next().unwrap().split('\t').skip(1);
        let identities: Vec<_> = identities.map(|identity| named(identity).unwrap()).collect();
        assert_eq!(identities.len(), names().count(), "every identity has a column");
        let row = |line: &str| {
            let mut fields = line.split('\t').map(unescape);
            let typed = fields.next().unwrap();
            let written: Vec<_> = fields.collect();
            assert_eq!(written.len(), identities.len(), "{line}");
            Row { typed, written }
        };
        let rows = lines.map(row).collect();
        Self { identities, rows }
    }

    /// Compares author and committer of every row under every identity. `changeset` makes one of
    /// the first column, and `line` a header's value of another one.
    fn check(&self, changeset: fn(&[u8]) -> Changeset, line: fn(&[u8]) -> Vec<u8>) {
        let ours = self.identities.iter().position(|identity| identity.name() == "native").unwrap();
        for_all(self.named_rows(), |row| {
            let changeset = changeset(&row.typed);
            for (identity, written) in self.identities.iter().zip(&row.written) {
                // What the other one cannot write is as sound as ours.
                let written = if written.is_empty() { &row.written[ours] } else { written };
                let expected = line(written);
                let bytes = commit(*identity, &changeset);
                for key in ["author", "committer"] {
                    let found = header(&bytes, key).unwrap_or_default().escape_ascii().to_string();
                    let what = format!("{key} under {}", identity.name());
                    same(&what, &found, &expected.escape_ascii().to_string())?;
                }
            }
            Ok(())
        });
    }

    fn named_rows(&self) -> impl Iterator<Item = (String, Row)> {
        self.rows.iter().map(|row| (row.typed.escape_ascii().to_string(), row.clone()))
    }
}

/// The bytes of the commit of a changeset with an empty tree.
fn commit(identity: &dyn Identity, changeset: &Changeset) -> Vec<u8> {
    let (node, tree) = (Node::NULL, ObjectId::of(ObjectKind::Tree, b""));
    identity.commit(&Facts { node, changeset, tree, parents: &[], copies: &[] }).to_bytes()
}

fn changeset(user: &[u8], date: &[u8]) -> Changeset {
    let null = "0".repeat(40);
    // No two commits are the same.
    let description = [user, date].map(|part| part.escape_ascii().to_string()).concat();
    let text: [&[u8]; 7] =
        [null.as_bytes(), b"\n", user, b"\n", date, b"\n\n", description.as_bytes()];
    Changeset::parse(&text.concat()).unwrap()
}

fn by(user: &[u8]) -> Changeset {
    changeset(user, b"5 0")
}

fn at(date: &[u8]) -> Changeset {
    changeset(b"A <a@b>", date)
}

#[test]
fn users_are_written_as_each_identity_does() {
    let table = Table::read("users.tsv");
    assert_eq!(table.rows.len(), 38);
    table.check(by, |person| [person, b" 5 +0000"].concat());
}

#[test]
fn dates_are_written_as_each_identity_does() {
    let table = Table::read("dates.tsv");
    assert_eq!(table.rows.len(), 27);
    table.check(at, |date| [b"A <a@b> ", date].concat());
}

#[test]
fn oracle_git_takes_every_user_and_date_of_native() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let path = env.path("target.git");
    let repository = Repository::init_bare(&path).unwrap();
    let odb = repository.odb().unwrap();
    odb.write(ObjectType::Tree, b"").unwrap();
    let native = named("native").unwrap();
    let (users, dates) = (Table::read("users.tsv"), Table::read("dates.tsv"));
    let users = users.rows.iter().map(|row| by(&row.typed));
    let all: Vec<_> = users.chain(dates.rows.iter().map(|row| at(&row.typed))).collect();
    for changeset in &all {
        odb.write(ObjectType::Commit, &commit(native, changeset)).unwrap();
    }
    assert_eq!(git::count_commits(&env, &path), Ok(all.len()));
    git::fsck(&env, &path).unwrap();
}

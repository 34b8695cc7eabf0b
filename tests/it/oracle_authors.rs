//! Author maps against hg-git itself: `SYNCHRONISER_HG_GIT` names an `hg` that has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Hg, TestEnv, one_by_one, same, skip};

/// Users as people typed them.
const USERS: &[&str] = &[
    "joe",
    "Joe",
    "John Doe",
    "John Doe <john@doe.com>",
    "John Doe<john@doe.com>",
    "<john@doe.com>",
    "john@doe.com",
    "\"John Doe\" <john@doe.com>",
    "J\u{f6}rg <j@x>",
    "a <b@c> (comment)",
    "John Doe <<john@doe.com>>",
    "two  blanks <t@b>",
    "x # y",
    "no map <no@map>",
];

/// Maps that hg-git takes. It knows nothing of addresses alone, so each of these is a user too.
const MAPS: &[(&str, &str)] = &[
    ("nothing", ""),
    ("comments", "# joe = x <x@x>\n\n   # joe = y\n\t\n"),
    ("blanks around", "  joe   =   Joe Smith <joe@smith>  \nJohn Doe=J D <j@d>\r\n"),
    ("case", "joe = Lower <l@l>\nJoe = Upper <u@u>\n"),
    ("whole users", "John Doe <john@doe.com> = A <a@a>\nJohn Doe<john@doe.com> = B <b@b>\n"),
    ("quotes", "\"John Doe\" <john@doe.com> = \"Q\" <q@q>\n"),
    ("umlauts", "J\u{f6}rg <j@x> = J\u{fc}rgen \u{1f600} <j@y>\njoe = \u{e9} <e@e>\n"),
    ("no address", "joe = Somebody\nJohn Doe = only@mail\nJoe = <x@y>\n"),
    ("odd authors", "joe = a <b@c> more > < \nJoe = a<b>c> <d@e>\nJohn Doe = >x< <y\n"),
    ("the last counts", "joe = First <f@f>\njoe = Last <l@l>\n"),
    ("not again", "joe = Joe\nJoe = joe\n"),
    ("a comment that is none", "x # y = X # Y <x@y>\njoe = # <h@h>\n"),
    ("the same", "no map <no@map> = no map <no@map>\n"),
    ("unused", "nobody = Nobody <n@n>\n"),
];

/// A changeset for each user.
fn make_source(hg: &Hg<'_>, source: &Path) {
    hg.env.run(&hg.program, [Path::new("init"), source]).ok().unwrap();
    for (number, user) in USERS.iter().enumerate() {
        std::fs::write(source.join("f"), number.to_string()).unwrap();
        let date = format!("{number} 0");
        let args = ["commit", "-q", "-A", "-u", user, "-d", &date, "-m", "m"];
        hg.run(source, &args).ok().unwrap();
    }
    hg.run(source, &["bookmark", "-i", "-r", "tip", "master"]).ok().unwrap();
}

/// The commit of each changeset, from a file with one of each on a line.
fn commits(map: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(map).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(id, node)| (node.to_owned(), id.to_owned())).collect()
}

#[test]
fn author_maps_mean_what_hg_git_makes_of_them() {
    let Some(program) = std::env::var_os("SYNCHRONISER_HG_GIT").map(PathBuf::from) else {
        return skip("SYNCHRONISER_HG_GIT names no hg with hg-git");
    };
    let env = TestEnv::new();
    let hg = Hg { env: &env, program };
    let source = env.path("source");
    make_source(&hg, &source);
    one_by_one(MAPS.iter().map(|(name, text)| ((*name).to_owned(), *text)), |text| {
        let (authors, map) = (env.path("authors"), env.path("map"));
        std::fs::write(&authors, text).unwrap();
        let setting = format!("git.authors={}", authors.display());
        let export = ["--config", "extensions.hggit=", "--config", &setting, "gexport"];
        hg.run(&source, &export).ok()?;
        let theirs = commits(&source.join(".hg/git-mapfile"));
        for name in ["git-mapfile", "git", "git-tags"] {
            let path = source.join(".hg").join(name);
            let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
        }
        let target = env.path("target.git");
        let words = ["convert", "--identity", "hg-git", "--author-map"].map(Path::new);
        let places = [&authors, Path::new("--map"), &map, &source, &target];
        env.synchronise(words.into_iter().chain(places)).ok()?;
        let ours = commits(&map);
        std::fs::remove_dir_all(&target).unwrap();
        std::fs::remove_file(&map).unwrap();
        same("changesets", &ours.len(), &USERS.len())?;
        same("commits", &ours, &theirs)
    });
}

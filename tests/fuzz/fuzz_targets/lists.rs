//! Lists that people and tools wrote: subrepositories, submodules, author maps, and what other
//! converters remember of their work.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::base::RepoPath;
use synchroniser::convert::AuthorMap;
use synchroniser::convert::identity::IDENTITIES;
use synchroniser::convert::identity::submodules::{
    FileChange, GitSubrepository, Submodules, SubrepoStep,
};
use synchroniser::convert::mapfiles::{MapFileError, fast_export, git_mapfile};
use synchroniser::git::ObjectId;
use synchroniser::git::tree::Mode;
use synchroniser::hg::subrepo::{STATE, SUB, Subrepository, subrepositories};
use synchroniser_fuzz::{Input, told};

/// What three files say together; the third is one that the first may include.
fn subrepos(input: &mut Input<'_>) -> Vec<Subrepository> {
    let (sub, state, more) = (input.part(), input.part(), input.part());
    let mut read = |path: &RepoPath| {
        let files = [(SUB, sub), (STATE, state), ("more", more)];
        let found = files.iter().find(|(name, _)| path == *name);
        Ok::<_, ()>(found.map(|(_, text)| text.to_vec()))
    };
    let all = subrepositories(&mut read).unwrap_or_default();
    assert!(all.len() <= sub.len() + more.len() * 64);
    all
}

/// What identities make of subrepositories, beside a tracked file of submodules.
fn submodules(input: &mut Input<'_>) {
    let subrepositories: Vec<_> = subrepos(input)
        .into_iter()
        .map(|sub| GitSubrepository {
            path: sub.path,
            source: sub.source,
            commit: ObjectId::from_hex(&sub.revision).unwrap_or(ObjectId::NULL),
        })
        .collect();
    let tracked = input.part();
    for rules in IDENTITIES.iter().filter_map(|identity| identity.submodules()) {
        let step = SubrepoStep {
            before: &Submodules::default(),
            sub: Some(FileChange::Added),
            state: Some(FileChange::Added),
            tracked: Some(FileChange::Added),
            mode: Mode::Regular,
            subrepositories: &subrepositories,
            contents: Some(tracked),
        };
        let (next, _) = rules.next(&step);
        assert!(next.links.len() <= subrepositories.len());
    }
}

fn authors(text: &[u8]) {
    let Ok(map) = AuthorMap::parse(text) else { return };
    assert_eq!(AuthorMap::parse(map.to_text().as_bytes()), Ok(map.clone()));
    let _ = (map.find("a"), map.find("A <a@b>"));
}

fn records<T>(read: Result<Vec<T>, MapFileError>, most: usize) {
    match read {
        Ok(records) => assert!(records.len() <= most),
        Err(error) => told(&error),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.byte() % 4 {
        0 => submodules(&mut input),
        1 => authors(input.rest()),
        2 => {
            let text = input.rest();
            records(git_mapfile(text), text.len());
        }
        _ => {
            let mapping = input.part();
            records(fast_export(mapping, input.rest()), mapping.len());
        }
    }
});

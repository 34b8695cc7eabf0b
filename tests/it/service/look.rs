//! The schedule looks before it syncs: over real repositories, what is new is seen, and what is not costs
//! nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use synchroniser::queue::model::RunState;
use synchroniser::service::view::MirrorState;

use super::rig::Rig;
use crate::support::generator::{Generated, Shape};
use crate::support::hg_server::HgServe;
use crate::support::{Hg, TestEnv, env, skip};

/// The longest that a mirror is left alone, and a little more.
const LONGEST: Duration = Duration::from_hours(7);

/// A service with one mirror of a source that has two of three changesets.
fn rig(env: TestEnv, source: &str) -> Rig {
    git2::Repository::init_bare(env.path("rocket.git")).unwrap();
    let text = format!("[mirrors.rocket]\ntarget = \"rocket.git\"\nsource = {source}\n");
    let rig = Rig::for_real(env, &text);
    assert_eq!(rig.state("rocket"), MirrorState::Good, "{:?}", rig.mirror("rocket").summary);
    assert_eq!(rig.synced(), ["rocket"]);
    // The first look remembers what it sees, and syncs since nothing was remembered.
    rig.pass(LONGEST);
    assert_eq!(rig.synced(), ["rocket"]);
    rig
}

/// One look, which finds something if there is something new.
fn look(rig: &Rig, has_news: bool, what: &str) {
    let runs = rig.mirror("rocket").runs.len();
    let tried = rig.row("rocket").last_tried;
    rig.pass(LONGEST);
    assert_ne!(rig.row("rocket").last_tried, tried, "{what}: nobody looked");
    assert_eq!(
        rig.row("rocket").last_good,
        rig.row("rocket").last_tried,
        "{what}: {:?}",
        rig.row("rocket").last_run
    );
    let synced = if has_news { vec!["rocket"] } else { vec![] };
    assert_eq!(rig.synced(), synced, "{what}");
    let more = rig.mirror("rocket").runs.len() - runs;
    assert_eq!(more, synced.len(), "{what}: what finds nothing has no place in the history");
    assert_eq!(rig.state("rocket"), MirrorState::Good, "{what}");
}

/// The branches of the target.
fn branches(env: &TestEnv) -> Vec<String> {
    let repository = git2::Repository::open_bare(env.path("rocket.git")).unwrap();
    let mut references = repository.references().unwrap();
    references.names().map(|name| name.unwrap().to_owned()).collect()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[test]
fn of_a_path() {
    let env = TestEnv::new();
    let history =
        Generated::new(Shape { seed: 7, changesets: 4, files: 3, heads: 1, ..Shape::PLAIN });
    let source = env.path("source");
    Generated::create(&source);
    history.add(&source, 0..2);
    let nodes: Vec<_> = history.nodes().collect();
    let rig = rig(env, &format!("{:?}", source.display().to_string()));
    for _ in 0..2 {
        look(&rig, false, "nothing");
    }
    let tip = || {
        let repository = git2::Repository::open_bare(rig.env.path("rocket.git")).unwrap();
        repository.find_reference("HEAD").unwrap().peel_to_commit().unwrap().id()
    };
    let before = tip();
    history.add(&source, 2..3);
    look(&rig, true, "a commit");
    assert_ne!(tip(), before, "it is published");
    assert_eq!(rig.mirror("rocket").runs[0].converted, 1);
    look(&rig, false, "nothing after a commit");

    write(&source.join(".hg/bookmarks"), &format!("{} feature\n", nodes[1]));
    look(&rig, true, "a bookmark");
    assert!(
        branches(&rig.env).contains(&"refs/heads/feature".to_owned()),
        "{:?}",
        branches(&rig.env)
    );
    look(&rig, false, "nothing after a bookmark");

    // A changeset that is secret is not served, until it is.
    write(&source.join(".hg/store/phaseroots"), &format!("2 {}\n", nodes[3]));
    history.add(&source, 3..4);
    look(&rig, true, "a secret changeset");
    let before = tip();
    write(&source.join(".hg/store/phaseroots"), &format!("1 {}\n", nodes[3]));
    look(&rig, true, "a phase");
    assert_ne!(tip(), before);
    look(&rig, false, "nothing after a phase");
}

/// What somebody has done at the target is found once a day, although nothing is new at the source.
#[test]
fn the_target_is_looked_at_once_a_day() {
    let env = TestEnv::new();
    let source = env.path("source");
    Generated::new(Shape { seed: 7, changesets: 2, files: 3, heads: 1, ..Shape::PLAIN })
        .write(&source);
    let rig = rig(env, &format!("{:?}", source.display().to_string()));
    let repository = git2::Repository::open_bare(rig.env.path("rocket.git")).unwrap();
    let mut head = repository.find_reference("HEAD").unwrap().resolve().unwrap();
    let name = head.name().unwrap().to_owned();
    head.delete().unwrap();
    let mut looks = 0;
    while rig.synced().is_empty() {
        looks += 1;
        assert!(looks <= 5, "a day and more");
        rig.pass(LONGEST);
    }
    assert!(looks >= 2, "not with each look");
    assert!(repository.find_reference(&name).is_ok(), "it is there again");
    let run = &rig.mirror("rocket").runs[0];
    assert_eq!((run.state, run.changed), (RunState::Done, 1));
}

/// A look that fails is a failure like that of a sync.
#[test]
fn a_source_that_is_gone() {
    let env = TestEnv::new();
    let source = env.path("source");
    Generated::new(Shape { seed: 7, changesets: 2, files: 3, heads: 1, ..Shape::PLAIN })
        .write(&source);
    let rig = rig(env, &format!("{:?}", source.display().to_string()));
    fs::rename(&source, rig.env.path("elsewhere")).unwrap();
    rig.pass(LONGEST);
    assert_eq!(rig.state("rocket"), MirrorState::Failing);
    fs::rename(rig.env.path("elsewhere"), &source).unwrap();
    rig.pass(LONGEST);
    assert_eq!(rig.state("rocket"), MirrorState::Good);
}

#[test]
fn of_a_server() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG is not set") };
    let env = TestEnv::new();
    let history =
        Generated::new(Shape { seed: 7, changesets: 4, files: 3, heads: 1, ..Shape::PLAIN });
    let source = env.path("source");
    Generated::create(&source);
    history.add(&source, 0..2);
    let settings = ["phases.publish=no", "web.push_ssl=no", "web.allow-push=*"];
    let server = HgServe::start(&env, &program, &source, &settings);
    let url = format!("{{ url = {:?}, plain_http = true }}", server.url);
    let rig = rig(env, &url);
    let hg = Hg { env: &rig.env, program };
    for _ in 0..2 {
        look(&rig, false, "nothing");
    }
    history.add(&source, 2..3);
    look(&rig, true, "a commit");
    assert_eq!(rig.mirror("rocket").runs[0].converted, 1);
    look(&rig, false, "nothing after a commit");
    hg.run(&source, &["bookmark", "-r", "1", "feature"]).ok().unwrap();
    look(&rig, true, "a bookmark");
    look(&rig, false, "nothing after a bookmark");
    // A server that does not publish serves drafts, and we do not mirror them.
    history.add(&source, 3..4);
    hg.run(&source, &["phase", "--force", "--draft", "-r", "3"]).ok().unwrap();
    look(&rig, true, "a draft");
    look(&rig, false, "nothing after a draft");
    hg.run(&source, &["phase", "--public", "-r", "3"]).ok().unwrap();
    look(&rig, true, "a phase");
    assert_eq!(rig.mirror("rocket").runs[0].changed, 2);
    look(&rig, false, "nothing after a phase");
    drop(server);
    rig.at(rig.now().after(LONGEST));
    rig.service.tick();
    rig.until("a failure", |rig| rig.state("rocket") == MirrorState::Failing);
    let failure = rig.mirror("rocket").summary.failure.unwrap();
    assert_eq!(failure.side.name(), "source");
}

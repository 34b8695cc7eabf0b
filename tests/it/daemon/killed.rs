//! The daemon is killed again and again while hooks arrive: nothing that was answered 202 is lost.
//!
//! `SYNCHRONISER_KILLS` says how often.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::program::{LONG, Program, configure};
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};

const MIRRORS: usize = 12;
const SENDERS: usize = 4;
/// More than any source gets.
pub(super) const CHANGESETS: usize = 400;

/// What was running at several kills in a row may be what ends the process, as far as the daemon can tell: it is
/// parked for a minute, and for longer the next times.
pub(super) const LONGEST: Duration = Duration::from_mins(6);

/// A source, and what the daemon was told of it.
pub(super) struct Told {
    pub(super) source: PathBuf,
    pub(super) target: PathBuf,
    /// How many changesets it has.
    pub(super) has: usize,
    /// How many it had when a hook was answered last.
    pub(super) answered: usize,
}

impl Told {
    /// What its mirror is called.
    pub(super) fn name(&self) -> String {
        self.source.file_name().unwrap().to_str().unwrap().to_owned()
    }
}

/// How many commits a target has.
pub(super) fn commits(target: &Path) -> usize {
    let repository = git2::Repository::open_bare(target).unwrap();
    let mut walk = repository.revwalk().unwrap();
    match walk.push_head() {
        Ok(()) => walk.count(),
        Err(_) => 0,
    }
}

/// Adds changesets of `history`, and has `hook` tell of each, one mirror after another, until `stop` or until `hook`
/// breaks off. It gets a number that grows and the name of the mirror, and says whether that was accepted.
pub(super) fn push(
    history: &Generated,
    told: &mut [Told],
    stop: &AtomicBool,
    answered: &AtomicUsize,
    hook: impl Fn(usize, &str) -> ControlFlow<(), bool>,
) {
    for turn in 0.. {
        let place = turn % told.len();
        let told = &mut told[place];
        if stop.load(Ordering::Relaxed) || told.has == CHANGESETS {
            return;
        }
        history.add(&told.source, told.has..told.has + 1);
        told.has += 1;
        match hook(turn, &told.name()) {
            ControlFlow::Continue(true) => {
                told.answered = told.has;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            ControlFlow::Continue(false) => {}
            ControlFlow::Break(()) => return,
        }
    }
}

/// So many sources of one changeset each, empty targets, and the configuration.
pub(super) fn repositories(
    env: &TestEnv,
    history: &Generated,
    count: usize,
) -> (Vec<Told>, String) {
    let (mut all, mut text) = (Vec::new(), String::new());
    for number in 0..count {
        let (source, target) = (env.path(format!("m{number}")), env.path(format!("t{number}.git")));
        Generated::create(&source);
        history.add(&source, 0..1);
        git2::Repository::init_bare(&target).unwrap();
        text += &format!("mirrors.m{number} = {{ source = {source:?}, target = {target:?} }}\n");
        all.push(Told { source, target, has: 1, answered: 1 });
    }
    (all, text)
}

fn hook(program: &Program, name: &str) -> ControlFlow<(), bool> {
    match program.try_hook(name) {
        Some(202) => ControlFlow::Continue(true),
        Some(other) => panic!("answered {other}:\n{}", program.log()),
        None => ControlFlow::Break(()),
    }
}

#[test]
fn nothing_that_was_answered_is_lost() {
    let kills = std::env::var("SYNCHRONISER_KILLS").ok();
    let kills: usize = kills.map_or(5, |kills| kills.parse().unwrap());
    let env = TestEnv::new();
    let history = Generated::new(Shape {
        seed: 3,
        changesets: CHANGESETS,
        files: 4,
        heads: 1,
        ..Shape::PLAIN
    });
    let (mut all, text) = repositories(&env, &history, MIRRORS);
    configure(&env, &text);
    // Numbers that look random and are the same in each run.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for round in 0..kills {
        let program = Program::start(&env);
        let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (enough, longer) = (usize::try_from(20 + next(30)).unwrap(), next(80_000));
        thread::scope(|scope| {
            for told in all.chunks_mut(MIRRORS / SENDERS) {
                let (history, program, stop, answered) = (&history, &program, &stop, &answered);
                let hook = move |_, name: &str| hook(program, name);
                scope.spawn(move || push(history, told, stop, answered, hook));
            }
            let begin = Instant::now();
            while answered.load(Ordering::Relaxed) < enough && begin.elapsed() < LONG {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_micros(longer));
            program.signal(rustix::process::Signal::KILL);
            stop.store(true, Ordering::Relaxed);
        });
        let answered = answered.into_inner();
        assert!(answered >= enough, "round {round}: only {answered} answers:\n{}", program.log());
        program.kill();
    }
    assert!(all.iter().any(|told| told.has > 2));

    // No hook any more: what was asked for is done all the same.
    let program = Program::start(&env);
    let begin = Instant::now();
    let lacks = |told: &&Told| commits(&told.target) < told.answered;
    while let Some(told) = all.iter().find(lacks) {
        let Told { source, has, answered, target } = told;
        let found = commits(target);
        assert!(
            begin.elapsed() < LONGEST,
            "{} has {has} changesets, {answered} when a hook was answered, and {found} are published:\n{}",
            source.display(),
            program.log()
        );
        thread::sleep(Duration::from_millis(50));
    }
    for number in 0..MIRRORS {
        program.until_state_within(&format!("m{number}"), "good", LONGEST);
    }
}

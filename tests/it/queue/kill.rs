//! A process that takes hooks and is killed in the midst of it, again and again: whatever it had
//! answered is there.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use synchroniser::base::time::Timestamp;
use synchroniser::queue::model::{RunId, RunState, Verdict};
use synchroniser::queue::{ClaimLimits, JobStore, SqliteStore};

use super::support::*;

const FOLDER: &str = "SYNCHRONISER_TEST_QUEUE_IN";
const ROUND: &str = "SYNCHRONISER_TEST_QUEUE_ROUND";
const KEYS: usize = 20;
const THREADS: usize = 16;

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("m{number}")).collect()
}

/// As many runs as may be, and a mirror is not parked for what the test does.
fn no_limits() -> ClaimLimits {
    ClaimLimits { per_target_minute: usize::MAX, attempts: u32::MAX, ..limits() }
}

fn append(folder: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(folder.join("answers")).unwrap()
}

/// Not a test of its own: takes hooks and runs what is due until it is killed, with a line for each
/// answer that it got.
#[test]
#[ignore = "it does not end"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let round = std::env::var(ROUND).unwrap();
    let store = SqliteStore::open(&folder.join("queue")).unwrap();
    let all: Vec<_> = keys().iter().map(|key| member(key)).collect();
    store.configure(&all, Timestamp::now()).unwrap();
    thread::scope(|scope| {
        let (store, folder, round) = (&store, &folder, &round);
        for thread in 0..THREADS {
            scope.spawn(move || {
                let mut answers = append(folder);
                for number in 0.. {
                    let key = format!("m{}", (thread * 7 + number) % KEYS);
                    let id = format!("{round}-{thread}-{number}");
                    let noted = delivery("e", Some(&id));
                    let receipts = store.enqueue(&[hook(&key)], Some(&noted), Timestamp::now());
                    let run = receipts.unwrap()[0].run;
                    answers.write_all(format!("asked {key} {id} {run}\n").as_bytes()).unwrap();
                }
            });
        }
        let mut answers = append(folder);
        loop {
            for claim in store.claim(&no_limits(), Timestamp::now()).unwrap().claims {
                let line = format!("claimed {} {} {}\n", claim.key, claim.token, claim.run);
                answers.write_all(line.as_bytes()).unwrap();
                assert!(store.finish(&claim, &done(), Timestamp::now()).unwrap());
                let line = format!("finished {} {} {}\n", claim.key, claim.token, claim.run);
                answers.write_all(line.as_bytes()).unwrap();
            }
        }
    });
}

/// Runs the child until it has given `count` more answers, and a little longer.
fn run_and_kill(folder: &Path, round: usize, count: usize, longer: Duration) {
    let answers = folder.join("answers");
    let lines = || std::fs::read_to_string(&answers).unwrap_or_default().lines().count();
    let before = lines();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "queue::kill::child", "--include-ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while lines() < before + count {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        assert!(begin.elapsed() < Duration::from_mins(1), "only {} answers", lines() - before);
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(longer);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_was_answered_is_there_whenever_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue");
    for round in 0..12 {
        let longer = Duration::from_micros(u64::try_from(round).unwrap() * 700);
        run_and_kill(folder.path(), round, 20 + round * 30, longer);
    }
    let store = SqliteStore::open(&path).unwrap();
    let accepted: BTreeMap<_, _> = store
        .deliveries(None, usize::MAX)
        .unwrap()
        .into_iter()
        .filter(|entry| entry.record.verdict == Verdict::Accepted)
        .map(|entry| (entry.record.sender_id.clone().unwrap(), entry.asked))
        .collect();
    let answers = std::fs::read_to_string(folder.path().join("answers")).unwrap();
    let (mut asked, mut tokens) = (BTreeMap::new(), BTreeMap::new());
    for line in answers.lines() {
        let words: Vec<_> = line.split(' ').collect();
        // A line may have been cut short by the kill.
        let [what, key, id, run] = words[..] else { continue };
        let Ok(run) = run.parse::<RunId>() else { continue };
        let found = store.run(run).unwrap();
        if what == "asked" {
            assert_eq!(accepted.get(id), Some(&vec![(key.to_owned(), run)]), "{line}");
            assert!(found.is_some(), "{line}");
            *asked.entry(key.to_owned()).or_insert(0_u64) += 1;
            continue;
        }
        let token: u64 = id.parse().unwrap();
        let last: &mut u64 = tokens.entry(key.to_owned()).or_default();
        assert!(token >= *last, "{line}: {last} was given out before");
        *last = token;
        if what == "finished" {
            assert_eq!(found.unwrap().state, RunState::Done, "{line}");
        }
    }
    assert!(asked.values().sum::<u64>() > 300, "{asked:?}");
    for (key, asked) in asked {
        let row = row(&store, &key);
        assert!(row.wanted > asked, "{key}: {} of {asked}", row.wanted);
        assert!(row.token >= tokens.get(&key).copied().unwrap_or(0));
        // What no run has taken up is waiting still.
        assert_eq!(row.waiting.is_some(), row.wanted > row.taken);
    }
    let last = store.claim(&no_limits(), Timestamp::now()).unwrap().claims;
    for claim in last {
        assert!(store.finish(&claim, &done(), Timestamp::now()).unwrap());
    }
    assert!(store.rows().unwrap().iter().all(|row| row.wanted == row.taken));
}

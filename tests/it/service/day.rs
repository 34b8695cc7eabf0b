//! Days of schedule for many mirrors, within seconds: none is forgotten, and none is asked more often than
//! is configured.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use synchroniser::base::time::Timestamp;
use synchroniser::service::view::ServiceEvent;

use super::rig::Rig;
use crate::support::TestEnv;

const MIRRORS: usize = 200;
/// The last of them have sources at a server that nobody listens at.
const GONE: usize = 10;
/// The first of them change every quarter of an hour.
const BUSY: usize = 4;
const SHORTEST: Duration = Duration::from_mins(5);
const LONGEST: Duration = Duration::from_hours(6);
/// Time goes on in steps of this.
const STEP: Duration = Duration::from_mins(1);

/// The latest that a mirror is looked at again: times are spread by a tenth.
fn latest() -> Duration {
    LONGEST.mul_f64(1.1) + 2 * STEP
}

fn name(number: usize) -> String {
    format!("m{number:03}")
}

fn text() -> String {
    let mirrors = (0..MIRRORS).map(|number| {
        let source = match number < MIRRORS - GONE {
            true => format!("\"hg/{number}\""),
            // Nobody has this port, and whoever connects is told so at once.
            false => "{ url = \"http://127.0.0.1:9/x\", plain_http = true }".to_owned(),
        };
        format!("mirrors.{} = {{ source = {source}, target = \"t{number}\" }}\n", name(number))
    });
    let bounds = format!(
        "schedule.shortest = {}\nschedule.longest = {}\n",
        SHORTEST.as_secs(),
        LONGEST.as_secs()
    );
    bounds + &mirrors.collect::<String>()
}

/// When each mirror was looked at.
fn begun(rig: &Rig) -> BTreeMap<String, Vec<Timestamp>> {
    let mut begun = BTreeMap::<String, Vec<Timestamp>>::new();
    for (at, event) in rig.events.lock().unwrap().iter() {
        if let ServiceEvent::Begun { mirror, .. } = event {
            begun.entry(mirror.clone()).or_default().push(*at);
        }
    }
    begun
}

/// Each mirror was looked at as often as is configured until `end`.
fn is_in_time(begun: &BTreeMap<String, Vec<Timestamp>>, end: Timestamp) {
    for number in 0..MIRRORS - GONE {
        let name = name(number);
        let times = &begun[&name];
        for pair in times.windows(2) {
            let pause = pair[1].since(pair[0]);
            assert!(pause >= SHORTEST.mul_f64(0.9), "{name} again after {pause:?}");
            assert!(pause <= latest(), "{name} again only after {pause:?}");
        }
        let last = end.since(*times.last().unwrap());
        assert!(last <= latest(), "{name} was forgotten: {last:?}");
    }
}

#[test]
fn nobody_is_forgotten_and_nobody_is_asked_too_often() {
    let env = TestEnv::new();
    fs::create_dir(env.path("hg")).unwrap();
    for number in 0..MIRRORS {
        fs::write(env.path(format!("hg/{number}")), "0").unwrap();
    }
    let rig = Rig::in_env(env, &text());
    let is_gone = |name: &str| name >= &*self::name(MIRRORS - GONE);
    assert!((0..MIRRORS - GONE).map(name).all(|name| rig.synced_so_far_has(&name)));
    rig.synced();

    let start = rig.now();
    // The target is looked at with the first look after a day.
    let end = start.after(Duration::from_hours(31));
    let mut next_news = start;
    let mut news = 0;
    // When each mirror was synced, and when it changed since then.
    let mut changed = BTreeMap::<String, Timestamp>::new();
    // The longest that a change was not seen, of the busy ones and of the others.
    let mut late = [Duration::ZERO; 2];
    let mut syncs = BTreeMap::<String, usize>::new();
    while rig.now() < end {
        let now = rig.now();
        if now >= next_news {
            news += 1;
            // The busy ones, and one of the others now and then.
            let other = BUSY + news * 7 % (MIRRORS - GONE - BUSY);
            for number in (0..BUSY).chain([other]) {
                fs::write(rig.env.path(format!("hg/{number}")), "0".repeat(news + 1)).unwrap();
                rig.substitute.has_news(&name(number));
                changed.entry(name(number)).or_insert(now);
            }
            next_news = now.after(Duration::from_mins(15));
        }
        rig.at(now.after(STEP));
        rig.settle_but(|row| !row.member.source_host.is_empty());
        for name in rig.synced() {
            if let Some(since) = changed.remove(&name) {
                let late = &mut late[usize::from(name >= self::name(BUSY))];
                *late = rig.now().since(since).max(*late);
            }
            *syncs.entry(name).or_default() += 1;
        }
    }
    assert!(late[1] <= latest(), "a change was seen only after {late:?}");
    assert!(
        late[0] <= Duration::from_mins(15),
        "a change of what changes often was seen only after {late:?}"
    );

    let begun = begun(&rig);
    let runs: usize = begun.values().map(Vec::len).sum();
    let of_gone: usize =
        begun.iter().filter(|(name, _)| is_gone(name)).map(|(_, at)| at.len()).sum();
    eprintln!(
        "{runs} runs, {of_gone} of them of what is gone; {} syncs; a change was seen after {late:?} at the latest",
        syncs.values().sum::<usize>()
    );
    is_in_time(&begun, end);
    for number in 0..MIRRORS - GONE {
        let name = name(number);
        assert!(syncs[&name] >= 1, "the target of {name} was not looked at for a day");
    }
    // One server that is gone is asked at most so often, however many mirrors it has.
    assert!((31..=31 * 2 * 5).contains(&of_gone), "{of_gone}");
}

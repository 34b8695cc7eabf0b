//! Kills during pushes over a network: between two pieces of a pack, after the last, and while the
//! outcome is written down.

use super::*;
use crate::support::kill::Done;

/// How many bytes of a new file cannot be compressed, so that a push goes in several pieces.
const NOISE: usize = 400_000;

/// One mirror, killed `kills` times at different moments of pushes that create, move and remove refs.
/// `keys` are those of its target beside the address. After each kill the next sync ends as if there had
/// been none, and nothing of others is touched.
pub(crate) fn killed_in_pushes(place: Place, keys: &str, kills: usize) {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let mut it = Follower::new(program, place);
    it.mirror.cache = CacheLocation::Folder(it.env.path("state/it"));
    let config = format!(
        "cache = \"state\"\n[mirrors.it]\nsource = {:?}\n[mirrors.it.target]\nurl = {:?}\n{keys}\n",
        it.source().display().to_string(),
        it.place.target.url.to_string(),
    );
    fs::write(it.env.path("synchroniser.toml"), config).unwrap();
    let words = ["-q", "sync", "--config", "synchroniser.toml"];
    let state = it.env.path("state");
    let sync = |at| kill::run(&it.env, &words, &state, at);
    it.hg(&["bookmark", "-i", "-r", "0", "here"]);
    sync(usize::MAX).unwrap();
    it.make_foreign();

    // Each time there is something to create, to move and to remove, and one push for it.
    let noise = noise();
    let change = |number: usize| {
        fs::write(it.source().join("noise"), &noise[number..]).unwrap();
        it.commit(&format!("{number}"));
        it.hg(&["bookmark", "-i", "-f", "-r", &format!("{}", number % 2), "there", "here"]);
        it.hg(&["bookmark", "-i", "-r", "tip", &format!("new-{number}")]);
        if number > 1 {
            it.hg(&["bookmark", "-d", &format!("new-{}", number - 1)]);
        }
    };
    change(1);
    let steps = sync(usize::MAX).unwrap().steps;
    let is_sent = |step: &Done| matches!(step, Done::Send(_));
    let first = steps.iter().position(is_sent).unwrap();
    let sent = steps.iter().filter(|step| is_sent(step)).count();
    assert!(sent > NOISE / (64 << 10), "{sent} of {} steps", steps.len());
    let mut killed_at = std::collections::BTreeSet::new();
    for number in 2..kills + 2 {
        change(number);
        // From the step before the first that is sent to the last of all.
        let at = first - 1 + (number - 2) * (steps.len() - first + 1) / kills;
        let killed = sync(at).unwrap();
        assert!(killed.is_killed, "{number}: before step {at} of {}", steps.len());
        killed_at.insert(killed.steps.iter().filter(|step| is_sent(step)).count());
        sync(usize::MAX).unwrap();
        let tip = number;
        let (there, new) = (number % 2, format!("new-{number}"));
        let expected =
            format!("default {tip}\nhere {there}\nmaster {tip}\n{new} {tip}\nthere {there}");
        assert_eq!(it.refs(), expected, "killed before step {at} of {}", steps.len());
        it.check_foreign();
        let ledger = fs::read_to_string(state.join("it/ledger")).unwrap();
        assert!(!ledger.contains("publishing"), "{ledger}");
    }
    it.check();
    assert!(killed_at.len() > sent.min(kills) / 2, "{killed_at:?} of {sent}");
}

/// Bytes that cannot be compressed.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut noise = Vec::with_capacity(NOISE + 8);
    while noise.len() < NOISE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise
}

//! Operations that are not part of a batch: claims, which come after one, and what touches many rows and has a
//! transaction of its own.

use std::collections::{HashMap, HashSet};

use postgres::Client;

use super::due::{self, Lanes};
use super::homes::{Homes, Process};
use super::hosts;
use super::mirrors::{self, Stored};
use super::runs;
use super::trouble::Trouble;
use super::turn;
use super::values::theirs;
use crate::base::time::Timestamp;
use crate::queue::choose::{Candidate, Situation, Turns, a_minute_before, choose};
use crate::queue::job_store::ClaimLimits;
use crate::queue::model::{Claim, Claimed, End, EndState, Member, Row, Weight};

/// Rows that are locked and written with one statement.
const AT_ONCE: usize = 500;

/// What an operation works with, in a transaction.
pub(super) struct Work<'w> {
    pub(super) client: &'w mut Client,
    /// How far the clock of the database is ahead of ours, in milliseconds.
    pub(super) ahead: i64,
    /// The process that we are.
    pub(super) node: &'w Process,
    pub(super) memory: &'w mut Memory,
}

/// What a process remembers from one claim to the next. If it is lost, all begins anew.
#[derive(Default)]
pub(super) struct Memory {
    turns: Turns,
    /// The largest token that we have given out.
    last_token: u64,
    lanes: Lanes,
    homes: Homes,
}

/// Notes the ends of runs that have all found nothing, and then claims if there are limits.
pub(super) fn turn(
    work: &mut Work<'_>,
    ends: &[End],
    limits: Option<&ClaimLimits>,
    now: Timestamp,
) -> Result<(Vec<EndState>, Claimed), Trouble> {
    let states = turn::end(work, ends, now)?;
    let claimed = limits.map(|limits| claim(work, limits, now)).transpose()?;
    Ok((states, claimed.unwrap_or_default()))
}

fn claim(work: &mut Work<'_>, limits: &ClaimLimits, now: Timestamp) -> Result<Claimed, Trouble> {
    let mut running = mirrors::all_running(work.client, work.ahead, work.node)?;
    if running.iter().any(|running| running.due <= now) {
        expire(work.client, work.ahead, work.node, limits, now)?;
        running = mirrors::all_running(work.client, work.ahead, work.node)?;
    }
    let room = |weight, workers: usize| {
        let is_ours = |running: &&Candidate| running.is_here && running.weight == weight;
        (weight, workers.saturating_sub(running.iter().filter(is_ours).count()))
    };
    let weights = [room(Weight::Short, limits.short), room(Weight::Long, limits.long)];
    let free: usize = weights.iter().fold(0, |free, (_, room)| free.saturating_add(*room));
    let runs_out = running.iter().map(|running| running.due).min();
    let Memory { turns, lanes, homes, .. } = &mut *work.memory;
    let homes = homes.now(work.client, work.ahead, work.node, now)?;
    let found = due::find(work.client, work.ahead, now, &weights, &limits.pins, homes, lanes)?;
    let mut again = found.next.into_iter().chain(runs_out).min();
    if found.due.is_empty() {
        let again = if found.is_cut { Some(now) } else { again };
        return Ok(Claimed { claims: Vec::new(), again });
    }
    let (ids, due): (Vec<i64>, Vec<_>) = found.due.into_iter().unzip();
    let targets: Vec<_> = due.iter().map(|candidate| &*candidate.target).collect();
    let begun = runs::begun(work.client, work.ahead, &targets, a_minute_before(now))?;
    let closed = hosts::for_claim(work.client, work.ahead, &limits.closed, now)?;
    let limits = &ClaimLimits { closed, ..limits.clone() };
    let situation = Situation { due: &due, running: &running, begun: &begun, limits, now };
    let choice = choose(&situation, turns);
    again = again.into_iter().chain(choice.again).min();
    if found.is_cut && choice.chosen.len() < free {
        // There may be more for us where we have not looked.
        again = Some(now);
    }
    let chosen = choice.chosen.iter();
    let chosen: Vec<(i64, &Candidate)> =
        chosen.filter_map(|at| Some((*ids.get(*at)?, due.get(*at)?))).collect();
    let claims = begin(work, &chosen, limits, now)?;
    if claims.len() < chosen.len() {
        // Another process has it; there may be another one for us.
        again = Some(now);
    }
    let again = again.into_iter().chain(claims.iter().map(|claim| claim.until)).min();
    Ok(Claimed { claims, again })
}

/// Begins the runs of these mirrors, but of those that somebody else has meanwhile.
fn begin(
    work: &mut Work<'_>,
    chosen: &[(i64, &Candidate)],
    limits: &ClaimLimits,
    now: Timestamp,
) -> Result<Vec<Claim>, Trouble> {
    let Work { client, ahead, node, memory } = work;
    let ahead = *ahead;
    let mut claims = Vec::new();
    if chosen.is_empty() {
        return Ok(claims);
    }
    let ids: Vec<_> = chosen.iter().map(|(id, _)| *id).collect();
    let locked = mirrors::lock_due(client, ahead, now, &ids)?;
    let mut locked: HashMap<i64, Stored> =
        locked.into_iter().map(|stored| (stored.id, stored)).collect();
    let (mut begun, mut probes) = (Vec::new(), Vec::new());
    for (id, of) in chosen {
        let Some(mut stored) = locked.remove(id) else { continue };
        let their_now = Timestamp::from_millis(theirs(now, ahead));
        // Those of other processes are of other mirrors, or in the row.
        let token = Row::next_token(stored.row.token.max(memory.last_token), their_now);
        memory.last_token = token;
        let (claim, run) = stored.row.begin(token, now.after(limits.lease), now);
        if limits.closed.is_probe(of.class, &of.source_host) {
            probes.push((&*of.source_host, claim.run));
        }
        begun.push((stored, run));
        claims.push(claim);
    }
    if !begun.is_empty() {
        turn::begin(client, ahead, node, &begun)?;
    }
    if !probes.is_empty() {
        hosts::probe(client, &probes)?;
    }
    Ok(claims)
}

/// Ends the runs whose claims have run out.
fn expire(
    client: &mut Client,
    ahead: i64,
    node: &Process,
    limits: &ClaimLimits,
    now: Timestamp,
) -> Result<(), Trouble> {
    loop {
        let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        let mut expired = mirrors::lock_expired(client, ahead, now, most)?;
        if expired.is_empty() {
            return Ok(());
        }
        let is_full = expired.len() == AT_ONCE;
        let ids: Vec<_> =
            expired.iter().filter_map(|stored| Some(stored.row.running?.run)).collect();
        let found = runs::get(client, ahead, &ids)?;
        let mut found: HashMap<_, _> = found.into_iter().map(|run| (run.id, run)).collect();
        let mut ended = Vec::new();
        for stored in &mut expired {
            let run = stored.row.running.and_then(|running| found.remove(&running.run));
            if let Some(mut run) = run {
                stored.row.expire(&mut run, limits.attempts, now);
                ended.push(run);
            }
        }
        runs::update(client, ahead, &ended)?;
        mirrors::update(client, ahead, node, &expired)?;
        // A row without its run stays as it is, and is no reason to look again.
        if !is_full || ended.is_empty() {
            return Ok(());
        }
    }
}

pub(super) fn configure(
    work: &mut Work<'_>,
    members: &[Member],
    now: Timestamp,
) -> Result<(), Trouble> {
    let Work { client, ahead, node, .. } = work;
    let (ahead, node) = (*ahead, *node);
    client.batch_execute("SET LOCAL statement_timeout = 0")?;
    // One process after another, so that each mirror is added once.
    let lock = "SELECT pg_advisory_xact_lock($1)";
    client.query_typed(lock, &[(&(super::migrate::LOCK + 1), postgres::types::Type::INT8)])?;
    let known: HashMap<String, (Member, bool)> = mirrors::configured(client)?
        .into_iter()
        .map(|(member, is_member)| (member.key.clone(), (member, is_member)))
        .collect();
    let keys: HashSet<_> = members.iter().map(|member| &*member.key).collect();
    let is_member = |key: &str| keys.contains(key);
    let mut new = Vec::new();
    // The names in the table of those that change, each with what the configuration says now.
    let mut changed: HashMap<&str, Option<&Member>> = HashMap::new();
    for member in members {
        let was = member.was.as_deref().filter(|was| !is_member(was) && known.contains_key(*was));
        match known.get(&member.key) {
            Some((before, true)) if before == &(Member { was: None, ..member.clone() }) => {}
            Some(_) => drop(changed.insert(&member.key, Some(member))),
            // One row cannot become two.
            None if was.is_some_and(|was| !changed.contains_key(was)) => {
                changed.extend(was.map(|was| (was, Some(member))));
            }
            None => new.push(Row::new(member, now)),
        }
    }
    for (name, (_, was_member)) in &known {
        if *was_member && !is_member(name) {
            changed.entry(name).or_insert(None);
        }
    }
    let mut names: Vec<String> = changed.keys().map(|name| (*name).to_owned()).collect();
    names.sort_unstable();
    for some in names.chunks(AT_ONCE) {
        let mut stored = mirrors::lock(client, ahead, some, &[])?;
        for one in &mut stored {
            match changed.get(&*one.row.member.key) {
                Some(Some(member)) => one.row.configure(member, now),
                Some(None) => one.row.remove(now),
                None => {}
            }
        }
        mirrors::update(client, ahead, node, &stored)?;
    }
    let mut new = new.into_iter().peekable();
    while new.peek().is_some() {
        mirrors::insert(client, ahead, new.by_ref().take(AT_ONCE).collect())?;
    }
    Ok(())
}

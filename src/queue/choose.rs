//! Which of the mirrors that are due are run next, if not all can be.
//!
//! In this order:
//! 1. The limits: so many runs that read from one host, that publish to one host, also for one owner, and that begin
//!    in a minute for one target; and hosts and targets that are not to be asked now, but by one run. The last three
//!    do not hold up a person. Of mirrors that may be what ends the process, one at a time. What is held up so holds up
//!    nobody else.
//! 2. The class: the more urgent goes first, but a class and those above it get at most four fifths of
//!    the workers while something less urgent waits, so that everything moves. What has waited for longer
//!    than the bound of its class counts as one class higher, and takes turns with what is really urgent.
//! 3. Where the cache is: here first, and only then what has waited in vain for another process that has it.
//! 4. The owner, then the host of the source: whichever was served least recently. So a thousand
//!    mirrors of one owner or host do not hold up the single one of another.
//! 5. The one that has been due for longest.
//!
//! Short and long runs have workers of their own and are chosen apart.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::job_store::ClaimLimits;
use super::model::{Class, Member, Row, Weight};
use crate::base::time::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);

/// How long a mirror waits before it counts as more urgent.
fn bound(class: Class) -> Duration {
    match class {
        Class::Interactive => Duration::MAX,
        Class::Hook => MINUTE,
        Class::Schedule => 10 * MINUTE,
    }
}

/// How many of `workers` a class and those above it have at most while others wait.
fn share(workers: usize) -> usize {
    (workers - workers.div_ceil(5)).max(1)
}

/// A mirror that is due, or whose run is under way, as far as the choice is concerned.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) owner: String,
    pub(super) source_host: String,
    pub(super) target_host: String,
    pub(super) target: String,
    pub(super) class: Class,
    pub(super) weight: Weight,
    /// Since when it is due.
    pub(super) due: Timestamp,
    /// How often in a row a run of it did not come to an end; one that is under way not counted.
    pub(super) deaths: u32,
    /// Whether its run has a worker of this process. That of another one counts against the limits of hosts and
    /// targets alone.
    pub(super) is_here: bool,
    /// Whether another process has its cache, or is to make it, and has not come to it so far.
    pub(super) is_guest: bool,
}

impl Candidate {
    /// A row that is due; or one whose run is under way.
    pub(super) fn of(row: &Row) -> Self {
        let Member { owner, source_host, target_host, target, .. } = row.member.clone();
        let (class, weight) = match row.running {
            Some(running) => (running.class, running.weight),
            None => (row.class(), row.weight),
        };
        let due = row.due().unwrap_or_default();
        let deaths = row.attempts.saturating_sub(u32::from(row.running.is_some()));
        let is_here = row.running.is_some();
        Self {
            owner,
            source_host,
            target_host,
            target,
            class,
            weight,
            due,
            deaths,
            is_here,
            is_guest: false,
        }
    }
}

/// What there is to choose from, and what counts against the limits.
pub(super) struct Situation<'a> {
    /// What is due.
    pub(super) due: &'a [Candidate],
    /// What runs.
    pub(super) running: &'a [Candidate],
    /// The targets of the runs that began within the last minute, and when each began.
    pub(super) begun: &'a [(String, Timestamp)],
    pub(super) limits: &'a ClaimLimits,
    pub(super) now: Timestamp,
}

/// What was chosen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Positions in [`Situation::due`], in the order in which they are to begin.
    pub(super) chosen: Vec<usize>,
    /// When the limit of starts in a minute lets the next one go that it held up.
    pub(super) again: Option<Timestamp>,
}

/// From when on runs count that have begun: a minute before now.
pub(super) fn a_minute_before(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_sub(60_000))
}

/// Whose turn it is. In memory alone: after a start, all begin anew.
#[derive(Debug, Default)]
pub(super) struct Turns {
    served: u64,
    owners: HashMap<String, u64>,
    hosts: HashMap<String, u64>,
    /// Whether what was chosen last in a class was in it because it had waited for long.
    was_raised: HashMap<Class, bool>,
}

impl Turns {
    fn of(turns: &HashMap<String, u64>, name: &str) -> u64 {
        turns.get(name).copied().unwrap_or(0)
    }
}

/// Chooses what to begin.
pub(super) fn choose(situation: &Situation<'_>, turns: &mut Turns) -> Choice {
    let mut counts = Counts::new(situation);
    let mut waiting: Vec<Waiting<'_>> = Vec::with_capacity(situation.due.len());
    for (position, candidate) in situation.due.iter().enumerate() {
        waiting.push(Waiting::new(position, candidate, situation.now, turns));
    }
    let mut chosen = Vec::new();
    for weight in [Weight::Short, Weight::Long] {
        while let Some(next) = counts.next(&waiting, weight, turns) {
            let Some(at) = waiting.iter().position(|one| one.position == next) else { break };
            let taken = waiting.swap_remove(at);
            counts.begin(taken.candidate, situation.now);
            turns.serve(&taken, &mut waiting);
            chosen.push(next);
        }
    }
    let held_up = waiting.iter().filter_map(|one| counts.held_up_until(one.candidate));
    Choice { again: held_up.min(), chosen }
}

/// A candidate that is not chosen yet.
struct Waiting<'a> {
    position: usize,
    candidate: &'a Candidate,
    class: Class,
    /// Whether it is in its class because it has waited for long.
    is_raised: bool,
    owner_turn: u64,
    host_turn: u64,
}

impl<'a> Waiting<'a> {
    fn new(position: usize, candidate: &'a Candidate, now: Timestamp, turns: &Turns) -> Self {
        let is_raised = now.since(candidate.due) > bound(candidate.class);
        let class = match candidate.class {
            Class::Schedule if is_raised => Class::Hook,
            Class::Hook if is_raised => Class::Interactive,
            class => class,
        };
        let owner_turn = Turns::of(&turns.owners, &candidate.owner);
        let host_turn = Turns::of(&turns.hosts, &candidate.source_host);
        Self { position, candidate, class, is_raised, owner_turn, host_turn }
    }
}

impl Turns {
    /// `taken` has had its turn.
    fn serve(&mut self, taken: &Waiting<'_>, others: &mut [Waiting<'_>]) {
        let Candidate { owner, source_host, .. } = taken.candidate;
        self.served += 1;
        self.owners.insert(owner.clone(), self.served);
        self.hosts.insert(source_host.clone(), self.served);
        self.was_raised.insert(taken.class, taken.is_raised);
        for other in others {
            if other.candidate.owner == *owner {
                other.owner_turn = self.served;
            }
            if other.candidate.source_host == *source_host {
                other.host_turn = self.served;
            }
        }
    }

    fn was_raised(&self, class: Class) -> bool {
        self.was_raised.get(&class).copied().unwrap_or(true)
    }
}

/// What counts against the limits.
struct Counts<'a> {
    limits: &'a ClaimLimits,
    classes: HashMap<(Weight, Class), usize>,
    source_hosts: HashMap<&'a str, usize>,
    target_hosts: HashMap<&'a str, usize>,
    /// By target host and owner.
    target_owners: HashMap<(&'a str, &'a str), usize>,
    /// Half-open hosts of which a run was chosen.
    probed: HashSet<&'a str>,
    /// Runs of mirrors that are parked if they do not end.
    suspects: usize,
    /// For each target when its runs of the last minute began.
    begun: HashMap<&'a str, Vec<Timestamp>>,
}

impl<'a> Counts<'a> {
    fn new(situation: &Situation<'a>) -> Self {
        let mut counts = Self {
            limits: situation.limits,
            classes: HashMap::new(),
            source_hosts: HashMap::new(),
            target_hosts: HashMap::new(),
            target_owners: HashMap::new(),
            probed: HashSet::new(),
            suspects: 0,
            begun: HashMap::new(),
        };
        for running in situation.running {
            counts.run(running, running.is_here);
        }
        for (target, begun) in situation.begun {
            counts.begun.entry(target).or_default().push(*begun);
        }
        counts
    }

    fn run(&mut self, candidate: &'a Candidate, is_here: bool) {
        if is_here {
            *self.classes.entry((candidate.weight, candidate.class)).or_default() += 1;
        }
        *self.source_hosts.entry(&candidate.source_host).or_default() += 1;
        *self.target_hosts.entry(&candidate.target_host).or_default() += 1;
        let owner = (&*candidate.target_host, &*candidate.owner);
        *self.target_owners.entry(owner).or_default() += 1;
        self.suspects += usize::from(self.is_suspect(candidate));
    }

    fn is_suspect(&self, candidate: &Candidate) -> bool {
        candidate.deaths.saturating_add(1) >= self.limits.attempts
    }

    fn begin(&mut self, candidate: &'a Candidate, now: Timestamp) {
        self.run(candidate, true);
        if self.limits.closed.is_probe(candidate.class, &candidate.source_host) {
            self.probed.insert(&candidate.source_host);
        }
        self.begun.entry(&candidate.target).or_default().push(now);
    }

    /// The position of the next one to begin, if there is a worker for it.
    fn next(&self, waiting: &[Waiting<'_>], weight: Weight, turns: &Turns) -> Option<usize> {
        let workers = match weight {
            Weight::Short => self.limits.short,
            Weight::Long => self.limits.long,
        };
        if self.running(weight, Class::Schedule) >= workers {
            return None;
        }
        let may = |one: &&Waiting<'_>| one.candidate.weight == weight && self.allow(one.candidate);
        let allowed: Vec<_> = waiting.iter().filter(may).collect();
        let mut class = allowed.iter().map(|one| one.class).min()?;
        while self.running(weight, class) >= share(workers) {
            let less_urgent = allowed.iter().map(|one| one.class).filter(|other| *other > class);
            let Some(next) = less_urgent.min() else { break };
            class = next;
        }
        let was_raised = turns.was_raised(class);
        let of_class = allowed.into_iter().filter(|one| one.class == class);
        let rank = |one: &&Waiting<'_>| {
            let same_kind = one.is_raised == was_raised;
            let is_guest = one.candidate.is_guest;
            (is_guest, same_kind, one.owner_turn, one.host_turn, one.candidate.due, one.position)
        };
        of_class.min_by_key(rank).map(|one| one.position)
    }

    /// How many runs there are of `class` and those that are more urgent.
    fn running(&self, weight: Weight, class: Class) -> usize {
        let counted = self.classes.iter();
        let counted = counted.filter(|((of, other), _)| *of == weight && *other <= class);
        counted.map(|(_, count)| count).sum()
    }

    fn allow(&self, candidate: &Candidate) -> bool {
        let is_below = |counts: &HashMap<&str, usize>, host: &str, limit| {
            host.is_empty() || counts.get(host).is_none_or(|count| *count < limit)
        };
        let Candidate { source_host, target_host, owner, .. } = candidate;
        let is_of = |(host, of): &(String, String)| host == target_host && of == owner;
        let closed = &self.limits.closed;
        let is_closed = candidate.class != Class::Interactive
            && (closed.hosts.contains(source_host) || closed.targets.iter().any(is_of));
        let is_probed =
            candidate.class != Class::Interactive && self.probed.contains(&**source_host);
        let of_owner = self.target_owners.get(&(&**target_host, &**owner)).copied();
        let has_room = target_host.is_empty()
            || owner.is_empty()
            || of_owner.is_none_or(|count| count < self.limits.per_target_owner);
        !is_closed
            && !is_probed
            && has_room
            && (self.suspects == 0 || !self.is_suspect(candidate))
            && is_below(&self.source_hosts, &candidate.source_host, self.limits.per_source_host)
            && is_below(&self.target_hosts, &candidate.target_host, self.limits.per_target_host)
            && self.held_up_until(candidate).is_none()
    }

    /// When the next run of its target may begin, if too many have begun within the last minute and no person waits.
    fn held_up_until(&self, candidate: &Candidate) -> Option<Timestamp> {
        if candidate.class == Class::Interactive {
            return None;
        }
        let begun = self.begun.get(&*candidate.target).filter(|_| !candidate.target.is_empty())?;
        let surplus = begun.len().checked_sub(self.limits.per_target_minute)?;
        let mut begun = begun.clone();
        begun.sort_unstable();
        begun.get(surplus).map(|first| first.after(MINUTE))
    }
}

//! Which rows a claim looks at: so many, however many are due.
//!
//! Rows are read in the order in which they are due, but for each weight, class and home apart, so that nothing of one
//! kind stands in front of another. Where that does not reach the end, some of each owner and host are read too, as
//! many of these as a claim has time for, and the next claim goes on after them: so neither the many mirrors of one
//! owner, nor those of a host that is left alone, hide what others have.

use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::time::Duration;

use postgres::types::Type;
use postgres::{Client, Row as Columns};

use super::homes::Home;
use super::mirrors::{CANDIDATE, candidate_of};
use super::trouble::Trouble;
use super::values::{Reader, theirs};
use crate::base::time::Timestamp;
use crate::queue::choose::Candidate;
use crate::queue::model::{Class, RunId, Weight};
use crate::queue::record::{Cell, word};

/// Rows of one kind that are read, unless there are more workers than that.
const OF_A_KIND: usize = 64;
/// The most that are read of one kind.
const MOST: usize = 1000;
/// Owners and hosts that one claim looks at, and rows of each that are read.
const LANES: usize = 32;
const OF_A_LANE: usize = 8;

/// Rows that are looked for together: of one weight, class and pin, and at home in one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    weight: Weight,
    class: Class,
    pin: String,
    home: RunId,
}

/// For each kind of which more is due than is read, after which owner and host the next claim goes on.
#[derive(Debug, Default)]
pub(super) struct Lanes(HashMap<Kind, (String, String)>);

/// What a claim has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What is due, by the numbers of the mirrors.
    pub(super) due: BTreeMap<i64, Candidate>,
    /// When the next row is, which is not now.
    pub(super) next: Option<Timestamp>,
    /// Whether there are owners or hosts that were not looked at.
    pub(super) is_cut: bool,
}

/// What rows of a kind have in common, in both indexes.
const IS_OF_KIND: &str = "running_run IS NULL AND attention IS NOT NULL AND weight = kind.weight \
     AND coalesce(waiting_class, 2) = kind.class AND pin = kind.pin AND home = kind.home";

/// Looks for what is due, of each of these weights for so many workers that are free, without a pin or with one of
/// these.
pub(super) fn find(
    client: &mut Client,
    ahead: i64,
    now: Timestamp,
    weights: &[(Weight, usize)],
    pins: &[String],
    homes: &[Home],
    lanes: &mut Lanes,
) -> Result<Found, Trouble> {
    let workers = weights.iter().map(|(_, workers)| *workers).max().unwrap_or_default();
    let most = workers.clamp(OF_A_KIND, MOST);
    let (mut kinds, mut has_room) = (Vec::new(), Vec::new());
    for (weight, workers) in weights {
        for class in [Class::Interactive, Class::Hook, Class::Schedule] {
            for pin in iter::once("").chain(pins.iter().map(String::as_str)) {
                has_room.extend(homes.iter().map(|_| *workers > 0));
                kinds.extend(homes.iter().map(|home| {
                    let pin = pin.to_owned();
                    let kind = Kind { weight: *weight, class, pin, home: home.id };
                    (kind, home, home.patience(class))
                }));
            }
        }
    }
    let mut found = Found::default();
    let mut counts = vec![0; kinds.len()];
    for columns in &oldest(client, ahead, now, &kinds, &has_room, most)? {
        let mut next = Reader::new(columns, ahead);
        let number: i64 = next.next()?;
        let Some((position, (kind, home, patience))) =
            usize::try_from(number - 1).ok().and_then(|at| Some((at, kinds.get(at)?)))
        else {
            continue;
        };
        let (id, candidate) = candidate_of(&mut next)?;
        let at = candidate.due.after(*patience);
        if at > now {
            found.wait_until(at);
            continue;
        }
        if let Some(count) = counts.get_mut(position) {
            *count += 1;
        }
        found.add(id, candidate, kind, home, now);
    }
    for ((kind, home, _), count) in kinds.iter().zip(counts) {
        if count < most || !home.is_looked_through() {
            lanes.0.remove(kind);
            continue;
        }
        let after = lanes.0.remove(kind).unwrap_or_default();
        let (rows, last) = of_lanes(client, ahead, now, kind, &after)?;
        for (id, candidate) in rows {
            found.add(id, candidate, kind, home, now);
        }
        if let Some(last) = last {
            lanes.0.insert(kind.clone(), last);
            found.is_cut = true;
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, id: i64, mut candidate: Candidate, kind: &Kind, home: &Home, now: Timestamp) {
        // Whoever has the most room may not be one of those that may run it.
        let (is_guest, patience) = match kind.pin.is_empty() {
            true => home.guest(id),
            false => (false, Duration::ZERO),
        };
        let at = candidate.due.after(patience);
        if at > now {
            self.wait_until(at);
            return;
        }
        candidate.is_guest = is_guest;
        self.due.insert(id, candidate);
    }

    fn wait_until(&mut self, at: Timestamp) {
        self.next = self.next.into_iter().chain([at]).min();
    }
}

fn class_number(class: Class) -> i64 {
    match class.into() {
        Cell::Number(number) => number,
        _ => 0,
    }
}

/// The rows of each kind that have been due for longest, and the first one that is not yet.
fn oldest(
    client: &mut Client,
    ahead: i64,
    now: Timestamp,
    kinds: &[(Kind, &Home, Duration)],
    has_room: &[bool],
    most: usize,
) -> Result<Vec<Columns>, Trouble> {
    let rows = |which: &str, most| {
        format!(
            "(SELECT {CANDIDATE}, waiting_class, weight, attention, attempts, id, false FROM mirror \
             WHERE {IS_OF_KIND} AND {which} kind.cutoff ORDER BY attention, id LIMIT {most})"
        )
    };
    let select = format!(
        "SELECT kind.number, found.* FROM unnest($1::text[], $2::bigint[], $3::text[]::uuid[], \
         $4::bigint[], $5::boolean[], $6::text[]) WITH ORDINALITY \
         AS kind (weight, class, home, cutoff, has_room, pin, number) \
         CROSS JOIN LATERAL ({} UNION ALL {}) AS found",
        rows("kind.has_room AND attention <=", most),
        rows("attention >", 1)
    );
    let weights: Vec<_> = kinds.iter().map(|(kind, ..)| word(kind.weight)).collect();
    let classes: Vec<_> = kinds.iter().map(|(kind, ..)| class_number(kind.class)).collect();
    let homes: Vec<_> = kinds.iter().map(|(kind, ..)| kind.home.to_string()).collect();
    let pins: Vec<_> = kinds.iter().map(|(kind, ..)| kind.pin.as_str()).collect();
    let cutoff = |patience: &Duration| theirs(now.before(*patience), ahead);
    let cutoffs: Vec<_> = kinds.iter().map(|(.., patience)| cutoff(patience)).collect();
    Ok(client.query_typed(
        &select,
        &[
            (&weights, Type::TEXT_ARRAY),
            (&classes, Type::INT8_ARRAY),
            (&homes, Type::TEXT_ARRAY),
            (&cutoffs, Type::INT8_ARRAY),
            (&has_room, Type::BOOL_ARRAY),
            (&pins, Type::TEXT_ARRAY),
        ],
    )?)
}

type OfLanes = (Vec<(i64, Candidate)>, Option<(String, String)>);

/// Some rows of each owner and host after `after`, and the last of these if there are more.
fn of_lanes(
    client: &mut Client,
    ahead: i64,
    now: Timestamp,
    kind: &Kind,
    after: &(String, String),
) -> Result<OfLanes, Trouble> {
    let next = |after: &str| {
        format!(
            "SELECT owner, source_host FROM mirror WHERE {IS_OF_KIND} AND (owner, source_host) > {after} \
             ORDER BY owner, source_host LIMIT 1"
        )
    };
    // One look into the index for each owner and host, whatever they have.
    let select = format!(
        "WITH RECURSIVE kind AS (SELECT $1::text AS weight, $2::bigint AS class, \
         $3::text::uuid AS home, $7::text AS pin), \
         lane AS ((SELECT first.owner, first.source_host, 1 AS number \
         FROM kind CROSS JOIN LATERAL ({}) AS first) \
         UNION ALL SELECT next.owner, next.source_host, lane.number + 1 \
         FROM lane CROSS JOIN kind CROSS JOIN LATERAL ({}) AS next WHERE lane.number < {LANES}) \
         SELECT lane.owner, lane.source_host, lane.number, found.* FROM lane CROSS JOIN kind \
         LEFT JOIN LATERAL (SELECT {CANDIDATE}, waiting_class, weight, attention, attempts, id, \
         false FROM mirror WHERE {IS_OF_KIND} AND owner = lane.owner \
         AND source_host = lane.source_host AND attention <= $6 \
         ORDER BY attention, id LIMIT {OF_A_LANE}) AS found ON true ORDER BY lane.number",
        next("($4, $5)"),
        next("(lane.owner, lane.source_host)")
    );
    let (weight, class, home) =
        (word(kind.weight), class_number(kind.class), kind.home.to_string());
    let (owner, host) = after;
    let found = client.query_typed(
        &select,
        &[
            (&weight, Type::TEXT),
            (&class, Type::INT8),
            (&home, Type::TEXT),
            (owner, Type::TEXT),
            (host, Type::TEXT),
            (&theirs(now, ahead), Type::INT8),
            (&kind.pin, Type::TEXT),
        ],
    )?;
    let mut rows = Vec::new();
    let mut last = None;
    for columns in &found {
        let mut next = Reader::new(columns, ahead);
        let (owner, host): (String, String) = (next.next()?, next.next()?);
        let number: i32 = next.next()?;
        last = usize::try_from(number).is_ok_and(|number| number >= LANES).then_some((owner, host));
        if columns.try_get::<_, Option<String>>(3)?.is_some() {
            rows.push(candidate_of(&mut next)?);
        }
    }
    Ok((rows, last))
}

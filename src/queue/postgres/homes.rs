//! The table `home`: who has which caches.
//!
//! A mirror is at home where it was synced last. Others leave it to its home for a while, unless that is gone or ends.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use postgres::Client;
use postgres::types::Type;

use super::trouble::Trouble;
use super::values::{ours, theirs};
use crate::base::time::Timestamp;
use crate::queue::model::{Class, RunId};

/// Who has not said for so long that it is there is gone.
pub(super) const GONE: Duration = Duration::from_secs(20);
/// How long what is known of the others is good for.
const FRESH: Duration = Duration::from_secs(1);
/// For how long a new mirror is left to the process that it would be at home at.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// The home of what is at home nowhere.
const NOWHERE: RunId = RunId(0);

/// This process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    /// New for each.
    pub(super) id: RunId,
    /// Where mirrors are at home that it has synced; `None` if it keeps no caches.
    pub(super) home: Option<RunId>,
}

/// From now on `home` is that of the process `node`.
pub(super) fn move_in(client: &mut Client, home: RunId, node: RunId) -> Result<(), Trouble> {
    let upsert = "INSERT INTO home (id, node) VALUES ($1::text::uuid, $2::text::uuid) \
         ON CONFLICT (id) DO UPDATE SET node = excluded.node";
    let (home, node) = (home.to_string(), node.to_string());
    client.query_typed(upsert, &[(&home, Type::TEXT), (&node, Type::TEXT)])?;
    Ok(())
}

/// Where mirrors are at home.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) id: RunId,
    is_ours: bool,
    /// Whether the process that has it is there, and begins runs.
    is_there: bool,
    /// Of what is at home nowhere: who may make the first cache, whether that is us, and how much room each has.
    parts: Vec<(RunId, bool, u64)>,
}

impl Home {
    /// How long others leave to it what is due.
    pub(super) fn patience(&self, class: Class) -> Duration {
        match class {
            _ if self.is_ours || !self.is_there => Duration::ZERO,
            Class::Interactive | Class::Hook => Duration::from_secs(10),
            Class::Schedule => Duration::from_mins(1),
        }
    }

    /// Whether we look at what each owner and host has there: elsewhere what is due for longest is enough.
    pub(super) fn is_looked_through(&self) -> bool {
        self.is_ours || !self.is_there
    }

    /// Whether a mirror that is at home there is to be synced elsewhere if that can be; and how long we wait for that
    /// beyond the patience.
    pub(super) fn guest(&self, mirror: i64) -> (bool, Duration) {
        let best = self.parts.iter().max_by(|(one, _, part), (other, _, of_other)| {
            weight(*one, mirror, *part).total_cmp(&weight(*other, mirror, *of_other))
        });
        match best {
            Some((_, false, _)) => (true, FIRST_PATIENCE),
            Some((_, true, _)) => (false, Duration::ZERO),
            None => (self.is_there && !self.is_ours, Duration::ZERO),
        }
    }
}

/// Of several homes the one for which this is largest makes the first cache of a mirror. Each is so as often as its
/// part is large, and a home that is new or gone changes nothing among the others.
fn weight(home: RunId, mirror: i64, part: u64) -> f64 {
    let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one((home.0, mirror));
    // 26 bits, which a float has exactly; neither 0 nor 1.
    let bits = u32::try_from(hash >> 38).unwrap_or_default();
    let uniform = (f64::from(bits) + 0.5) / f64::from(1_u32 << 26);
    let part = f64::from(u32::try_from(part.max(1)).unwrap_or(u32::MAX));
    -part / uniform.ln()
}

/// What is known of the homes.
#[derive(Debug, Default)]
pub(super) struct Homes {
    all: Vec<Home>,
    /// When that was so, by the clock of the database.
    at: Option<i64>,
}

impl Homes {
    /// The homes that there are, ours first.
    pub(super) fn now(
        &mut self,
        client: &mut Client,
        ahead: i64,
        process: &Process,
        now: Timestamp,
    ) -> Result<&[Home], Trouble> {
        let their_now = theirs(now, ahead);
        let age = self.at.map(|at| their_now.saturating_sub(at).unsigned_abs());
        if age.is_none_or(|age| u128::from(age) >= FRESH.as_millis()) {
            self.all = read(client, ahead, process, now)?;
            self.at = Some(their_now);
        }
        Ok(&self.all)
    }
}

fn read(
    client: &mut Client,
    ahead: i64,
    process: &Process,
    now: Timestamp,
) -> Result<Vec<Home>, Trouble> {
    let select = "SELECT home.id, coalesce(node.beat, 0), \
         node.ended IS NULL AND NOT node.draining AND node.role <> 'front', \
         coalesce(node.free_bytes, 0) FROM home LEFT JOIN node ON node.id = home.node ORDER BY home.id";
    let of = |id, is_ours, is_there| Home { id, is_ours, is_there, parts: Vec::new() };
    let mut nowhere = of(NOWHERE, true, true);
    let mut homes: Vec<_> = process.home.map(|home| of(home, true, true)).into_iter().collect();
    for columns in &client.query_typed(select, &[])? {
        let id: RunId = columns.try_get(0)?;
        let beat = ours(columns.try_get(1)?, ahead);
        let works: Option<bool> = columns.try_get(2)?;
        let is_there = works == Some(true) && now.since(beat) < GONE;
        let is_ours = process.home == Some(id);
        if is_there || is_ours {
            // In parts of 64 MiB, so that small differences are none.
            let free: i64 = columns.try_get(3)?;
            nowhere.parts.push((id, is_ours, u64::try_from(free >> 26).unwrap_or_default()));
        }
        if !is_ours {
            homes.push(of(id, false, is_there));
        }
    }
    if process.home.is_none() {
        // It makes no cache that would be worth waiting for.
        nowhere.parts.clear();
    }
    homes.push(nowhere);
    Ok(homes)
}

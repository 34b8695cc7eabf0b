//! The columns that a row is kept in, in every store that has columns: their names, what goes into each, and a row
//! made of them again. How a value is kept in a column is a matter of the store.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer as _, value};

use super::failure::Failure;
use super::model::{Class, Failing, Member, Row, RunId, Running, Waiting};
use crate::base::time::Timestamp;

/// How many of the columns come first that only a configuration changes.
pub(super) const CONFIGURED: usize = 7;

/// The columns, in the order in which `cells` has and `row` wants them.
pub(super) const COLUMNS: [&str; 40] = [
    "name",
    "owner",
    "source_host",
    "target_host",
    "target",
    "pin",
    "fingerprint",
    "removed",
    "wanted",
    "taken",
    "waiting_run",
    "waiting_cause",
    "waiting_class",
    "waiting_asked",
    "waiting_begin",
    "waiting_latest",
    "waiting_unparks",
    "scheduled",
    "not_before",
    "weight",
    "token",
    "running_run",
    "running_until",
    "running_class",
    "running_weight",
    "attempts",
    "failing_runs",
    "failing_since",
    "failing_failure",
    "failing_alike",
    "parked_failure",
    "parked_since",
    "paused",
    "last_tried",
    "last_good",
    "last_change",
    "last_run",
    "last_state",
    "last_failure",
    "attention",
];

/// What is in one column.
pub(super) enum Cell {
    Empty,
    Number(i64),
    Text(String),
    Id(RunId),
    Time(Timestamp),
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl From<RunId> for Cell {
    fn from(id: RunId) -> Self {
        Self::Id(id)
    }
}

impl From<Timestamp> for Cell {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&Failure> for Cell {
    fn from(failure: &Failure) -> Self {
        // Two enums and two texts: nothing that JSON cannot have.
        Self::Text(serde_json::to_string(failure).unwrap_or_default())
    }
}

impl From<u32> for Cell {
    fn from(count: u32) -> Self {
        Self::Number(count.into())
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Number(count.try_into().unwrap_or(i64::MAX))
    }
}

impl From<bool> for Cell {
    fn from(is_so: bool) -> Self {
        Self::Number(is_so.into())
    }
}

/// The more urgent, the less, so that a column can be sorted by it.
impl From<Class> for Cell {
    fn from(class: Class) -> Self {
        Self::Number(match class {
            Class::Interactive => 0,
            Class::Hook => 1,
            Class::Schedule => 2,
        })
    }
}

/// The class that is kept as this number.
pub(super) fn class(number: i64) -> Option<Class> {
    match number {
        0 => Some(Class::Interactive),
        1 => Some(Class::Hook),
        2 => Some(Class::Schedule),
        _ => None,
    }
}

/// The word that a value of an enum is kept as.
pub(super) fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // Only for enums without data.
        _ => String::new(),
    }
}

/// The value that is kept as `word`.
pub(super) fn of_word<T: DeserializeOwned>(word: &str) -> Result<T, String> {
    let word: StrDeserializer<'_, value::Error> = word.into_deserializer();
    T::deserialize(word).map_err(|error| error.to_string())
}

/// The cells of a row.
pub(super) fn cells(row: &Row) -> [Cell; COLUMNS.len()] {
    let Row { member, waiting, running, failing, parked, last_run, .. } = row;
    let (failing, parked, last_run) = (failing.as_ref(), parked.as_ref(), last_run.as_ref());
    [
        (&member.key).into(),
        (&member.owner).into(),
        (&member.source_host).into(),
        (&member.target_host).into(),
        (&member.target).into(),
        (&member.pin).into(),
        (&member.fingerprint).into(),
        row.removed.into(),
        row.wanted.into(),
        row.taken.into(),
        waiting.map(|waiting| waiting.run).into(),
        waiting.map(|waiting| Cell::Text(word(waiting.cause))).into(),
        waiting.map(|waiting| waiting.class).into(),
        waiting.map(|waiting| waiting.asked).into(),
        waiting.map(|waiting| waiting.begin).into(),
        waiting.map(|waiting| waiting.latest).into(),
        waiting.map(|waiting| waiting.unparks).into(),
        row.scheduled.into(),
        row.not_before.into(),
        Cell::Text(word(row.weight)),
        row.token.into(),
        running.map(|running| running.run).into(),
        running.map(|running| running.until).into(),
        running.map(|running| running.class).into(),
        running.map(|running| Cell::Text(word(running.weight))).into(),
        row.attempts.into(),
        failing.map(|failing| failing.runs).into(),
        failing.map(|failing| failing.since).into(),
        failing.map(|failing| &failing.failure).into(),
        failing.map(|failing| failing.alike).into(),
        parked.map(|(failure, _)| failure).into(),
        parked.map(|(_, since)| *since).into(),
        row.paused.into(),
        row.last_tried.into(),
        row.last_good.into(),
        row.last_change.into(),
        last_run.map(|(run, ..)| *run).into(),
        last_run.map(|(_, state, _)| Cell::Text(word(state))).into(),
        last_run.and_then(|(.., failure)| failure.as_ref()).into(),
        row.attention().into(),
    ]
}

/// Columns that are read one after another.
pub(super) trait Cells {
    /// Why one cannot be read.
    type Error;

    fn number(&mut self) -> Result<Option<i64>, Self::Error>;
    fn text(&mut self) -> Result<Option<String>, Self::Error>;
    fn id(&mut self) -> Result<Option<RunId>, Self::Error>;
    fn time(&mut self) -> Result<Option<Timestamp>, Self::Error>;

    /// What is in a column cannot be.
    fn malformed(&self, message: String) -> Self::Error;

    /// A value that must be there.
    fn there<T>(&self, value: Option<T>) -> Result<T, Self::Error> {
        value.ok_or_else(|| self.malformed("a column is empty that must not be".to_owned()))
    }

    /// A number that is not negative; 0 if there is none.
    fn count<T: TryFrom<i64> + Default>(&mut self) -> Result<T, Self::Error> {
        Ok(self.number()?.and_then(|number| T::try_from(number).ok()).unwrap_or_default())
    }

    /// A value of an enum that is kept as a word.
    fn word<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Self::Error> {
        let word = self.text()?;
        word.map(|word| of_word(&word)).transpose().map_err(|message| self.malformed(message))
    }

    fn class(&mut self) -> Result<Option<Class>, Self::Error> {
        let Some(number) = self.number()? else { return Ok(None) };
        let unknown = || self.malformed(format!("{number} is no class"));
        class(number).ok_or_else(unknown).map(Some)
    }

    fn failure(&mut self) -> Result<Option<Failure>, Self::Error> {
        let Some(text) = self.text()? else { return Ok(None) };
        let failure = serde_json::from_str(&text);
        failure.map(Some).map_err(|error| self.malformed(error.to_string()))
    }

    fn name(&mut self) -> Result<String, Self::Error> {
        let text = self.text()?;
        self.there(text)
    }
}

/// What the configuration said of the mirror that is in the columns.
pub(super) fn member<C: Cells>(next: &mut C) -> Result<Member, C::Error> {
    Ok(Member {
        key: next.name()?,
        was: None,
        owner: next.name()?,
        source_host: next.name()?,
        target_host: next.name()?,
        target: next.name()?,
        pin: next.name()?,
        fingerprint: next.name()?,
    })
}

/// The row that is in the columns.
pub(super) fn row<C: Cells>(next: &mut C) -> Result<Row, C::Error> {
    let member = member(next)?;
    let removed = next.time()?;
    let (wanted, taken) = (next.count()?, next.count()?);
    let waiting = waiting(next)?;
    let (scheduled, not_before) = (next.time()?, next.time()?);
    let weight = next.word()?;
    let weight = next.there(weight)?;
    let last_token = next.count()?;
    let running = running(next)?;
    let attempts = next.count()?;
    let failing = failing(next)?;
    let parked = next.failure()?.zip(next.time()?);
    let paused = next.time()?;
    let (last_tried, last_good, last_change) = (next.time()?, next.time()?, next.time()?);
    let (last_run, last_state, last_failure) = (next.id()?, next.word()?, next.failure()?);
    let last_run = last_run.zip(last_state).map(|(run, state)| (run, state, last_failure));
    Ok(Row {
        member,
        removed,
        wanted,
        taken,
        waiting,
        scheduled,
        not_before,
        weight,
        token: last_token,
        running,
        attempts,
        failing,
        parked,
        paused,
        last_tried,
        last_good,
        last_change,
        last_run,
    })
}

fn waiting<C: Cells>(next: &mut C) -> Result<Option<Waiting>, C::Error> {
    let (run, cause, class) = (next.id()?, next.word()?, next.class()?);
    let (asked, begin, latest) = (next.time()?, next.time()?, next.time()?);
    let unparks = next.number()? == Some(1);
    let Some(run) = run else { return Ok(None) };
    Ok(Some(Waiting {
        run,
        cause: next.there(cause)?,
        class: next.there(class)?,
        asked: next.there(asked)?,
        begin: next.there(begin)?,
        latest: next.there(latest)?,
        unparks,
    }))
}

fn running<C: Cells>(next: &mut C) -> Result<Option<Running>, C::Error> {
    let (run, until, class, weight) = (next.id()?, next.time()?, next.class()?, next.word()?);
    let Some(run) = run else { return Ok(None) };
    let (until, class) = (next.there(until)?, next.there(class)?);
    Ok(Some(Running { run, until, class, weight: next.there(weight)? }))
}

fn failing<C: Cells>(next: &mut C) -> Result<Option<Failing>, C::Error> {
    let runs = next.number()?.and_then(|runs| u32::try_from(runs).ok());
    let (since, failure, alike) = (next.time()?, next.failure()?, next.count()?);
    let Some(runs) = runs else { return Ok(None) };
    let (since, failure) = (next.there(since)?, next.there(failure)?);
    Ok(Some(Failing { runs, since, failure, alike }))
}

//! How values of the model are kept in columns. Times are by the clock of the database in columns, and by ours
//! everywhere else.

use postgres::Row as Columns;
use postgres::types::{FromSql, Type};
use serde_json::{Map, Value};

use super::trouble::{Problem, Trouble};
use crate::base::time::Timestamp;
use crate::queue::model::{Run, RunId};
use crate::queue::record::{Cell, Cells};

type Failed = Box<dyn std::error::Error + Sync + Send>;

/// From a `uuid`, which has 128 bits too; it is written as text.
impl<'a> FromSql<'a> for RunId {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        Ok(Self(u128::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }
}

/// A time by our clock as one of the database.
pub(super) fn theirs(time: Timestamp, ahead: i64) -> i64 {
    time.millis().saturating_add(ahead)
}

/// A time of the database by our clock.
pub(super) fn ours(millis: i64, ahead: i64) -> Timestamp {
    Timestamp::from_millis(millis.saturating_sub(ahead))
}

/// A number that is no larger than what a column holds.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Text as a column can have it: all but the character with the number 0.
pub(super) fn text(text: &str) -> Value {
    match text.contains('\0') {
        true => Value::String(text.replace('\0', "\u{fffd}")),
        false => Value::String(text.to_owned()),
    }
}

/// A cell as JSON, which many rows are sent as at once.
fn json(cell: Cell, ahead: i64) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Number(number) => number.into(),
        Cell::Text(value) => text(&value),
        Cell::Id(id) => id.to_string().into(),
        Cell::Time(time) => theirs(time, ahead).into(),
    }
}

/// Columns by name, as a JSON object.
pub(super) fn object<'c>(
    columns: impl IntoIterator<Item = (&'c str, Cell)>,
    ahead: i64,
) -> Map<String, Value> {
    columns.into_iter().map(|(name, cell)| (name.to_owned(), json(cell, ahead))).collect()
}

/// Reads the columns of a row one after another.
pub(super) struct Reader<'r> {
    columns: &'r Columns,
    next: usize,
    /// How far the clock of the database is ahead of ours, in milliseconds.
    ahead: i64,
}

impl<'r> Reader<'r> {
    pub(super) fn new(columns: &'r Columns, ahead: i64) -> Self {
        Self { columns, next: 0, ahead }
    }

    pub(super) fn next<T: FromSql<'r>>(&mut self) -> Result<T, Trouble> {
        self.next += 1;
        Ok(self.columns.try_get(self.next - 1)?)
    }
}

impl Cells for Reader<'_> {
    type Error = Trouble;

    fn number(&mut self) -> Result<Option<i64>, Trouble> {
        self.next()
    }

    fn text(&mut self) -> Result<Option<String>, Trouble> {
        self.next()
    }

    fn id(&mut self) -> Result<Option<RunId>, Trouble> {
        self.next()
    }

    fn time(&mut self) -> Result<Option<Timestamp>, Trouble> {
        let millis: Option<i64> = self.next()?;
        Ok(millis.map(|millis| ours(millis, self.ahead)))
    }

    fn malformed(&self, message: String) -> Trouble {
        Trouble::of(Problem::Content, message)
    }
}

/// The run that is in the columns of a row.
pub(super) fn run(columns: &Columns, ahead: i64) -> Result<Run, Trouble> {
    let mut next = Reader::new(columns, ahead);
    let (id, key, state, cause) = (next.id()?, next.name()?, next.word()?, next.word()?);
    let (requests, asked) = (next.count()?, next.time()?);
    Ok(Run {
        id: next.there(id)?,
        key,
        state: next.there(state)?,
        cause: next.there(cause)?,
        requests,
        asked: next.there(asked)?,
        started: next.time()?,
        ended: next.time()?,
        token: next.count()?,
        failure: next.failure()?,
        details: next.name()?,
    })
}

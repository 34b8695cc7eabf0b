//! How values of the model are kept in columns.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use rusqlite::{Row as Columns, ToSql};

use crate::base::time::Timestamp;
use crate::queue::failure::Failure;
use crate::queue::model::{Cause, Class, RunId, RunState, Verdict, Weight};
use crate::queue::record::{Cell, Cells};

/// Enums that are kept as a word.
macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),+ $(,)? })+) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                let word = match value { $($type::$variant => $word,)+ };
                Self::Text(word.to_owned())
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok(Self::$variant),)+
                    other => Err(unknown(other)),
                }
            }
        }
    )+};
}

words! {
    Cause {
        Hook = "hook",
        Schedule = "schedule",
        Person = "person",
        Retry = "retry",
        Configuration = "configuration",
    }
    Weight { Short = "short", Long = "long" }
    RunState {
        Queued = "queued",
        Running = "running",
        Done = "done",
        Partial = "partial",
        Failed = "failed",
        Interrupted = "interrupted",
    }
    Verdict {
        Accepted = "accepted",
        Repeated = "repeated",
        Ignored = "ignored",
        Unverified = "unverified",
        Malformed = "malformed",
        Unmatched = "unmatched",
    }
}

fn unknown(word: &str) -> FromSqlError {
    FromSqlError::Other(format!("{word:?} is not a word that is known here").into())
}

/// The more urgent, the less, so that a column can be sorted by it.
impl From<Class> for Value {
    fn from(class: Class) -> Self {
        Self::Integer(match class {
            Class::Interactive => 0,
            Class::Hook => 1,
            Class::Schedule => 2,
        })
    }
}

impl FromSql for Class {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self::Interactive),
            1 => Ok(Self::Hook),
            2 => Ok(Self::Schedule),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Integer(time.millis())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self::from_millis(value.as_i64()?))
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned((*self).into()))
    }
}

impl From<RunId> for Value {
    fn from(id: RunId) -> Self {
        Self::Blob(id.0.to_be_bytes().to_vec())
    }
}

impl FromSql for RunId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let size = || FromSqlError::InvalidBlobSize { expected_size: 16, blob_size: bytes.len() };
        Ok(Self(u128::from_be_bytes(bytes.try_into().map_err(|_| size())?)))
    }
}

impl ToSql for RunId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned((*self).into()))
    }
}

impl From<&Failure> for Value {
    fn from(failure: &Failure) -> Self {
        // Two enums and two texts: nothing that JSON cannot have.
        Self::Text(serde_json::to_string(failure).unwrap_or_default())
    }
}

impl FromSql for Failure {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map_err(|error| FromSqlError::Other(error.into()))
    }
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Empty => Self::Null,
            Cell::Number(number) => Self::Integer(number),
            Cell::Text(text) => Self::Text(text),
            Cell::Id(id) => id.into(),
            Cell::Time(time) => time.into(),
        }
    }
}

/// A number that is no larger than what a column holds.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Reads the columns of a row one after another.
pub(super) struct Reader<'r, 's> {
    columns: &'r Columns<'s>,
    next: usize,
}

impl<'r, 's> Reader<'r, 's> {
    pub(super) fn new(columns: &'r Columns<'s>) -> Self {
        Self { columns, next: 0 }
    }

    pub(super) fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.columns.get(self.next - 1)
    }

    /// A number that is not negative.
    pub(super) fn count<T: TryFrom<i64> + Default>(&mut self) -> rusqlite::Result<T> {
        Ok(T::try_from(self.next()?).unwrap_or_default())
    }
}

impl Cells for Reader<'_, '_> {
    type Error = rusqlite::Error;

    fn number(&mut self) -> rusqlite::Result<Option<i64>> {
        self.next()
    }

    fn text(&mut self) -> rusqlite::Result<Option<String>> {
        self.next()
    }

    fn id(&mut self) -> rusqlite::Result<Option<RunId>> {
        self.next()
    }

    fn time(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        self.next()
    }

    fn malformed(&self, message: String) -> rusqlite::Error {
        let column = self.next.saturating_sub(1);
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            message.into(),
        )
    }
}

//! The table `mirror`.

use std::sync::LazyLock;

use postgres::types::Type;
use postgres::{Client, Row as Columns};
use serde_json::Value;

use super::homes::Process;
use super::trouble::Trouble;
use super::values::{Reader, number, object, theirs};
use crate::base::time::Timestamp;
use crate::queue::choose::Candidate;
use crate::queue::model::{Class, Member, Row, RunId};
use crate::queue::record::{self, COLUMNS, Cells as _, cells};

/// A row with the number that runs and deliveries know its mirror by, which a new name does not change.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) row: Row,
    /// Whether it is at home here from now on.
    pub(super) comes_home: bool,
}

/// `id`, and all columns that a row is read from.
static SELECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT id, {} FROM mirror", COLUMNS.join(", ")));

static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let news: Vec<_> = COLUMNS.iter().map(|column| format!("new.{column}")).collect();
    format!(
        "UPDATE mirror SET ({0}, node, home) = ROW({1}, CASE WHEN new.running_run IS NULL THEN NULL \
         WHEN new.running_run = mirror.running_run THEN mirror.node ELSE $2::text::uuid END, \
         coalesce(new.home, mirror.home)) \
         FROM json_populate_recordset(NULL::mirror, $1::text::json) AS new WHERE mirror.id = new.id",
        COLUMNS.join(", "),
        news.join(", ")
    )
});

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO mirror ({0}) SELECT {0} FROM json_populate_recordset(NULL::mirror, $1::text::json)",
        COLUMNS.join(", ")
    )
});

fn read(columns: &Columns, ahead: i64) -> Result<Stored, Trouble> {
    let mut next = Reader::new(columns, ahead);
    Ok(Stored { id: next.next()?, row: record::row(&mut next)?, comes_home: false })
}

fn read_all(found: &[Columns], ahead: i64) -> Result<Vec<Stored>, Trouble> {
    found.iter().map(|columns| read(columns, ahead)).collect()
}

pub(super) fn ids(runs: &[RunId]) -> Vec<String> {
    runs.iter().map(RunId::to_string).collect()
}

/// Locks the rows of these names, and those whose runs these are, until the transaction ends. They are locked in the
/// same order by everybody.
pub(super) fn lock(
    client: &mut Client,
    ahead: i64,
    names: &[String],
    runs: &[RunId],
) -> Result<Vec<Stored>, Trouble> {
    let names: Vec<_> = names.iter().filter(|name| !name.contains('\0')).collect();
    let by_name = "name = ANY($1)";
    let by_run = "running_run = ANY($2::text[]::uuid[])";
    let which = match (names.is_empty(), runs.is_empty()) {
        (true, true) => return Ok(Vec::new()),
        (false, true) => format!("{by_name} AND cardinality($2::text[]) = 0"),
        (true, false) => format!("cardinality($1::text[]) = 0 AND {by_run}"),
        (false, false) => format!("({by_name} OR {by_run})"),
    };
    let select = format!("{} WHERE {which} ORDER BY id FOR UPDATE", *SELECT);
    let runs = ids(runs);
    let found =
        client.query_typed(&select, &[(&names, Type::TEXT_ARRAY), (&runs, Type::TEXT_ARRAY)])?;
    read_all(&found, ahead)
}

/// Locks some of the rows whose claims have run out, but for those that somebody else has locked.
pub(super) fn lock_expired(
    client: &mut Client,
    ahead: i64,
    now: Timestamp,
    most: i64,
) -> Result<Vec<Stored>, Trouble> {
    let select = format!(
        "{} WHERE attention <= $1 AND running_run IS NOT NULL ORDER BY id LIMIT $2 \
         FOR UPDATE SKIP LOCKED",
        *SELECT
    );
    let now = theirs(now, ahead);
    let found = client.query_typed(&select, &[(&now, Type::INT8), (&most, Type::INT8)])?;
    read_all(&found, ahead)
}

/// Lets the claims of a process run out that is gone.
pub(super) fn expire_all_of(client: &mut Client, node: &str) -> Result<(), Trouble> {
    let update = "UPDATE mirror SET running_until = 0, attention = 0 \
         WHERE running_run IS NOT NULL AND node = $1::text::uuid";
    client.query_typed(update, &[(&node, Type::TEXT)])?;
    Ok(())
}

/// Locks those of these rows that are still due, but for those that somebody else has locked.
pub(super) fn lock_due(
    client: &mut Client,
    ahead: i64,
    now: Timestamp,
    ids: &[i64],
) -> Result<Vec<Stored>, Trouble> {
    let select = format!(
        "{} WHERE id = ANY($1) AND attention <= $2 AND running_run IS NULL ORDER BY id \
         FOR UPDATE SKIP LOCKED",
        *SELECT
    );
    let now = theirs(now, ahead);
    let found = client.query_typed(&select, &[(&ids, Type::INT8_ARRAY), (&now, Type::INT8)])?;
    read_all(&found, ahead)
}

fn json<'s>(
    stored: impl IntoIterator<Item = &'s Stored>,
    ahead: i64,
    home: Option<RunId>,
) -> String {
    let rows = stored.into_iter().map(|stored| {
        let mut object = object(COLUMNS.into_iter().zip(cells(&stored.row)), ahead);
        object.insert("id".to_owned(), stored.id.into());
        if let Some(home) = home.filter(|_| stored.comes_home) {
            object.insert("home".to_owned(), home.to_string().into());
        }
        Value::Object(object)
    });
    Value::Array(rows.collect()).to_string()
}

/// Writes what has become of rows. Runs that begin with it are those of `node`.
pub(super) fn update<'s>(
    client: &mut Client,
    ahead: i64,
    node: &Process,
    stored: impl IntoIterator<Item = &'s Stored>,
) -> Result<(), Trouble> {
    let rows = json(stored, ahead, node.home);
    client.query_typed(&UPDATE, &[(&rows, Type::TEXT), (&node.id.to_string(), Type::TEXT)])?;
    Ok(())
}

/// Adds rows.
pub(super) fn insert(client: &mut Client, ahead: i64, rows: Vec<Row>) -> Result<(), Trouble> {
    let rows: Vec<_> =
        rows.into_iter().map(|row| Stored { id: 0, row, comes_home: false }).collect();
    let rows = json(&rows, ahead, None);
    client.query_typed(&INSERT, &[(&rows, Type::TEXT)])?;
    Ok(())
}

/// The row of that name, of a mirror that is or was configured.
pub(super) fn named(
    client: &mut Client,
    ahead: i64,
    name: &str,
) -> Result<Option<Stored>, Trouble> {
    // Not even to be asked for.
    if name.contains('\0') {
        return Ok(None);
    }
    let select = format!("{} WHERE name = $1", *SELECT);
    let found = client.query_typed_opt(&select, &[(&name, Type::TEXT)])?;
    found.map(|columns| read(&columns, ahead)).transpose()
}

/// The row whose waiting requests the run answers.
pub(super) fn waiting_for(
    client: &mut Client,
    ahead: i64,
    run: RunId,
) -> Result<Option<Stored>, Trouble> {
    let select = format!("{} WHERE waiting_run = $1::text::uuid", *SELECT);
    let found = client.query_typed_opt(&select, &[(&run.to_string(), Type::TEXT)])?;
    found.map(|columns| read(&columns, ahead)).transpose()
}

/// The rows of all mirrors that are configured, by name.
pub(super) fn members(client: &mut Client, ahead: i64) -> Result<Vec<Stored>, Trouble> {
    // By bytes, as everywhere else, whatever the language of the database.
    let select = format!("{} WHERE removed IS NULL ORDER BY name COLLATE \"C\"", *SELECT);
    read_all(&client.query_typed(&select, &[])?, ahead)
}

/// The first rows after `name`, by name, of mirrors that are or were configured.
pub(super) fn after(
    client: &mut Client,
    ahead: i64,
    name: &str,
    count: usize,
) -> Result<Vec<Stored>, Trouble> {
    let order = "name COLLATE \"C\"";
    let select = format!("{} WHERE {order} > $1 ORDER BY {order} LIMIT $2", *SELECT);
    let count = number(count);
    let found = client.query_typed(&select, &[(&name, Type::TEXT), (&count, Type::INT8)])?;
    read_all(&found, ahead)
}

/// What the configuration said last of all mirrors, and whether each is still in it.
pub(super) fn configured(client: &mut Client) -> Result<Vec<(Member, bool)>, Trouble> {
    let select = "SELECT name, owner, source_host, target_host, target, pin, fingerprint, \
         removed IS NULL FROM mirror";
    let found = client.query_typed(select, &[])?;
    let read = |columns: &Columns| {
        let mut next = Reader::new(columns, 0);
        let member = record::member(&mut next)?;
        Ok((member, next.next()?))
    };
    found.iter().map(read).collect()
}

/// The names of all mirrors that are or were configured.
pub(super) fn names(client: &mut Client) -> Result<Vec<String>, Trouble> {
    let select = "SELECT name FROM mirror ORDER BY name COLLATE \"C\"";
    client.query_typed(select, &[])?.iter().map(|columns| Ok(columns.try_get(0)?)).collect()
}

/// The names of all mirrors that are configured no more, and since when.
pub(super) fn removed(
    client: &mut Client,
    ahead: i64,
) -> Result<Vec<(String, Timestamp)>, Trouble> {
    let select = "SELECT name, removed FROM mirror WHERE removed IS NOT NULL \
         ORDER BY name COLLATE \"C\"";
    let read = |columns: &Columns| {
        let mut next = Reader::new(columns, ahead);
        let (name, removed) = (next.name()?, next.time()?);
        Ok((name, next.there(removed)?))
    };
    client.query_typed(select, &[])?.iter().map(read).collect()
}

/// The numbers of all mirrors that are or were configured.
pub(super) fn numbers(client: &mut Client) -> Result<Vec<i64>, Trouble> {
    let found = client.query_typed("SELECT id FROM mirror ORDER BY id", &[])?;
    found.iter().map(|columns| Ok(columns.try_get(0)?)).collect()
}

pub(super) const CANDIDATE: &str = "owner, source_host, target_host, target";

/// The candidate that comes next in the columns, and the number of its mirror.
pub(super) fn candidate_of(next: &mut Reader<'_>) -> Result<(i64, Candidate), Trouble> {
    let (owner, source_host, target_host, target) =
        (next.name()?, next.name()?, next.name()?, next.name()?);
    let (class, weight, due, deaths) = (next.class()?, next.word()?, next.time()?, next.count()?);
    let (id, is_here) = (next.next()?, next.next()?);
    let candidate = Candidate {
        owner,
        source_host,
        target_host,
        target,
        class: class.unwrap_or(Class::Schedule),
        weight: next.there(weight)?,
        due: due.unwrap_or_default(),
        deaths,
        is_here,
        is_guest: false,
    };
    Ok((id, candidate))
}

/// The mirrors whose runs are under way, at whichever node. Each is due when its claim runs out.
pub(super) fn all_running(
    client: &mut Client,
    ahead: i64,
    node: &Process,
) -> Result<Vec<Candidate>, Trouble> {
    let select = format!(
        "SELECT {CANDIDATE}, running_class, running_weight, running_until, attempts - 1, id, \
         node IS NOT DISTINCT FROM $1::text::uuid FROM mirror WHERE running_run IS NOT NULL"
    );
    let found = client.query_typed(&select, &[(&node.id.to_string(), Type::TEXT)])?;
    let read = |columns| Ok(candidate_of(&mut Reader::new(columns, ahead))?.1);
    found.iter().map(read).collect()
}

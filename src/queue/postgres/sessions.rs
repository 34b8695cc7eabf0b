//! The table `session`.

use postgres::Client;
use postgres::types::Type;

use super::PostgresStore;
use super::alone::Work;
use super::trouble::{Problem, Trouble};
use super::values::{number, ours, theirs};
use crate::base::time::Timestamp;
use crate::queue::sessions::{Session, Sessions};
use crate::queue::store_error::StoreError;

impl Sessions for PostgresStore {
    fn open(&self, session: &Session, most: usize) -> Result<(), StoreError> {
        let session = session.clone();
        self.writer
            .write_alone(move |Work { client, ahead, .. }| insert(client, *ahead, &session, most))
    }

    fn find(&self, id: &[u8; 32]) -> Result<Option<Session>, StoreError> {
        self.readers.read(|client, ahead| find(client, ahead, id))
    }

    fn note_use(&self, id: &[u8; 32], now: Timestamp) -> Result<(), StoreError> {
        let id = *id;
        self.writer.write_alone(move |Work { client, ahead, .. }| {
            let update = "UPDATE session SET used = greatest(used, $2) WHERE id = $1";
            let now = theirs(now, *ahead);
            client.query_typed(update, &[(&&id[..], Type::BYTEA), (&now, Type::INT8)])?;
            Ok(())
        })
    }

    fn close(&self, id: &[u8; 32]) -> Result<(), StoreError> {
        let id = *id;
        self.writer.write_alone(move |Work { client, .. }| {
            let delete = "DELETE FROM session WHERE id = $1";
            client.query_typed(delete, &[(&&id[..], Type::BYTEA)])?;
            Ok(())
        })
    }

    fn expire(&self, before: Timestamp) -> Result<(), StoreError> {
        self.writer.write_alone(move |Work { client, ahead, .. }| {
            let delete = "DELETE FROM session WHERE made < $1";
            client.query_typed(delete, &[(&theirs(before, *ahead), Type::INT8)])?;
            Ok(())
        })
    }
}

fn insert(client: &mut Client, ahead: i64, session: &Session, most: usize) -> Result<(), Trouble> {
    let Session { id, holder, proof, made, used } = session;
    let insert = "INSERT INTO session (id, holder, proof, made, used) VALUES ($1, $2, $3, $4, $5)";
    client.query_typed(
        insert,
        &[
            (&&id[..], Type::BYTEA),
            (&&holder[..], Type::BYTEA),
            (&&proof[..], Type::BYTEA),
            (&theirs(*made, ahead), Type::INT8),
            (&theirs(*used, ahead), Type::INT8),
        ],
    )?;
    // Who logs in again and again pays with sessions of the same token. This one stays, whatever the others say.
    let delete = "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE holder = $1 AND id <> $2 \
         ORDER BY used DESC, made DESC, id OFFSET $3)";
    let others = number(most.saturating_sub(1));
    client.query_typed(
        delete,
        &[(&&holder[..], Type::BYTEA), (&&id[..], Type::BYTEA), (&others, Type::INT8)],
    )?;
    Ok(())
}

fn find(client: &mut Client, ahead: i64, id: &[u8; 32]) -> Result<Option<Session>, Trouble> {
    let select = "SELECT holder, proof, made, used FROM session WHERE id = $1";
    let Some(found) = client.query_typed_opt(select, &[(&&id[..], Type::BYTEA)])? else {
        return Ok(None);
    };
    let hash = |column| {
        let bytes: &[u8] = found.try_get(column)?;
        let other = |_| Trouble::of(Problem::Content, "a hash of a session has another length");
        bytes.try_into().map_err(other)
    };
    Ok(Some(Session {
        id: *id,
        holder: hash(0)?,
        proof: hash(1)?,
        made: ours(found.try_get(2)?, ahead),
        used: ours(found.try_get(3)?, ahead),
    }))
}

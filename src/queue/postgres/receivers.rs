//! The table `receiver`.

use postgres::types::{ToSql, Type};

use super::PostgresStore;
use super::alone::Work;
use super::homes::GONE;
use super::nodes::NOW;
use super::values::number;
use crate::queue::receivers::{Kept, Receivers};
use crate::queue::store_error::StoreError;

type Typed<'v> = (&'v (dyn ToSql + Sync), Type);

impl Receivers for PostgresStore {
    fn kept(&self, receiver: &str) -> Result<Kept, StoreError> {
        let select = "SELECT version, contents FROM receiver WHERE name = $1";
        self.readers.read(|client, ahead| {
            let found = client.query_typed_opt(select, &[(&receiver, Type::TEXT)])?;
            let (version, contents) = match found {
                Some(columns) => (columns.try_get(0)?, columns.try_get(1)?),
                None => (0, String::new()),
            };
            Ok(Kept { version, contents, ahead })
        })
    }

    fn keep(&self, receiver: &str, before: i64, contents: &str) -> Result<bool, StoreError> {
        let statement = match before {
            0 => {
                "INSERT INTO receiver (name, contents, version) VALUES ($1, $2, $3 + 1) \
                 ON CONFLICT DO NOTHING"
            }
            _ => {
                "UPDATE receiver SET contents = $2, version = $3 + 1 \
                 WHERE name = $1 AND version = $3"
            }
        };
        let (receiver, contents) = (receiver.to_owned(), contents.to_owned());
        self.writer.write_alone(move |Work { client, .. }| {
            let values: [Typed<'_>; 3] =
                [(&receiver, Type::TEXT), (&contents, Type::TEXT), (&before, Type::INT8)];
            Ok(client.execute_typed(statement, &values)? > 0)
        })
    }

    fn take(&self, receiver: &str) -> Result<bool, StoreError> {
        let update = format!(
            "UPDATE receiver SET sender = $2::text::uuid WHERE name = $1 AND (sender IS NULL OR \
             sender = $2::text::uuid OR NOT EXISTS (SELECT FROM node WHERE id = sender \
             AND ended IS NULL AND beat > {NOW} - $3))"
        );
        let (receiver, node) = (receiver.to_owned(), self.node.clone());
        let gone = number(GONE.as_millis());
        self.writer.write_alone(move |Work { client, .. }| {
            let values: [Typed<'_>; 3] =
                [(&receiver, Type::TEXT), (&node, Type::TEXT), (&gone, Type::INT8)];
            Ok(client.execute_typed(&update, &values)? > 0)
        })
    }

    fn leave(&self, receiver: &str) -> Result<(), StoreError> {
        let update =
            "UPDATE receiver SET sender = NULL WHERE name = $1 AND sender = $2::text::uuid";
        let (receiver, node) = (receiver.to_owned(), self.node.clone());
        self.writer.write_alone(move |Work { client, .. }| {
            client.execute_typed(update, &[(&receiver, Type::TEXT), (&node, Type::TEXT)])?;
            Ok(())
        })
    }
}

//! Integration tests.
#![cfg(test)]

mod destination;
mod oracle_destination;
mod repository;

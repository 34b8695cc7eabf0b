//! The rules that everything follows that keeps sessions of browsers.

use synchroniser::queue::{JobStore as _, MemorySessions, Session, Sessions};

use super::support::*;

fn session(id: u8, holder: u8, made: i64) -> Session {
    Session { id: [id; 32], holder: [holder; 32], proof: [!id; 32], made: at(made), used: at(made) }
}

/// Which of the first hundred there are.
fn ids(sessions: &dyn Sessions) -> Vec<u8> {
    (0..100).filter(|id| sessions.find(&[*id; 32]).unwrap().is_some()).collect()
}

fn what_is_opened_is_found_until_it_is_closed(sessions: &dyn Sessions) {
    for id in [1, 2, 3] {
        sessions.open(&session(id, 7, 10), 9).unwrap();
    }
    assert_eq!(sessions.find(&[2; 32]).unwrap(), Some(session(2, 7, 10)));
    assert_eq!(sessions.find(&[4; 32]).unwrap(), None);
    sessions.close(&[2; 32]).unwrap();
    sessions.close(&[2; 32]).unwrap();
    assert_eq!(ids(sessions), [1, 3]);
}

fn a_use_is_noted_and_makes_no_session(sessions: &dyn Sessions) {
    sessions.open(&session(1, 7, 10), 9).unwrap();
    sessions.note_use(&[1; 32], at(50)).unwrap();
    sessions.note_use(&[2; 32], at(50)).unwrap();
    let used = Session { used: at(50), ..session(1, 7, 10) };
    assert_eq!(sessions.find(&[1; 32]).unwrap(), Some(used));
    assert_eq!(ids(sessions), [1]);
}

fn a_token_has_so_many_and_what_is_not_used_ends_first(sessions: &dyn Sessions) {
    sessions.open(&session(90, 8, 0), 3).unwrap();
    for id in 1..=3 {
        sessions.open(&session(id, 7, i64::from(id)), 3).unwrap();
    }
    sessions.note_use(&[1; 32], at(20)).unwrap();
    sessions.open(&session(4, 7, 30), 3).unwrap();
    assert_eq!(ids(sessions), [1, 3, 4, 90], "of another token nothing ends");
    sessions.note_use(&[3; 32], at(500)).unwrap();
    sessions.open(&session(5, 7, 40), 2).unwrap();
    assert_eq!(ids(sessions), [3, 5, 90]);
    sessions.open(&session(6, 7, 40), 1).unwrap();
    assert_eq!(ids(sessions), [6, 90], "a new one is there, whatever the others are");
}

fn what_is_old_ends_however_much_it_is_used(sessions: &dyn Sessions) {
    for (id, made) in [(1, 10), (2, 20), (3, 30)] {
        sessions.open(&session(id, 7, made), 9).unwrap();
    }
    sessions.note_use(&[1; 32], at(100)).unwrap();
    sessions.expire(at(20)).unwrap();
    assert_eq!(ids(sessions), [2, 3]);
}

macro_rules! contract {
    ($($rule:ident),+ $(,)?) => {
        mod memory {
            use super::*;
            $(#[test] fn $rule() { super::$rule(&MemorySessions::default()); })+
        }
        mod postgres {
            use super::*;
            $(#[test] fn $rule() {
                let Some(server) = crate::support::postgres::shared() else { return };
                super::$rule(open_postgres(&server.schema()).sessions().unwrap());
            })+
        }
    };
}

contract!(
    what_is_opened_is_found_until_it_is_closed,
    a_use_is_noted_and_makes_no_session,
    a_token_has_so_many_and_what_is_not_used_ends_first,
    what_is_old_ends_however_much_it_is_used,
);

/// By whichever process it was opened.
#[test]
fn who_shares_a_database_shares_its_sessions() {
    let Some(server) = crate::support::postgres::shared() else { return };
    let address = server.schema();
    let [one, other] = [open_postgres(&address), open_postgres(&address)];
    let [one, other] = [one.sessions().unwrap(), other.sessions().unwrap()];
    one.open(&session(1, 7, 10), 9).unwrap();
    assert_eq!(other.find(&[1; 32]).unwrap(), Some(session(1, 7, 10)));
    other.close(&[1; 32]).unwrap();
    assert_eq!(one.find(&[1; 32]).unwrap(), None);
}

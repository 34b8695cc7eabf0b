//! One hook: from the bytes of a delivery to the answer.

use super::answer::Answer;
use super::app::App;
use crate::base::clean::clean_short;
use crate::hook::{Delivery, Event, Format, PushEvent, form};

/// How many characters of a name from outside are shown.
const NAME: usize = 100;

/// Takes a delivery in `format`, asks for a sync of the mirror that it selects, and waits for it as
/// long as is configured.
pub(super) async fn hook(
    app: &App,
    format: &Format,
    delivery: &Delivery<'_>,
    path: &str,
) -> Answer {
    let event = match (format.parse)(delivery) {
        Ok(Event::Push(event)) => event,
        Ok(Event::Ping | Event::Other(_)) => return Answer::usage(path),
        Err(error) => {
            tracing::info!(format = format.name, "a hook cannot be read: {error}");
            return Answer::bad_payload(error);
        }
    };
    let (user, project) = selected(delivery.query, &event);
    let Some(mirror) = app.select(&user, &project) else {
        let (user, project) = (clean_short(&user, NAME), clean_short(&project, NAME));
        tracing::info!(user, project, "a hook selects no mirror");
        return Answer::no_mirror(&user, &project);
    };
    let Ok(receipt) = app.queue.request(mirror.clone()) else {
        return Answer::stopping();
    };
    tracing::info!(
        mirror = mirror.name(),
        job = %receipt.id,
        folded = receipt.folded,
        heads = event.heads_hinted.len(),
        "a hook asks for a sync"
    );
    match app.outcome(receipt.id).await {
        Some(job) => Answer::of_job(&job),
        None => Answer::forgotten(mirror),
    }
}

/// The user and the project that a hook selects: those of the query, and else the payload's.
fn selected(query: &str, event: &PushEvent) -> (String, String) {
    let chosen = |name: &str, sent: &str| {
        let chosen = form::field(query.as_bytes(), name).filter(|value| !value.is_empty());
        chosen.map_or_else(|| sent.to_owned(), |value| String::from_utf8_lossy(&value).into_owned())
    };
    let sent = |name: &Option<String>| name.clone().unwrap_or_default();
    (chosen("user", &sent(&event.owner)), chosen("project", &sent(&event.slug)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_goes_before_the_payload() {
        let event = PushEvent {
            owner: Some("ada".to_owned()),
            slug: Some("core".to_owned()),
            ..PushEvent::default()
        };
        for (query, user, project) in [
            ("", "ada", "core"),
            ("user=acme", "acme", "core"),
            ("project=rocket&x=1", "ada", "rocket"),
            ("user=acme%20inc&project=r%2Fs", "acme inc", "r/s"),
            ("user=&project", "ada", "core"),
            ("user=%ff%zz", "\u{fffd}%zz", "core"),
        ] {
            let (found_user, found_project) = selected(query, &event);
            assert_eq!((&*found_user, &*found_project), (user, project), "{query}");
        }
    }
}

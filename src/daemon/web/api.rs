//! The API: the views as JSON, and what can be asked for.

use serde::Serialize;
use warp::http::StatusCode;
use warp::http::header;

use super::Visit;
use super::answer::{Answer, long_hash};
use super::paging::{count, number, with_query};
use super::problem::Problem;
use crate::queue::model::{Receipt, RunId};
use crate::service::view::{
    CredentialView, DeliveryView, MirrorFilter, MirrorState, QueueEntry, RequestKey, RunSummary,
    ServiceError,
};

/// The header by which a request is known that is sent again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest value of it.
const LONGEST_KEY: usize = 255;

type Answered = Result<Answer, Problem>;

/// A page of runs.
#[derive(Serialize)]
struct RunList {
    runs: Vec<RunSummary>,
    /// Where the next page begins: before this run.
    next: Option<RunId>,
}

/// A page of deliveries.
#[derive(Serialize)]
struct DeliveryList {
    deliveries: Vec<DeliveryView>,
    /// Where the next page begins: before this delivery.
    next: Option<i64>,
}

/// The queue.
#[derive(Serialize)]
struct Queue {
    queue: Vec<QueueEntry>,
}

/// The credentials whose end is known.
#[derive(Serialize)]
struct CredentialList {
    credentials: Vec<CredentialView>,
}

/// Which mirrors the query asks for.
pub(super) fn filter(visit: &Visit<'_>, count: usize) -> Result<MirrorFilter, Problem> {
    let request = visit.request;
    let state = match request.parameter("state") {
        None => None,
        Some(name) => {
            let found = MirrorState::ALL.into_iter().find(|state| state.name() == name);
            let wrong = || Problem::bad_request("The parameter \"state\" is no state of a mirror.");
            Some(found.ok_or_else(wrong)?)
        }
    };
    Ok(MirrorFilter {
        state,
        trouble: false,
        owner: request.parameter("owner"),
        text: request.parameter("q"),
        after: request.parameter("after"),
        count,
    })
}

pub(super) fn overview(visit: &Visit<'_>) -> Answered {
    Ok(Answer::json(&visit.service().overview()?))
}

pub(super) fn mirrors(visit: &Visit<'_>) -> Answered {
    let filter = filter(visit, count(visit.request)?)?;
    let list = visit.service().mirrors(&filter)?;
    let next = list.next.clone();
    Ok(with_next(visit, Answer::json(&list), "after", next.as_deref()))
}

pub(super) fn mirror(visit: &Visit<'_>) -> Answered {
    match visit.service().mirror(visit.name)? {
        Some(mirror) => Ok(Answer::json(&mirror)),
        None => Err(ServiceError::NoMirror { name: visit.name.to_owned() }.into()),
    }
}

pub(super) fn sync(visit: &Visit<'_>) -> Answered {
    let (service, name) = (visit.service(), visit.name);
    Ok(accepted(&match key(visit)? {
        Some(key) => service.sync_once(name, &key)?,
        None => service.sync(name)?,
    }))
}

pub(super) fn retry(visit: &Visit<'_>) -> Answered {
    let (service, name) = (visit.service(), visit.name);
    Ok(accepted(&match key(visit)? {
        Some(key) => service.sync_once(name, &key)?,
        None => service.retry(name)?,
    }))
}

/// What tells that a request was sent before: its header `Idempotency-Key`, with who sends it and what for.
fn key(visit: &Visit<'_>) -> Result<Option<RequestKey>, Problem> {
    let request = visit.request;
    if !request.headers.contains_key(IDEMPOTENCY_KEY) {
        return Ok(None);
    }
    // Just what the OpenAPI document says.
    let is_right = |key: &&str| {
        (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = request.header(IDEMPOTENCY_KEY).filter(is_right);
    let key = key.ok_or_else(|| {
        let detail = format!(
            "The header Idempotency-Key has 1 to {LONGEST_KEY} characters of ASCII, and no spaces."
        );
        Problem::bad_request(detail)
    })?;
    let sender = request.header("authorization").unwrap_or_default();
    let id = long_hash(format!("{sender}\n{}\n{key}", request.path).as_bytes());
    Ok(Some(RequestKey { id, from: request.from }))
}

pub(super) fn pause(visit: &Visit<'_>) -> Answered {
    visit.service().pause(visit.name)?;
    Ok(Answer::text(String::new()).status(StatusCode::NO_CONTENT))
}

pub(super) fn resume(visit: &Visit<'_>) -> Answered {
    visit.service().resume(visit.name)?;
    Ok(Answer::text(String::new()).status(StatusCode::NO_CONTENT))
}

fn accepted(receipt: &Receipt) -> Answer {
    let run = format!("/api/v1/runs/{}", receipt.run);
    Answer::json(receipt).status(StatusCode::ACCEPTED).header(header::LOCATION, run)
}

pub(super) fn runs(visit: &Visit<'_>) -> Answered {
    let (count, before) = (count(visit.request)?, number(visit.request, "before")?);
    let mirror = visit.request.parameter("mirror");
    let mut runs = visit.service().runs(mirror.as_deref(), before, count + 1)?;
    let has_more = runs.len() > count;
    runs.truncate(count);
    let next = runs.last().map(|run| run.id).filter(|_| has_more);
    let text = next.map(|id| id.to_string());
    Ok(with_next(visit, Answer::json(&RunList { runs, next }), "before", text.as_deref()))
}

pub(super) fn run(visit: &Visit<'_>) -> Answered {
    let _: Option<u32> = number(visit.request, "wait")?;
    let unknown = || Problem::not_found("No run has this id; old runs are forgotten.");
    let id = visit.name.parse().map_err(|_| unknown())?;
    Ok(Answer::json(&visit.service().run(id)?.ok_or_else(unknown)?))
}

pub(super) fn deliveries(visit: &Visit<'_>) -> Answered {
    let (count, before) = (count(visit.request)?, number(visit.request, "before")?);
    let mut deliveries = visit.service().deliveries(before, count + 1)?;
    let has_more = deliveries.len() > count;
    deliveries.truncate(count);
    let next = deliveries.last().map(|it| it.number).filter(|_| has_more);
    let text = next.map(|number| number.to_string());
    let list = DeliveryList { deliveries, next };
    Ok(with_next(visit, Answer::json(&list), "before", text.as_deref()))
}

pub(super) fn queue(visit: &Visit<'_>) -> Answered {
    Ok(Answer::json(&Queue { queue: visit.service().queue()? }))
}

pub(super) fn caches(visit: &Visit<'_>) -> Answered {
    Ok(Answer::json(&visit.service().caches()?))
}

pub(super) fn credentials(visit: &Visit<'_>) -> Answered {
    Ok(Answer::json(&CredentialList { credentials: visit.service().credentials()? }))
}

#[expect(clippy::unnecessary_wraps, reason = "all lines of the table have functions of one kind")]
pub(super) fn openapi(_: &Visit<'_>) -> Answered {
    Ok(Answer::new("application/json", super::openapi()))
}

/// Names the address of the next page in a header, too.
fn with_next(visit: &Visit<'_>, answer: Answer, cursor: &str, next: Option<&str>) -> Answer {
    let Some(next) = next else { return answer };
    let request = visit.request;
    let kept =
        ["state", "owner", "q", "mirror", "count"].map(|name| (name, request.parameter(name)));
    let mut query: Vec<_> = kept.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    query.push((cursor, Some(next)));
    let path = with_query(&request.path, &query);
    answer.header(header::LINK, format!("<{path}>; rel=\"next\""))
}

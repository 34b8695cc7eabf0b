//! What the buttons do, and logging in and out. Each answers with another page, so that loading that one
//! again does nothing twice.

use maud::{Markup, html};
use warp::http::StatusCode;
use warp::http::header;

use super::layout::{Page, plain};
use crate::daemon::web::Visit;
use crate::daemon::web::access::{Access, Denied, NotLoggedIn, is_unencrypted};
use crate::daemon::web::answer::Answer;
use crate::daemon::web::paging::{mirror_path, run_path};
use crate::daemon::web::problem::Problem;
use crate::service::view::{MirrorState, ServiceError};

type Answered = Result<Answer, Problem>;

pub(in crate::daemon::web) fn sync(visit: &Visit<'_>) -> Answered {
    let receipt = visit.service().sync(visit.name)?;
    Ok(Answer::see_other(run_path(receipt.run)))
}

pub(in crate::daemon::web) fn retry(visit: &Visit<'_>) -> Answered {
    let receipt = visit.service().retry(visit.name)?;
    Ok(Answer::see_other(run_path(receipt.run)))
}

pub(in crate::daemon::web) fn pause(visit: &Visit<'_>) -> Answered {
    visit.service().pause(visit.name)?;
    Ok(Answer::see_other(mirror_path(visit.name)))
}

pub(in crate::daemon::web) fn resume(visit: &Visit<'_>) -> Answered {
    visit.service().resume(visit.name)?;
    Ok(Answer::see_other(mirror_path(visit.name)))
}

/// Where to go on after logging in: a page of ours, whatever the address says.
fn next(given: Option<String>) -> String {
    let is_ours = |path: &String| {
        let rest = path.strip_prefix('/');
        rest.is_some_and(|rest| !rest.starts_with(['/', '\\'])) && !path.contains(char::is_control)
    };
    given.filter(is_ours).filter(|path| path.is_ascii()).unwrap_or_else(|| "/".to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "all lines of the table have functions of one kind")]
pub(in crate::daemon::web) fn login(visit: &Visit<'_>) -> Answered {
    Ok(Answer::html(login_form(&next(visit.request.parameter("next")), None)))
}

pub(in crate::daemon::web) fn log_in(visit: &Visit<'_>) -> Answered {
    let request = visit.request;
    let next = next(request.field("next"));
    let token = request.field("token").unwrap_or_default();
    let refused = |why: &str| {
        Ok(Answer::html(login_form(&next, Some(why))).status(StatusCode::UNPROCESSABLE_ENTITY))
    };
    if is_unencrypted(request) {
        return refused(
            "The connection is not encrypted, and a browser keeps a session only if it is. \
             Use the address that begins with https.",
        );
    }
    let sessions = visit.service().sessions();
    match visit.state.access.log_in(request, token.trim(), sessions, visit.now) {
        Ok(cookie) => Ok(Answer::see_other(next).header(header::SET_COOKIE, cookie)),
        Err(NotLoggedIn::Denied(Denied::NoToken)) => refused("This token is not known."),
        Err(NotLoggedIn::Denied(Denied::Later(wait))) => Err(Problem::too_many_guesses(wait)),
        Err(NotLoggedIn::Store(error)) => Err(ServiceError::Queue(error).into()),
    }
}

pub(in crate::daemon::web) fn log_out(visit: &Visit<'_>) -> Answered {
    let sessions = visit.service().sessions();
    let cookie =
        Access::log_out(visit.request, visit.visitor, sessions).map_err(ServiceError::Queue)?;
    Ok(Answer::see_other("/").header(header::SET_COOKIE, cookie))
}

fn login_form(next: &str, error: Option<&str>) -> Markup {
    let main = html! {
        h1 { "Log in" }
        form method="post" action="/login" class="login" {
            input type="hidden" name="next" value=(next);
            p {
                label for="token" { "Token" }
                input type="password" id="token" name="token" required autocomplete="current-password"
                    aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| "wrong")];
            }
            @if let Some(error) = error { p id="wrong" class="state bad" { (error) } }
            p { button type="submit" { "Log in" } }
        }
        p class="quiet" {
            "Tokens are listed in the configuration of the service. Whoever looks after it can give you one."
        }
    };
    let title = if error.is_some() { "Error: log in" } else { "Log in" };
    let state = if error.is_some() { MirrorState::Failing } else { MirrorState::Good };
    plain(&Page { title: title.to_owned(), state, main, ..Page::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logging_in_leads_nowhere_else() {
        for (given, expected) in [
            (Some("/mirrors/a?x=1"), "/mirrors/a?x=1"),
            (None, "/"),
            (Some("//example.org"), "/"),
            (Some("/\\example.org"), "/"),
            (Some("https://example.org"), "/"),
            (Some("/a\r\nSet-Cookie: x"), "/"),
            (Some("/ö"), "/"),
        ] {
            assert_eq!(next(given.map(str::to_owned)), expected);
        }
    }
}

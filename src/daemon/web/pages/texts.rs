//! Pages that hardly change: the interface for programs, and what this is.

use maud::{Markup, html};

use super::layout::{Page, page, plain};
use super::parts::table;
use crate::daemon::web::Visit;
use crate::daemon::web::answer::Answer;
use crate::daemon::web::problem::Problem;
use crate::daemon::web::routes::{Kind, Need, ROUTES, Route};

#[expect(clippy::unnecessary_wraps, reason = "all lines of the table have functions of one kind")]
pub(in crate::daemon::web) fn api(_: &Visit<'_>) -> Result<Answer, Problem> {
    let of = |kind| ROUTES.iter().filter(move |route| route.kind == kind);
    let files = of(Kind::File).filter(|route| route.need != Need::Nothing);
    let (programs, files) = (rows(of(Kind::Api)), rows(files));
    let columns = ["Request", "What it does", "Token", "Query"];
    let main = html! {
        h1 { "API" }
        p {
            "Answers are JSON, but for events; times are milliseconds since 1970, UTC. Send a token in the "
            "header " code { "Authorization: Bearer TOKEN" } ". A name with slashes is one part of "
            "the path: " code { "/api/v1/mirrors/owner%2Fname" } "."
        }
        p {
            "Lists name the next page as " code { "next" } " and in the header " code { "Link" }
            ". Answers have an " code { "ETag" } ". Problems are told as RFC 9457 says. All of it "
            "is described by an " a href="/api/v1/openapi.json" { "OpenAPI document" } "."
        }
        p {
            "To sync a mirror and wait for the end: POST to " code { "sync" } ", then GET the run that "
            "the answer names, with " code { "?wait=60" } "."
        }
        h2 { "Requests" }
        (table("requests", "Requests to the API", &columns, &programs))
        h2 { "Badges and feeds" }
        (table("files", "Badges and feeds", &columns, &files))
        h2 { "Tokens" }
        dl {
            div { dt { "read" } dd { "To look at everything." } }
            div {
                dt { "trigger" }
                dd { "To ask for syncs, and to see the run that an answer names. Nothing else." }
            }
            div { dt { "admin" } dd { "Everything." } }
        }
    };
    Ok(Answer::html(plain(&Page {
        title: "API".to_owned(),
        path: "/api",
        main,
        ..Page::default()
    })))
}

fn rows<'a>(routes: impl Iterator<Item = &'a Route>) -> Markup {
    html! {
        @for route in routes {
            tr {
                th scope="row" { code { (route.method) " " (route.path) } }
                td { (route.summary) }
                td { (token(route.need)) }
                td {
                    @for parameter in route.query {
                        span class="detail" { code { (parameter.name) } ": " (parameter.about) }
                    }
                }
            }
        }
    }
}

/// The scopes of the tokens that are enough.
pub(in crate::daemon::web) fn token(need: Need) -> &'static str {
    match need {
        Need::Nothing => "none",
        Need::AnyToken => "any; none if looking is open",
        Need::Read => "read, admin; none if looking is open",
        Need::Trigger => "trigger, admin",
        Need::Admin => "admin",
    }
}

pub(in crate::daemon::web) fn about(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let overview = visit.service().overview()?;
    let main = html! {
        h1 { "About" }
        p {
            "synchroniser " (overview.version) " keeps Git mirrors of Mercurial repositories: it reads new "
            "changesets, converts them into commits, and pushes them."
        }
        p {
            "It may be used under the MIT licence or the Apache licence 2.0, whichever you like better. It "
            "holds libgit2 (GPL 2.0 with an exception for linking), OpenSSL (Apache 2.0) and "
            "SQLite (public domain)."
        }
        h2 { "States of a mirror" }
        dl {
            @for state in crate::service::view::MirrorState::ALL {
                div {
                    dt { (super::parts::state(state)) }
                    dd { (crate::daemon::web::icon::sign(state).meaning) }
                }
            }
        }
    };
    let page_about = Page { title: "About".to_owned(), path: "/about", main, ..Page::default() };
    Ok(page(visit, &overview, &page_about))
}

//! The table itself.

use super::{Content, Handler, Kind, Need, Parameter, Route};
use crate::daemon::web::{api, assets, badge, feed, pages};

/// A page that a person reads.
const PAGE: Route = Route {
    method: "GET",
    path: "",
    summary: "",
    need: Need::Read,
    kind: Kind::Page,
    query: &[],
    headers: &[],
    status: 200,
    content: Content::Html,
    handler: Handler::Stream,
};
/// A form on a page.
const FORM: Route =
    Route { method: "POST", need: Need::Trigger, status: 303, content: Content::Redirect, ..PAGE };
/// Something that programs fetch and that is no JSON of the API.
const FILE: Route = Route { kind: Kind::File, ..PAGE };
/// Something that a program asks for.
const GET: Route = Route { kind: Kind::Api, ..PAGE };
/// Something that a program wants to be done.
const POST: Route = Route { method: "POST", need: Need::Trigger, ..GET };

const STATE: Parameter =
    Parameter { name: "state", schema: "MirrorState", about: "Only mirrors in this state." };
const OWNER: Parameter =
    Parameter { name: "owner", schema: "Text", about: "Only mirrors of this owner." };
const TEXT: Parameter = Parameter {
    name: "q",
    schema: "Text",
    about: "Only mirrors with this text in their name or addresses, without regard to case.",
};
const AFTER: Parameter = Parameter {
    name: "after",
    schema: "Text",
    about: "Only what comes after this: \"next\" of the page before.",
};
const COUNT: Parameter =
    Parameter { name: "count", schema: "Count", about: "How many at most; 100 without it." };
const MIRROR: Parameter =
    Parameter { name: "mirror", schema: "Text", about: "Only what is about this mirror." };
const BEFORE_RUN: Parameter = Parameter {
    name: "before",
    schema: "RunId",
    about: "Only what was asked for before this run: \"next\" of the page before.",
};
const BEFORE_DELIVERY: Parameter = Parameter {
    name: "before",
    schema: "Number",
    about: "Only what arrived before this delivery: \"next\" of the page before.",
};
const WAIT: Parameter = Parameter {
    name: "wait",
    schema: "Seconds",
    about: "Answer once the run is over, or after so many seconds at the latest.",
};
const LABEL: Parameter =
    Parameter { name: "label", schema: "Text", about: "The left side; \"mirror\" without it." };
const LAST: Parameter = Parameter {
    name: "after",
    schema: "Text",
    about: "Begin after the event with this id; the header Last-Event-ID does the same.",
};
const NEXT: Parameter =
    Parameter { name: "next", schema: "Text", about: "The page to go on with after logging in." };

const KEY: Parameter = Parameter {
    name: "Idempotency-Key",
    schema: "RequestKey",
    about: "Any text of up to 255 characters. A request with the same token, path and key, within a day at the \
            least, asks for nothing again, and names the same run.",
};

/// All that is served.
pub(in crate::daemon::web) static ROUTES: &[Route] = &[
    Route {
        path: "/",
        summary: "All mirrors, a hundred on each page.",
        query: &[STATE, OWNER, TEXT, AFTER],
        handler: Handler::Now(pages::mirrors),
        ..PAGE
    },
    Route {
        path: "/mirrors/{name}",
        summary: "One mirror.",
        handler: Handler::Now(pages::mirror),
        ..PAGE
    },
    Route {
        path: "/mirrors/{name}/sync",
        summary: "Asks for a sync of a mirror, now.",
        handler: Handler::Now(pages::sync),
        ..FORM
    },
    Route {
        path: "/mirrors/{name}/retry",
        summary: "Tries a parked mirror again, now.",
        handler: Handler::Now(pages::retry),
        ..FORM
    },
    Route {
        path: "/mirrors/{name}/pause",
        summary: "Pauses a mirror: requests are kept, and nothing runs.",
        need: Need::Admin,
        handler: Handler::Now(pages::pause),
        ..FORM
    },
    Route {
        path: "/mirrors/{name}/resume",
        summary: "Lets a paused mirror go on.",
        need: Need::Admin,
        handler: Handler::Now(pages::resume),
        ..FORM
    },
    Route {
        path: "/runs/{id}",
        summary: "One run.",
        need: Need::AnyToken,
        handler: Handler::Now(pages::run),
        ..PAGE
    },
    Route {
        path: "/deliveries",
        summary: "The hooks that arrived, the newest first.",
        query: &[BEFORE_DELIVERY],
        handler: Handler::Now(pages::deliveries),
        ..PAGE
    },
    Route {
        path: "/queue",
        summary: "What runs and what waits.",
        handler: Handler::Now(pages::queue),
        ..PAGE
    },
    Route {
        path: "/api",
        summary: "This interface, for people.",
        need: Need::Nothing,
        handler: Handler::Now(pages::api),
        ..PAGE
    },
    Route {
        path: "/about",
        summary: "Version and licence.",
        handler: Handler::Now(pages::about),
        ..PAGE
    },
    Route {
        path: "/login",
        summary: "The form to log in with a token.",
        need: Need::Nothing,
        query: &[NEXT],
        handler: Handler::Now(pages::login),
        ..PAGE
    },
    Route {
        path: "/login",
        summary: "Opens a session for who knows a token.",
        need: Need::Nothing,
        handler: Handler::Now(pages::log_in),
        ..FORM
    },
    Route {
        path: "/logout",
        summary: "Ends a session.",
        need: Need::Nothing,
        handler: Handler::Now(pages::log_out),
        ..FORM
    },
    Route {
        path: "/assets/{name}",
        summary: "Styles, the script and icons.",
        need: Need::Nothing,
        content: Content::File("text/css"),
        handler: Handler::Now(assets::asset),
        ..FILE
    },
    Route {
        path: "/badge/{name}.svg",
        summary: "The state of a mirror as a picture.",
        query: &[LABEL],
        content: Content::File("image/svg+xml"),
        handler: Handler::Now(badge::svg),
        ..FILE
    },
    Route {
        path: "/badge/{name}.json",
        summary: "The state of a mirror as the endpoint badge of shields.io reads it.",
        query: &[LABEL],
        content: Content::File("application/json"),
        handler: Handler::Now(badge::json),
        ..FILE
    },
    Route {
        path: "/badge/{name}.txt",
        summary: "The state of a mirror as one word.",
        content: Content::File("text/plain"),
        handler: Handler::Now(badge::text),
        ..FILE
    },
    Route {
        path: "/feed.atom",
        summary: "Failures and recoveries of all mirrors, as an Atom feed.",
        content: Content::File("application/atom+xml"),
        handler: Handler::Now(feed::all),
        ..FILE
    },
    Route {
        path: "/feed/{name}.atom",
        summary: "Failures and recoveries of a mirror, as an Atom feed.",
        content: Content::File("application/atom+xml"),
        handler: Handler::Now(feed::of_mirror),
        ..FILE
    },
    Route {
        path: "/api/v1/overview",
        summary: "How the service is.",
        content: Content::Json("Overview"),
        handler: Handler::Now(api::overview),
        ..GET
    },
    Route {
        path: "/api/v1/mirrors",
        summary: "Mirrors, in the order of their names.",
        query: &[STATE, OWNER, TEXT, AFTER, COUNT],
        content: Content::Json("MirrorList"),
        handler: Handler::Now(api::mirrors),
        ..GET
    },
    Route {
        path: "/api/v1/mirrors/{name}",
        summary: "One mirror, with its refs, its last runs and its configuration.",
        content: Content::Json("MirrorDetail"),
        handler: Handler::Now(api::mirror),
        ..GET
    },
    Route {
        path: "/api/v1/mirrors/{name}/sync",
        summary: "Asks for a sync, now. The answer names the run that does it.",
        headers: &[KEY],
        status: 202,
        content: Content::Json("Receipt"),
        handler: Handler::Now(api::sync),
        ..POST
    },
    Route {
        path: "/api/v1/mirrors/{name}/retry",
        summary: "Tries a parked mirror again, now. The answer names the run that does it.",
        headers: &[KEY],
        status: 202,
        content: Content::Json("Receipt"),
        handler: Handler::Now(api::retry),
        ..POST
    },
    Route {
        path: "/api/v1/mirrors/{name}/pause",
        summary: "Pauses a mirror: requests are kept, and nothing runs.",
        need: Need::Admin,
        status: 204,
        content: Content::Empty,
        handler: Handler::Now(api::pause),
        ..POST
    },
    Route {
        path: "/api/v1/mirrors/{name}/resume",
        summary: "Lets a paused mirror go on.",
        need: Need::Admin,
        status: 204,
        content: Content::Empty,
        handler: Handler::Now(api::resume),
        ..POST
    },
    Route {
        path: "/api/v1/runs",
        summary: "Runs, the newest first.",
        query: &[MIRROR, BEFORE_RUN, COUNT],
        content: Content::Json("RunList"),
        handler: Handler::Now(api::runs),
        ..GET
    },
    Route {
        path: "/api/v1/runs/{id}",
        summary: "One run, with its stages, its refs and its log.",
        need: Need::AnyToken,
        query: &[WAIT],
        content: Content::Json("RunDetail"),
        handler: Handler::OnceOver(api::run),
        ..GET
    },
    Route {
        path: "/api/v1/deliveries",
        summary: "The hooks that arrived, the newest first.",
        query: &[BEFORE_DELIVERY, COUNT],
        content: Content::Json("DeliveryList"),
        handler: Handler::Now(api::deliveries),
        ..GET
    },
    Route {
        path: "/api/v1/queue",
        summary: "What runs and what waits, in the order in which it is due.",
        content: Content::Json("Queue"),
        handler: Handler::Now(api::queue),
        ..GET
    },
    Route {
        path: "/api/v1/caches",
        summary: "What the caches take, and what is free on their disk.",
        content: Content::Json("Caches"),
        handler: Handler::Now(api::caches),
        ..GET
    },
    Route {
        path: "/api/v1/credentials",
        summary: "The credentials and certificates whose end is known, the next to end first.",
        content: Content::Json("CredentialList"),
        handler: Handler::Now(api::credentials),
        ..GET
    },
    Route {
        path: "/api/v1/events",
        summary: "What happens, as a stream of server-sent events. The event \"resync\" says that some \
                  were missed, and that everything is to be looked at anew.",
        query: &[MIRROR, LAST],
        content: Content::Events,
        handler: Handler::Stream,
        ..GET
    },
    Route {
        path: "/api/v1/openapi.json",
        summary: "This interface, as an OpenAPI document.",
        need: Need::Nothing,
        content: Content::Json("Any"),
        handler: Handler::Now(api::openapi),
        ..GET
    },
];

//! The API.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{Repo, State, Who};

fn problem(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "message": message, "documentation_url": "https://docs" }))
}

fn not_found() -> Response {
    problem(404, "Not Found")
}

pub(super) fn answer(state: &mut State, port: u16, path: &str, request: &Request) -> Response {
    // What GitHub demands of every request.
    if request.header("user-agent").is_empty() {
        return problem(403, "Request forbidden by administrative rules.");
    }
    assert_eq!(request.header("accept"), "application/vnd.github+json");
    assert_eq!(request.header("x-github-api-version"), "2022-11-28");
    let Some(who) = who(state, request) else { return problem(401, "Bad credentials") };
    let mut response = routed(state, port, path, request, &who);
    if let (Some(expires), Who::User { .. }) = (&state.expires, &who) {
        response = response.header("GitHub-Authentication-Token-Expiration", expires.clone());
    }
    if let (Some(scopes), Who::User { .. }) = (&state.scopes, &who) {
        response = response.header("X-OAuth-Scopes", scopes.clone());
    }
    response.header("x-ratelimit-remaining", "4999".to_owned())
}

/// Whom the token stands for; `None` if it stands for nobody.
fn who(state: &State, request: &Request) -> Option<Who> {
    let token = match request.header("authorization") {
        "" => return Some(Who::Anonymous),
        text => text.strip_prefix("Bearer ")?,
    };
    match state.tokens.get(token) {
        Some(who) => Some(who.clone()),
        None => is_signed(state, token).then_some(Who::App),
    }
}

/// Whether the app has signed it, for now.
fn is_signed(state: &State, token: &str) -> bool {
    let Some(app) = &state.app else { return false };
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let Some((_, claims)) = signed.split_once('.') else { return false };
    let mut verifier = Verifier::new(MessageDigest::sha256(), &app.public_key).unwrap();
    verifier.update(signed.as_bytes()).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap_or_default()).unwrap();
    let (from, to) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    let is_now = from <= now() - 59 && to > now() && to <= now() + 600;
    verifier.verify(&signature).unwrap_or(false) && is_now && claims["iss"] == app.id.as_str()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

fn routed(state: &mut State, port: u16, path: &str, request: &Request, who: &Who) -> Response {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["user"]) => match who {
            Who::User { login, .. } => Response::json(200, &json!({ "login": login })),
            _ => problem(403, "Resource not accessible by integration"),
        },
        ("GET", ["users", owner]) => match state.owners.contains(*owner) {
            true => Response::json(200, &json!({ "login": owner })),
            false => not_found(),
        },
        ("GET", ["user", "repository_invitations"]) => invitations(state, who),
        ("PATCH", ["user", "repository_invitations", number]) => accept(state, who, number),
        ("POST", ["user", "repos"]) => match who {
            Who::User { login, .. } => create(state, login, login, &body),
            _ => not_found(),
        },
        ("POST", ["orgs", owner, "repos"]) => match who {
            Who::User { login, .. } if state.owners.contains(*owner) => {
                create(state, owner, login, &body)
            }
            _ => not_found(),
        },
        ("GET", ["repos", owner, name, "installation"]) => installation(state, who, owner, name),
        ("POST", ["app", "installations", number, "access_tokens"]) => {
            access_token(state, who, number, &body)
        }
        (method, ["repos", owner, name]) => {
            let full = format!("{owner}/{name}").to_lowercase();
            if let Some(to) = state.renamed.get(&full).filter(|_| method == "GET") {
                let place = format!("http://127.0.0.1:{port}/api/v3/repos/{to}");
                return problem(301, "Moved Permanently").header("Location", place);
            }
            repository(state, &full, request, who, &body)
        }
        _ => not_found(),
    }
}

fn shown(full: &str, repo: &Repo, who: &Who) -> Value {
    let mut shown = json!({
        "full_name": full, "private": repo.private, "archived": repo.archived,
        "visibility": if repo.private { "private" } else { "public" },
        "disabled": repo.disabled, "default_branch": repo.default_branch, "size": 0,
    });
    match who {
        Who::User { login, .. } => {
            let push = repo.writers.contains(login);
            shown["permissions"] = json!({ "admin": false, "push": push, "pull": true });
        }
        // As it is seen by apps.
        Who::Installation { .. } => {
            shown["permissions"] = json!({ "admin": false, "push": false, "pull": false });
        }
        Who::Anonymous | Who::App => {}
    }
    shown
}

fn repository(
    state: &mut State,
    full: &str,
    request: &Request,
    who: &Who,
    body: &Value,
) -> Response {
    let Some(repo) = state.repositories.get_mut(full).filter(|repo| repo.is_shown_to(full, who))
    else {
        return not_found();
    };
    if request.method == "PATCH" {
        if !repo.is_written_by(full, who) || matches!(who, Who::Installation { .. }) {
            return problem(403, "Resource not accessible by integration");
        }
        body["default_branch"].as_str().unwrap().clone_into(&mut repo.default_branch);
        repo.version += 1;
    }
    let tag = format!("\"v{}\"", repo.version);
    if request.header("if-none-match") == tag {
        return Response::new(304, "").header("ETag", tag);
    }
    Response::json(200, &shown(full, repo, who)).header("ETag", tag)
}

fn invitations(state: &State, who: &Who) -> Response {
    let Who::User { login, .. } = who else {
        return problem(403, "Resource not accessible by integration");
    };
    let ours = state.invitations.iter().filter(|(_, _, whom)| whom == login);
    let ours = ours.map(|(id, name, _)| json!({ "id": id, "repository": { "full_name": name } }));
    Response::json(200, &ours.collect())
}

fn accept(state: &mut State, who: &Who, number: &str) -> Response {
    let Who::User { login, .. } = who else { return not_found() };
    let is_it = |(id, _, whom): &(u64, String, String)| id.to_string() == number && whom == login;
    let Some(at) = state.invitations.iter().position(is_it) else { return not_found() };
    let (_, name, whom) = state.invitations.remove(at);
    let repo = state.repositories.get_mut(&name.to_lowercase()).unwrap();
    repo.writers.insert(whom);
    repo.version += 1;
    Response::new(204, "")
}

fn create(state: &mut State, owner: &str, login: &str, body: &Value) -> Response {
    assert_eq!((&body["has_issues"], &body["auto_init"]), (&json!(false), &json!(false)));
    let full = format!("{owner}/{}", body["name"].as_str().unwrap()).to_lowercase();
    if state.repositories.contains_key(&full) {
        let taken = json!({ "message": "Repository creation failed.", "errors": [
            { "resource": "Repository", "message": "name already exists on this account" },
        ]});
        return Response::json(422, &taken);
    }
    let mut repo = Repo { private: body["private"] == true, ..Repo::new() };
    repo.writers.insert(login.to_owned());
    let who = Who::User { login: login.to_owned(), may_write: true };
    let answer = Response::json(201, &shown(&full, &repo, &who));
    state.repositories.insert(full, repo);
    answer
}

fn installation(state: &State, who: &Who, owner: &str, name: &str) -> Response {
    let full = format!("{owner}/{name}").to_lowercase();
    match (&state.app, who) {
        (Some(app), Who::App) if app.repositories.contains(&full) => {
            Response::json(200, &json!({ "id": app.installation }))
        }
        (_, Who::App) => not_found(),
        _ => problem(401, "A JSON web token could not be decoded"),
    }
}

fn access_token(state: &mut State, who: &Who, number: &str, body: &Value) -> Response {
    let Some(app) = state.app.as_ref().filter(|app| app.installation.to_string() == number) else {
        return not_found();
    };
    if *who != Who::App {
        return problem(401, "A JSON web token could not be decoded");
    }
    let name = body["repositories"][0].as_str().unwrap_or_default().to_lowercase();
    let wanted = app.repositories.iter().find(|full| full.ends_with(&format!("/{name}")));
    let Some(repository) = wanted.cloned() else {
        return problem(422, "There is at least one repository that does not exist");
    };
    // As long as they are now, with dots, and never the same.
    let count = state.asked_tokens.len();
    let token = format!("ghs_{}_{}.{}.{count}", app.id, "geheim".repeat(40), "Geheim_".repeat(35));
    let ends = now() + app.lifetime;
    let ends = synchroniser::base::time::Timestamp::from_seconds(ends).to_string();
    let ends = ends.replace(" UTC", ":00Z").replace(' ', "T");
    state.asked_tokens.push(body.to_string());
    state.tokens.insert(token.clone(), Who::Installation { repository });
    Response::json(201, &json!({ "token": token, "expires_at": ends }))
}

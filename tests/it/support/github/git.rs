//! The side of a push that is GitHub's.

use base64::Engine as _;

use super::http::{Request, Response};
use super::{State, Who};

/// What it can do.
const CAPABILITIES: &str = "report-status report-status-v2 delete-refs side-band-64k ofs-delta atomic \
                            object-format=sha1 agent=git/github-fake";
const ZERO: &str = "0000000000000000000000000000000000000000";

pub(super) fn answer(state: &mut State, request: &Request) -> Response {
    let text = |status, text: String| {
        Response::new(status, text).header("Content-Type", "text/plain".to_owned())
    };
    let path = request.path.trim_start_matches('/').to_lowercase();
    let Some((name, rest)) = path.split_once(".git/") else {
        return text(404, "Not Found".to_owned());
    };
    let Some(who) = who(state, request) else {
        return text(401, "Invalid username or token.\n".to_owned())
            .header("WWW-Authenticate", "Basic realm=\"GitHub\"".to_owned());
    };
    if let Some(to) = state.renamed.get(name) {
        let query = if request.query.is_empty() { "" } else { "?" };
        let to = format!("/{to}.git/{rest}{query}{}", request.query);
        return Response::new(301, "").header("Location", to);
    }
    let Some(repo) = state.repositories.get(name).filter(|repo| repo.is_shown_to(name, &who))
    else {
        return text(404, "Repository not found.\n".to_owned());
    };
    let user = match &who {
        Who::User { login, .. } => login.clone(),
        _ => "an app".to_owned(),
    };
    if repo.archived {
        return text(403, "This repository was archived so it is read-only.\n".to_owned());
    }
    let may_write = !matches!(who, Who::User { may_write: false, .. });
    if !may_write || !repo.is_written_by(name, &who) {
        return text(403, format!("Permission to {name}.git denied to {user}.\n"));
    }
    match (request.method.as_str(), rest) {
        ("GET", "info/refs") => {
            advertisement(state, name, request.query.trim_start_matches("service="))
        }
        ("POST", "git-receive-pack") => receive(state, name, &request.body),
        _ => text(404, "Not Found".to_owned()),
    }
}

/// Whom the password stands for; `None` if it stands for nobody.
fn who(state: &State, request: &Request) -> Option<Who> {
    let encoded = request.header("authorization").strip_prefix("Basic ")?;
    let pair = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, token) = pair.split_once(':')?;
    let who = state.tokens.get(token).cloned()?;
    // That is the user that goes with the token of an app.
    let is_app = matches!(who, Who::Installation { .. });
    (!is_app || user == "x-access-token").then_some(who)
}

fn packet(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

fn advertisement(state: &State, name: &str, service: &str) -> Response {
    let mut body = packet(&format!("# service={service}\n")) + "0000";
    let refs = &state.repositories[name].refs;
    if refs.is_empty() {
        body += &packet(&format!("{ZERO} capabilities^{{}}\0{CAPABILITIES}\n"));
    }
    for (at, (name, id)) in refs.iter().enumerate() {
        let capabilities = if at == 0 { format!("\0{CAPABILITIES}") } else { String::new() };
        body += &packet(&format!("{id} {name}{capabilities}\n"));
    }
    let kind = format!("application/x-{service}-advertisement");
    Response::new(200, body + "0000").header("Content-Type", kind)
}

/// The packets of `bytes` up to the first flush.
fn packets(mut bytes: &[u8]) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some((length, rest)) = bytes.split_at_checked(4) {
        let length = std::str::from_utf8(length).ok();
        let length = length.and_then(|text| usize::from_str_radix(text, 16).ok()).unwrap_or(0);
        if length < 4 {
            break;
        }
        packets.push(String::from_utf8_lossy(&rest[..length - 4]).into_owned());
        bytes = &rest[length - 4..];
    }
    packets
}

fn receive(state: &mut State, name: &str, body: &[u8]) -> Response {
    let refusal = state.refusal.clone().unwrap_or_default();
    let repo = state.repositories.get_mut(name).unwrap();
    let unpack = refusal.unpack.clone();
    let mut report = packet(&format!("unpack {}\n", unpack.as_deref().unwrap_or("ok")));
    for command in packets(body) {
        let command = command.split('\0').next().unwrap_or_default().trim_end();
        let words: Vec<&str> = command.splitn(3, ' ').collect();
        let [old, new, reference] = words[..] else { continue };
        let has = repo.refs.get(reference).map_or(ZERO, String::as_str).to_owned();
        let refused = refusal.refs.iter().find(|(of, _)| of == "*" || of == reference);
        let reason = match (refused, &unpack) {
            (_, Some(_)) => Some("unpacker error"),
            (Some((_, reason)), None) => Some(reason.as_str()),
            (None, None) if old != has => Some("fetch first"),
            (None, None) => None,
        };
        if let Some(reason) = reason {
            report += &packet(&format!("ng {reference} {reason}\n"));
            continue;
        }
        report += &packet(&format!("ok {reference}\n"));
        match new {
            ZERO => drop(repo.refs.remove(reference)),
            _ => drop(repo.refs.insert(reference.to_owned(), new.to_owned())),
        }
    }
    report += "0000";
    let mut body = String::new();
    for line in &refusal.lines {
        body += &packet(&format!("\u{2}{line}\n"));
    }
    // The first branch is the default one then.
    let is_there = repo.refs.contains_key(&format!("refs/heads/{}", repo.default_branch));
    if let (false, Some(first)) =
        (is_there, repo.refs.keys().find_map(|name| name.strip_prefix("refs/heads/")))
    {
        repo.default_branch = first.to_owned();
        repo.version += 1;
    }
    body += &packet(&format!("\u{1}{report}"));
    Response::new(200, body + "0000")
        .header("Content-Type", "application/x-git-receive-pack-result".to_owned())
}

//! Where changesets come from, and the way in.

use super::error::{ProblemKind, Problems};
use super::file::{MirrorSection, Section};
use super::resolve::Folders;
use super::target::Files;
use crate::hg::pull::Source;
use crate::net::{Access, Key, SecretSource, SourceUrl, Token};

/// How a source is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Path,
    Http,
    Ssh,
}

/// The keys that only web servers need.
const FOR_HTTP: [&str; 7] = [
    "source_token_user",
    "source_token_file",
    "source_token_credential",
    "source_ca_file",
    "source_proxy",
    "source_plain_http",
    "source_private_downloads",
];
/// The keys that only SSH needs.
const FOR_SSH: [&str; 4] = [
    "source_key_file",
    "source_key_credential",
    "source_known_hosts",
    "source_known_hosts_credential",
];

/// The source that a mirror's section describes, its secrets tried; `None` if it cannot be used.
pub(super) fn source(
    section: &Section<MirrorSection>,
    folders: &Folders,
    problems: &mut Problems,
) -> Option<Source> {
    let written = section.value.source.as_deref()?;
    if written.is_empty() {
        section.wrong("source", ProblemKind::Empty, problems);
        return None;
    }
    if let (false, Err(source)) =
        (folders.folder.join(written).exists(), SourceUrl::refuse_short_form(written))
    {
        section.wrong("source", ProblemKind::Source { source }, problems);
        return None;
    }
    if !written.contains("://") {
        refuse_other_ways(section, Way::Path, problems);
        return Some(Source::Path(folders.folder.join(written)));
    }
    let url = match SourceUrl::parse(written) {
        Ok(url) => url,
        Err(source) => {
            section.wrong("source", ProblemKind::Source { source }, problems);
            return None;
        }
    };
    let shown = url.to_string();
    let way = if shown.starts_with("ssh://") { Way::Ssh } else { Way::Http };
    refuse_other_ways(section, way, problems);
    if shown.starts_with("http://") && section.value.source_plain_http != Some(true) {
        section.wrong("source", ProblemKind::PlainHttp, problems);
    }
    let mut files = Files { section, folders, problems };
    let access = match way {
        Way::Ssh => ssh(&mut files),
        Way::Path | Way::Http => http(&mut files),
    };
    Some(Source::Server { url, access: Box::new(access) })
}

fn http(files: &mut Files<'_>) -> Access {
    let section = &files.section.value;
    let token = files.named(
        ("source_token_file", &section.source_token_file),
        ("source_token_credential", &section.source_token_credential),
    );
    let token = token.and_then(|(key, path)| {
        // Read when it is used, so that a new one needs no restart; a wrong one shows now.
        let file = SecretSource::File(path);
        files.noted(key, file.line().map_err(|source| ProblemKind::Secret { source }))?;
        Some(Token { user: section.source_token_user.clone(), file })
    });
    let ca_file = section.source_ca_file.as_ref().and_then(|file| {
        let path = files.folders.folder.join(file);
        files.readable("source_ca_file", path)
    });
    Access {
        token,
        ca_file,
        plain_http: section.source_plain_http.unwrap_or(false),
        private_downloads: section.source_private_downloads.unwrap_or(false),
        proxy: section.source_proxy.clone(),
        ..Access::default()
    }
}

fn ssh(files: &mut Files<'_>) -> Access {
    let section = &files.section.value;
    let key = files.named(
        ("source_key_file", &section.source_key_file),
        ("source_key_credential", &section.source_key_credential),
    );
    let key = key.and_then(|(key, path)| {
        let found = Key::at(path);
        let readable = found.file.private_key().map_err(|source| ProblemKind::Secret { source });
        files.noted(key, readable).map(|_| found)
    });
    let known_hosts = files.named(
        ("source_known_hosts", &section.source_known_hosts),
        ("source_known_hosts_credential", &section.source_known_hosts_credential),
    );
    let known_hosts =
        known_hosts.and_then(|(key, path)| files.readable(key, path)).map(SecretSource::File);
    Access { key, known_hosts, ..Access::default() }
}

/// Refuses keys that `way` does not use: whoever wrote them believes that they do something.
fn refuse_other_ways(section: &Section<MirrorSection>, way: Way, problems: &mut Problems) {
    let keys = FOR_HTTP.map(|key| (key, Way::Http)).into_iter();
    for (key, used_by) in keys.chain(FOR_SSH.map(|key| (key, Way::Ssh))) {
        if used_by != way && section.sets(key) {
            section.wrong(key, ProblemKind::NotForThisSource, problems);
        }
    }
}

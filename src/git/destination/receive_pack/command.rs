//! What a server is asked for.

use super::Broken;
use super::advertisement::{Capabilities, ObjectFormat, Reporting};
use super::pkt_line::append;
use crate::git::destination::RefUpdate;

/// The commands of a push: a line for each ref, with what it has and what it shall have, then the end
/// of the list.
pub(in crate::git) fn commands<'a>(
    updates: impl IntoIterator<Item = &'a RefUpdate>,
    server: &Capabilities,
) -> Result<Vec<u8>, Broken> {
    let mut out = Vec::new();
    for update in updates {
        let (old, new) = (update.old.unwrap_or_default(), update.new.unwrap_or_default());
        let mut line = format!("{old} {new} {}", update.name);
        if out.is_empty() {
            line.push('\0');
            line.push_str(&words(server));
        }
        append(&mut out, line.as_bytes())?;
    }
    out.extend_from_slice(b"0000");
    Ok(out)
}

/// What we ask for of what the server can. Not `atomic`: one ref that is refused must not hold the
/// others back.
fn words(server: &Capabilities) -> String {
    let (status, detailed) = (Reporting::Status, Reporting::Detailed);
    let wanted = [
        (server.reporting == detailed, "report-status-v2"),
        (server.reporting == status, "report-status"),
        (server.side_band, "side-band-64k"),
        (server.ofs_delta, "ofs-delta"),
        (server.quiet, "quiet"),
        (server.object_format == ObjectFormat::Sha1, "object-format=sha1"),
        (server.agent, concat!("agent=synchroniser/", env!("CARGO_PKG_VERSION"))),
    ];
    let offered = wanted.into_iter().filter(|(is_offered, _)| *is_offered);
    offered.flat_map(|(_, word)| [" ", word]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::ObjectId;

    #[test]
    fn nothing_is_asked_that_was_not_offered() {
        let update = |name: &str, old, new| RefUpdate { name: name.to_owned(), old, new };
        let id = ObjectId::from_bytes([0xaa; 20]);
        let updates =
            [update("refs/heads/a", None, Some(id)), update("refs/tags/b", Some(id), None)];
        let text = |server| String::from_utf8(commands(&updates, &server).unwrap()).unwrap();
        let (none, id) = ("0".repeat(40), "a".repeat(40));
        let rest = format!("0061{id} {none} refs/tags/b0000");
        let plain = text(Capabilities::default());
        assert_eq!(plain, format!("0063{none} {id} refs/heads/a\0{rest}"));
        let full = text(Capabilities {
            reporting: Reporting::Detailed,
            side_band: true,
            atomic: true,
            ofs_delta: true,
            quiet: true,
            agent: true,
            object_format: ObjectFormat::Sha1,
            ..Capabilities::default()
        });
        let expected = format!(
            "\0 report-status-v2 side-band-64k ofs-delta quiet object-format=sha1 \
             agent=synchroniser/{}",
            env!("CARGO_PKG_VERSION")
        );
        assert!(full.contains(&expected), "{full}");
    }
}

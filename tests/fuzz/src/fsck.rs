//! What `git fsck --strict` asks of a commit, written from its list of messages (`git help fsck`)
//! and apart from the code that makes commits.

/// What is wrong with the contents of a commit.
pub fn commit(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.contains(&0) {
        return Err("nulInCommit");
    }
    let mut rest = bytes;
    object_line(&mut rest, b"tree ")?;
    while rest.starts_with(b"parent ") {
        object_line(&mut rest, b"parent ")?;
    }
    for key in [&b"author "[..], b"committer "] {
        let line = rest.strip_prefix(key).ok_or("missingAuthor or missingCommitter")?;
        let end = line.iter().position(|byte| *byte == b'\n').ok_or("unterminatedHeader")?;
        person(&line[..end])?;
        rest = &line[end + 1..];
    }
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or("unterminatedHeader")?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        match line {
            [] => return Ok(()),
            _ if line.starts_with(b"author ") || line.starts_with(b"committer ") => {
                return Err("multipleAuthors");
            }
            // A further line of the header before it.
            [b' ', ..] => {}
            _ if line.iter().position(|byte| *byte == b' ').is_some_and(|at| at > 0) => {}
            _ => return Err("a header without a value"),
        }
    }
}

fn object_line(rest: &mut &[u8], key: &[u8]) -> Result<(), &'static str> {
    let (id, after) = rest
        .strip_prefix(key)
        .and_then(|line| line.split_at_checked(40))
        .ok_or("missingTree or badParentSha1")?;
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    *rest = after.strip_prefix(b"\n").filter(|_| id.iter().all(hex)).ok_or("badTreeSha1")?;
    Ok(())
}

/// `Name <address> seconds zone`.
fn person(line: &[u8]) -> Result<(), &'static str> {
    let special = |text: &[u8]| text.iter().position(|byte| matches!(byte, b'<' | b'>'));
    let open = special(line).filter(|at| line[*at] == b'<').ok_or("badName or missingEmail")?;
    if open == 0 {
        return Err("missingNameBeforeEmail");
    }
    if line[open - 1] != b' ' {
        return Err("missingSpaceBeforeEmail");
    }
    let rest = &line[open + 1..];
    let close = special(rest).filter(|at| rest[*at] == b'>').ok_or("badEmail")?;
    let date = rest[close + 1..].strip_prefix(b" ").ok_or("missingSpaceBeforeDate")?;
    let date = std::str::from_utf8(date).map_err(|_| "badDate")?;
    let (seconds, zone) = date.split_once(' ').ok_or("badDate")?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) {
        return Err("badDate");
    }
    if seconds.len() > 1 && seconds.starts_with('0') {
        return Err("zeroPaddedDate");
    }
    if seconds.parse::<i64>().is_err() {
        return Err("badDateOverflow");
    }
    let zone = zone.strip_prefix(['+', '-']).ok_or("badTimezone")?;
    if zone.len() == 4 && digits(zone) { Ok(()) } else { Err("badTimezone") }
}

//! The users and groups of this machine, as its files list them.

use std::fs;

/// Where users are listed.
const USERS: &str = "/etc/passwd";
/// Where groups are listed.
const GROUPS: &str = "/etc/group";

/// The name of the user with this number; `None` if it has none here.
pub fn user_name(id: u32) -> Option<String> {
    name_in(&fs::read_to_string(USERS).ok()?, id)
}

/// The number of the user called `name`.
pub fn user_id(name: &str) -> Option<u32> {
    id_in(&fs::read_to_string(USERS).ok()?, name)
}

/// The number of the group called `name`.
pub fn group_id(name: &str) -> Option<u32> {
    id_in(&fs::read_to_string(GROUPS).ok()?, name)
}

/// The name of a user for people: its number, if it has none here.
pub fn shown_user(id: u32) -> String {
    user_name(id).unwrap_or_else(|| id.to_string())
}

/// Both files have the name first and the number third.
fn name_in(text: &str, id: u32) -> Option<String> {
    let number = id.to_string();
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    })
}

fn id_in(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let text = "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/:/bin/sh\nbroken\n";
        assert_eq!(name_in(text, 1000).as_deref(), Some("ada"));
        assert_eq!(id_in(text, "ada"), Some(1000));
        assert_eq!((name_in(text, 7), id_in(text, "broken")), (None, None));
        assert_eq!(user_name(0).as_deref(), Some("root"));
        assert_eq!(user_id("root"), Some(0));
    }
}

//! Hints that speak of keys of the configuration, said to whoever types flags instead.

use clap::{Arg, Args, Command};

use crate::base::Diagnosis;

/// What stands between a key and the flag that says the same, where a hint names both.
const OR_FLAG: [&str; 4] = [
    " in the configuration, or with --",
    " in the configuration, or by --",
    ", or by --",
    ", or --",
];

/// The same, with the flags of a command that takes `A` in place of keys in its hint.
pub(super) fn in_flags<A: Args>(diagnosis: Diagnosis) -> Diagnosis {
    let command = A::augment_args(Command::new("flags"));
    let flags: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    Diagnosis { hint: diagnosis.hint.map(|hint| as_flags(&hint, &flags)), ..diagnosis }
}

/// A hint in which keys of the configuration are the flags that stand for them, if they are among `flags`.
fn as_flags(hint: &str, flags: &[&str]) -> String {
    let hint = without_twins(hint);
    let is_told_to_set = hint.starts_with("set `");
    // Every second part stands between backticks.
    let parts = hint.split('`').enumerate().map(|(at, part)| match at % 2 {
        0 => part.to_owned(),
        _ => as_flag(part, flags, is_told_to_set).unwrap_or_else(|| part.to_owned()),
    });
    let hint = parts.collect::<Vec<_>>().join("`");
    match hint.strip_prefix("set `--") {
        Some(rest) => format!("add `--{}", rest.replace(" of this mirror", "")),
        None => hint,
    }
}

/// A hint without the flags that it names after the key.
fn without_twins(hint: &str) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut hint = hint.to_owned();
    for mark in OR_FLAG {
        while let Some((before, after)) = hint.split_once(mark) {
            hint = format!("{before}{}", after.trim_start_matches(is_of_name));
        }
    }
    hint
}

/// The flag that stands for a key of the configuration, or for one of `sync`; `None` if there is none.
fn as_flag(quoted: &str, flags: &[&str], is_told_to_set: bool) -> Option<String> {
    let has = |flag: &str| flags.contains(&flag);
    if let Some(flag) = quoted.strip_prefix("synchroniser sync MIRROR --") {
        return has(flag).then(|| format!("--{flag}"));
    }
    let (key, value) = quoted.split_once(" = ").unwrap_or((quoted, ""));
    let is_of_an_end = key.starts_with("target.") || key.starts_with("source.");
    let flag = key.replace(['.', '_'], "-");
    if !has(&flag) || (!is_of_an_end && value.is_empty()) {
        return None;
    }
    let variable = flag.replace("-token-file", "-token-env");
    Some(match value.trim_matches('"') {
        "" if !is_told_to_set => format!("--{flag}"),
        "" if variable != flag && has(&variable) => {
            format!("--{flag} FILE` or `--{variable} NAME")
        }
        "" if flag.ends_with("-file") => format!("--{flag} FILE"),
        "" | "true" => format!("--{flag}"),
        word => format!("--{flag} {word}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{InitArgs, MirrorArgs};

    fn flags<A: Args>(hint: &str) -> String {
        let fault = crate::base::Fault::Config;
        in_flags::<A>(Diagnosis::from(fault).hint(hint)).hint.unwrap()
    }

    #[test]
    fn keys_in_a_hint_become_flags() {
        let mirror = flags::<MirrorArgs>;
        for (hint, expected) in [
            ("nothing to set", "nothing to set"),
            ("`git fsck` helps, and `target.none` not", "`git fsck` helps, and `target.none` not"),
            (
                "`synchroniser sync MIRROR --retry`, `prune = \"all\"`, `backup = true`",
                "`--retry`, `--prune all`, `--backup`",
            ),
            ("`adopt = \"partial\"` leaves them", "`--adopt partial` leaves them"),
            (
                "use https://, or allow it with `source.plain_http = true` in the configuration, or with \
                 --source-plain-http",
                "use https://, or allow it with `--source-plain-http`",
            ),
            (
                "a token is named by `source.token_file` in the configuration, or by --source-token-file; the \
                 user by `source.token_user`, or by --source-token-user",
                "a token is named by `--source-token-file`; the user by `--source-token-user`",
            ),
        ] {
            assert_eq!(mirror(hint), expected);
        }
    }

    #[test]
    fn a_command_is_told_of_flags_that_it_has() {
        let hint = "set `target.token_file` (https) or `target.key_file` (ssh) of this mirror";
        assert_eq!(
            flags::<MirrorArgs>(hint),
            "add `--target-token-file FILE` or `--target-token-env NAME` (https) or `--target-key-file FILE` (ssh)"
        );
        assert_eq!(
            flags::<InitArgs>(hint),
            "add `--target-token-file FILE` (https) or `--target-key-file FILE` (ssh)"
        );
        let hint = "make the project, or set `target.create = true`";
        assert_eq!(flags::<InitArgs>(hint), hint);
    }
}

//! Where commits go, as typed: the keys of a target as flags.

use super::flags::{Flags, OfTarget};
use crate::config::{self, TypedError};
use crate::forge::ForgeOptions;
use crate::git::destination::Target;

/// How the target is reached, if it is an address.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct TargetArgs {
    #[command(flatten)]
    keys: Flags<OfTarget>,
}

impl TargetArgs {
    /// The target that is `written`, and how its forge is used.
    pub(super) fn target(
        &self,
        written: &str,
    ) -> Result<(Target, Option<ForgeOptions>), TypedError> {
        config::target(written, &self.keys.keys, self.keys.typed.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        let target = |text: &str| TargetArgs::default().target(text).map(|(target, _)| target);
        assert_eq!(target("../rocket.git").unwrap(), Target::local("../rocket.git"));
        let server = target("https://git.example.org/acme/rocket.git").unwrap();
        assert_eq!(server.url.to_string(), "https://git.example.org/acme/rocket.git");
        for wrong in ["ftp://git.example.org/x", "http://git.example.org/x", ""] {
            assert!(matches!(target(wrong), Err(TypedError::TargetAddress(_))), "{wrong}");
        }
    }

    #[test]
    fn a_flag_that_is_of_no_use_is_refused() {
        let mut args = TargetArgs::default();
        args.keys.keys.key_file = Some("key".into());
        args.keys.typed.push("key_file");
        let refused = args.target("https://git.example.org/x").unwrap_err();
        assert_eq!(refused.to_string(), "use --target-key-file: of no use for a web server");
        assert!(args.target("git@git.example.org:x").is_ok());
    }
}

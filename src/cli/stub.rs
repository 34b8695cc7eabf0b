//! STUB, all of it: stands for what the layers below will offer, in the shape they agreed on.
//! On merge: delete this file, and `cli::stub::` from every `use` in this layer.

#![expect(clippy::unnecessary_wraps, reason = "stub")]

use std::path::Path;

use crate::base::{Fault, HasFault, Interrupt, Limits, Progress};

/// Not there yet.
#[derive(Debug, thiserror::Error)]
#[error("do what is not there yet")]
pub(super) struct Missing;

impl HasFault for Missing {
    fn fault(&self) -> Fault {
        Fault::Unsupported
    }
}

pub(super) mod mirror {
    use super::{Interrupt, Limits, Missing, Path, Progress};
    use crate::git::ObjectId;
    use crate::hg::Node;
    use crate::mirror::{MirrorOptions, RefNaming, SyncReport};

    pub(in crate::cli) type SyncError = Missing;

    pub(in crate::cli) struct ConvertOptions {
        pub(in crate::cli) naming: RefNaming,
        pub(in crate::cli) limits: Limits,
    }

    pub(in crate::cli) struct ConvertReport {
        pub(in crate::cli) sync: SyncReport,
        pub(in crate::cli) commits: Vec<(Node, ObjectId)>,
    }

    pub(in crate::cli) fn sync(
        _: &MirrorOptions,
        _: &dyn Progress,
        _: &Interrupt,
    ) -> Result<SyncReport, SyncError> {
        Err(Missing)
    }

    pub(in crate::cli) fn convert(
        _source: &Path,
        _target: &Path,
        options: &ConvertOptions,
        _: &dyn Progress,
        _: &Interrupt,
    ) -> Result<ConvertReport, SyncError> {
        let _ = (&options.naming, &options.limits);
        let _ = || ConvertReport { sync: SyncReport::default(), commits: Vec::new() };
        Err(Missing)
    }
}

pub(super) mod convert {
    use super::{Interrupt, Limits, Missing, Path, Progress};

    pub(in crate::cli) type VerifyError = Missing;

    pub(in crate::cli) struct VerifyReport {
        pub(in crate::cli) changesets: u64,
        pub(in crate::cli) objects: u64,
        pub(in crate::cli) differences: Vec<String>,
    }

    pub(in crate::cli) fn verify(
        _source: &Path,
        _target: &Path,
        _: &Limits,
        _: &dyn Progress,
        _: &Interrupt,
    ) -> Result<VerifyReport, VerifyError> {
        let _ = || VerifyReport { changesets: 0, objects: 0, differences: Vec::new() };
        Err(Missing)
    }
}

pub(super) mod config {
    use super::{Missing, Path};
    use crate::mirror::MirrorOptions;

    pub(in crate::cli) const DEFAULT: &str = "# STUB\ncache = \"/var/cache/synchroniser\"\n";

    pub(in crate::cli) type ConfigError = Missing;

    pub(in crate::cli) struct MirrorConfig {
        pub(in crate::cli) options: MirrorOptions,
    }

    pub(in crate::cli) struct Config {
        pub(in crate::cli) mirrors: Vec<MirrorConfig>,
    }

    impl Config {
        pub(in crate::cli) fn load(
            _path: &Path,
            _credentials: Option<&Path>,
        ) -> Result<Self, ConfigError> {
            let _ = |options| Self { mirrors: vec![MirrorConfig { options }] };
            Err(Missing)
        }

        pub(in crate::cli) fn mirror(&self, name: &str) -> Option<&MirrorConfig> {
            self.mirrors.iter().find(|mirror| mirror.options.name == name)
        }
    }
}

pub(super) mod daemon {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::config::Config;
    use super::{Interrupt, Missing};

    pub(in crate::cli) type DaemonError = Missing;

    pub(in crate::cli) struct Daemon;

    impl Daemon {
        pub(in crate::cli) fn start(_config: Config) -> Result<Self, DaemonError> {
            Err(Missing)
        }

        #[expect(clippy::unused_self, reason = "stub")]
        pub(in crate::cli) fn address(&self) -> SocketAddr {
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
        }

        #[expect(clippy::unused_self, reason = "stub")]
        pub(in crate::cli) fn stop(self) -> Result<(), DaemonError> {
            Ok(())
        }
    }

    pub(in crate::cli) fn serve_blocking(_config: Config) -> Result<(), DaemonError> {
        let _ = || Daemon;
        Err(Missing)
    }

    pub(in crate::cli) mod signals {
        use super::{DaemonError, Interrupt};

        pub(in crate::cli) fn raise_on_signal(_: &Interrupt) -> Result<(), DaemonError> {
            Ok(())
        }
    }
}

pub(super) mod git {
    pub(in crate::cli) mod init {
        use super::super::Missing;

        pub(in crate::cli) fn ensure() -> Result<(), Missing> {
            Ok(())
        }
    }

    pub(in crate::cli) mod repository {
        use super::super::{Missing, Path};
        use crate::git::ObjectId;

        pub(in crate::cli) type RepositoryError = Missing;

        pub(in crate::cli) struct BareRepository;

        impl BareRepository {
            pub(in crate::cli) fn init(_path: &Path) -> Result<Self, RepositoryError> {
                Ok(Self)
            }

            #[expect(clippy::unused_self, reason = "stub")]
            pub(in crate::cli) fn references(
                &self,
            ) -> Result<Vec<(String, ObjectId)>, RepositoryError> {
                Ok(Vec::new())
            }
        }
    }
}

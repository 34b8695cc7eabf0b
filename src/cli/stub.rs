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
    use std::sync::Arc;

    use super::config::Config;
    use super::{HasFault, Interrupt, Missing};
    use crate::mirror::{MirrorOptions, SyncReport};

    pub(in crate::cli) type DaemonError = Missing;

    pub(in crate::cli) type SyncFailure = Box<dyn HasFault + Send + Sync>;

    pub(in crate::cli) type Syncer =
        Arc<dyn Fn(&MirrorOptions, &Interrupt) -> Result<SyncReport, SyncFailure> + Send + Sync>;

    pub(in crate::cli) struct Shutdown;

    pub(in crate::cli) struct Daemon;

    impl Daemon {
        pub(in crate::cli) fn start(_: Config, _: Syncer) -> Result<Self, DaemonError> {
            Err(Missing)
        }

        #[expect(clippy::unused_self, reason = "stub")]
        pub(in crate::cli) fn address(&self) -> SocketAddr {
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
        }

        #[expect(clippy::unused_self, reason = "stub")]
        pub(in crate::cli) fn shut_down(self) -> Result<Shutdown, DaemonError> {
            Ok(Shutdown)
        }
    }

    pub(in crate::cli) fn serve_blocking(
        _config: Config,
        _syncer: Syncer,
        _bound: impl FnOnce(SocketAddr),
    ) -> Result<Shutdown, DaemonError> {
        let _ = || Daemon;
        Err(Missing)
    }

    pub(in crate::cli) mod signals {
        use super::{DaemonError, Interrupt};

        pub(in crate::cli) fn raise_on_signal(
            _: &Interrupt,
            _again: impl FnOnce() + Send + 'static,
        ) -> Result<(), DaemonError> {
            Ok(())
        }
    }
}

pub(super) mod git {
    pub(in crate::cli) use repository::BareRepository;

    use crate::git::ObjectId;

    pub(in crate::cli) struct Reference {
        pub(in crate::cli) name: String,
        pub(in crate::cli) id: ObjectId,
    }

    impl Reference {
        pub(in crate::cli) fn is_branch(&self) -> bool {
            self.name.starts_with("refs/heads/")
        }

        pub(in crate::cli) fn is_tag(&self) -> bool {
            self.name.starts_with("refs/tags/")
        }
    }

    pub(in crate::cli) mod init {
        use super::super::Missing;

        #[derive(Default)]
        pub(in crate::cli) struct GitSettings {
            _ca_file: Option<std::path::PathBuf>,
        }

        pub(in crate::cli) fn init(_: &GitSettings) -> Result<(), Missing> {
            Ok(())
        }
    }

    mod repository {
        use super::super::{Missing, Path};
        use super::Reference;
        use crate::git::ObjectId;

        pub(in crate::cli) struct BareRepository;

        impl BareRepository {
            pub(in crate::cli) fn open(_path: &Path) -> Result<Self, Missing> {
                Ok(Self)
            }

            pub(in crate::cli) fn open_or_create(
                _path: &Path,
                _main_branch: &str,
            ) -> Result<Self, Missing> {
                Ok(Self)
            }

            #[expect(clippy::unused_self, reason = "stub")]
            pub(in crate::cli) fn refs(&self) -> Result<Vec<Reference>, Missing> {
                let _ = Reference { name: String::new(), id: ObjectId::NULL };
                Ok(Vec::new())
            }
        }
    }
}

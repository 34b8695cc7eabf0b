//! What can be typed for `init`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::ConfigArgs;

/// `init`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InitArgs {
    /// The Mercurial repository: a path, https://, ssh://, or a bundle file
    #[arg(long, value_name = "SOURCE")]
    pub(in crate::cli) source: Option<String>,
    /// The Git repository: a path, https://, ssh:// or user@host:path. It must be there, and may be empty
    #[arg(long, value_name = "TARGET")]
    pub(in crate::cli) target: Option<String>,
    /// The name of the mirror; without it, the last part of the target's address
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// A file with the token that may read the source; a copy goes to where the daemon may read it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) source_token_file: Option<PathBuf>,
    /// A file with the private key that may read the source over SSH; a copy goes to where the daemon may read it
    #[arg(long, value_name = "FILE", conflicts_with = "source_token_file")]
    pub(in crate::cli) source_key_file: Option<PathBuf>,
    /// A file with the token that may push to the target; a copy goes to where the daemon may read it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) target_token_file: Option<PathBuf>,
    /// A file with the private key that may push to the target over SSH; a copy goes to where the daemon may read it
    #[arg(long, value_name = "FILE", conflicts_with = "target_token_file")]
    pub(in crate::cli) target_key_file: Option<PathBuf>,
    /// The user that goes with the token of the source; without it, the one in the address
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) source_token_user: Option<String>,
    /// The user that goes with the token of the target, where the forge wants a certain one; without it,
    /// `x-access-token`
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) target_token_user: Option<String>,
    /// A file with the certificate authority of the source's server; a copy goes to where the daemon may read it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) source_ca_file: Option<PathBuf>,
    /// A file with the certificate authority of the target's server; a copy goes to where the daemon may read it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) target_ca_file: Option<PathBuf>,
    /// Allow http:// for the source, which is not encrypted
    #[arg(long)]
    pub(in crate::cli) source_plain_http: bool,
    /// Allow http:// and git:// for the target, which are not encrypted
    #[arg(long)]
    pub(in crate::cli) target_plain_http: bool,
    /// The forge that sends push hooks: a `format` such as gitlab, or none. Without it, what the address of the
    /// source tells; `synchroniser`, which scripts and Mercurial itself send, if it tells nothing
    #[arg(long, value_name = "FORGE")]
    pub(in crate::cli) hook: Option<String>,
    /// The address under which forges and people reach the daemon, such as `https://sync.example.org`
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) public_url: Option<String>,
    /// The address that the daemon is to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(in crate::cli) listen: Option<SocketAddr>,
    /// Look neither at the source nor at the target
    #[arg(long)]
    pub(in crate::cli) offline: bool,
    #[command(flatten)]
    pub(in crate::cli) config: ConfigArgs,
}

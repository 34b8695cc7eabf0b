//! Makes long histories, and measures whole jobs on given ones: ours, and those of other tools in the
//! same run. `docs/performance.md` has the commands and what they said.

#[path = "../../tests/it/support/generator.rs"]
mod generator;

mod append;
mod daemon;
mod decode;
mod jobs;
mod peers;
mod report;
mod run;
mod server;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use generator::{Generated, Shape};

/// Whatever goes wrong ends the program with it.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "Makes long histories, and measures whole jobs on given ones")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a Mercurial repository with a history made from a seed
    Generate(GenerateArgs),
    /// Add a changeset with one more line in one file to a repository
    Append {
        /// The repository
        repository: PathBuf,
    },
    /// Read and hash every revision of a repository: what a conversion cannot be faster than
    Decode {
        /// The repository
        repository: PathBuf,
    },
    /// Run jobs and print what they took
    Jobs(jobs::JobsArgs),
}

#[derive(clap::Args)]
struct GenerateArgs {
    /// Where; there must be nothing
    folder: PathBuf,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 10_000)]
    changesets: usize,
    #[arg(long, default_value_t = 1_000)]
    files: usize,
    /// Heads at most at a time; which one grows is drawn for each changeset
    #[arg(long, default_value_t = 1)]
    heads: usize,
    /// One of so many changesets of another branch than the first is its merge; 0 for none
    #[arg(long, default_value_t = 8)]
    merges: usize,
    /// Folders above each file
    #[arg(long, default_value_t = 2)]
    depth: usize,
    /// Lines of 32 bytes in each file, at least
    #[arg(long, default_value_t = 24)]
    least_lines: usize,
    /// Lines of 32 bytes in each file, at most
    #[arg(long, default_value_t = 24)]
    most_lines: usize,
}

fn generate(args: &GenerateArgs) {
    let shape = Shape {
        seed: args.seed,
        changesets: args.changesets,
        files: args.files,
        heads: args.heads,
        merges: args.merges,
        depth: args.depth,
        lines: [args.least_lines, args.most_lines.max(args.least_lines)],
    };
    let made = Generated::new(shape);
    made.write(&args.folder);
    let tip = made.nodes().next_back().map(|node| node.to_string()).unwrap_or_default();
    println!("{} changesets, the last is {tip}", args.changesets);
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Generate(args) => {
            generate(&args);
            Ok(())
        }
        Command::Append { repository } => append::append(Path::new(&repository)).map(drop),
        Command::Decode { repository } => decode::decode(Path::new(&repository)),
        Command::Jobs(args) => jobs::run_all(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("synchroniser-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

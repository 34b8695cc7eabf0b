//! Commands of Mercurial without its start, which takes longer than most of them: a process that has imported it
//! forks for each.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;

use tempfile::NamedTempFile;

/// Processes that have nothing to do. They end with this one: then there is nobody to read from.
static IDLE: Mutex<Vec<Forker>> = Mutex::new(Vec::new());

struct Forker {
    /// The `hg` that was imported.
    program: PathBuf,
    requests: ChildStdin,
    answers: ChildStdout,
    _process: Child,
}

/// What `command` prints and how it ends, as [`Command::output`] has it. If it is an `hg`, it sees no variables but those
/// that `command` has set, and nothing on its standard input.
pub(crate) fn output(command: &mut Command) -> Output {
    forked(command).unwrap_or_else(|| command.output().unwrap())
}

/// `None` if this is not an `hg` that Python runs.
fn forked(command: &Command) -> Option<Output> {
    let program = Path::new(command.get_program());
    let idle = {
        let mut idle = IDLE.lock().unwrap();
        let place = idle.iter().position(|forker| forker.program == program);
        place.map(|place| idle.swap_remove(place))
    };
    let mut forker = idle.or_else(|| Forker::start(program, command))?;
    let output = forker.run(command).unwrap();
    IDLE.lock().unwrap().push(forker);
    Some(output)
}

impl Forker {
    fn start(program: &Path, command: &Command) -> Option<Self> {
        let text = fs::read_to_string(program).ok()?;
        let python =
            text.lines().next()?.strip_prefix("#!").filter(|name| name.contains("python"))?;
        let is_hg = program.file_name().is_some_and(|name| name == "hg");
        let mut process = is_hg.then(|| Command::new(python.trim()))?;
        // Some are read when it is imported.
        process.env_clear().envs(variables(command)).current_dir("/");
        process
            .args(["-c", include_str!("forked_hg.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = process.spawn().unwrap();
        let (requests, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Some(Self { program: program.to_owned(), requests, answers, _process: process })
    }

    fn run(&mut self, command: &Command) -> io::Result<Output> {
        let (out, err) = (NamedTempFile::new()?, NamedTempFile::new()?);
        let folder = command.get_current_dir().unwrap_or(Path::new("/"));
        let count = command.get_args().len().to_string();
        let mut strings = vec![
            folder.as_os_str(),
            out.path().as_os_str(),
            err.path().as_os_str(),
            count.as_ref(),
        ];
        strings.extend(command.get_args());
        let mut strings: Vec<Vec<u8>> =
            strings.iter().map(|string| string.as_bytes().to_vec()).collect();
        strings.extend(
            variables(command)
                .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()),
        );
        let mut request = number(strings.len());
        for string in &strings {
            request.extend(number(string.len()));
            request.extend(string);
        }
        self.requests.write_all(&request)?;
        let mut status = [0; 4];
        self.answers.read_exact(&mut status)?;
        let status = ExitStatus::from_raw(i32::from_le_bytes(status));
        Ok(Output { status, stdout: fs::read(out.path())?, stderr: fs::read(err.path())? })
    }
}

fn variables(command: &Command) -> impl Iterator<Item = (&std::ffi::OsStr, &std::ffi::OsStr)> {
    command.get_envs().filter_map(|(name, value)| Some((name, value?)))
}

fn number(of: usize) -> Vec<u8> {
    u32::try_from(of).unwrap().to_le_bytes().to_vec()
}

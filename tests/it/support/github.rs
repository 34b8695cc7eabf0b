//! A GitHub of a few hundred lines on loopback: its API, and its side of a push, with a state that
//! requests change. It answers as GitHub's documentation says and its pushes are refused in GitHub's
//! words; packs are not read.

mod api;
mod git;
mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Request, Response};

/// A repository.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    pub(crate) private: bool,
    pub(crate) archived: bool,
    pub(crate) disabled: bool,
    pub(crate) default_branch: String,
    /// Who may write.
    pub(crate) writers: BTreeSet<String>,
    /// Who else may read, if it is private.
    pub(crate) readers: BTreeSet<String>,
    pub(crate) refs: BTreeMap<String, String>,
    /// Changes with every change that the API shows.
    pub(crate) version: u32,
}

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Anonymous,
    /// A person; and whether the token may write what the person may.
    User {
        login: String,
        may_write: bool,
    },
    /// An app, by its signature.
    App,
    /// An app for one repository.
    Installation {
        repository: String,
    },
}

/// How a push ends at the server: what it says to people, and the reason for each ref that it names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal {
    /// The lines of side-band 2.
    pub(crate) lines: Vec<String>,
    /// Which ref, and why; `*` are all.
    pub(crate) refs: Vec<(String, String)>,
    /// What became of the pack, if it was not accepted.
    pub(crate) unpack: Option<String>,
}

/// An answer in place of the right one, to requests whose line contains a text.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) of: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// An app with an installation.
pub(crate) struct AppState {
    pub(crate) id: String,
    pub(crate) public_key: openssl::pkey::PKey<openssl::pkey::Public>,
    pub(crate) installation: u64,
    /// Where it is installed.
    pub(crate) repositories: BTreeSet<String>,
    /// For how long its tokens are valid, in seconds.
    pub(crate) lifetime: i64,
}

/// All that there is.
#[derive(Default)]
pub(crate) struct State {
    /// By `owner/name`, in lower case.
    pub(crate) repositories: BTreeMap<String, Repo>,
    pub(crate) owners: BTreeSet<String>,
    pub(crate) tokens: BTreeMap<String, Who>,
    /// When the tokens of people end, as the header says it.
    pub(crate) expires: Option<String>,
    /// What the tokens of people may do, as the header says it: only of classic ones.
    pub(crate) scopes: Option<String>,
    /// Number, repository, whom.
    pub(crate) invitations: Vec<(u64, String, String)>,
    /// Old names and new ones.
    pub(crate) renamed: BTreeMap<String, String>,
    pub(crate) app: Option<AppState>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) fixed: Vec<Fixed>,
    /// The bodies of requests for tokens of the app.
    pub(crate) asked_tokens: Vec<String>,
    requests: Vec<String>,
}

/// The server. Its thread ends with the process.
pub(crate) struct FakeGitHub {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl FakeGitHub {
    /// One that knows nobody.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    http::serve(stream, |request| {
                        answer(&mut state.lock().unwrap(), port, request)
                    });
                });
            }
        });
        Self { port, state }
    }

    /// One with the user `mirror-bot`, whose token is `token`, and the organisation `acme`.
    pub(crate) fn with_bot(token: &str) -> Self {
        let this = Self::start();
        let who = Who::User { login: "mirror-bot".to_owned(), may_write: true };
        this.state().tokens.insert(token.to_owned(), who);
        this.state().owners.extend(["mirror-bot".to_owned(), "acme".to_owned()]);
        this
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The repository, made private and without collaborators if it is not there.
    pub(crate) fn repo(&self, name: &str, change: impl FnOnce(&mut Repo)) {
        let mut state = self.state();
        let repo = state.repositories.entry(name.to_lowercase()).or_insert_with(Repo::new);
        change(repo);
        repo.version += 1;
    }

    /// A private repository that `mirror-bot` may write to.
    pub(crate) fn repo_of_bot(&self, name: &str) {
        self.repo(name, |repo| repo.writers.extend(["mirror-bot".to_owned()]));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Where its API is, as that of GitHub Enterprise.
    pub(crate) fn api(&self) -> String {
        self.url("api/v3")
    }

    /// The request lines since this was last asked: those to the API without where it is, those of Git
    /// with `git`.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().requests)
    }

    /// The same, only those to the API.
    pub(crate) fn api_requests(&self) -> Vec<String> {
        self.requests().into_iter().filter(|line| !line.starts_with("git ")).collect()
    }
}

impl Repo {
    pub(crate) fn new() -> Self {
        Self {
            private: true,
            archived: false,
            disabled: false,
            default_branch: "main".to_owned(),
            writers: BTreeSet::new(),
            readers: BTreeSet::new(),
            refs: BTreeMap::new(),
            version: 0,
        }
    }

    /// Whether `who` may see it, called `name`.
    fn is_shown_to(&self, name: &str, who: &Who) -> bool {
        !self.private
            || match who {
                Who::User { login, .. } => {
                    self.writers.contains(login) || self.readers.contains(login)
                }
                Who::Installation { repository } => repository == name,
                Who::Anonymous | Who::App => false,
            }
    }

    /// Whether `who` may write to it, called `name`.
    fn is_written_by(&self, name: &str, who: &Who) -> bool {
        match who {
            Who::User { login, .. } => self.writers.contains(login),
            Who::Installation { repository } => repository == name,
            Who::Anonymous | Who::App => false,
        }
    }
}

/// Answers a request to either side.
fn answer(state: &mut State, port: u16, request: &Request) -> Response {
    let line = match request.path.strip_prefix("/api/v3") {
        Some(path) => format!("{} {path}", request.method),
        None => format!("git {} {}", request.method, request.path),
    };
    state.requests.push(line.clone());
    if let Some(fixed) = state.fixed.iter().find(|fixed| line.contains(fixed.of)) {
        let mut response = Response::new(fixed.status, fixed.body.clone());
        response.headers.extend(fixed.headers.iter().map(|(name, value)| (*name, value.clone())));
        return response;
    }
    match request.path.strip_prefix("/api/v3") {
        Some(path) => api::answer(state, port, path, request),
        None => git::answer(state, request),
    }
}

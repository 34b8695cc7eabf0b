//! `git http-backend` behind nginx.

use super::*;
use crate::support::env::program;
use crate::support::nginx::Nginx;

/// nginx with TLS and a password, in front of `git http-backend`.
struct Web {
    repositories: Repositories,
    bridge: Bridge,
    nginx: Nginx,
}

impl Web {
    /// Starts one; `None` where that is not possible, after saying why.
    fn start() -> Option<Self> {
        program("git")?;
        let repositories = Repositories::new();
        let bridge = Bridge::start(repositories.folder.path());
        let nginx = Nginx::start(("pusher", TOKEN), &locations(bridge.port))?;
        Some(Self { repositories, bridge, nginx })
    }

    fn target(&self, path: &str) -> Target {
        let url = format!("https://127.0.0.1:{}/{path}", self.nginx.port);
        Target::new(TargetUrl::parse(&url, PlainHttp::Refuse).unwrap(), self.token(TOKEN))
    }

    /// The way in with a token.
    fn token(&self, token: &str) -> Access {
        let path = self.repositories.folder.path().join(format!("token-{}", token.len()));
        fs::write(&path, token).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let token = Token { user: Some("pusher".to_owned()), source: path.into() };
        let ca_file = Some(self.nginx.certificate());
        Access { token: Some(token), ca_file, ..Access::default() }
    }

    fn place(&self, name: &str) -> Place {
        let target = self.target(&format!("git/{name}"));
        Place { target, repository: self.repositories.path(name) }
    }
}

fn locations(bridge: u16) -> String {
    format!(
        "location /git/ {{
            proxy_pass http://127.0.0.1:{bridge}/; proxy_set_header X-User $remote_user;
        }}
        location /small/ {{
            client_max_body_size 64;
            proxy_pass http://127.0.0.1:{bridge}/; proxy_set_header X-User $remote_user;
        }}
        location /short/ {{
            keepalive_timeout 1s;
            proxy_pass http://127.0.0.1:{bridge}/; proxy_set_header X-User $remote_user;
        }}
        location /forbidden/ {{ return 403; }}
        location /busy/ {{ return 503; }}
        location /limited/ {{ return 429; }}
        location /gone/ {{ return 410; }}
        location /moved/ {{ return 301 https://elsewhere.example$request_uri; }}
        location /page/ {{ default_type text/html; return 200 '<html>'; }}
        location /kerberos/ {{
            auth_basic off; add_header WWW-Authenticate Negotiate always; return 401;
        }}"
    )
}

/// A web server that knows one thing: to run `git http-backend`. nginx has no CGI of its own.
struct Bridge {
    port: u16,
    stop: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<String>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Bridge {
    fn start(root: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (stopped, seen, root) = (stop.clone(), requests.clone(), root.to_owned());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                answer(stream, &root, &seen);
            }
        });
        Self { port, stop, requests, thread: Some(thread) }
    }

    /// The request lines since the last call, without the version.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers one request through CGI, after noting its first line.
fn answer(mut stream: TcpStream, root: &Path, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    let _ = reader.read_line(&mut first);
    let mut words = first.split_whitespace();
    let (method, uri) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    seen.lock().unwrap().push(format!("{method} {path}"));
    let mut backend = command("git");
    backend.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    backend.env("REQUEST_METHOD", method).env("PATH_INFO", path).env("QUERY_STRING", query);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) < 3 {
            break;
        }
        let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" => drop(backend.env("CONTENT_TYPE", value)),
            "x-user" => drop(backend.env("REMOTE_USER", value)),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    backend.env("CONTENT_LENGTH", length.to_string());
    backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = backend.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().unwrap().stdout;
    let _ = writer.join();
    let headers = String::from_utf8_lossy(&output[..output.len().min(200)]).into_owned();
    let status = headers.strip_prefix("Status: ").and_then(|text| text.lines().next());
    let status = status.unwrap_or("200 OK").trim_end();
    let _ = write!(stream, "HTTP/1.0 {status}\r\n");
    let _ = stream.write_all(&output);
}

#[test]
fn a_mirror_follows_its_source() {
    let Some(web) = Web::start() else { return };
    tell_stories(Half::Even, &|| web.place(&web.repositories.make()));
}

#[test]
fn killed_in_a_push_a_sync_goes_on() {
    let Some(web) = Web::start() else { return };
    let place = web.place(&web.repositories.make());
    let keys = format!(
        "token_user = \"pusher\"\ntoken_file = {:?}\nca_file = {:?}",
        web.repositories.folder.path().join(format!("token-{}", TOKEN.len())),
        web.nginx.certificate(),
    );
    killed_in_pushes(place, &keys, cases(5, 15));
}

#[test]
fn keeps_the_contract() {
    let Some(web) = Web::start() else { return };
    contract(&|| web.place(&web.repositories.make()));
    refusals(&web.repositories, &|name| web.place(name));
    fsck(&web.repositories);

    // Without a difference nothing but the list is asked for.
    let name = web.repositories.make();
    let history = History::new();
    let wanted = [(MASTER, history.commit("a", &[]))];
    web.place(&name).publish(&history, &wanted).unwrap();
    let list = format!("GET /{name}/info/refs");
    let sent = [list.clone(), format!("POST /{name}/git-receive-pack"), list.clone()];
    web.bridge.requests();
    web.place(&name).publish(&history, &wanted).unwrap();
    assert_eq!(web.bridge.requests(), [list]);
    let child = [(MASTER, history.commit("b", &[wanted[0].1]))];
    web.place(&name).publish(&history, &child).unwrap();
    assert_eq!(web.bridge.requests(), sent);

    // A server that repeats our token does not get it into our words.
    let name = web.repositories.make();
    web.repositories.hook(&name, "pre-receive", &format!("echo you are {TOKEN}; exit 1"));
    let outcomes = web.place(&name).publish(&history, &wanted).unwrap();
    assert_eq!(reason(&outcomes[0]), "pre-receive hook declined: you are [secret]");
}

#[test]
fn says_what_is_wrong() {
    let Some(web) = Web::start() else { return };
    let name = web.repositories.make();
    let with = |access| {
        let url = web.target(&format!("git/{name}")).url;
        failure(Target::new(url, access))
    };
    let (fault, error) = with(web.token("geheim, but not it"));
    assert!(matches!(error, PublishError::Rejected { .. }), "{error:?}");
    assert_eq!(fault, Fault::Auth);
    let (fault, error) = with(Access { token: None, ..web.token(TOKEN) });
    assert!(matches!(error, PublishError::NoCredential { .. }), "{error:?}");
    assert_eq!(fault, Fault::Auth);
    assert_eq!(web.bridge.requests(), [""; 0], "nothing went past the password");

    for (path, fault, variant) in [
        ("git/missing.git", Fault::Auth, "Missing"),
        ("gone/x", Fault::Auth, "Missing"),
        ("forbidden/x", Fault::Auth, "Denied"),
        ("busy/x", Fault::Unavailable, "Busy"),
        ("limited/x", Fault::Unavailable, "Busy"),
        ("moved/x", Fault::Config, "Moved"),
        ("page/x", Fault::Corrupt, "Unintelligible"),
        ("kerberos/x", Fault::Config, "WrongCredential"),
    ] {
        let (actual, error) = failure(web.target(path));
        assert!(format!("{error:?}").starts_with(variant), "{path}: {error:?}");
        assert_eq!(actual, fault, "{path}");
    }
    // What refuses the pack refuses all that it is for.
    let small = Place { target: web.target(&format!("small/{name}")), repository: PathBuf::new() };
    let outcomes = publish_two(&small).unwrap();
    assert_eq!(short(&outcomes), "!!");
    assert_eq!(kind(&outcomes[1]), RefusalKind::TooLarge);

    let url = format!("https://127.0.0.1:{}/x", free_port());
    let url = TargetUrl::parse(&url, PlainHttp::Refuse).unwrap();
    let (fault, error) = failure(Target { url, ..web.target("x") });
    assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
    assert_eq!(fault, Fault::Unavailable);
    let url = TargetUrl::parse("https://host.invalid/x", PlainHttp::Refuse).unwrap();
    let (fault, error) = failure(Target { url, ..web.target("x") });
    assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
    assert_eq!(fault, Fault::Unavailable);
}

/// nginx closes connections on which nothing happens. What was listed over one is asked again then, and
/// what is sent is sent once.
#[test]
fn a_connection_that_was_closed_meanwhile_is_made_again() {
    let Some(web) = Web::start() else { return };
    let name = web.repositories.make();
    let target = web.target(&format!("short/{name}"));
    let history = History::new();
    let line = history.line("a", 2);
    let list = format!("GET /{name}/info/refs");
    let send = format!("POST /{name}/git-receive-pack");
    let mut opened = destination::open(&target, &history.path()).unwrap();
    let interrupt = Interrupt::default();
    for (pause, old, new, requests) in [
        (0, None, line[0], vec![list.clone(), send.clone()]),
        (2500, Some(line[0]), line[1], vec![list.clone(), list.clone(), send.clone()]),
    ] {
        web.bridge.requests();
        opened.references(&interrupt).unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        let update = RefUpdate { name: MASTER.to_owned(), old, new: Some(new) };
        let outcomes = opened.push(&[update], &NoProgress, &interrupt).unwrap();
        assert!(outcomes[0].is_there(), "{outcomes:?}");
        assert_eq!(web.bridge.requests(), requests);
        assert_eq!(web.place(&name).refs()[MASTER], new);
    }
}

/// What was listed ahead is asked for once, and pushed to over the same connection; what has come to be here since is
/// pushed, too. After a while it is asked for again.
#[test]
fn what_was_listed_ahead_is_used_for_some_seconds() {
    let Some(web) = Web::start() else { return };
    let name = web.repositories.make();
    let history = History::new();
    let (list, send) = (format!("GET /{name}/info/refs"), format!("POST /{name}/git-receive-pack"));
    let mut opened = destination::open(&web.place(&name).target, &history.path()).unwrap();
    let interrupt = Interrupt::default();
    opened.list_ahead(&interrupt);
    assert_eq!(web.bridge.requests(), std::slice::from_ref(&list));
    let new = history.line("a", 2)[1];
    assert!(opened.references(&interrupt).unwrap().is_empty());
    let update = RefUpdate { name: MASTER.to_owned(), old: None, new: Some(new) };
    let outcomes = opened.push(&[update], &NoProgress, &interrupt).unwrap();
    assert!(outcomes[0].is_there(), "{outcomes:?}");
    assert_eq!(web.bridge.requests(), [send]);
    // What follows is asked for.
    assert_eq!(
        opened.references(&interrupt).unwrap(),
        [synchroniser::git::Reference::new(MASTER, new)]
    );
    assert_eq!(web.bridge.requests(), std::slice::from_ref(&list));
    opened.list_ahead(&interrupt);
    std::thread::sleep(Duration::from_millis(5500));
    assert_eq!(
        opened.references(&interrupt).unwrap(),
        [synchroniser::git::Reference::new(MASTER, new)]
    );
    assert_eq!(web.bridge.requests(), [list.clone(), list]);
    // An error is told as one, by who asks.
    let mut wrong = destination::open(&web.target("forbidden/x"), &history.path()).unwrap();
    wrong.list_ahead(&interrupt);
    assert!(matches!(wrong.references(&interrupt), Err(PublishError::Denied { .. })));
}

#[test]
fn trusts_nobody_by_default() {
    let Some(web) = Web::start() else { return };
    let name = web.repositories.make();
    let url = web.target(&format!("git/{name}")).url;
    let access = Access { ca_file: None, ..web.token(TOKEN) };
    let (fault, error) = failure(Target::new(url, access));
    assert!(matches!(error, PublishError::Certificate { .. }), "{error:?}");
    assert_eq!(fault, Fault::Config);
    assert!(error.hint().unwrap().contains("ca_file"));
    assert_eq!(web.bridge.requests(), [""; 0]);
}

/// What is configured for this target, and nothing longer.
#[test]
fn a_hung_target_costs_what_is_configured() {
    let second = Duration::from_secs(1);
    let timeouts = Timeouts { connect: second, first_byte: second, idle: second };
    let access = Access { timeouts, ..Access::default() };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    for scheme in ["https", "http", "ssh"] {
        let url = format!("{scheme}://127.0.0.1:{port}/x");
        let url = TargetUrl::parse(&url, PlainHttp::Allow).unwrap();
        let start = Instant::now();
        let (fault, error) = failure(Target::new(url, access.clone()));
        assert_eq!(fault, Fault::Unavailable, "{scheme}: {error:?}");
        assert!(said(&error).contains("nothing for 1 seconds"), "{}", said(&error));
        assert!(start.elapsed() < Duration::from_secs(5), "{scheme}: {:?}", start.elapsed());
    }
}

/// A list of refs that does not come is not waited for once a stop is requested.
#[test]
fn an_interrupt_ends_the_wait_for_a_list() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let history = History::new();
    for scheme in ["https", "http", "ssh"] {
        let url = format!("{scheme}://127.0.0.1:{port}/x");
        let url = TargetUrl::parse(&url, PlainHttp::Allow).unwrap();
        let target = Target::new(url, Access::default());
        let interrupt = Interrupt::default();
        let raised = interrupt.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            raised.raise();
        });
        let start = Instant::now();
        let mut opened = destination::open(&target, &history.path()).unwrap();
        let error = opened.references(&interrupt).unwrap_err();
        assert!(matches!(error, PublishError::Interrupted(_)), "{scheme}: {error:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{scheme}: {:?}", start.elapsed());
        thread.join().unwrap();
    }
}

/// The proxy sees where we want to go and nothing of what is said, and it is the target's own.
#[test]
fn goes_through_its_proxy() {
    let Some(web) = Web::start() else { return };
    let name = web.repositories.make();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let proxy = Some(format!("http://{}", listener.local_addr().unwrap()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let mut first = String::new();
            reader.read_line(&mut first).unwrap();
            let place = first.split(' ').nth(1).unwrap().to_owned();
            seen.lock().unwrap().push(first);
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            let mut server = TcpStream::connect(place).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut up, mut from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut from, &mut up)));
            std::thread::spawn(move || drop(std::io::copy(&mut server, &mut client)));
        }
    });
    let target = web.target(&format!("git/{name}"));
    let place = |access| Place {
        target: Target::new(target.url.clone(), access),
        repository: web.repositories.path(&name),
    };
    let access = Access { proxy, ..target.access.clone() };
    assert_eq!(short(&publish_two(&place(access.clone())).unwrap()), "++");
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    let expected = format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", web.nginx.port);
    assert!(!asked.is_empty() && asked.iter().all(|line| *line == expected), "{asked:?}");
    let nowhere = Some(format!("http://127.0.0.1:{}", free_port()));
    let (fault, error) = failure(place(Access { proxy: nowhere, ..access }).target);
    assert_eq!(fault, Fault::Unavailable, "{error:?}");
}

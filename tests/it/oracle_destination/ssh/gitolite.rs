//! gitolite: a forced command that decides who may do what to which repository and ref.

use super::*;

/// How many repositories there are that may be written to as one likes.
const OPEN: usize = 60;

/// gitolite behind an OpenSSH server, and a user of it.
struct Gitolite {
    sshd: Sshd,
    made: Cell<usize>,
}

impl Gitolite {
    /// Sets it up; `None` where that is not possible, after saying why.
    fn start() -> Option<Self> {
        let gitolite = program("gitolite")?;
        let sshd = Sshd::start()?;
        let home = sshd.at("home");
        fs::create_dir(&home).unwrap();
        let gitolite = |words: &[&str]| run(command(&gitolite).env("HOME", &home).args(words));
        gitolite(&["setup", "-a", "nobody"]);
        let open: Vec<String> = (1..=OPEN).map(|number| format!("open-{number}")).collect();
        // The first rule that fits decides.
        let rules = format!(
            "repo {}\n    RW+ = mirror\n\
             repo careful\n    - refs/heads/side = mirror\n    RW = mirror\n\
             repo readable\n    R = mirror\n\
             repo other\n    RW+ = somebody\n",
            open.join(" ")
        );
        fs::write(home.join(".gitolite/conf/gitolite.conf"), rules).unwrap();
        gitolite(&["compile"]);
        let folder = gitolite(&["query-rc", "GL_BINDIR"]);
        let key = fs::read_to_string(sshd.at("user.pub")).unwrap();
        let forced = format!(
            "command=\"HOME={} {}/gitolite-shell mirror\" {key}",
            home.display(),
            folder.trim()
        );
        fs::write(sshd.at("authorized_keys"), forced).unwrap();
        Some(Self { sshd, made: Cell::new(0) })
    }

    fn place(&self, name: &str) -> Place {
        let Sshd { user, port, .. } = &self.sshd;
        let url = format!("ssh://{user}@127.0.0.1:{port}/{name}.git");
        let url = TargetUrl::parse(&url, PlainHttp::Refuse).unwrap();
        let target = Target::new(url, self.sshd.access(Key::at(self.sshd.at("user"))));
        let repository = self.sshd.at(&format!("home/repositories/{name}.git"));
        Place { target, repository }
    }

    /// One that nobody has used yet.
    fn make(&self) -> Place {
        self.made.set(self.made.get() + 1);
        assert!(self.made.get() <= OPEN, "there are too few repositories");
        self.place(&format!("open-{}", self.made.get()))
    }
}

#[test]
fn keeps_the_contract() {
    let Some(gitolite) = Gitolite::start() else { return };
    // It starts a program of Perl for each reference.
    contract_with_tags(&|| gitolite.make(), cases(20, 600));
}

/// What its rules forbid is refused for that ref, or for everything, with its words.
#[test]
fn what_its_rules_forbid() {
    let Some(gitolite) = Gitolite::start() else { return };
    let place = gitolite.place("careful");
    let history = History::new();
    let line = history.line("a", 2);
    let outcomes = place.publish(&history, &[(MASTER, line[1]), (SIDE, line[0])]).unwrap();
    assert_eq!(short(&outcomes), "+!");
    assert_eq!(kind(&outcomes[1]), RefusalKind::HookDeclined);
    let why = reason(&outcomes[1]);
    assert!(why.contains("DENIED by refs/heads/side"), "{why}");
    let back = [(MASTER, Some(line[1]), Some(line[0])), ("refs/heads/new", None, Some(line[0]))];
    let outcomes = push(&place, &history, &back).unwrap();
    assert_eq!(short(&outcomes), "!+", "{outcomes:?}");
    assert_eq!(place.refs()[MASTER], line[1]);
    // It takes names of few characters, and not the one that stands for others in ours.
    let outcomes = push(&place, &history, &[("refs/heads/a%20b", None, Some(line[0]))]).unwrap();
    assert_eq!(kind(&outcomes[0]), RefusalKind::BadName, "{}", reason(&outcomes[0]));
    for name in ["readable", "other", "missing"] {
        let (fault, error) = failure(gitolite.place(name).target);
        assert_eq!(fault, Fault::Auth, "{name}: {}", said(&error));
        assert!(said(&error).contains("DENIED by fallthru"), "{name}: {}", said(&error));
    }
}

//! The recipes that need no daemon, run as CI and cron run them, against a GitHub on loopback.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::yaml::Yaml;
use super::{blocks, documents, read};
use crate::support::env::program;
use crate::support::github::{FakeGitHub, Fixed};
use crate::support::serve::script;
use crate::support::{Fixture, Ran, TestEnv, leave_out, secrets, skip};

const DOCUMENT: &str = "docs/without-a-server.md";
/// Each block of a language that only these tests run, by its first line.
const RUN_HERE: [&str; 3] =
    ["# .github/workflows/rocket.yml", "# .gitlab-ci.yml", "# /etc/cron.d/mirror"];

/// The block that begins with the line `first`.
fn recipe(first: &str) -> String {
    let mut all = blocks(&read(DOCUMENT)).into_iter();
    all.find(|block| block.text.contains(&format!("{first}\n"))).unwrap().text
}

/// A source, a target with a token, and the tarball at an address.
struct Scene {
    env: TestEnv,
    github: FakeGitHub,
    token: String,
    sha256: String,
}

impl Scene {
    fn new() -> Self {
        let env = TestEnv::new();
        for folder in ["srv/hg", "bin", "downloads"] {
            fs::create_dir_all(env.path(folder)).unwrap();
        }
        fs::rename(Fixture::demo().unpack(&env), env.path("srv/hg/rocket")).unwrap();
        let token = secrets::token("github_pat_");
        let github = FakeGitHub::with_bot(&token);
        github.repo_of_bot("acme/rocket");
        // This GitHub has no certificate, and an address for its API.
        let program = format!(
            "exec {} \"$@\" --target-plain-http --target-api {}",
            env!("CARGO_BIN_EXE_synchroniser"),
            github.api()
        );
        script(&env, "bin/synchroniser", &program);
        let file = env.path("home/github-token");
        fs::write(&file, &token).unwrap();
        let mut scene = Self { env, github, token, sha256: String::new() };
        scene.shell("chmod 600 ~/github-token");
        scene.make_tarball();
        scene
    }

    /// As `packaging/build` makes it.
    fn make_tarball(&mut self) {
        let name = format!("synchroniser-{}-x86_64-linux", env!("CARGO_PKG_VERSION"));
        let folder = self.env.path("downloads").join(&name);
        let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/install");
        let mut command = self.env.command(install);
        command.arg("tar").arg(&folder).env("BINARY", self.env.path("bin/synchroniser"));
        command.env("SBOM", Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"));
        Ran::from(&command.output().unwrap()).ok().unwrap();
        let text = format!("cd downloads && tar -czf {name}.tar.gz {name} && sha256sum *.tar.gz");
        self.shell(&text)[..64].clone_into(&mut self.sha256);
    }

    fn shell(&self, text: &str) -> String {
        self.env.run("sh", ["-euc", text]).ok().unwrap()
    }

    /// `text` with what is here in place of what stands for it.
    fn here(&self, text: &str) -> String {
        let at = |name: &str| self.env.path(name).display().to_string();
        text.replace("https://hg.example.org/acme/rocket", &at("srv/hg/rocket"))
            .replace("https://github.com/acme/rocket.git", &self.github.url("acme/rocket.git"))
            .replace("https://downloads.example.org", &format!("file://{}", at("downloads")))
            .replace(&"0".repeat(64), &self.sha256)
            .replace("/usr/local/bin", &at("bin"))
            .replace("/srv/mirror", &at("home"))
            .replace("${{ secrets.MIRROR_TOKEN }}", &self.token)
            .replace("${{ github.run_id }}-${{ github.run_attempt }}", "17-1")
    }

    /// A job on a runner, whose folder has nothing but what the cache had.
    fn job(&self, environment: &[&Yaml], commands: &[&str]) -> Ran {
        self.shell(
            "rm -rf job && mkdir job && cd job && [ ! -e ../kept.tar ] || tar -xf ../kept.tar",
        );
        let mut command = self.env.command("bash");
        command.current_dir(self.env.path("job"));
        for (name, value) in environment.iter().flat_map(|pairs| pairs.pairs()) {
            command.env(name, self.here(value.text()));
        }
        let commands = self.here(&commands.join("\n"));
        assert!(!commands.contains("${{"), "{commands}");
        let ran = Ran::from(&command.args(["-ec", &commands]).output().unwrap());
        self.shell("cd job && [ ! -d cache ] || tar -cf ../kept.tar cache");
        ran
    }

    fn refs(&self) -> usize {
        self.github.state().repositories["acme/rocket"].refs.len()
    }

    /// Runs a job twice: the first publishes everything, the second finds it in its cache.
    fn mirrors_with_a_cache(&self, job: impl Fn() -> Ran) {
        let first = job().ok().unwrap();
        assert!(first.contains("300 changesets, 300 new") && self.refs() > 1, "{first}");
        let second = job().ok().unwrap();
        assert!(second.contains("300 changesets, 0 new"), "{second}");
    }
}

#[test]
fn github_actions_mirror() {
    if program("curl").is_none() {
        return;
    }
    let scene = Scene::new();
    let workflow = Yaml::read(&recipe(RUN_HERE[0]));
    let job = workflow.get("jobs").get("mirror");
    let mut environment = vec![job.get("env")];
    let mut commands = Vec::new();
    let mut kept = Vec::new();
    for step in job.get("steps").items() {
        environment.extend(step.find("env"));
        match step.find("run") {
            Some(run) => commands.push(run.text()),
            None => kept.push((step.get("with").get("path"), step.get("with").get("key"))),
        }
    }
    // What is restored is what is saved.
    assert!(kept.len() == 2 && kept[0] == kept[1] && kept[0].0.text() == "cache", "{kept:?}");
    scene.mirrors_with_a_cache(|| scene.job(&environment, &commands));
    assert!(scene.here(recipe(RUN_HERE[0]).as_str()).contains("rocket-17-1"));
}

#[test]
fn gitlab_ci_mirrors() {
    if program("curl").is_none() {
        return;
    }
    let scene = Scene::new();
    let job = Yaml::read(&recipe(RUN_HERE[1]));
    let job = job.get("rocket");
    assert_eq!(job.get("cache").get("paths").items()[0].text(), "cache/");
    let commands: Vec<_> = job.get("script").items().iter().map(Yaml::text).collect();
    // A variable of the project, which is set where the token is.
    let token = Yaml::Map(vec![("MIRROR_TOKEN".to_owned(), Yaml::Text(scene.token.clone()))]);
    let environment = [job.get("variables"), &token];
    scene.mirrors_with_a_cache(|| scene.job(&environment, &commands));
    let code = job.get("allow_failure").get("exit_codes").text().parse().unwrap();
    scene.breaks();
    scene.job(&environment, &commands).with_code(code).unwrap();
}

impl Scene {
    /// From now on the target answers that it is busy.
    fn breaks(&self) {
        let (of, body) = ("info/refs", String::new());
        self.github.state().fixed.push(Fixed { of, status: 503, headers: Vec::new(), body });
    }

    /// As cron starts a command.
    fn cron(&self, command: &str) -> Ran {
        let mut shell: Command = self.env.command("/bin/sh");
        shell.env("PATH", "/usr/bin:/bin").current_dir(self.env.path("home"));
        Ran::from(&shell.args(["-c", &self.here(command)]).output().unwrap())
    }
}

/// The command of an entry in `/etc/cron.d`, behind five times and a user.
fn entry() -> String {
    let text = recipe(RUN_HERE[2]);
    let lines = text.lines().filter(|line| !line.starts_with(['#', 'M']));
    let [line] = lines.collect::<Vec<_>>()[..] else { panic!("not one entry: {text}") };
    let words: Vec<_> = line.splitn(7, ' ').collect();
    assert_eq!(words[5], "mirror");
    // cron makes a line of its own of what is behind `%`.
    assert!(!words[6].contains('%'), "{line}");
    words[6].to_owned()
}

fn silent(ran: &Ran) -> bool {
    ran.stdout.is_empty() && ran.stderr.is_empty()
}

#[test]
fn cron_mirrors_and_says_what_is_wrong() {
    if program("flock").is_none() {
        return;
    }
    let (scene, entry) = (Scene::new(), entry());
    let first = scene.cron(&entry).with_code(0).unwrap();
    assert!(scene.refs() > 1 && silent(&first), "{first:?}");
    assert!(scene.env.path("home/.cache/synchroniser").is_dir());

    let busy =
        format!("exec 9> {}/rocket.lock; flock 9; {entry}", scene.env.path("home").display());
    scene.breaks();
    let overlapping = scene.cron(&busy).with_code(0).unwrap();
    assert!(silent(&overlapping), "{overlapping:?}");
    let failed = scene.cron(&entry).with_code(12).unwrap();
    assert!(failed.stderr.contains("the server cannot do it now"), "{failed:?}");
}

/// Without `flock`, as the page says.
#[test]
fn two_runs_with_one_cache_do_not_meet() {
    if program("flock").is_none() {
        return;
    }
    let scene = Scene::new();
    let command = entry().split_once("rocket.lock ").unwrap().1.to_owned();
    scene.cron(&command).with_code(0).unwrap();
    let locked = format!("exec 9> $(ls -d ~/.cache/synchroniser/*/lock); flock 9; {command}");
    let second = scene.cron(&locked).with_code(12).unwrap();
    assert!(second.stderr.contains("another process is at work there"), "{second:?}");
}

#[test]
fn a_cache_without_its_empty_folders_is_refused() {
    let scene = Scene::new();
    let command = entry().split_once("rocket.lock ").unwrap().1.to_owned();
    scene.cron(&command).with_code(0).unwrap();
    scene.shell("find ~/.cache -type d -empty -delete");
    scene.cron(&command).with_code(10).unwrap();
    scene.shell("rm -r ~/.cache");
    scene.cron(&command).with_code(0).unwrap();
}

#[test]
fn a_script_for_cron_keeps_quiet_for_a_day() {
    let scene = Scene::new();
    let text = recipe("# /usr/local/bin/mirror-rocket");
    let first = scene.cron(&text).with_code(0).unwrap();
    assert!(scene.refs() > 1 && silent(&first), "{first:?}");
    scene.breaks();
    let quiet = scene.cron(&text).with_code(0).unwrap();
    assert!(silent(&quiet), "{quiet:?}");
    scene.shell("touch -d '2 days ago' ~/rocket.good");
    let said = scene.cron(&text).with_code(12).unwrap();
    assert!(said.stdout.contains("error at the target"), "{said:?}");
    scene.github.state().fixed.clear();
    scene.shell("chmod 644 ~/github-token");
    let said = scene.cron(&text).with_code(10).unwrap();
    assert!(said.stdout.contains("hint: "), "{said:?}");
}

#[test]
fn a_token_need_not_be_in_a_file() {
    let scene = Scene::new();
    let first = scene.cron(&recipe("# /usr/local/bin/mirror-rocket-env")).with_code(0).unwrap();
    assert!(scene.refs() > 1 && silent(&first), "{first:?}");
    let wrong = recipe("# /usr/local/bin/mirror-rocket-env").replace("cat ", "echo wrong ");
    let said = scene.cron(&wrong).with_code(11).unwrap();
    assert!(said.stderr.contains("put it into the variable MIRROR_TOKEN"), "{said:?}");
}

/// A block that nobody runs would be one that no run has seen.
#[test]
fn every_recipe_is_run() {
    for document in documents() {
        for block in blocks(&read(&document)) {
            if matches!(block.language.as_str(), "yaml" | "cron") {
                let first = block.text.lines().next().unwrap();
                assert!(document == DOCUMENT && RUN_HERE.contains(&first), "{document}: {first}");
            }
        }
    }
}

/// The recipes are what the forges take.
#[test]
fn recipes_fit_the_schemas_of_their_forges() {
    let Some(check) = std::env::var_os("SYNCHRONISER_CHECK_JSONSCHEMA") else {
        skip("SYNCHRONISER_CHECK_JSONSCHEMA names no check-jsonschema");
        return;
    };
    if check == *"-" {
        leave_out("no check-jsonschema is wanted");
        return;
    }
    let env = TestEnv::new();
    for (first, schema) in
        [(RUN_HERE[0], "vendor.github-workflows"), (RUN_HERE[1], "vendor.gitlab-ci")]
    {
        fs::write(env.path("recipe.yml"), recipe(first)).unwrap();
        let ran = env.run(&check, ["--builtin-schema", schema, "recipe.yml"]);
        ran.ok().unwrap();
        // It does not take everything.
        let broken =
            recipe(first).replace("runs-on: ", "runs: ").replace("  script:", "  scripts:");
        fs::write(env.path("recipe.yml"), broken).unwrap();
        env.run(&check, ["--builtin-schema", schema, "recipe.yml"]).with_code(1).unwrap();
    }
}

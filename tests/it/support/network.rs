//! Hosts of their own, in namespaces of the kernel: each has its own network and name, and a cable to a switch, where
//! the test is. Only the network is their own; the disk is that of all.
//!
//! The test runs in a process of its own whose network is empty at first. The kernel removes a namespace with the last
//! process in it, and interfaces with their namespace: nothing is ever made in the network of the machine, and nothing
//! is left, however the test ends.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use super::env::program;
use super::{TestEnv, leave_out};

/// The bridge that all cables end at, in the network of the test.
const SWITCH: &str = "switch";
/// The interface of each host.
const INTERFACE: &str = "eth0";

/// What it takes to make hosts.
const TRIAL: &str = "ip link add name a type bridge && ip link add name b type veth peer name c";

/// Waits until nobody holds the other end of its input any more, as a host called `$1`.
const HOST: &str = "echo \"$1\" >/proc/sys/kernel/hostname && echo && exec cat >/dev/null";

fn command(program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    // Where programs of administrators are.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).args(words).stdin(Stdio::null());
    command
}

fn run(program: &str, words: &[&str]) -> Output {
    command(program, words).output().unwrap()
}

fn ip(words: &str) {
    let words: Vec<_> = words.split(' ').collect();
    let ran = run("ip", &words);
    assert!(ran.status.success(), "ip {words:?}: {ran:?}");
}

/// Whether this machine lets us make hosts. Says so if it does not.
fn is_allowed() -> bool {
    if !rustix::process::geteuid().is_root() {
        leave_out("only root makes namespaces of the network");
        return false;
    }
    let ran = command("unshare", &["--net", "--uts", "true"]).output();
    match ran {
        Ok(ran) if ran.status.success() => {}
        failed => {
            leave_out(&format!("there are no namespaces of the network here: {failed:?}"));
            return false;
        }
    }
    // Debian's package `iproute2`.
    if program("ip").is_none() {
        return false;
    }
    let ran = run("unshare", &["--net", "sh", "-c", TRIAL]);
    if !ran.status.success() {
        leave_out(&format!("there are no bridges and virtual cables here: {ran:?}"));
    }
    ran.status.success()
}

/// Runs a test that is ignored otherwise, in a process of its own with an empty network; nothing where this machine
/// does not allow that, which is said.
pub(crate) fn in_a_network(test: &str) {
    if !is_allowed() {
        return;
    }
    let us = std::env::current_exe().unwrap();
    let words = ["--net", "--", us.to_str().unwrap(), "--exact", test, "--ignored", "--nocapture"];
    // A file, and no pipe: servers that take their time to end are not waited for.
    let mut output = tempfile::tempfile().unwrap();
    let mut command = command("unshare", &words);
    command.stdout(output.try_clone().unwrap()).stderr(output.try_clone().unwrap());
    let status = command.status().unwrap();
    let mut said = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut said).unwrap();
    assert!(status.success() && said.contains("1 passed"), "{said}");
    eprint!("{said}");
}

/// The network of this process, once [`in_a_network`] has started it.
pub(crate) struct Network {
    hosts: u8,
}

/// Which end of a cable.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// That at the switch: to the host it is as if the cable had been pulled. What it sends is lost without a word.
    Switch,
    /// That at the host: it knows that it has no network.
    Host,
}

/// Another machine, as far as its network and its name are concerned.
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    cable: String,
    /// Has the namespaces while no other process is in them.
    holder: Child,
}

impl Network {
    /// Where the test is.
    pub(crate) const ADDRESS: &str = "10.77.0.1";

    pub(crate) fn new() -> Self {
        ip("link set lo up");
        ip(&format!("link add name {SWITCH} type bridge"));
        ip(&format!("address add {}/24 dev {SWITCH}", Self::ADDRESS));
        ip(&format!("link set {SWITCH} up"));
        Self { hosts: 0 }
    }

    /// A host at the switch.
    pub(crate) fn host(&mut self, name: &'static str) -> Host {
        self.hosts += 1;
        let mut holder = command("unshare", &["--net", "--uts", "sh", "-c", HOST, "sh", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "\n", "{name} does not start");
        let cable = format!("cable-{}", self.hosts);
        let address = format!("10.77.0.{}", 1 + self.hosts);
        let host = Host { name, address, cable, holder };
        let (cable, id) = (&host.cable, host.holder.id());
        ip(&format!("link add name {cable} type veth peer name {INTERFACE} netns {id}"));
        ip(&format!("link set {cable} master {SWITCH}"));
        host.ip("link set lo up");
        host.ip(&format!("address add {}/24 dev {INTERFACE}", host.address));
        host.link(End::Switch, true);
        host.link(End::Host, true);
        host
    }
}

impl Host {
    /// What comes before the words of a command that is run there.
    fn enter(&self) -> [String; 5] {
        let id = self.holder.id().to_string();
        ["--target".to_owned(), id, "--net".to_owned(), "--uts".to_owned(), "--".to_owned()]
    }

    /// A program there, with the environment of `env`; it gets more arguments.
    pub(crate) fn command(&self, env: &TestEnv, program: impl Into<PathBuf>) -> Command {
        let mut command = env.command("nsenter");
        command.args(self.enter()).arg(program.into());
        command
    }

    fn ip(&self, words: &str) {
        let mut all = self.enter().to_vec();
        all.extend(["ip"].into_iter().chain(words.split(' ')).map(str::to_owned));
        let ran = run("nsenter", &all.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ran.status.success(), "{}: ip {words}: {ran:?}", self.name);
    }

    /// Takes one end of its cable up or down.
    pub(crate) fn link(&self, end: End, is_up: bool) {
        let state = if is_up { "up" } else { "down" };
        match end {
            End::Switch => ip(&format!("link set {} {state}", self.cable)),
            End::Host => self.ip(&format!("link set {INTERFACE} {state}")),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

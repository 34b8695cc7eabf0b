//! What a server is asked.

use crate::hg::Node;
use crate::net::percent;

/// One command and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    name: &'static str,
    args: Vec<(&'static str, Vec<u8>)>,
    /// Arguments whose names the server does not know beforehand; SSH frames them on their own.
    more: Option<Vec<(&'static str, Vec<u8>)>>,
    is_stream: bool,
}

/// What is asked for with `getbundle`. What [`super::Bundle2Caps`] of a server does not know need not be
/// asked for: it is left out, and some servers complain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the protocol has as many, by these names")]
pub struct GetBundle {
    /// What we have, with all its ancestors.
    pub common: Vec<Node>,
    /// What we want, with all its ancestors that we do not have. Nothing means all that is served.
    pub heads: Vec<Node>,
    /// Whether the history is wanted at all.
    pub changegroup: bool,
    /// Whether phases are wanted, in a part of their own.
    pub phases: bool,
    /// Whether bookmarks are wanted, in a part of their own.
    pub bookmarks: bool,
    /// Whether obsolescence markers are wanted.
    pub obsmarkers: bool,
    /// Namespaces of keys that are wanted.
    pub listkeys: Vec<String>,
    /// Whether the files of the store are wanted, in place of `changegroup`.
    pub stream: bool,
    /// What we can read, as [`super::our_bundle2`] says it. Without it the answer is a bare changegroup
    /// of `common` and `heads`, and nothing else is asked for.
    pub bundle_caps: Option<String>,
}

impl Command {
    fn new(name: &'static str) -> Self {
        Self { name, args: Vec::new(), more: None, is_stream: false }
    }

    fn with(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.args.push((name, value.into()));
        self
    }

    /// What the server can do.
    pub fn capabilities() -> Self {
        Self::new("capabilities")
    }

    /// The heads of what it serves.
    pub fn heads() -> Self {
        Self::new("heads")
    }

    /// The same, of a server with the `largefiles` extension, which lets nobody else in: whoever asks
    /// so knows that large files are tracked by small ones that name them.
    pub fn heads_with_largefiles() -> Self {
        Self::new("lheads")
    }

    /// The named branches and their heads.
    pub fn branchmap() -> Self {
        Self::new("branchmap")
    }

    /// Which of `nodes` it has.
    pub fn known(nodes: &[Node]) -> Self {
        let command = Self::new("known").with("nodes", spaced(nodes));
        Self { more: Some(Vec::new()), ..command }
    }

    /// Which changeset a name stands for. Over HTTP a server under Python 3 fails (status 500) where the
    /// name is not ASCII; `listkeys` and `branchmap` tell of all names.
    pub fn lookup(name: &[u8]) -> Self {
        Self::new("lookup").with("key", name)
    }

    /// The keys and values of a namespace, such as `bookmarks` or `phases`.
    pub fn listkeys(namespace: &str) -> Self {
        Self::new("listkeys").with("namespace", namespace)
    }

    /// Where bundles for first fetches are. Only for servers that say that they have some.
    pub fn clonebundles() -> Self {
        Self::new("clonebundles")
    }

    /// Several commands at once, none of them a stream or a batch itself.
    pub fn batch(commands: &[Self]) -> Self {
        let mut all = Vec::new();
        for (position, command) in commands.iter().enumerate() {
            if position > 0 {
                all.push(b';');
            }
            all.extend_from_slice(command.name.as_bytes());
            all.push(b' ');
            for (position, (name, value)) in command.args().enumerate() {
                if position > 0 {
                    all.push(b',');
                }
                escape(name.as_bytes(), &mut all);
                all.push(b'=');
                escape(value, &mut all);
            }
        }
        let command = Self::new("batch").with("cmds", all);
        Self { more: Some(Vec::new()), ..command }
    }

    /// A part of its history.
    pub fn getbundle(wanted: &GetBundle) -> Self {
        let mut more = vec![("common", spaced(&wanted.common)), ("heads", spaced(&wanted.heads))];
        more.retain(|(_, value)| !value.is_empty());
        let command = Self { is_stream: true, ..Self::new("getbundle") };
        // Servers abort where anything else is asked of a bare changegroup.
        let Some(caps) = &wanted.bundle_caps else {
            return Self { more: Some(more), ..command };
        };
        let flag = |wanted: bool| Vec::from(if wanted { "1" } else { "0" });
        more.push(("bundlecaps", caps.clone().into()));
        more.push(("cg", flag(wanted.changegroup)));
        let flags = [
            ("phases", wanted.phases),
            ("bookmarks", wanted.bookmarks),
            ("obsmarkers", wanted.obsmarkers),
            ("stream", wanted.stream),
        ];
        more.extend(flags.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| (*name, flag(true))));
        if !wanted.listkeys.is_empty() {
            more.push(("listkeys", wanted.listkeys.join(",").into()));
        }
        Self { more: Some(more), ..command }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether its answer is long and ends where its contents say so.
    pub fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// All arguments.
    pub fn args(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let all = self.args.iter().chain(self.more.iter().flatten());
        all.map(|(name, value)| (*name, value.as_slice()))
    }

    /// How many bytes the values of its arguments have.
    pub fn size(&self) -> usize {
        self.args().map(|(_, value)| value.len()).sum()
    }

    /// The command as it is sent over SSH.
    pub fn to_ssh(&self) -> Vec<u8> {
        let mut out = format!("{}\n", self.name).into_bytes();
        frame(&self.args, &mut out);
        if let Some(more) = &self.more {
            out.extend_from_slice(format!("* {}\n", more.len()).as_bytes());
            frame(more, &mut out);
        }
        out
    }

    /// All arguments as a web form (`application/x-www-form-urlencoded`).
    pub fn to_form(&self) -> String {
        let pair = |(name, value): (&str, &[u8])| {
            format!("{}={}", percent::encode(name.as_bytes()), percent::encode(value))
        };
        self.args().map(pair).collect::<Vec<_>>().join("&")
    }
}

/// Adds arguments as SSH has them: a name, the length of the value, and the value.
fn frame(args: &[(&'static str, Vec<u8>)], out: &mut Vec<u8>) {
    for (name, value) in args {
        out.extend_from_slice(format!("{name} {}\n", value.len()).as_bytes());
        out.extend_from_slice(value);
    }
}

/// Nodes with blanks between them.
fn spaced(nodes: &[Node]) -> Vec<u8> {
    let mut text = Vec::with_capacity(nodes.len() * 41);
    for (position, node) in nodes.iter().enumerate() {
        if position > 0 {
            text.push(b' ');
        }
        text.extend_from_slice(node.to_string().as_bytes());
    }
    text
}

/// Adds `text` to a batch, without what separates commands and arguments there.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b':' => out.extend_from_slice(b":c"),
            b',' => out.extend_from_slice(b":o"),
            b';' => out.extend_from_slice(b":s"),
            b'=' => out.extend_from_slice(b":e"),
            byte => out.push(byte),
        }
    }
}

/// Undoes [`escape`]; `None` if a colon stands for nothing.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b':' => match bytes.next()? {
                b'c' => b':',
                b'o' => b',',
                b's' => b';',
                b'e' => b'=',
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(byte: u8) -> Node {
        Node::from_bytes([byte; 20])
    }

    #[test]
    fn over_ssh() {
        let text = |command: &Command| String::from_utf8(command.to_ssh()).unwrap();
        assert_eq!(text(&Command::heads()), "heads\n");
        assert_eq!(text(&Command::lookup(b"a b")), "lookup\nkey 3\na b");
        let (one, two) = ("11".repeat(20), "22".repeat(20));
        let known = Command::known(&[node(0x11), node(0x22)]);
        assert_eq!(text(&known), format!("known\nnodes 81\n{one} {two}* 0\n"));
        assert_eq!(text(&Command::known(&[])), "known\nnodes 0\n* 0\n");
        let batch = Command::batch(&[Command::heads(), Command::lookup(b"a=;b,:")]);
        assert_eq!(text(&batch), "batch\ncmds 28\nheads ;lookup key=a:e:sb:o:c* 0\n");
    }

    #[test]
    fn what_is_asked_for_in_a_bundle() {
        let nothing = Command::getbundle(&GetBundle::default());
        assert_eq!(nothing.to_ssh(), b"getbundle\n* 0\n");
        let bare = GetBundle { phases: true, heads: vec![node(0x22)], ..GetBundle::default() };
        assert_eq!(Command::getbundle(&bare).to_form(), format!("heads={}", "22".repeat(20)));
        let caps = GetBundle { bundle_caps: Some("x".to_owned()), ..GetBundle::default() };
        assert_eq!(Command::getbundle(&caps).to_form(), "bundlecaps=x&cg=0");
        let all = Command::getbundle(&GetBundle {
            common: vec![node(0x11)],
            heads: vec![node(0x22), node(0x33)],
            changegroup: true,
            phases: true,
            bookmarks: true,
            obsmarkers: true,
            listkeys: vec!["a".to_owned(), "b c".to_owned()],
            stream: true,
            bundle_caps: Some("HG20,x".to_owned()),
        });
        let [one, two, three] = ["11", "22", "33"].map(|byte| byte.repeat(20));
        let form = format!(
            "common={one}&heads={two}%20{three}&bundlecaps=HG20%2Cx&cg=1&phases=1&bookmarks=1\
             &obsmarkers=1&stream=1&listkeys=a%2Cb%20c"
        );
        assert_eq!(all.to_form(), form);
        assert!(all.is_stream());
    }

    proptest! {
        #[test]
        fn what_was_escaped_is_unescaped(bytes: Vec<u8>) {
            let mut text = Vec::new();
            escape(&bytes, &mut text);
            prop_assert!(!text.iter().any(|byte| b",;=".contains(byte)));
            prop_assert_eq!(unescape(&text), Some(bytes));
        }
    }
}

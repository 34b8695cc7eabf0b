//! A server, asked for what a pull needs to know and to have.

use std::io::Read;

use super::{PullError, State};
use crate::hg::Node;
use crate::hg::peer::Peer;
use crate::hg::wire::{self, Capabilities, CloneBundle, Command, GetBundle, answer};

/// A server that can be asked.
pub(super) struct Server<'p> {
    peer: &'p mut dyn Peer,
    capabilities: Capabilities,
}

impl<'p> Server<'p> {
    /// The server behind `peer`; what it can do is asked for unless it is `remembered`.
    pub(super) fn new(
        peer: &'p mut dyn Peer,
        remembered: Option<Capabilities>,
    ) -> Result<Self, PullError> {
        let capabilities = match remembered {
            Some(capabilities) => {
                peer.remember(capabilities.clone());
                capabilities
            }
            None => peer.capabilities()?,
        };
        Ok(Self { peer, capabilities })
    }

    /// What it can do.
    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What it shows, and which of `nodes` it has: one round trip where it takes several commands at
    /// once.
    pub(super) fn state(&mut self, nodes: &[Node]) -> Result<(State, Vec<bool>), PullError> {
        let heads = match self.capabilities.has("largefiles") {
            true => Command::heads_with_largefiles(),
            false => Command::heads(),
        };
        let mut commands = vec![
            heads,
            Command::listkeys("bookmarks"),
            Command::listkeys("phases"),
            Command::known(nodes),
        ];
        // The last: of a push meanwhile it may know more than the others, and never less.
        if self.capabilities.has("branchmap") {
            commands.push(Command::branchmap());
        }
        let answers = self.all(&commands)?;
        let mut answers = answers.iter().map(Vec::as_slice);
        let mut next = || answers.next().unwrap_or_default();
        let [heads, bookmarks, phases, known] = [next(), next(), next(), next()];
        let mut state = State::default();
        state.shown.heads = answer::heads(heads)?;
        if self.capabilities.has("branchmap") {
            let branches = answer::branchmap(next())?;
            state.shown.branch_heads =
                Some(branches.into_iter().flat_map(|(_, heads)| heads).collect());
        }
        for (name, node) in answer::listkeys(bookmarks)? {
            // What is no node is a bookmark that the server itself cannot use.
            state.bookmarks.extend(Node::from_hex(&node).map(|node| (name, node)));
        }
        for (key, value) in answer::listkeys(phases)? {
            match Node::from_hex(&key) {
                Some(root) if value == "1" => state.draft_roots.push(root),
                None if key == "publishing" => state.publishes = value == "True",
                _ => {}
            }
        }
        Ok((state, answer::known(known, nodes.len())?))
    }

    /// Which of `nodes` it has.
    pub(super) fn known(&mut self, nodes: &[Node]) -> Result<Vec<bool>, PullError> {
        let known = self.peer.call(&Command::known(nodes))?;
        Ok(answer::known(&known, nodes.len())?)
    }

    /// A bundle with what lies below `heads` and not below `common`.
    pub(super) fn changegroup(
        &mut self,
        common: &[Node],
        heads: &[Node],
    ) -> Result<Box<dyn Read + '_>, PullError> {
        let wanted = GetBundle {
            common: common.to_vec(),
            heads: heads.to_vec(),
            changegroup: true,
            bundle_caps: Some(wire::our_bundle2()),
            ..GetBundle::default()
        };
        Ok(self.peer.stream(&Command::getbundle(&wanted))?)
    }

    /// Whether it lets its files be copied.
    pub(super) fn streams(&self) -> bool {
        let bundle2 = self.capabilities.bundle2();
        bundle2.is_some_and(|caps| caps.values("stream").any(|version| version == "v2"))
    }

    /// A bundle with its files.
    pub(super) fn files(&mut self) -> Result<Box<dyn Read + '_>, PullError> {
        let wanted = GetBundle {
            stream: true,
            bundle_caps: Some(wire::our_bundle2()),
            ..GetBundle::default()
        };
        Ok(self.peer.stream(&Command::getbundle(&wanted))?)
    }

    /// The bundles that it says a first fetch can begin with, the best first.
    pub(super) fn clone_bundles(&mut self) -> Result<Vec<CloneBundle>, PullError> {
        if !self.capabilities.has("clonebundles") {
            return Ok(Vec::new());
        }
        Ok(answer::clone_bundles(&self.peer.call(&Command::clonebundles())?)?)
    }

    /// What is at an address that it named.
    pub(super) fn download(&mut self, url: &str) -> Result<Box<dyn Read + '_>, PullError> {
        Ok(self.peer.download(url)?)
    }

    /// The answers to several commands, at once if the server can do that.
    fn all(&mut self, commands: &[Command]) -> Result<Vec<Vec<u8>>, PullError> {
        if self.capabilities.has("batch") {
            let all = self.peer.call(&Command::batch(commands))?;
            return Ok(answer::batch(&all, commands.len())?);
        }
        commands.iter().map(|command| Ok(self.peer.call(command)?)).collect()
    }
}

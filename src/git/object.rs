//! Object ids and kinds.

use crate::base::sha1::{self, Digest, Message};

crate::base::hex::id_type! {
    /// The id of a Git object.
    ObjectId
}

/// What a Git object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A snapshot with its parents and message.
    Commit,
    /// A directory.
    Tree,
    /// A file's contents or a symbolic link's target.
    Blob,
}

impl ObjectKind {
    /// The word in an object's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
        }
    }

    /// What is hashed before the contents of an object, of which there are `length` bytes, to get its
    /// id by SHA-1.
    pub fn header(self, length: usize) -> String {
        format!("{} {length}\0", self.name())
    }

    /// The number in a pack entry's header.
    pub fn pack_type(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Tree => 2,
            Self::Blob => 3,
        }
    }
}

impl ObjectId {
    /// The id of the object of this kind with these contents.
    pub fn of(kind: ObjectKind, contents: &[u8]) -> Self {
        let header = kind.header(contents.len());
        Self::from_bytes(sha1::digest(&[header.as_bytes(), contents]))
    }

    /// The id of the blob with these contents, and the digest of `other`: both take little longer than
    /// one of them.
    pub fn of_blob_beside(contents: &[u8], other: Message<'_>) -> (Self, Digest) {
        let header = ObjectKind::Blob.header(contents.len());
        let blob = Message { head: header.as_bytes(), text: contents };
        let mut digests = [Digest::default(); 2];
        sha1::digests(&[blob, other], &mut digests);
        let [blob, other] = digests;
        (Self::from_bytes(blob), other)
    }
}

impl From<ObjectId> for git2::Oid {
    fn from(id: ObjectId) -> Self {
        // Twenty bytes always make an id; the zero one is the only answer left.
        Self::from_bytes(id.as_bytes()).unwrap_or(Self::ZERO_SHA1)
    }
}

impl From<git2::Oid> for ObjectId {
    fn from(oid: git2::Oid) -> Self {
        <[u8; 20]>::try_from(oid.as_bytes()).map_or(Self::NULL, Self::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_git_gives() {
        assert_eq!(
            ObjectId::of(ObjectKind::Blob, b"").to_string(),
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
        );
        assert_eq!(
            ObjectId::of(ObjectKind::Tree, b"").to_string(),
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        );
    }
}

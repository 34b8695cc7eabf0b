//! What a repository holds beside its revlogs.

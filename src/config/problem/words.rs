//! Parts of the texts of problems.

use crate::base::HasFault;

/// What `error` says, because of what, and what to do about it.
pub(super) fn cannot(error: &impl HasFault) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("cannot {error}{cause}{hint}")
}

pub(super) fn suggestion(similar: Option<&str>) -> String {
    similar.map(|key| format!("; did you mean \"{key}\"?")).unwrap_or_default()
}

/// `"a", "b"`.
pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

//! Questions to whoever is at the terminal.

use std::io::{self, IsTerminal as _};

use crate::cli::ui::Ui;

/// How often a question is asked before it is given up.
const TRIES: usize = 3;

/// One question.
pub(super) struct Question<'q> {
    /// What it is about, in a word.
    pub(super) what: &'static str,
    /// The flag that answers it, too.
    pub(super) flag: &'static str,
    text: &'q str,
    default: Option<&'q str>,
}

impl<'q> Question<'q> {
    pub(super) fn new(what: &'static str, flag: &'static str, text: &'q str) -> Self {
        Self { what, flag, text, default: None }
    }

    /// The same with what an empty answer stands for.
    pub(super) fn or(self, default: &'q str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Asks it; `None` if nobody is there, or gives no answer.
    pub(super) fn ask(&self, ui: &Ui) -> Option<String> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let default = self.default.map(|default| format!(" [{default}]")).unwrap_or_default();
        for _ in 0..TRIES {
            ui.error(&format!("{}{default}:", self.text));
            let mut answer = String::new();
            if io::stdin().read_line(&mut answer).ok()? == 0 {
                return None;
            }
            let answer = answer.trim();
            if !answer.is_empty() {
                return Some(answer.to_owned());
            }
            if let Some(default) = self.default {
                return Some(default.to_owned());
            }
        }
        None
    }
}

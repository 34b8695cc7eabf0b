//! As much of YAML as the recipes need: mappings, lists, plain and quoted texts, texts over several lines. All else
//! fails. That they are YAML, and what the forges take, is what `check-jsonschema` says.

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Yaml {
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// The only document in `text`.
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        let mut reader = Reader { lines, next: 0 };
        let value = reader.value(0);
        assert_eq!(reader.next, reader.lines.len(), "{:?}", reader.lines.get(reader.next));
        value
    }

    /// The value of a key that is there.
    pub(super) fn get(&self, key: &str) -> &Self {
        self.find(key).unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    pub(super) fn find(&self, key: &str) -> Option<&Self> {
        self.pairs().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(super) fn pairs(&self) -> &[(String, Yaml)] {
        let Self::Map(pairs) = self else { panic!("not a mapping: {self:?}") };
        pairs
    }

    pub(super) fn items(&self) -> &[Yaml] {
        let Self::List(items) = self else { panic!("not a list: {self:?}") };
        items
    }

    pub(super) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("not a text: {self:?}") };
        text
    }
}

struct Reader {
    lines: Vec<String>,
    next: usize,
}

impl Reader {
    /// The indentation of the next line, and what it says; `None` where it has less than `least`.
    fn peek(&self, least: usize) -> Option<(usize, String)> {
        let line = self.lines.get(self.next)?;
        let said = line.trim_start();
        let indent = line.len() - said.len();
        (indent >= least).then(|| (indent, said.to_owned()))
    }

    /// The value whose lines are indented by `least` at least.
    fn value(&mut self, least: usize) -> Yaml {
        let (indent, said) = self.peek(least).expect("a value");
        if said.starts_with("- ") { self.list(indent) } else { self.map(indent) }
    }

    fn list(&mut self, indent: usize) -> Yaml {
        let mut items = Vec::new();
        while let Some((at, said)) = self.peek(indent) {
            let Some(item) = said.strip_prefix("- ") else { break };
            assert_eq!(at, indent, "{said}");
            if pair(item).is_some() {
                // A mapping that begins behind the dash.
                self.lines[self.next] = format!("{}{item}", " ".repeat(indent + 2));
                items.push(self.map(indent + 2));
            } else {
                self.next += 1;
                items.push(Yaml::Text(self.text(item, indent + 1)));
            }
        }
        Yaml::List(items)
    }

    fn map(&mut self, indent: usize) -> Yaml {
        let mut pairs = Vec::new();
        while let Some((at, said)) = self.peek(indent) {
            let (key, rest) = pair(&said).unwrap_or_else(|| panic!("not a key: {said}"));
            assert_eq!(at, indent, "{said}");
            self.next += 1;
            let value = match rest {
                "" if self.peek(indent + 1).is_some() => self.value(indent + 1),
                "|" => Yaml::Text(self.block(indent + 1)),
                rest => Yaml::Text(self.text(rest, indent + 1)),
            };
            assert!(pairs.iter().all(|(name, _)| name != key), "{key} twice");
            pairs.push((key.to_owned(), value));
        }
        Yaml::Map(pairs)
    }

    /// A text that may go on in lines that are indented by `least` at least.
    fn text(&mut self, first: &str, least: usize) -> String {
        let quoted = first.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let mut text = quoted.unwrap_or(first).to_owned();
        assert!(!text.contains(" #") && !text.contains(": "), "{text}");
        while let Some((_, said)) = self.peek(least) {
            text = format!("{text} {said}");
            self.next += 1;
        }
        text
    }

    /// The lines of a text behind `|`.
    fn block(&mut self, least: usize) -> String {
        let mut text = String::new();
        let (indent, _) = self.peek(least).expect("lines");
        while self.peek(indent).is_some() {
            text.push_str(&self.lines[self.next][indent..]);
            text.push('\n');
            self.next += 1;
        }
        text
    }
}

/// `key: rest` or `key:`.
fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, rest) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
    let is_key = key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    is_key.then_some((key, rest))
}

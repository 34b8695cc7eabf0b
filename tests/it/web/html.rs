//! A small judge of markup: what is opened is closed, ids are there once, and what a person needs who cannot
//! see the page.

use std::collections::HashMap;

/// Elements of HTML that have no end.
const VOID: [&str; 5] = ["meta", "link", "input", "br", "img"];

/// One element as it begins.
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: HashMap<String, String>,
    /// All text in it, once it has ended.
    pub(super) text: String,
    /// The names of the elements around it.
    pub(super) around: Vec<String>,
}

impl Element {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// The elements of a document in their order. Panics at what is not well-formed.
pub(super) fn elements(document: &str) -> Vec<Element> {
    let is_html = document.starts_with("<!DOCTYPE html>");
    let body = document.trim_start_matches("<!DOCTYPE html>");
    let body = body.strip_prefix("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n").unwrap_or(body);
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        let text = decoded(&rest[..at]);
        for &at in &open {
            elements[at].text.push_str(&text);
        }
        let end = at + rest[at..].find('>').unwrap_or_else(|| panic!("no end: {}", &rest[at..]));
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop().unwrap_or_else(|| panic!("nothing to close: {name}"));
            assert_eq!(elements[last].name, name, "closed in another order");
            continue;
        }
        let around = open.iter().map(|&at| elements[at].name.clone()).collect();
        let (tag, is_closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let attributes = attributes_of(attributes);
        elements.push(Element { name: name.to_owned(), attributes, text: String::new(), around });
        if !(is_closed || is_html && VOID.contains(&name)) {
            open.push(elements.len() - 1);
        }
    }
    assert!(open.is_empty(), "not closed: {:?}", open.iter().map(|&at| &elements[at].name));
    elements
}

fn attributes_of(mut text: &str) -> HashMap<String, String> {
    let mut attributes = HashMap::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return attributes;
        }
        let end = text.find(['=', ' ']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let (value, rest) = match rest.strip_prefix("=\"") {
            Some(rest) => rest.split_once('"').unwrap_or_else(|| panic!("no quote: {rest}")),
            None => ("", rest),
        };
        let before = attributes.insert(name.to_owned(), decoded(value));
        assert!(before.is_none(), "twice: {name}");
        text = rest;
    }
}

fn decoded(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&amp;", "&")
}

/// Panics unless `document` is a page that everybody can use.
pub(super) fn judge(address: &str, document: &str) {
    let elements = elements(document);
    let named = |name: &str| elements.iter().filter(|it| it.name == name).collect::<Vec<_>>();
    let ids: Vec<_> = elements.iter().filter_map(|it| it.get("id")).collect();
    for id in &ids {
        assert_eq!(ids.iter().filter(|other| other == &id).count(), 1, "{address}: {id} twice");
    }
    assert_eq!(named("html")[0].get("lang"), Some("en"), "{address}");
    let titles = named("title").into_iter().filter(|it| it.around.ends_with(&["head".to_owned()]));
    assert_eq!(titles.count(), 1, "{address}: title");
    for name in ["h1", "main", "header", "footer"] {
        assert_eq!(named(name).len(), 1, "{address}: {name}");
    }
    assert!(!named("h1")[0].text.trim().is_empty(), "{address}: an empty heading");
    let mut level = 0;
    for heading in elements.iter().filter(|it| ["h1", "h2", "h3"].contains(&it.name.as_str())) {
        let this: u32 = heading.name[1..].parse().unwrap();
        assert!(this <= level + 1, "{address}: {} leaves a level out", heading.text);
        level = this;
    }
    for element in &elements {
        let what = format!("{address}: {} {:?}", element.name, element.attributes);
        for (attribute, value) in &element.attributes {
            assert!(attribute != "style" && !attribute.starts_with("on"), "{what}");
            for id in
                ["for", "aria-labelledby", "aria-describedby"].iter().filter(|it| *it == attribute)
            {
                assert!(ids.contains(&value.as_str()), "{what}: {id} of nothing");
            }
        }
        let says_something = !element.text.trim().is_empty() || element.get("aria-label").is_some();
        match element.name.as_str() {
            "a" | "button" | "th" | "title" | "label" | "caption" => {
                assert!(says_something, "{what}");
            }
            "script" => assert!(element.get("src").is_some() && element.text.is_empty(), "{what}"),
            "img" => assert!(element.get("alt").is_some(), "{what}"),
            "svg" => assert!(
                element.get("aria-hidden") == Some("true")
                    || (element.get("role") == Some("img") && says_something),
                "{what}"
            ),
            "progress" => assert!(element.get("aria-label").is_some(), "{what}"),
            "time" => assert!(element.get("datetime").is_some(), "{what}"),
            _ => {}
        }
        if element.name == "input" && element.get("type") != Some("hidden") {
            let id = element.get("id").unwrap();
            let labels = named("label");
            assert!(labels.iter().any(|it| it.get("for") == Some(id)), "{what}: no label");
        }
        assert!(element.name != "th" || element.get("scope").is_some(), "{what}: no scope");
        if element.name == "a" {
            assert!(element.get("href").is_some_and(|it| !it.is_empty()), "{what}");
        }
    }
    let captions = named("caption").len();
    assert_eq!(named("table").len(), captions, "{address}: a table without a caption");
}

#[test]
fn what_is_wrong_is_seen() {
    for document in [
        "<!DOCTYPE html><p>",
        "<!DOCTYPE html><p></b></p>",
        "<!DOCTYPE html></p>",
        "<!DOCTYPE html><p a=\"1\" a=\"2\"></p>",
        "<svg><link></svg>",
    ] {
        assert!(std::panic::catch_unwind(|| elements(document)).is_err(), "{document}");
    }
}

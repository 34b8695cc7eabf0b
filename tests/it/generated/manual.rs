//! Man pages: of the commands, and of a page in the Markdown of the configuration reference.

use std::collections::BTreeMap;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use synchroniser::cli::exit;

/// A page for the program and for each command, by the names of their files.
pub(super) fn of_commands(mut command: Command) -> BTreeMap<String, Vec<u8>> {
    command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = BTreeMap::new();
    add(&command, &mut pages);
    pages
}

fn add(command: &Command, pages: &mut BTreeMap<String, Vec<u8>>) {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        add(inner, pages);
    }
    let is_program = command.get_name() == "synchroniser";
    let man = Man::new(command.clone()).manual("synchroniser").date("");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page).unwrap();
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).unwrap();
    }
    let mut rest = Roff::new();
    if is_program {
        // The table at the end of `--help`, line by line.
        let mut lines = exit::HELP.lines();
        section(
            &mut rest,
            "EXIT STATUS",
            lines.by_ref().skip(1).take_while(|line| !line.is_empty()),
        );
        section(&mut rest, "ENVIRONMENT", lines.skip(1));
        rest.control("SH", ["FILES"]);
        for (file, is) in FILES {
            rest.control("TP", []).text([bold(file)]).text([roman(is)]);
        }
    }
    rest.control("SH", ["SEE ALSO"]);
    if !is_program {
        rest.text([bold("synchroniser"), roman("(1),")]);
    }
    rest.text([bold("synchroniser.toml"), roman("(5), and the documents in")]);
    rest.text([bold("/usr/share/doc/synchroniser")]);
    rest.to_writer(&mut page).unwrap();
    pages.insert(man.get_filename(), page);
}

/// Where things are that a package installs or the daemon makes.
const FILES: [(&str, &str); 5] = [
    ("/etc/synchroniser/synchroniser.toml", "The configuration."),
    ("/etc/synchroniser/secrets", "Tokens and keys that the daemon reads at each use."),
    ("/var/cache/synchroniser", "What has been converted, a folder for each mirror."),
    ("/var/lib/synchroniser", "The queue, and the history of syncs and hooks."),
    ("/run/synchroniser/admin.sock", "The socket over which commands talk to the daemon."),
];

fn section<'a>(roff: &mut Roff, name: &str, lines: impl Iterator<Item = &'a str>) {
    roff.control("SH", [name]).control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

/// The man page of the configuration file: the reference, with its keys as tagged paragraphs.
pub(super) fn of_markdown(page: &str) -> Vec<u8> {
    let version = concat!("synchroniser ", env!("CARGO_PKG_VERSION"));
    let mut roff = Roff::new();
    roff.control("TH", ["synchroniser.toml", "5", "", version, "synchroniser"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("synchroniser.toml - the configuration of synchroniser")]);
    let mut under_key = false;
    let mut is_first = false;
    for part in page.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
        if part.starts_with("# ") {
            roff.control("SH", ["DESCRIPTION"]);
        } else if let Some(heading) = part.strip_prefix("#### ") {
            roff.control("TP", []).text([bold(heading.replace('`', ""))]);
            (under_key, is_first) = (true, true);
        } else if let Some(heading) = part.strip_prefix("### ") {
            roff.control("SS", [heading.replace('`', "").as_str()]);
            under_key = false;
        } else if let Some(heading) = part.strip_prefix("## ") {
            roff.control("SH", [heading.replace('`', "").as_str()]);
            under_key = false;
        } else {
            if under_key && !is_first {
                roff.control("IP", []);
            } else if !under_key {
                roff.control("PP", []);
            }
            is_first = false;
            roff.text(inlines(&part.replace('\n', " ")));
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([
        bold("synchroniser"),
        roman("(1),"),
        bold(" synchroniser-config-check"),
        roman("(1)"),
    ]);
    roff.render().into_bytes()
}

/// Text with what is between backticks in bold, and of links what they say.
fn inlines(text: &str) -> Vec<Inline> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        match link.split_once("](") {
            Some((says, after)) if !says.contains(['`', '[']) => {
                plain.push_str(before);
                plain.push_str(says);
                rest = after.split_once(')').unwrap().1;
            }
            _ => {
                plain.push_str(before);
                plain.push('[');
                rest = link;
            }
        }
    }
    plain.push_str(rest);
    let parts = plain.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

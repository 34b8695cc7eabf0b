//! What servers answer to commands, what they say they can do, and addresses.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use synchroniser::base::HasFault;
use synchroniser::hg::wire::http::{MediaType, request};
use synchroniser::hg::wire::{Capabilities, Command, answer};
use synchroniser::net::SourceUrl;
use synchroniser_fuzz::{limits, told};

fn read<T: Debug, E: HasFault>(result: Result<T, E>) -> Option<T> {
    result.map_err(|error| told(&error)).ok()
}

/// What is remembered of a server is what it said, and whatever it said can be asked.
fn capabilities(data: &[u8]) {
    let Some(caps) = read(Capabilities::parse(data, &limits())) else { return };
    assert_eq!(Capabilities::parse(&caps.to_bytes(), &limits()), Ok(caps.clone()));
    let command = Command::lookup(data);
    let request = request(&command, &caps);
    let args = request.headers.iter().filter(|(name, _)| name.starts_with("X-HgArg-"));
    let whole: String = args.map(|(_, value)| value.as_str()).collect();
    let form = command.to_form();
    let placed =
        [request.body.as_ref() == Some(&form), whole == form, request.query.ends_with(&form)];
    assert!(placed.contains(&true));
    let text = request.headers.iter().map(|(_, value)| value).chain([&request.query]);
    assert!(text.flat_map(|text| text.bytes()).all(|byte| (b' '..=b'~').contains(&byte)));
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    match mode % 10 {
        0 => capabilities(data),
        1 => assert!(read(answer::heads(data)).is_none_or(|heads| heads.len() <= data.len() / 41)),
        2 => assert!(read(answer::known(data, 4)).is_none_or(|known| known.len() == 4)),
        3 => drop(read(answer::branchmap(data))),
        4 => drop(read(answer::listkeys(data))),
        5 => drop(read(answer::lookup(data))),
        6 => assert!(read(answer::batch(data, 3)).is_none_or(|answers| answers.len() == 3)),
        7 => drop(read(answer::clone_bundles(data))),
        8 => {
            let Ok(text) = std::str::from_utf8(data) else { return };
            let Some(url) = read(SourceUrl::parse(text)) else { return };
            let shown = url.to_string();
            assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()));
            assert_eq!(SourceUrl::parse(&shown), Ok(url));
        }
        _ => drop(MediaType::parse(&String::from_utf8_lossy(data))),
    }
});

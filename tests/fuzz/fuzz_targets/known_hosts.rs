//! The file that says which SSH server has which key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::net::known_hosts::is_known as is_known_host;
use synchroniser_fuzz::Input;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let port = Some(input.short()).filter(|port| *port != 0);
    let Ok(host) = std::str::from_utf8(input.part()) else { return };
    let key = input.part();
    let text = input.rest();
    let known = is_known_host(text, host, port, key);
    // Comments, blank lines and lines of nonsense change nothing.
    for more in [&b"# "[..], b"\n", b" \t\n", b"\xff nonsense\n"] {
        let more = [more, b"\n", text, b"\n", more].concat();
        assert_eq!(is_known_host(&more, host, port, key), known);
    }
    if known {
        // Nothing but a line can have said so, and host names have no case.
        assert!(!is_known_host(b"", host, port, key));
        assert!(is_known_host(text, &host.to_ascii_uppercase(), port, key));
    }
});

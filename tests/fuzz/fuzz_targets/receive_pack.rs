//! What a server of `git receive-pack` lists, and what it answers to a push.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::git::fuzzing;

const NAMES: [&str; 2] = ["refs/heads/a", "refs/heads/b"];

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    // How it is cut makes no difference.
    match mode % 3 {
        0 => {
            let whole = fuzzing::advertisement(data, data.len());
            assert_eq!(whole, fuzzing::advertisement(data, usize::from(mode)));
            assert!(whole.is_none_or(|(refs, _)| refs.len() <= data.len() / 45));
        }
        mode => {
            let answer = |piece| fuzzing::answer(data, piece, &NAMES, mode == 1);
            let whole = answer(data.len());
            assert_eq!(whole, answer(7));
            assert!(whole.is_none_or(|(text, _)| text.len() <= data.len()));
        }
    }
});

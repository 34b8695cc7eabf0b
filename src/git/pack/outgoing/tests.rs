//! Against what stock Git says of the same repositories.

use super::testing::{Stock, check, grown, ids, line, lines, texts, written};
use super::*;
use crate::base::NoProgress;

/// However the objects lie, stock Git is content with what is sent, and little is sent in vain.
#[test]
fn random_histories_arrive() {
    for seed in 0..2 {
        let Some((stock, commits)) = grown(seed, 40) else { return };
        let some = |from: usize, step: usize| -> Vec<ObjectId> {
            commits.iter().skip(from).step_by(step).copied().collect()
        };
        let mut in_vain = 0;
        for round in 0..3 {
            match round {
                0 => {}
                1 => drop(stock.git(&["repack", "-adfq", "--depth=40", "--window=50"])),
                _ => stock.unpack(),
            }
            in_vain += check(&stock, &some(0, 1), &[]).1;
            for (tips, has) in [
                (some(39, 1), some(38, 1)),
                (some(30, 3), some(5, 7)),
                (some(0, 1), some(20, 1)),
                (some(39, 1), some(0, 9)),
                (some(10, 11), vec![commits[39]]),
            ] {
                in_vain += check(&stock, &tips, &has).1;
            }
        }
        assert!(in_vain < 200, "seed {seed}: {in_vain} objects were sent in vain");
    }
}

/// Tags of tags, of trees and of files, and a commit that libgit2 does not read.
#[test]
fn whatever_a_tag_names_arrives() {
    let Some(stock) = Stock::new() else { return };
    let commits = line(&stock, &texts(4));
    let tree = stock.git(&["rev-parse", "line^{tree}"]);
    let tag = |object: &str, kind: &str, name: &str| {
        let text =
            format!("object {object}\ntype {kind}\ntag {name}\ntagger A <a@b> 1 +0000\n\nt\n");
        ObjectId::from_hex(stock.feed(&["mktag"], text.as_bytes()).as_bytes()).unwrap()
    };
    let inner = tag(&commits[3].to_string(), "commit", "inner");
    let outer = tag(&inner.to_string(), "tag", "outer");
    let of_tree = tag(&tree, "tree", "of-tree");
    let text = format!(
        "tree {tree}\nparent {}\nauthor Joe 5 +0000\ncommitter Joe 6 +0000\n\nm\n",
        commits[3]
    );
    let arguments = ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"];
    let joe = stock.feed(&arguments, text.as_bytes());
    let joe = ObjectId::from_hex(joe.as_bytes()).unwrap();
    assert_eq!(check(&stock, &[outer], &[]).1, 0);
    assert_eq!(check(&stock, &[outer], &[commits[3]]), (2, 0));
    assert_eq!(check(&stock, &[commits[3]], &[outer]), (0, 0));
    assert_eq!(check(&stock, &[outer, inner], &[inner]), (1, 0));
    assert_eq!(check(&stock, &[of_tree], &[commits[0]]).1, 0);
    let sent = ids(&stock.select(&[joe], &[commits[2]]));
    assert_eq!(sent.len(), 5, "two commits, one of them with a tree of its own: {sent:?}");
}

/// What only hidden refs reach stays, although it lies in the same pack and its deltas hang from what
/// is sent.
#[test]
fn what_is_hidden_stays() {
    let Some(stock) = Stock::new() else { return };
    let commits = line(&stock, &texts(30));
    stock.git(&["update-ref", "refs/synchroniser/keep/1", &commits[29].to_string()]);
    stock.git(&["update-ref", "refs/heads/line", &commits[14].to_string()]);
    for version in ["pack.indexVersion=2", "pack.indexVersion=1"] {
        stock.git(&["-c", version, "repack", "-adfq", "--depth=50"]);
        assert_eq!(check(&stock, &[commits[14]], &[]), (15 * 4, 0));
        assert_eq!(check(&stock, &[commits[14]], &[commits[10]]), (4 * 4, 0));
    }
}

/// Clocks that go backwards cost more reading, and too much is not sent for them.
#[test]
fn wrong_clocks_hide_nothing() {
    let Some(stock) = Stock::new() else { return };
    let mut stream = String::new();
    for number in 1..=60 {
        // The later, the earlier.
        let time = 2_000_000_000 - number * 1000;
        stream.push_str(&format!(
            "commit refs/heads/line\nmark :{number}\ncommitter A <a@b> {time} +0000\ndata 1\nm\n"
        ));
        if number > 1 {
            stream.push_str(&format!("from :{}\n", number - 1));
        }
        stream.push_str(&format!("M 100644 inline f\ndata 3\n{number:03}\n"));
    }
    stream.push_str("commit refs/heads/other\nmark :61\ncommitter A <a@b> 5 +0000\ndata 1\nm\n");
    stream.push_str("from :30\nM 100644 inline f\ndata 3\nxyz\n");
    stock.feed(&["fast-import", "--quiet"], stream.as_bytes());
    let (line, other) = (stock.id("line"), stock.id("other"));
    assert_eq!(check(&stock, &[other], &[line]), (3, 0));
    assert_eq!(check(&stock, &[line], &[other]), (30 * 3, 0));
}

/// Objects in several packs, some of them twice, and in a repository that is borrowed from.
#[test]
fn objects_lie_in_many_places() {
    let Some(stock) = Stock::new() else { return };
    let commits = line(&stock, &texts(60));
    // Packs with deltas in both directions between the same objects.
    let all: Vec<_> = stock.reached(&[commits[59]]).into_iter().collect();
    stock.git(&["repack", "-adfq", "--depth=50"]);
    let folder = stock.path().join("objects/pack/pack");
    for (number, half) in
        [&all[..], &all[all.len() / 3..], &all[..all.len() / 2]].iter().enumerate()
    {
        let mut half = half.to_vec();
        if number == 1 {
            half.reverse();
        }
        let window = format!("--window={}", 5 + number);
        let arguments = ["pack-objects", "-q", "--no-reuse-delta", &window];
        let arguments = [&arguments[..], &[folder.to_str().unwrap()]].concat();
        stock.feed(&arguments, lines(&half).as_bytes());
    }
    for (tips, has) in [(59, None), (59, Some(20)), (30, Some(29)), (10, None)] {
        let has: Vec<_> = has.map(|place: usize| commits[place]).into_iter().collect();
        let (sent, in_vain) = check(&stock, &[commits[tips]], &has);
        assert_eq!(in_vain, 0);
        assert!(sent > 0);
    }
    let borrower = Stock::new().unwrap();
    let list = format!("# a comment\n{}\n", stock.path().join("objects").display());
    std::fs::write(borrower.path().join("objects/info/alternates"), list).unwrap();
    let more = borrower.feed(&["mktree"], b"");
    let text = format!(
        "tree {more}\nparent {}\nauthor A <a@b> 9 +0000\n\
                        committer A <a@b> 9 +0000\n\nm\n",
        commits[59]
    );
    let tip = borrower.feed(&["hash-object", "-t", "commit", "-w", "--stdin"], text.as_bytes());
    let tip = ObjectId::from_hex(tip.as_bytes()).unwrap();
    assert_eq!(check(&borrower, &[tip], &[commits[59]]), (2, 0));
    assert_eq!(check(&borrower, &[tip], &[]), (60 * 4 + 2, 0));
}

/// Whatever byte of a pack is wrong: what is sent is right, or nothing is.
#[test]
fn no_damage_is_sent() {
    let Some(stock) = Stock::new() else { return };
    let commits = line(&stock, &texts(12));
    stock.git(&["repack", "-adfq", "--depth=50"]);
    let expected = written(&stock.select(&[commits[11]], &[commits[6]]));
    let packs = std::fs::read_dir(stock.path().join("objects/pack")).unwrap();
    let pack = packs.map(|file| file.unwrap().path());
    let pack = pack.into_iter().find(|path| path.extension().is_some_and(|e| e == "pack")).unwrap();
    let sound = std::fs::read(&pack).unwrap();
    let (limits, interrupt) = (Limits::default(), Interrupt::default());
    let send = |bytes: &[u8]| {
        std::fs::remove_file(&pack).unwrap();
        std::fs::write(&pack, bytes).unwrap();
        let source = stock.open();
        let tips = [commits[11]];
        let has = [commits[6]];
        let sent = Outgoing::select(&source, &tips, &has, &limits, &NoProgress, &interrupt)
            .and_then(|outgoing| {
                let mut pack = Vec::new();
                outgoing.write(&mut pack, &NoProgress, &interrupt).map(|()| pack)
            });
        match sent {
            Ok(sent) => {
                assert!(sent == expected, "something else is sent");
                true
            }
            Err(OutgoingError::Write(_) | OutgoingError::Interrupted(_)) => panic!(),
            Err(_) => false,
        }
    };
    let mut harmless = 0;
    for place in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x41;
        harmless += usize::from(send(&bytes));
    }
    for end in (0..sound.len()).step_by(7) {
        assert!(!send(&sound[..end]), "cut at {end}");
    }
    // What is not sent, and nothing that is hangs from, may be damaged as it likes.
    let all = sound.len();
    assert!((10..all / 2).contains(&harmless), "{harmless} of {all} are harmless");
    std::fs::remove_file(&pack).unwrap();
    std::fs::write(&pack, &sound).unwrap();
    assert!(send(&sound));
}

#[test]
fn large_files_and_workflows_are_seen() {
    let Some(stock) = Stock::new() else { return };
    let ci = ".github/workflows/ci.yml";
    let commits = line(
        &stock,
        &[
            ("small", b"1".repeat(99)),
            ("a/large", b"2".repeat(100)),
            (ci, b"on: push".to_vec()),
            ("a/large", [b"2".repeat(100), b"3".to_vec()].concat()),
            ("other", b"2".repeat(100)),
            (ci, b"on: pull".to_vec()),
            (".github/workflows/deep/x", b"on: pull".to_vec()),
        ],
    );
    let watch = Watch { large_from: Some(100), workflows: true };
    let found = |tips: &[ObjectId], has: &[ObjectId]| {
        let (limits, interrupt) = (Limits::default(), Interrupt::default());
        let source = stock.open();
        let result =
            Outgoing::select_watching(&source, tips, has, watch, &limits, &NoProgress, &interrupt);
        let found = result.unwrap().1;
        let place = |id: &ObjectId| commits.iter().position(|commit| commit == id).unwrap();
        let large = found.large.iter();
        let large = large.map(|file| (file.path.to_string(), place(&file.commit), file.size));
        let workflows = found.workflows.iter();
        let workflows = workflows.map(|file| (file.path.to_string(), place(&file.commit)));
        (large.collect::<Vec<_>>(), workflows.collect::<Vec<_>>())
    };
    let large = |place, size| ("a/large".to_owned(), place, size);
    let deep = (".github/workflows/deep/x".to_owned(), 6);
    let workflows = vec![(ci.to_owned(), 2), (ci.to_owned(), 5), deep.clone()];
    for round in 0..3 {
        match round {
            0 => {}
            1 => drop(stock.git(&["repack", "-adfq", "--depth=50"])),
            _ => stock.unpack(),
        }
        let all = found(&[commits[6]], &[]);
        assert_eq!(all, (vec![large(1, 100), large(3, 101)], workflows.clone()), "{round}");
        let last = found(&[commits[6]], &[commits[1]]);
        assert_eq!(last, (vec![large(3, 101)], workflows.clone()), "{round}");
        assert_eq!(found(&[commits[6]], &[commits[5]]), (vec![], vec![deep.clone()]));
    }
}

/// A history that is too large for one push goes in several, and each can be received.
#[test]
fn slices_arrive_one_after_the_other() {
    let Some((stock, commits)) = grown(7, 60) else { return };
    let wanted = |place: usize, old: Option<usize>, may_stop| Wanted {
        tip: commits[place],
        old: old.map(|place| commits[place]),
        may_stop,
    };
    let (limits, interrupt, source) = (Limits::default(), Interrupt::default(), stock.open());
    for (wanted, there) in [
        (vec![wanted(59, None, true), wanted(50, None, true), wanted(20, None, false)], vec![]),
        (vec![wanted(59, Some(12), true), wanted(40, Some(12), true)], vec![commits[12]]),
    ] {
        let all: Vec<_> = wanted.iter().map(|wanted| wanted.tip).collect();
        let whole = stock.select(&all, &there).bytes();
        let cut = |most| {
            Slice::cut(&source, &wanted, &there, most, &limits, &NoProgress, &interrupt).unwrap()
        };
        assert_eq!(cut(whole).len(), 1);
        let slices = cut(whole / 6);
        assert!(slices.len() > 1, "{} slices", slices.len());
        let mut has = there.clone();
        let mut now: Vec<_> = wanted.iter().map(|wanted| wanted.old).collect();
        for slice in &slices {
            let tips: Vec<_> = slice.tips.iter().map(|(_, tip)| *tip).collect();
            check(&stock, &tips, &has);
            for (number, tip) in &slice.tips {
                if let Some(before) = now[*number].filter(|_| wanted[*number].may_stop) {
                    let is_old = before != wanted[*number].old.unwrap_or_default();
                    let forward = source.is_ancestor(before, *tip).unwrap();
                    assert!(forward || !is_old, "not a fast-forward");
                }
                now[*number] = Some(*tip);
            }
            has.extend(tips);
        }
        assert_eq!(now, all.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(stock.select(&all, &has).objects(), 0);
    }
}

#[test]
fn slices_of_a_straight_line_are_small() {
    let Some(stock) = Stock::new() else { return };
    // Nothing of this can be compressed.
    let noise = |seed: u32| -> Vec<u8> {
        let hashes = (0..100)
            .map(|n: u32| crate::base::sha1::digest(&[&[seed, n].map(u32::to_be_bytes).concat()]));
        hashes.collect::<Vec<_>>().concat()
    };
    let commits = line(&stock, &(0..30).map(|n| ("file", noise(n))).collect::<Vec<_>>());
    let wanted = [Wanted { tip: commits[29], old: None, may_stop: true }];
    let (limits, interrupt, source) = (Limits::default(), Interrupt::default(), stock.open());
    let slices =
        Slice::cut(&source, &wanted, &[], 10_000, &limits, &NoProgress, &interrupt).unwrap();
    let mut has = Vec::new();
    for slice in &slices {
        let sent = written(&stock.select(&[slice.tips[0].1], &has));
        assert!(sent.len() <= 10_000, "{} bytes", sent.len());
        has = vec![slice.tips[0].1];
    }
    assert_eq!(has, [commits[29]]);
    assert!((8..=10).contains(&slices.len()), "{} slices", slices.len());
}

/// Modes as some old tools wrote them, and a commit of another repository.
#[test]
fn modes_with_zeros_before_them() {
    let Some(stock) = Stock::new() else { return };
    let raw = |kind: &str, contents: &[u8]| {
        let arguments = ["hash-object", "-t", kind, "-w", "--stdin", "--literally"];
        ObjectId::from_hex(stock.feed(&arguments, contents).as_bytes()).unwrap()
    };
    let tree = |entries: &[(&str, ObjectId)]| {
        let parts =
            entries.iter().map(|(head, id)| [head.as_bytes(), b"\0", id.as_bytes()].concat());
        raw("tree", &parts.collect::<Vec<_>>().concat())
    };
    let file = raw("blob", b"text");
    let folder = tree(&[("100644 file", file)]);
    let top = tree(&[("040000 folder", folder), ("160000 module", ObjectId::from_bytes([7; 20]))]);
    let text = format!("tree {top}\nauthor A <a@b> 5 +0000\ncommitter A <a@b> 5 +0000\n\nm\n");
    let commit = raw("commit", text.as_bytes());
    assert_eq!(ids(&stock.select(&[commit], &[])), [commit, top, folder, file].into());
}

/// A commit on an old one, with what a later one has: that is at the target, if at another place of
/// the history.
#[test]
fn what_is_copied_from_another_branch_is_not_sent() {
    let Some(stock) = Stock::new() else { return };
    let mut stream = String::from(
        "commit refs/heads/old\nmark :1\ncommitter A <a@b> 5 +0000\ndata 1\nm\n\
         M 100644 inline f\ndata 1\nx\n\
         commit refs/heads/late\nmark :2\ncommitter A <a@b> 6 +0000\ndata 1\nm\nfrom :1\n",
    );
    for number in 0..600 {
        stream.push_str(&format!("M 100644 inline d/{number}\ndata 3\n{number:03}\n"));
    }
    stock.feed(&["fast-import", "--quiet"], stream.as_bytes());
    let tree = stock.git(&["rev-parse", "late^{tree}"]);
    let tip = stock.git(&["commit-tree", "-m", "m", "-p", "old", &tree]);
    let tip = ObjectId::from_hex(tip.as_bytes()).unwrap();
    let mut has = vec![stock.id("old"), stock.id("late")];
    assert_eq!(check(&stock, &[tip], &has), (1, 0));
    // With more tips, they are not all read first.
    has.extend((0..100_u32).map(|n| ObjectId::of(ObjectKind::Blob, &n.to_be_bytes())));
    assert_eq!(ids(&stock.select(&[tip], &has)), [tip].into());
}

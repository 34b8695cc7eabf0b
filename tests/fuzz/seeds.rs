//! Writes the first inputs of each fuzz target, taken from `fixtures/`: `seeds FOLDER` makes
//! `FOLDER/TARGET/<name>`. Nothing of it is kept in the repository.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use synchroniser::base::compress::Deflater;
use synchroniser::base::{Limits, hex, sha1};
use synchroniser::git::BareRepository;
use synchroniser::hg::filelog;
use synchroniser::hg::manifest::Manifest;
use synchroniser::hg::revlog::{Delta, Revlog};
use synchroniser::hg::{Changeset, Repository};
use synchroniser_fuzz::joined;

type Done = Result<(), Box<dyn Error>>;

/// Longer inputs teach nothing that shorter ones do not, and slow the targets down.
const LONGEST: usize = 12 << 10;
/// How many revisions of one revlog are taken.
const REVISIONS: usize = 12;

struct Seeds {
    folder: PathBuf,
    written: BTreeSet<PathBuf>,
}

impl Seeds {
    /// Keeps an input, under the name that its contents give it.
    fn add(&mut self, target: &str, bytes: &[u8]) -> Done {
        if bytes.len() > LONGEST {
            return Ok(());
        }
        let folder = self.folder.join(target);
        let path = folder.join(hex::encode(&sha1::digest(&[bytes])));
        if self.written.insert(path.clone()) {
            fs::create_dir_all(folder)?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }

    fn with_mode(&mut self, target: &str, mode: u8, bytes: &[u8]) -> Done {
        self.add(target, &[&[mode], bytes].concat())
    }

    /// A text in every form that decompresses to it.
    fn compressed(&mut self, text: &[u8]) -> Done {
        let limit = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
        let mut zlib = Vec::new();
        Deflater::default().append(text, &mut zlib);
        let known = zstd::bulk::compress(text, 3)?;
        let unknown = zstd::encode_all(text, 3)?;
        for (mode, bytes) in [(0, zlib), (1, known), (1, unknown), (2, text.to_vec())] {
            self.with_mode("compress", mode, &[&limit, &bytes[..]].concat())?;
        }
        Ok(())
    }

    /// The files of a store, read as what they are.
    fn store(&mut self, root: &Path) -> Done {
        let read = |name: &str| {
            let places = [root.join(".hg/store").join(name), root.join(".hg").join(name)];
            places.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default()
        };
        self.with_mode("store", 0, &read("requires"))?;
        let names = ["phaseroots", "obsstore", "bookmarks", "dirstate", "localtags", "hgrc"];
        let parts = names.map(read);
        let cut = parts.iter().map(|part| &part[..part.len().min(1 << 10)]);
        self.with_mode("store", 2, &joined(cut))?;
        self.add("paths", &read("fncache"))?;
        for index in files_below(root, ".i")? {
            let data = fs::read(index.with_extension("d")).unwrap_or_default();
            let index = fs::read(index)?;
            self.add("revlog", &[joined([&data[..]]), index].concat())?;
        }
        Ok(())
    }

    /// Texts and deltas of a revlog.
    fn revlog(&mut self, revlog: &Revlog, each: &mut dyn FnMut(&mut Self, &[u8]) -> Done) -> Done {
        let mut reader = revlog.reader();
        for rev in revlog.revs().take(REVISIONS) {
            let Ok((text, delta)) = reader.text_and_delta(rev) else { continue };
            each(self, &text)?;
            if let Some((base, delta)) = delta
                && let Ok(base) = reader.unchecked_text(base)
            {
                let parts = [&[0][..], &joined([&base[..]]), &bytes_of(&delta)].concat();
                self.add("delta", &parts)?;
            }
        }
        Ok(())
    }

    /// What is in a repository, if it can be opened.
    fn repository(&mut self, root: &Path) -> Done {
        self.store(root)?;
        let Ok(repository) = Repository::open(root, &Limits::default()) else { return Ok(()) };
        self.revlog(repository.changelog().revlog(), &mut |seeds, text| {
            seeds.add("changeset", text)?;
            seeds.compressed(text)?;
            Changeset::parse(text).map_or(Ok(()), |changeset| seeds.changeset(&changeset))
        })?;
        let (mut last, mut paths) = (Vec::new(), BTreeSet::new());
        self.revlog(repository.manifests().revlog(), &mut |seeds, text| {
            let lines = Manifest::new(text).lines().map_while(Result::ok).take(20);
            paths.extend(lines.map(|line| line.path.to_owned()));
            seeds.add("manifest", &[&joined([&last[..]]), text].concat())?;
            last = text.to_vec();
            seeds.pack(text)
        })?;
        for path in paths {
            self.add("paths", &[b"data/", &path[..], b".i"].concat())?;
            let Ok(Some(filelog)) = repository.filelog(path.as_ref()) else { continue };
            let mut tags = Vec::new();
            self.revlog(&filelog, &mut |seeds, text| {
                tags.push(filelog::contents(text).unwrap_or_default().to_vec());
                seeds.add("changeset", &text[..text.len().min(512)])
            })?;
            if path == ".hgtags" {
                self.with_mode("store", 1, &joined(tags.iter().map(|text| &text[..])))?;
            }
        }
        Ok(())
    }

    fn changeset(&mut self, changeset: &Changeset) -> Done {
        let mut bytes = changeset.date.seconds.to_be_bytes().to_vec();
        bytes.extend(changeset.date.west.to_be_bytes());
        bytes.push(1);
        bytes.extend(joined([&changeset.user[..], &changeset.description]));
        for file in &changeset.files {
            bytes.push(1);
            bytes.extend(joined([&file[..]]));
        }
        for (key, value) in &changeset.extra {
            bytes.push(2);
            bytes.extend(joined([&key[..], value]));
        }
        self.add("identity", &bytes)?;
        let name: &[u8] = changeset.branch();
        let branch = [&joined([&b"master"[..]])[..], &[1], &joined([name])];
        self.with_mode("refs", 2, &branch.concat())
    }

    /// A pack of a text, and of what a delta makes of it.
    fn pack(&mut self, text: &[u8]) -> Done {
        let Ok(length) = u8::try_from(text.len().min(0x7f)) else { return Ok(()) };
        let text = &text[..usize::from(length)];
        let delta = [&[length, 5][..], &[0x90, length.min(3)], &[5 - length.min(3)], b"more!"];
        let delta = delta.concat();
        let delta = &delta[..delta.len() - usize::from(length.min(3))];
        self.with_mode("delta", 1, &[&joined([text])[..], delta].concat())?;
        let entries = [
            &[0, 0][..],
            &joined([text]),
            &[1, 0],
            &joined([delta]),
            &[2, 1],
            &joined([&[5, 1, 1, b'x'][..]]),
        ];
        self.with_mode("pack", 0, &entries.concat())
    }

    /// What a conversion leaves: trees, commits, packs, references.
    fn target(&mut self, root: &Path, folder: &Path) -> Done {
        let target = folder.join("target.git");
        let words = ["synchroniser", "-q", "convert"].map(Into::into);
        let places = [root.as_os_str().to_owned(), target.as_os_str().to_owned()];
        synchroniser::cli::run(words.into_iter().chain(places));
        let Ok(repository) = BareRepository::open(&target) else { return Ok(()) };
        let mut objects = Vec::new();
        for id in repository.object_ids()? {
            objects.extend(repository.read(id)?.map(|(_, contents)| contents));
        }
        objects.sort_unstable();
        for pair in objects.windows(3).take(200) {
            let parts = [&joined([&pair[0][..], &pair[1]])[..], &pair[2]];
            self.add("tree", &parts.concat())?;
        }
        for index in files_below(&target, ".idx")? {
            let pack = fs::read(index.with_extension("pack"))?;
            self.with_mode("pack", 1, &[joined([&fs::read(&index)?[..]]), pack].concat())?;
        }
        if let Ok(text) = fs::read(target.join("packed-refs")) {
            self.with_mode("refs", 0, &text)?;
        }
        fs::remove_dir_all(target)?;
        Ok(())
    }

    /// What servers answer and addresses that they have, by the mode that the target reads them in.
    fn answers(&mut self) -> Done {
        let node = "1f".repeat(20);
        let answers = [
            "batch bundle2=HG20%0Achangegroup%3D01%2C02%0Aphases%3Dheads httpheader=1024 known",
            &format!("{node} {node}\n"),
            "0110",
            &format!("default {node} {node}\nf%C3%A9e%20 {node}"),
            "b m\t1\nx\t",
            &format!("1 {node}\n"),
            "a:sb;;c:c:o:e",
            "https://host.example/a.hg BUNDLESPEC=zstd-v2%3Bx REQUIRESNI=true\n",
            "https://u@host.example:8000/a%20b",
        ];
        for (mode, answer) in (0..).zip(answers) {
            self.with_mode("wire", mode, answer.as_bytes())?;
        }
        self.with_mode("wire", 5, b"0 unknown revision 'x'\n")?;
        self.with_mode("wire", 8, b"ssh://hg@[::1]:22//srv/a")
    }

    /// What servers of `git receive-pack` say.
    fn receive_pack(&mut self) -> Done {
        let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
        let band = |number: char, text: &str| line(&format!("{number}{text}"));
        let (id, name) = ("1f".repeat(20), "refs/heads/a");
        let caps = "report-status report-status-v2 delete-refs side-band-64k quiet ofs-delta";
        let refs = [
            line(&format!("{id} {name}\0{caps} object-format=sha1 agent=git/2.47.3\n")),
            line(&format!("{id} refs/tags/v1\n")) + &line(&format!("{id} refs/tags/v1^{{}}\n")),
            line(&format!("{id} .have\n")) + "0000",
        ];
        let refs = refs.concat();
        let web = format!("{}0000{refs}", line("# service=git-receive-pack\n"));
        let option = line(&format!("option new-oid {id}\n"));
        let report = line("unpack ok\n") + &line(&format!("ok {name}\n")) + &option;
        let report = report + &line("ng refs/heads/b hook declined\n") + "0000";
        let text = band('\u{2}', "error: GH006\n") + &band('\u{1}', "");
        let answer = format!("{text}{}0000", band('\u{1}', &report));
        let fatal = band('\u{3}', "disk full\n");
        let seeds = [(0, refs), (3, web), (1, answer), (1, fatal), (2, report)];
        seeds
            .iter()
            .try_for_each(|(mode, text)| self.with_mode("receive_pack", *mode, text.as_bytes()))
    }

    /// A cache that is sent.
    fn handover(&mut self) -> Done {
        let files: [(&[u8], &[u8]); 4] = [
            (b"map", &[7; 80]),
            (b"packs", b"pack-x\n"),
            (b"told", b""),
            (b"hg/store/data/a.i", b"x"),
        ];
        let size = |number: usize| (number as u64).to_be_bytes();
        let mut stream = b"synchroniser cache 1\n".to_vec();
        stream.extend(size(files.len()));
        stream.extend(size(files.iter().map(|(_, contents)| contents.len()).sum()));
        for (name, contents) in files {
            stream.extend(u16::try_from(name.len())?.to_be_bytes());
            stream.extend([name, &size(contents.len()), contents].concat());
        }
        stream.extend([0; 2]);
        stream.extend([7; 32]);
        self.with_mode("handover", 3, &stream)
    }

    /// Directories, by the numbers of the nodes in them: those of `a/b/` are 0 and 1, of `a/` 2 and 3,
    /// of `c/d/` 4 and 5, of `c/` 6 and 7.
    fn directories(&mut self) -> Done {
        let file = |name: &str, flag: &str| {
            [name.as_bytes(), b"\0", "1f".repeat(20).as_bytes(), flag.as_bytes(), b"\n"].concat()
        };
        let folder = |name: &str, node: u8| [name.as_bytes(), &[0, 0xff, node], b"t\n"].concat();
        let texts = [
            file("f", ""),
            [file("f", ""), file("g", "x")].concat(),
            [folder("b", 0), file("c", "")].concat(),
            [folder("b", 1), file("c", "l")].concat(),
            file("e", ""),
            Vec::new(),
            [folder("d", 4), file("d", "")].concat(),
            folder("d", 5),
            [folder("a", 2), file("a.b", ""), folder("c", 6)].concat(),
            [folder("a", 3), file("a.b", ""), folder("c", 6)].concat(),
            [file("a", ""), folder("a", 2), folder("c", 7)].concat(),
            folder("x", 0),
        ];
        self.add("directories", &joined(texts.iter().map(|text| &text[..])))
    }

    /// Lists as people and tools write them.
    fn lists(&mut self) -> Done {
        let node = "1f".repeat(20);
        let sub = "s = [git]u://x-y\nh = ../h\n%include more\n[subpaths]\n(x)-y = \\1z\n";
        let modules = "[submodule \"n\"]\n\tpath = s # c\n\turl = \"a\\\"b\"\n";
        let state = format!("{node} s\n{node} h\n");
        let parts = [sub, &state, "m = [svn]u\n", modules].map(str::as_bytes);
        self.with_mode("lists", 0, &joined(parts))?;
        let authors = "# c\nA <a@b> = B <b@c>\n\"q\\n\" = \"C <c@d>\"\na@b = D\n";
        self.with_mode("lists", 1, authors.as_bytes())?;
        self.with_mode("lists", 2, format!("{node} {node}\n").as_bytes())?;
        let mapping = joined([format!(":{node} 0\n").as_bytes()]);
        self.with_mode("lists", 3, &[&mapping[..], format!(":1 {node}\n").as_bytes()].concat())
    }

    /// What is written here because no fixture has it.
    fn by_hand(&mut self, fixtures: &Path) -> Done {
        for name in ["refs/heads/master", "refs/heads/a.lock", "refs/tags/@{1}", "refs/heads/.a"] {
            self.with_mode("refs", 1, name.as_bytes())?;
        }
        let key = b"\0\0\0\x0bssh-ed25519\0\0\0\x04abcd";
        let line = "AAAAC3NzaC1lZDI1NTE5AAAABGFiY2Q=";
        for (port, hosts) in [
            (0_u16, "example.org"),
            (0, "@revoked *.example.org"),
            (0, "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="),
            (2222, "!other,[example.org]:2222,*.org"),
        ] {
            let text = format!("# known\n{hosts} ssh-ed25519 {line} a comment\n");
            let parts = [&port.to_be_bytes()[..], &joined([&b"example.org"[..], key])];
            self.add("known_hosts", &[&parts.concat()[..], text.as_bytes()].concat())?;
        }
        self.answers()?;
        self.receive_pack()?;
        self.handover()?;
        self.directories()?;
        self.lists()?;
        for path in files_below(&fixtures.join("bundles"), ".hg")? {
            let bytes = fs::read(path)?;
            self.add("bundle", &bytes)?;
            self.with_mode("write", 0, &bytes)?;
        }
        for path in files_below(fixtures, ".toml")? {
            self.add("config", &fs::read(path)?)?;
        }
        self.add("config", synchroniser::config::template().as_bytes())?;
        for url in
            ["https://a.example/b/c.git", "git@host:a/b", "ssh://u@h:22/p", "../x", "file:///x"]
        {
            self.add("config", url.as_bytes())?;
        }
        for path in files_below(&fixtures.join("hooks"), ".form")? {
            let body = fs::read(path)?;
            self.with_mode("hook", 1, &[&joined([&b"push"[..]])[..], &body].concat())?;
            if let Some(json) = synchroniser::hook::form::field(&body, "payload") {
                self.with_mode("hook", 5, &[&joined([&b"push"[..]])[..], &json].concat())?;
            }
        }
        for path in files_below(&fixtures.join("hooks"), ".json")? {
            let value = joined([&b"v1,AAAA\0id\x001614265330"[..]]);
            self.with_mode("hook", 0, &[&value[..], &fs::read(path)?].concat())?;
        }
        Ok(())
    }
}

/// A delta as it is stored.
fn bytes_of(delta: &Delta) -> Vec<u8> {
    let mut bytes = Vec::new();
    for fragment in delta.fragments() {
        for number in [fragment.start, fragment.end, fragment.replacement.len()] {
            bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
        }
        bytes.extend(fragment.replacement);
    }
    bytes
}

/// The files below `folder` whose name ends in `ending`, sorted.
fn files_below(folder: &Path, ending: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path, ending)?);
        } else if path.as_os_str().as_encoded_bytes().ends_with(ending.as_bytes()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn main() -> Done {
    let folder = std::env::args_os().nth(1).ok_or("usage: seeds FOLDER")?;
    let mut seeds = Seeds { folder: folder.into(), written: BTreeSet::new() };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    seeds.by_hand(&fixtures)?;
    let scratch = seeds.folder.join("unpacked");
    // What older versions wrote is no repository.
    let states = fixtures.join("state");
    for archive in files_below(&fixtures, ".tar.zst")? {
        if archive.starts_with(&states) {
            continue;
        }
        let bytes = zstd::decode_all(fs::File::open(&archive)?)?;
        tar::Archive::new(&bytes[..]).unpack(&scratch)?;
        let root = scratch.join("repository");
        seeds.repository(&root)?;
        if ["renames", "dotgit", "tags"]
            .iter()
            .any(|name| archive.parent().is_some_and(|p| p.ends_with(name)))
        {
            seeds.target(&root, &scratch)?;
        }
        fs::remove_dir_all(&scratch)?;
    }
    println!("{} seeds", seeds.written.len());
    Ok(())
}

use std::path::*;
use synchroniser::{
    base::*,
    convert::{engine::*, identity::NATIVE, *},
    git::{pack::PackWriter, tree::*, *},
    hg::{revlog::*, *},
};
struct L(PathBuf, Limits);
impl Filelogs for L {
    fn filelog(&self, p: &RepoPath) -> Result<Option<Revlog>, RevlogError> {
        let mut e = String::new();
        for &b in p.iter() {
            match b {
                b'_' => e.push_str("__"),
                b'A'..=b'Z' => {
                    e.push('_');
                    e.push((b as char).to_ascii_lowercase())
                }
                _ => e.push(b as char),
            }
        }
        let e = e
            .split('/')
            .map(|c| {
                if c.starts_with('.') {
                    format!("~2e{}", &c[1..])
                } else if c == "auto" {
                    c.into()
                } else {
                    c.to_owned()
                }
            })
            .collect::<Vec<_>>()
            .join("/");
        let i = self.0.join("data").join(format!("{e}.i"));
        let d = i.with_extension("d");
        let d = PathBuf::from(i.to_str().unwrap().strip_suffix(".i").unwrap().to_owned() + ".d");
        Revlog::open(&p.to_string(), RevlogFiles { index: &i, data: &d }, &self.1)
    }
}
struct No;
impl TreeSource for No {
    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, TreeError> {
        Err(TreeError::Unreadable { id, source: None })
    }
    fn tree_of_commit(&self, id: ObjectId) -> Result<ObjectId, TreeError> {
        Err(TreeError::Unreadable { id, source: None })
    }
}
struct P(std::sync::Mutex<std::time::Instant>);
impl Progress for P {
    fn begin(&self, s: &'static str, t: Option<u64>, _u: &'static str) {
        eprint!("{s} {t:?} ");
        *self.0.lock().unwrap() = std::time::Instant::now();
    }
    fn advance(&self, _: u64) {}
    fn end(&self) {
        eprintln!("{:?}", self.0.lock().unwrap().elapsed());
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let st = PathBuf::from(&a[1]).join(".hg/store");
    let limits = Limits::default();
    let t0 = std::time::Instant::now();
    let open = |n: &str| {
        Revlog::open(
            n,
            RevlogFiles { index: &st.join(format!("{n}.i")), data: &st.join(format!("{n}.d")) },
            &limits,
        )
        .unwrap()
        .unwrap()
    };
    let cl = Changelog::new(open("00changelog")).unwrap();
    let mf = open("00manifest");
    std::fs::create_dir_all(format!("{}/objects/pack", a[2])).ok();
    git2::Repository::init_bare(&a[2]).unwrap();
    let map = IdMap::create(&PathBuf::from(&a[2]).join("map"), &[]).unwrap();
    let revs: Vec<Rev> = cl.dag().revs().collect();
    let sink = PackWriter::new(&PathBuf::from(&a[2]).join("objects/pack")).unwrap();
    let fl = L(st.clone(), limits.clone());
    let p = P(std::sync::Mutex::new(std::time::Instant::now()));
    let input = Input {
        changelog: &cl,
        manifests: &mf,
        filelogs: &fl,
        changesets: &revs,
        map: &map,
        identity: NATIVE,
        threads: 2,
        progress: &p,
        interrupt: &Interrupt::default(),
    };
    eprintln!("open {:?}", t0.elapsed());
    let r = match convert(&input, &No, &sink) {
        Ok(r) => r,
        Err(e) => {
            let mut e: &dyn std::error::Error = &e;
            loop {
                eprintln!("{e}");
                match e.source() {
                    Some(s) => e = s,
                    None => break,
                }
            }
            std::process::exit(1)
        }
    };
    eprintln!("{:?}", sink.save().unwrap());
    let (_, id) = r.records.last().unwrap();
    std::fs::write(format!("{}/refs/heads/master", a[2]), format!("{id}\n")).unwrap();
    eprintln!("total {:?} left out {:?}", t0.elapsed(), r.left_out);
}

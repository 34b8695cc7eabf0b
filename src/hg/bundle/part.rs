//! The header of a part: what it is, and its parameters.

use bstr::{BString, ByteSlice};

use super::error::{BundleError, Damage, Unsupported};
use super::source::Source;
use crate::base::{Reader, ShortRead};

/// What a part says before its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// What it is called in the bundle.
    pub id: u32,
    /// What it is, in lower case.
    pub kind: String,
    /// Whether whoever does not know the kind must stop.
    pub is_mandatory: bool,
    /// The parameters, in order.
    pub params: Vec<PartParam>,
}

/// A parameter of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartParam {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: BString,
    /// Whether whoever does not know the name must stop.
    pub is_mandatory: bool,
}

/// Every kind of part that is known, with the parameters that may be mandatory.
const KNOWN: &[(&str, &[&str])] = &[
    ("bookmarks", &[]),
    ("cache:rev-branch-cache", &[]),
    ("changegroup", &["version", "nbchanges", "treemanifest", "targetphase", "delta-compression"]),
    ("hgtagsfnodes", &[]),
    ("listkeys", &["namespace"]),
    ("obsmarkers", &[]),
    ("output", &[]),
    ("phase-heads", &[]),
    ("stream2", &["requirements", "filecount", "bytecount"]),
    ("stream3-exp", &["requirements", "filecount", "bytecount"]),
];

/// The most that the fields of a header can have together.
const LONGEST_HEADER: i32 = 1 + 255 + 4 + 2 + 2 * 510 + 510 * 255;

impl PartHeader {
    /// The value of a parameter, if it is text.
    pub fn param(&self, key: &str) -> Option<&str> {
        let found = self.params.iter().find(|param| param.key == key);
        found.and_then(|param| param.value.to_str().ok())
    }

    /// The value of a parameter that is a number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.param(key)?.parse().ok()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(bytes);
        let length = reader.u8("length of the part's kind")?;
        let kind = text("part's kind", reader.bytes("part's kind", usize::from(length))?)?;
        let id = reader.u32("part's number")?;
        let mandatory = usize::from(reader.u8("number of mandatory parameters")?);
        let advisory = usize::from(reader.u8("number of advisory parameters")?);
        let mut lengths = Reader::new(reader.bytes("lengths", 2 * (mandatory + advisory))?);
        let mut params: Vec<PartParam> = Vec::new();
        for number in 0..mandatory + advisory {
            let mut next = || -> Result<_, ShortRead> {
                let length = usize::from(lengths.u8("length of a parameter")?);
                reader.bytes("parameter", length)
            };
            let (key, value) = (next()?, next()?);
            let key = text("parameter's name", key)?;
            if params.iter().any(|param| param.key == key) {
                return Err(Damage::Malformed { field: "list of parameters" });
            }
            params.push(PartParam { key, value: value.into(), is_mandatory: number < mandatory });
        }
        if !reader.is_empty() {
            return Err(Damage::Trailing);
        }
        let is_mandatory = kind.bytes().any(|byte| byte.is_ascii_uppercase());
        Ok(Self { id, kind: kind.to_ascii_lowercase(), is_mandatory, params })
    }
}

/// A name: something that can be shown.
fn text(field: &'static str, bytes: &[u8]) -> Result<String, Damage> {
    let shown = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
    let text = bytes.to_str().ok().filter(|_| shown);
    text.map(str::to_owned).ok_or(Damage::Malformed { field })
}

/// Reads the header of the next part; `None` if there is none.
pub(super) fn read_header(source: &mut Source<'_>) -> Result<Option<PartHeader>, BundleError> {
    let length = source.number("length of a part's header")?;
    if length == 0 {
        return Ok(None);
    }
    let fits = usize::try_from(length).ok().filter(|_| length <= LONGEST_HEADER);
    let length = fits.ok_or_else(|| {
        source.damaged(Damage::Length { field: "part's header", length: length.into() })
    })?;
    let bytes = source.bytes("part's header", length)?;
    PartHeader::parse(&bytes).map(Some).map_err(|damage| source.damaged(damage))
}

/// Refuses a part that tells of an error.
pub(super) fn check_abort(header: &PartHeader) -> Result<(), BundleError> {
    if !header.kind.starts_with("error:") {
        return Ok(());
    }
    Err(BundleError::Aborted {
        message: header.param("message").unwrap_or(&header.kind).to_owned(),
        hint: header.param("hint").map(str::to_owned),
    })
}

/// Refuses what must be understood and is not.
pub(super) fn check_known(header: &PartHeader) -> Result<(), BundleError> {
    let unsupported = |what| Err(BundleError::Unsupported(what));
    match KNOWN.iter().find(|(kind, _)| *kind == header.kind) {
        Some((_, keys)) => {
            let unknown = header
                .params
                .iter()
                .find(|param| param.is_mandatory && !keys.iter().any(|key| *key == param.key));
            unknown.map_or(Ok(()), |param| {
                let (part, key) = (header.kind.clone(), param.key.clone());
                unsupported(Unsupported::PartParameter { part, key })
            })
        }
        None if header.is_mandatory => unsupported(Unsupported::Part(header.kind.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: &str, params: &[(&str, &str)], mandatory: u8) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(kind.len()).unwrap()];
        bytes.extend(kind.bytes());
        bytes.extend([0, 0, 0, 7, mandatory, u8::try_from(params.len()).unwrap() - mandatory]);
        for (key, value) in params {
            bytes.extend([key.len(), value.len()].map(|n| u8::try_from(n).unwrap()));
        }
        bytes.extend(params.iter().flat_map(|(key, value)| [*key, *value].concat().into_bytes()));
        bytes
    }

    fn check(kind: &str, params: &[(&str, &str)], mandatory: u8) -> String {
        let header = PartHeader::parse(&header(kind, params, mandatory)).unwrap();
        let checked = check_abort(&header).and_then(|()| check_known(&header));
        checked.map_or_else(|error| error.to_string(), |()| "good".to_owned())
    }

    #[test]
    fn parameters_are_in_order() {
        let bytes = header("CHANGEGROUP", &[("version", "02"), ("nbchanges", "8")], 1);
        let header = PartHeader::parse(&bytes).unwrap();
        assert_eq!(
            (header.id, header.kind.as_str(), header.is_mandatory),
            (7, "changegroup", true)
        );
        assert_eq!((header.param("version"), header.number("nbchanges")), (Some("02"), Some(8)));
        assert!(header.params[0].is_mandatory && !header.params[1].is_mandatory);
        for end in 0..bytes.len() {
            assert!(PartHeader::parse(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(PartHeader::parse(&[&bytes[..], b"x"].concat()), Err(Damage::Trailing));
    }

    #[test]
    fn what_must_be_understood_is_refused_by_name() {
        assert_eq!(check("changegroup", &[("x", "")], 0), "good");
        assert_eq!(check("test:unknown", &[("x", "")], 1), "good");
        assert!(check("TEST:unknown", &[], 0).contains("the part \"test:unknown\" must be"));
        assert!(check("listkeys", &[("x", "")], 1).contains("parameter \"x\" of the part"));
        assert!(check("error:abort", &[("message", "no way")], 1).ends_with("ended it: no way"));
    }
}

use super::*;

#[test]
fn formats_have_names_of_their_own() {
    for (place, format) in FORMATS.iter().enumerate() {
        assert_eq!(Format::named(format.name).map(|found| found.title), Some(format.title));
        assert!(FORMATS.iter().skip(place + 1).all(|other| other.name != format.name));
        assert!(format.offers().count() >= 2);
    }
}

//! Objects that a thread of its own writes, while more are made.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::IntoIter;

use super::sink::{Copied, DeltaHint, NewObject, ObjectSink, ObjectWriter, SinkError};
use super::{ObjectId, ObjectKind};
use crate::base::pipeline::{self, Batches, Stopped, Weight};

/// How many bytes of objects are handed over at a time.
const BATCH_BYTES: usize = 256 << 10;

/// Runs `work` with a writer that leaves the objects to a thread beside it, which writes them to
/// `sink` in their order. What goes wrong there is the error, whatever came of the work.
pub fn write_in_background<T, E: Send + From<SinkError>>(
    sink: &dyn ObjectSink,
    work: impl FnOnce(&mut dyn ObjectWriter) -> Result<T, E>,
) -> Result<T, E> {
    let write = |batches: IntoIter<Vec<Owned>>| {
        let mut writer = sink.writer();
        for object in batches.flatten() {
            writer.write(object.borrowed())?;
        }
        Ok(writer.finish()?)
    };
    pipeline::run_pipeline(BATCH_BYTES, write, |batches| work(batches))
}

/// A [`NewObject`] with its contents.
struct Owned {
    id: ObjectId,
    kind: ObjectKind,
    contents: Vec<u8>,
    /// The base, its length, and what is copied from it.
    delta_hint: Option<(ObjectId, usize, Vec<Copied>)>,
}

impl Owned {
    fn of(object: &NewObject<'_>) -> Self {
        let NewObject { id, kind, contents, delta_hint } = *object;
        let delta_hint = delta_hint.map(|delta_hint| {
            let DeltaHint { base, base_length, copied } = delta_hint;
            (base, base_length, copied.to_vec())
        });
        Self { id, kind, contents: contents.to_vec(), delta_hint }
    }

    fn borrowed(&self) -> NewObject<'_> {
        let Self { id, kind, contents, delta_hint } = self;
        let delta_hint = delta_hint.as_ref().map(|(base, base_length, copied)| {
            let (base, base_length) = (*base, *base_length);
            DeltaHint { base, base_length, copied }
        });
        NewObject { id: *id, kind: *kind, contents, delta_hint }
    }
}

impl Weight for Owned {
    fn bytes(&self) -> usize {
        self.contents.len()
    }
}

impl From<Stopped> for SinkError {
    fn from(Stopped: Stopped) -> Self {
        Self::Io { path: PathBuf::new(), source: io::ErrorKind::BrokenPipe.into() }
    }
}

impl ObjectWriter for Batches<Owned> {
    fn write(&mut self, object: NewObject<'_>) -> Result<(), SinkError> {
        Ok(self.add(Owned::of(&object))?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        Ok(self.hand_over()?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps what is written, up to a number of objects; then the disk is full.
    struct Kept(Mutex<Vec<Vec<u8>>>, usize);

    impl ObjectSink for Kept {
        fn writer(&self) -> Box<dyn ObjectWriter + '_> {
            Box::new(self)
        }
    }

    impl ObjectWriter for &Kept {
        fn write(&mut self, object: NewObject<'_>) -> Result<(), SinkError> {
            let mut kept = self.0.lock().unwrap();
            if kept.len() == self.1 {
                let source = io::ErrorKind::StorageFull.into();
                return Err(SinkError::Io { path: "full".into(), source });
            }
            assert_eq!(object.delta_hint.is_some(), kept.len() % 2 == 1);
            kept.push(object.contents.to_vec());
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<(), SinkError> {
            Ok(())
        }
    }

    fn write(kept: &Kept, end: Result<(), SinkError>) -> Result<(), SinkError> {
        write_in_background(kept, |writer| {
            for number in 0..1000_usize {
                let copied = [Copied { from: 0, to: number, length: 1 }];
                let delta_hint =
                    DeltaHint { base: ObjectId::NULL, base_length: 1, copied: &copied };
                let delta_hint = (number % 2 == 1).then_some(delta_hint);
                let contents = number.to_string().into_bytes();
                let (id, kind) = (ObjectId::NULL, ObjectKind::Blob);
                writer.write(NewObject { id, kind, contents: &contents, delta_hint })?;
            }
            end
        })
    }

    #[test]
    fn all_objects_are_written_in_their_order() {
        let kept = Kept(Mutex::default(), 1000);
        write(&kept, Ok(())).unwrap();
        let expected: Vec<_> = (0..1000).map(|number| number.to_string().into_bytes()).collect();
        assert_eq!(*kept.0.lock().unwrap(), expected);
    }

    #[test]
    fn a_full_disk_is_the_error() {
        let error = |most, end| write(&Kept(Mutex::default(), most), end).unwrap_err();
        let is_full = |error| matches!(error, SinkError::Io { path, .. } if path.ends_with("full"));
        for most in [0, 1, 500, 999] {
            assert!(is_full(error(most, Ok(()))), "{most}");
        }
        // Work that ends early because of it explains nothing.
        let other = SinkError::Io { path: "other".into(), source: io::Error::other("?") };
        assert!(is_full(error(0, Err(other))));
    }
}

//! Objects that a thread of its own writes, while more are made.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::sink::{Copied, Likeness, NewObject, ObjectSink, ObjectWriter, SinkError};
use super::{ObjectId, ObjectKind};

/// How many objects are handed over at a time, and how many bytes of them.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
/// How many batches wait.
const BATCHES: usize = 4;

/// Runs `work` with a writer that leaves the objects to a thread beside it, which writes them to
/// `sink` in their order. What goes wrong there is the error, whatever came of the work.
pub fn beside<T, E: From<SinkError>>(
    sink: &dyn ObjectSink,
    work: impl FnOnce(&mut dyn ObjectWriter) -> Result<T, E>,
) -> Result<T, E> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES);
        let writing = scope.spawn(move || write_all(sink, &receiver));
        let mut writer = Beside { sender, batch: Vec::new(), bytes: 0 };
        let made = work(&mut writer).and_then(|made| Ok(writer.hand_over().map(|()| made)?));
        drop(writer);
        match writing.join() {
            Ok(written) => written.map_err(E::from).and(made),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn write_all(sink: &dyn ObjectSink, batches: &Receiver<Vec<Owned>>) -> Result<(), SinkError> {
    let mut writer = sink.writer();
    for object in batches.iter().flatten() {
        writer.write(object.borrowed())?;
    }
    writer.finish()
}

/// A [`NewObject`] with its contents.
struct Owned {
    id: ObjectId,
    kind: ObjectKind,
    contents: Vec<u8>,
    /// The base, its length, and what is copied from it.
    likeness: Option<(ObjectId, usize, Vec<Copied>)>,
}

impl Owned {
    fn of(object: &NewObject<'_>) -> Self {
        let NewObject { id, kind, contents, likeness } = *object;
        let likeness = likeness.map(|likeness| {
            let Likeness { base, base_length, copied } = likeness;
            (base, base_length, copied.to_vec())
        });
        Self { id, kind, contents: contents.to_vec(), likeness }
    }

    fn borrowed(&self) -> NewObject<'_> {
        let Self { id, kind, contents, likeness } = self;
        let likeness = likeness.as_ref().map(|(base, base_length, copied)| {
            let (base, base_length) = (*base, *base_length);
            Likeness { base, base_length, copied }
        });
        NewObject { id: *id, kind: *kind, contents, likeness }
    }
}

/// Hands objects over.
struct Beside {
    sender: SyncSender<Vec<Owned>>,
    batch: Vec<Owned>,
    bytes: usize,
}

impl Beside {
    /// Nobody takes it if an object could not be written: then that is the error, and not this one.
    fn hand_over(&mut self) -> Result<(), SinkError> {
        self.bytes = 0;
        let gone =
            |_| SinkError::Io { path: PathBuf::new(), source: io::ErrorKind::BrokenPipe.into() };
        self.sender.send(std::mem::take(&mut self.batch)).map_err(gone)
    }
}

impl ObjectWriter for Beside {
    fn write(&mut self, object: NewObject<'_>) -> Result<(), SinkError> {
        self.bytes = self.bytes.saturating_add(object.contents.len());
        self.batch.push(Owned::of(&object));
        let is_full = self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES;
        if is_full { self.hand_over() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        self.hand_over()
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
            assert_eq!(object.likeness.is_some(), kept.len() % 2 == 1);
            kept.push(object.contents.to_vec());
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<(), SinkError> {
            Ok(())
        }
    }

    fn write(kept: &Kept, end: Result<(), SinkError>) -> Result<(), SinkError> {
        beside(kept, |writer| {
            for number in 0..1000_usize {
                let copied = [Copied { from: 0, to: number, length: 1 }];
                let likeness = Likeness { base: ObjectId::NULL, base_length: 1, copied: &copied };
                let likeness = (number % 2 == 1).then_some(likeness);
                let contents = number.to_string().into_bytes();
                let (id, kind) = (ObjectId::NULL, ObjectKind::Blob);
                writer.write(NewObject { id, kind, contents: &contents, likeness })?;
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

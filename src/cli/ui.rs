//! The only place that prints. Results go to standard output; progress, logs and errors to
//! standard error, so that a result can be piped.
//!
//! A pipe that is no longer read is no error: what follows is dropped, the work goes on.

mod slices;

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use super::error::wrapped;
use crate::base::{Progress, Stage, Unit, redact};
use crate::mirror::{Observer, SyncEvent};
use slices::Slices;

/// How often a stage that takes long says how far it is, where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(100);

/// Prints. Clones print to the same place.
#[derive(Clone)]
pub(super) struct Ui(Arc<Inner>);

struct Inner {
    quiet: bool,
    /// Whether progress is drawn as a bar.
    bars: bool,
    out: Mutex<Out>,
    err: Mutex<Box<dyn Write + Send>>,
    position: AtomicU64,
    stage: Mutex<Option<Shown>>,
    slices: Mutex<Slices>,
}

/// Standard output, and why it stopped taking lines.
struct Out {
    to: Box<dyn Write + Send>,
    stopped: Option<io::Error>,
}

/// The stage that is shown.
struct Shown {
    stage: Stage,
    total: Option<u64>,
    began: Instant,
    spoke: Instant,
    bar: Option<ProgressBar>,
}

/// A panic while printing leaves nothing that matters in a bad state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ui {
    /// Prints to the streams of this process.
    pub(super) fn new(quiet: bool) -> Self {
        let bars = !quiet && io::stderr().is_terminal();
        Self::to(Box::new(io::stdout()), Box::new(io::stderr()), quiet, bars)
    }

    fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, quiet: bool, bars: bool) -> Self {
        Self(Arc::new(Inner {
            quiet,
            bars,
            out: Mutex::new(Out { to: out, stopped: None }),
            err: Mutex::new(err),
            position: AtomicU64::new(0),
            stage: Mutex::new(None),
            slices: Mutex::new(Slices::new()),
        }))
    }

    /// Prints a line of the result, even if quiet: it was asked for.
    pub(super) fn result(&self, line: &str) {
        self.bytes(format!("{}\n", redact::tokens(line)).as_bytes());
    }

    /// Prints bytes as they are: a result that is not ours to read.
    pub(super) fn bytes(&self, bytes: &[u8]) {
        let stage = lock(&self.0.stage);
        around_bar(stage.as_ref(), || {
            let out = &mut *lock(&self.0.out);
            if out.stopped.is_none() {
                out.stopped = out.to.write_all(bytes).err();
            }
        });
    }

    /// Prints a line of the result that only a person cares for.
    pub(super) fn say(&self, line: &str) {
        if !self.0.quiet {
            self.result(line);
        }
    }

    /// Prints what a person at the terminal should know, without being a result.
    pub(super) fn warn(&self, text: &str) {
        if !self.0.quiet {
            self.error(text);
        }
    }

    /// Prints lines beside the result, as they are.
    pub(super) fn tell(&self, lines: &str) {
        if !self.0.quiet {
            self.to_stderr(format!("{lines}\n").as_bytes());
        }
    }

    /// Prints what went wrong.
    pub(super) fn error(&self, text: &str) {
        // What is read by a program, or later in a log, keeps its lines.
        let width = terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0);
        let text = width.map_or_else(|| text.to_owned(), |width| wrapped(text, width.into()));
        self.to_stderr(format!("{text}\n").as_bytes());
    }

    /// Why standard output did not take everything, unless its reader just went away.
    pub(super) fn finish(&self) -> Result<(), io::Error> {
        let out = &mut *lock(&self.0.out);
        match out.stopped.take().map_or_else(|| out.to.flush(), Err) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Errors and logs: what looks like a token was taken out where it came in, and is once more.
    fn to_stderr(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = redact::tokens(&text);
        let stage = lock(&self.0.stage);
        around_bar(stage.as_ref(), || {
            // If even this fails there is nowhere left to print.
            let _ = lock(&self.0.err).write_all(text.as_bytes());
        });
    }

    /// Takes away the bar of a stage that does not come to its end.
    pub(super) fn abandon(&self) {
        if let Some(bar) = lock(&self.0.stage).take().and_then(|stage| stage.bar) {
            bar.finish_and_clear();
        }
        self.close_slices();
    }

    fn close_stage(&self, stage: &Shown) {
        if let Some(bar) = &stage.bar {
            bar.finish_and_clear();
        }
        let (done, took) = (self.0.position.load(Ordering::Relaxed), stage.began.elapsed());
        if Slices::has(stage.stage) {
            lock(&self.0.slices).add(stage.stage, done, took);
        } else {
            let _ = writeln!(lock(&self.0.err), "{}", closing_line(stage.stage, done, took));
        }
    }

    /// Tells the stages of slices that are over.
    fn close_slices(&self) {
        for line in lock(&self.0.slices).take_lines() {
            let _ = writeln!(lock(&self.0.err), "{line}");
        }
    }

    /// A slice is done.
    fn slice_done(&self, converted: u64, total: u64) {
        let line = lock(&self.0.slices).done(converted, total);
        if converted >= total {
            self.close_slices();
        } else if let Some(line) = line.filter(|_| !self.0.bars && !self.0.quiet) {
            let _ = writeln!(lock(&self.0.err), "{line}");
        }
    }
}

/// Prints with the bar out of the way.
fn around_bar(stage: Option<&Shown>, print: impl FnOnce()) {
    match stage.and_then(|stage| stage.bar.as_ref()) {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// What is told of a stage that is over.
fn closing_line(stage: Stage, done: u64, took: Duration) -> String {
    let (name, unit, seconds) = (stage.words(), stage.unit().words(), took.as_secs_f64());
    match done {
        0 => format!("{name}: {seconds:.1} s"),
        _ => format!("{name}: {done} {unit} in {seconds:.1} s"),
    }
}

impl Shown {
    fn running_line(&self, position: u64) -> String {
        let (name, unit) = (self.stage.words(), self.stage.unit().words());
        match self.total {
            Some(total) => {
                let left = left(self.began.elapsed(), position, total);
                format!("{name}: {position} of {total} {unit}{left}")
            }
            None if position == 0 => format!("{name}: {} s so far", self.began.elapsed().as_secs()),
            None => format!("{name}: {position} {unit}"),
        }
    }

    fn bar(&self, prefix: String) -> ProgressBar {
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(self.total, target)
            .with_message(self.stage.words())
            .with_prefix(prefix);
        let unit = self.stage.unit();
        let counts = match (self.total, unit) {
            (Some(_), Unit::Bytes) => "[{bar:30}] {bytes}/{total_bytes}".to_owned(),
            (None, Unit::Bytes) => "{spinner} {bytes}".to_owned(),
            (Some(_), _) => format!("[{{bar:30}}] {{human_pos}}/{{human_len}} {}", unit.words()),
            (None, _) => format!("{{spinner}} {{human_pos}} {}", unit.words()),
        };
        if let Ok(style) =
            ProgressStyle::with_template(&format!("{{prefix}}{{msg}} {counts}{{left}}"))
        {
            let tell_left = |state: &ProgressState, to: &mut dyn std::fmt::Write| {
                let total = state.len().unwrap_or_default();
                // If this fails there is nothing to draw on.
                let _ = to.write_str(&left(state.elapsed(), state.pos(), total));
            };
            bar.set_style(style.progress_chars("=> ").with_key("left", tell_left));
        }
        bar.enable_steady_tick(TICK);
        bar
    }
}

/// How long a stage must have run before it says how long it still takes.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);

/// How long the rest of a stage will take, as the end of a line; empty as long as that is not known.
fn left(elapsed: Duration, position: u64, total: u64) -> String {
    if elapsed < ESTIMATE_AFTER || position == 0 || position >= total {
        return String::new();
    }
    let rest = elapsed.as_secs().saturating_mul(total - position) / position;
    match rest {
        0..90 => format!(", about {} s left", rest.max(1)),
        90..5400 => format!(", about {} min left", rest.div_ceil(60)),
        _ => format!(", about {} h left", rest.div_ceil(3600)),
    }
}

impl Observer for Ui {
    fn event(&self, event: &SyncEvent) {
        match *event {
            SyncEvent::StageBegun { stage, total } => self.begin(stage, total),
            SyncEvent::Advanced { done, .. } => self.advance_to(done),
            SyncEvent::StageEnded { done, .. } => {
                self.0.position.store(done, Ordering::Relaxed);
                self.end();
            }
            // What came of a run is printed once, when it is over.
            SyncEvent::SliceDone { converted, total } => self.slice_done(converted, total),
            SyncEvent::Note { .. }
            | SyncEvent::RefPublished { .. }
            | SyncEvent::RefRefused { .. }
            | SyncEvent::Finished { .. } => {}
        }
    }
}

impl Ui {
    /// Shows that so many units of the stage are done.
    fn advance_to(&self, position: u64) {
        self.0.position.fetch_max(position, Ordering::Relaxed);
        self.advance(0);
    }
}

impl Progress for Ui {
    fn begin(&self, stage: Stage, total: Option<u64>) {
        if self.0.quiet {
            return;
        }
        self.end();
        if !Slices::has(stage) {
            self.close_slices();
        }
        let now = Instant::now();
        let mut next = Shown { stage, total, began: now, spoke: now, bar: None };
        next.bar = self.0.bars.then(|| next.bar(lock(&self.0.slices).prefix()));
        self.0.position.store(0, Ordering::Relaxed);
        *lock(&self.0.stage) = Some(next);
    }

    fn advance(&self, n: u64) {
        let position = self.0.position.fetch_add(n, Ordering::Relaxed).saturating_add(n);
        // If the lock is taken, another thread is showing the position right now.
        let Ok(mut stage) = self.0.stage.try_lock() else { return };
        let Some(stage) = stage.as_mut() else { return };
        if let Some(bar) = &stage.bar {
            bar.set_position(position);
        } else if stage.spoke.elapsed() >= LINE_EVERY {
            stage.spoke = Instant::now();
            let _ = writeln!(lock(&self.0.err), "{}", stage.running_line(position));
        }
    }

    fn end(&self) {
        if let Some(stage) = lock(&self.0.stage).take() {
            self.close_stage(&stage);
        }
    }
}

/// Where log lines go, between the bars.
pub(super) struct LogWriter<'a>(&'a Ui);

impl Write for LogWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.to_stderr(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Ui {
    type Writer = LogWriter<'a>;

    fn make_writer(&'a self) -> LogWriter<'a> {
        LogWriter(self)
    }
}

/// Prints what clap has to say: help and version to standard output, mistakes to standard error. Those
/// repeat what was typed, which may be a token in place of the name of its file.
pub(super) fn usage(error: &clap::Error) {
    let text = error.to_string();
    match redact::tokens(&text) {
        Cow::Borrowed(_) => drop(error.print()),
        Cow::Owned(text) => drop(io::stderr().write_all(text.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that can be looked at, or that fails.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>, Option<io::ErrorKind>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(kind) = self.1 {
                return Err(kind.into());
            }
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn ui(out: &Paper, err: &Paper, quiet: bool) -> Ui {
        Ui::to(Box::new(out.clone()), Box::new(err.clone()), quiet, false)
    }

    #[test]
    fn a_stage_is_one_line_where_there_is_no_terminal() {
        let (out, err) = (Paper::default(), Paper::default());
        let ui = ui(&out, &err, false);
        ui.begin(Stage::ConvertingFiles, Some(3));
        ui.advance(2);
        ui.advance(1);
        ui.begin(Stage::ListingRefs, None);
        ui.end();
        ui.say("done");
        let told = err.text();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        assert!(lines[0].starts_with("converting files: 3 file revisions in "), "{told}");
        assert!(lines[1].starts_with("listing refs of the target: "), "{told}");
        assert_eq!(out.text(), "done\n");
    }

    #[test]
    fn what_is_left_is_told_once_it_is_known() {
        let left = |seconds, position| left(Duration::from_secs(seconds), position, 1000);
        assert_eq!(left(2, 100), "", "too early");
        assert_eq!(left(10, 0), "", "nothing is done");
        assert_eq!(left(10, 1000), "", "all is done");
        assert_eq!(left(10, 999), ", about 1 s left");
        assert_eq!(left(10, 200), ", about 40 s left");
        assert_eq!(left(60, 200), ", about 4 min left");
        assert_eq!(left(3600, 200), ", about 4 h left");
    }

    #[test]
    fn events_are_shown_as_stages_and_what_does_not_end_leaves_nothing() {
        let err = Paper::default();
        let ui = ui(&Paper::default(), &err, false);
        let stage = Stage::ConvertingFiles;
        ui.event(&SyncEvent::StageBegun { stage, total: Some(9) });
        ui.event(&SyncEvent::Advanced { stage, done: 4 });
        ui.event(&SyncEvent::StageEnded { stage, done: 9 });
        assert_eq!(err.text(), "", "another slice may come");
        ui.event(&SyncEvent::SliceDone { converted: 5, total: 10 });
        ui.event(&SyncEvent::StageBegun { stage, total: Some(1) });
        ui.event(&SyncEvent::StageEnded { stage, done: 1 });
        ui.event(&SyncEvent::SliceDone { converted: 10, total: 10 });
        let told = err.text();
        assert!(told.starts_with("converting files: 10 file revisions in "), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        ui.event(&SyncEvent::StageBegun { stage, total: Some(9) });
        ui.abandon();
        assert!(lock(&ui.0.stage).is_none());
        assert_eq!(err.text(), told);
    }

    #[test]
    fn a_long_stage_speaks_now_and_then() {
        let err = Paper::default();
        let ui = ui(&Paper::default(), &err, false);
        ui.begin(Stage::ConvertingFiles, Some(9));
        lock(&ui.0.stage).as_mut().unwrap().spoke -= LINE_EVERY;
        ui.advance(4);
        ui.advance(4);
        assert_eq!(err.text(), "converting files: 4 of 9 file revisions\n");
    }

    #[test]
    fn quiet_leaves_errors_and_what_was_asked_for() {
        let (out, err) = (Paper::default(), Paper::default());
        let ui = ui(&out, &err, true);
        ui.begin(Stage::ConvertingFiles, Some(3));
        ui.advance(3);
        ui.end();
        ui.say("chatter");
        ui.result("asked for");
        ui.error("error: it failed");
        assert_eq!(out.text(), "asked for\n");
        assert_eq!(err.text(), "error: it failed\n");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_but_a_full_disk_is() {
        for (kind, fine) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)]
        {
            let ui = ui(&Paper(Arc::default(), Some(kind)), &Paper::default(), false);
            ui.result("one");
            ui.result("two");
            assert_eq!(ui.finish().is_ok(), fine, "{kind}");
        }
    }
}

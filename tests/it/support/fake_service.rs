//! A service that shows what it is told to, for tests of the pages and the API.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use synchroniser::base::time::{Clock, Timestamp};
use synchroniser::base::{Fault, Severity, Side, Stage};
use synchroniser::queue::model::{Cause, Receipt, RunId, RunState, Verdict};
use synchroniser::queue::{MemorySessions, Session, Sessions, StoreError};
use synchroniser::service::view::{
    Actions, Asked, ColdStart, CredentialView, DeliveryView, FailureView, LogLine, MirrorDetail,
    MirrorFilter, MirrorList, MirrorState, MirrorSummary, NodeState, NodeView, Overview, PhaseView,
    QueueEntry, RefView, RequestKey, RunDetail, RunSummary, ServiceError, Setting, StageProgress,
    StateCount, Views,
};

/// 2026-11-30 12:00 UTC: now, until the clock is moved.
pub(crate) const NOW: i64 = 1_796_040_000;
/// Names that try to be something else than names.
pub(crate) const HOSTILE: [&str; 4] = [
    "<script>alert(1)</script>",
    "user\u{202e}nimda\u{200b}",
    "a\u{1b}[31m\"' onload=x & \u{7}b",
    "مرآة/ö%2F..",
];

/// A clock that stands.
pub(crate) struct Still(AtomicI64);

impl Still {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(NOW * 1000)))
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// So many seconds before the clock began.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW - seconds)
}

/// What it shows.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) mirrors: Vec<MirrorDetail>,
    /// The newest first.
    pub(crate) runs: Vec<RunDetail>,
    /// The newest first.
    pub(crate) deliveries: Vec<DeliveryView>,
    pub(crate) queue: Vec<QueueEntry>,
    pub(crate) beat: Timestamp,
    pub(crate) stopping: bool,
    /// Whether the queue cannot be used.
    pub(crate) broken: bool,
    /// What was asked for, such as `sync a`.
    pub(crate) asked: Vec<String>,
}

#[derive(Default)]
pub(crate) struct FakeService(Mutex<Shown>, MemorySessions);

impl FakeService {
    pub(crate) fn new(shown: Shown) -> Arc<Self> {
        let shown = Mutex::new(Shown { beat: ago(2), ..shown });
        Arc::new(Self(shown, MemorySessions::default()))
    }

    pub(crate) fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap()
    }

    fn usable(&self) -> Result<MutexGuard<'_, Shown>, ServiceError> {
        let shown = self.shown();
        match shown.broken {
            true => Err(StoreError::Closed.into()),
            false => Ok(shown),
        }
    }

    fn reached(&self) -> Result<&MemorySessions, StoreError> {
        match self.shown().broken {
            true => Err(StoreError::Closed),
            false => Ok(&self.1),
        }
    }

    fn ask(&self, what: &str, mirror: &str) -> Result<(), ServiceError> {
        let mut shown = self.usable()?;
        if shown.stopping {
            return Err(ServiceError::Stopping);
        }
        if !shown.mirrors.iter().any(|it| it.summary.name == mirror) {
            return Err(ServiceError::NoMirror { name: mirror.to_owned() });
        }
        shown.asked.push(format!("{what} {mirror}"));
        Ok(())
    }
}

impl Views for FakeService {
    fn overview(&self) -> Result<Overview, ServiceError> {
        let shown = self.usable()?;
        let of = |state| shown.mirrors.iter().filter(|it| it.summary.state == state).count();
        let states = MirrorState::ALL.map(|state| StateCount { state, mirrors: of(state) });
        Ok(Overview {
            states: states.into_iter().filter(|it| it.mirrors > 0).collect(),
            running: of(MirrorState::Running),
            waiting: of(MirrorState::Queued),
            oldest_due_millis: (of(MirrorState::Queued) > 0).then_some(45_000),
            beat: shown.beat,
            now: Timestamp::from_seconds(NOW),
            stopping: shown.stopping,
            trouble: None,
            version: "0.1.0".to_owned(),
            nodes: nodes(),
            no_worker: false,
            without_node: 0,
            fenced: 2,
        })
    }

    fn mirrors(&self, filter: &MirrorFilter) -> Result<MirrorList, ServiceError> {
        let shown = self.usable()?;
        let text = filter.text.as_ref().map(|text| text.to_lowercase());
        let has = |field: &str, text: &String| field.to_lowercase().contains(text);
        let fits = |it: &&MirrorSummary| {
            filter.state.is_none_or(|state| it.state == state)
                && (!filter.trouble || it.state.is_trouble())
                && filter.owner.as_ref().is_none_or(|owner| it.owner == *owner)
                && text.as_ref().is_none_or(|text| {
                    has(&it.name, text)
                        || has(&it.source, text)
                        || it.target.as_ref().is_some_and(|target| has(target, text))
                })
        };
        let mut fitting: Vec<_> = shown.mirrors.iter().map(|it| &it.summary).filter(fits).collect();
        if filter.trouble {
            fitting.sort_by_key(|it| it.state);
        }
        let after = |it: &&&MirrorSummary| filter.after.as_ref().is_none_or(|name| it.name > *name);
        let rest: Vec<_> = fitting.iter().filter(after).collect();
        let mirrors: Vec<MirrorSummary> =
            rest.iter().take(filter.count).map(|it| (**it).clone()).collect();
        let next = mirrors.last().map(|it| it.name.clone()).filter(|_| rest.len() > filter.count);
        Ok(MirrorList { mirrors, found: fitting.len(), next })
    }

    fn mirror(&self, name: &str) -> Result<Option<MirrorDetail>, ServiceError> {
        Ok(self.usable()?.mirrors.iter().find(|it| it.summary.name == name).cloned())
    }

    fn run(&self, id: RunId) -> Result<Option<RunDetail>, ServiceError> {
        Ok(self.usable()?.runs.iter().find(|it| it.summary.id == id).cloned())
    }

    fn runs(
        &self,
        mirror: Option<&str>,
        before: Option<RunId>,
        count: usize,
    ) -> Result<Vec<RunSummary>, ServiceError> {
        let shown = self.usable()?;
        let of = |it: &&RunDetail| mirror.is_none_or(|mirror| it.summary.mirror == mirror);
        let at = before.and_then(|id| shown.runs.iter().position(|it| it.summary.id == id));
        let runs = shown.runs.iter().skip(at.map_or(0, |at| at + 1)).filter(of).take(count);
        Ok(runs.map(|it| it.summary.clone()).collect())
    }

    fn deliveries(
        &self,
        before: Option<i64>,
        count: usize,
    ) -> Result<Vec<DeliveryView>, ServiceError> {
        let shown = self.usable()?;
        let earlier = |it: &&DeliveryView| before.is_none_or(|number| it.number < number);
        Ok(shown.deliveries.iter().filter(earlier).take(count).cloned().collect())
    }

    fn queue(&self) -> Result<Vec<QueueEntry>, ServiceError> {
        Ok(self.usable()?.queue.clone())
    }
}

/// They can be reached as long as the queue can.
impl Sessions for FakeService {
    fn open(&self, session: &Session, most: usize) -> Result<(), StoreError> {
        self.reached()?.open(session, most)
    }

    fn find(&self, id: &[u8; 32]) -> Result<Option<Session>, StoreError> {
        self.reached()?.find(id)
    }

    fn note_use(&self, id: &[u8; 32], now: Timestamp) -> Result<(), StoreError> {
        self.reached()?.note_use(id, now)
    }

    fn close(&self, id: &[u8; 32]) -> Result<(), StoreError> {
        self.reached()?.close(id)
    }

    fn expire(&self, before: Timestamp) -> Result<(), StoreError> {
        self.reached()?.expire(before)
    }
}

impl Actions for FakeService {
    fn sync(&self, mirror: &str) -> Result<Receipt, ServiceError> {
        self.ask("sync", mirror)?;
        Ok(Receipt { key: mirror.to_owned(), run: RunId(0x51), folded: false })
    }

    fn sessions(&self) -> &dyn Sessions {
        self
    }

    fn pause(&self, mirror: &str) -> Result<(), ServiceError> {
        self.ask("pause", mirror)
    }

    fn resume(&self, mirror: &str) -> Result<(), ServiceError> {
        self.ask("resume", mirror)
    }

    fn sync_once(&self, mirror: &str, request: &RequestKey) -> Result<Receipt, ServiceError> {
        let id = &request.id;
        self.ask(&format!("sync once ({} digits)", id.len()), mirror)?;
        Ok(Receipt { key: mirror.to_owned(), run: RunId(0x51), folded: false })
    }

    fn retry(&self, mirror: &str) -> Result<Receipt, ServiceError> {
        self.ask("retry", mirror)?;
        Ok(Receipt { key: mirror.to_owned(), run: RunId(0x52), folded: true })
    }
}

/// A mirror that is as it should be.
pub(crate) fn good(name: &str) -> MirrorDetail {
    let summary = MirrorSummary {
        name: name.to_owned(),
        owner: "alice".to_owned(),
        source: format!("https://hg.example.org/{name}"),
        target: Some(format!("https://github.com/alice/{name}.git")),
        state: MirrorState::Good,
        paused: false,
        failure: None,
        failures: 0,
        since: None,
        last_tried: Some(ago(90)),
        last_good: Some(ago(90)),
        last_change: Some(ago(7300)),
        lag: Some(0),
        running: None,
        progress: None,
        due: Some(ago(-600)),
        nodes: Vec::new(),
        no_node: false,
    };
    let setting = |key: &str, value: &str| Setting { key: key.to_owned(), value: value.to_owned() };
    let configuration = vec![
        setting("source.url", &summary.source),
        setting("target.url", summary.target.as_deref().unwrap_or_default()),
        setting("identity", "hg-git"),
    ];
    let credentials = vec![CredentialView {
        name: "token in /etc/synchroniser/token".to_owned(),
        ends: Timestamp::from_seconds(NOW + 5 * 86_400),
        mirrors: vec![name.to_owned()],
    }];
    let (runs, cache_bytes) = (Vec::new(), Some(52_428_800));
    MirrorDetail { summary, refs: refs(), runs, configuration, cache_bytes, credentials }
}

fn refs() -> Vec<RefView> {
    let entry = |name: &str, old: Option<char>, new: Option<char>, refused: Option<&str>| RefView {
        name: name.to_owned(),
        old: old.map(|digit| digit.to_string().repeat(40)),
        new: new.map(|digit| digit.to_string().repeat(40)),
        refused: refused.map(str::to_owned),
    };
    vec![
        entry("refs/heads/protected", Some('a'), Some('a'), Some("protected branch hook declined")),
        entry("refs/heads/default", Some('a'), Some('b'), None),
        entry("refs/tags/1.0", None, Some('c'), None),
        entry("refs/heads/old", Some('d'), None, None),
        entry("refs/heads/same", Some('e'), Some('e'), None),
    ]
}

pub(crate) fn failure(fault: Fault, side: Side, message: &str, hint: Option<&str>) -> FailureView {
    FailureView { fault, side, message: message.to_owned(), hint: hint.map(str::to_owned) }
}

fn phase(stage: &str, title: &str, done: u64, millis: u64) -> PhaseView {
    PhaseView { stage: stage.to_owned(), title: title.to_owned(), done, millis }
}

/// A run that ended so many seconds ago.
pub(crate) fn run(id: u128, mirror: &str, state: RunState, seconds: i64) -> RunDetail {
    let is_over = state.is_over();
    let summary = RunSummary {
        id: RunId(id),
        mirror: mirror.to_owned(),
        state,
        node: Some("wörker-1".to_owned()),
        cause: Cause::Hook,
        requests: 3,
        asked: ago(seconds + 30),
        started: (state != RunState::Queued).then(|| ago(seconds + 20)),
        ended: is_over.then(|| ago(seconds)),
        changesets: 12_345,
        converted: 7,
        changed: 3,
        refused: u64::from(state == RunState::Partial),
        cold: (state == RunState::Partial).then_some(ColdStart::Node),
        phases: vec![
            phase("adding_changesets", "adding changesets", 7, 2500),
            phase("converting_files", "converting files", 21, 9000),
            phase("verifying_commits", "verifying: comparing commits", 7, 1200),
            phase("sending_objects", "sending objects", 40, 6100),
        ],
        failure: (state == RunState::Failed).then(|| {
            failure(Fault::Unavailable, Side::Source, "connect to hg.example.org: timed out", None)
        }),
    };
    let line =
        |severity, text: &str| LogLine { at: ago(seconds + 10), severity, text: text.to_owned() };
    RunDetail {
        summary,
        refs: refs(),
        more_refs: 0,
        log: vec![
            line(Severity::Note, "7 new changesets"),
            line(Severity::Warning, "bookmark \"a:b\" cannot be a branch of Git"),
            line(Severity::Error, "protected branch hook declined"),
        ],
        more_lines: 0,
        progress: (state == RunState::Running).then_some(CONVERTING),
    }
}

/// In the middle of a conversion.
pub(crate) const CONVERTING: StageProgress = StageProgress {
    stage: Stage::WritingCommits,
    unit: synchroniser::base::Unit::Changesets,
    done: 1234,
    total: Some(5000),
};

fn delivery(number: i64, verdict: Verdict, about: &str) -> DeliveryView {
    let asked = Asked { mirror: "good".to_owned(), run: RunId(1) };
    DeliveryView {
        number,
        at: ago(1000 - number),
        endpoint: "forge".to_owned(),
        format: "gitlab".to_owned(),
        from: "192.0.2.7".to_owned(),
        verdict,
        about: about.to_owned(),
        asked: if verdict == Verdict::Accepted { vec![asked] } else { Vec::new() },
    }
}

/// One mirror in each state and some with hostile names, with runs, deliveries and a queue.
pub(crate) fn world() -> Arc<FakeService> {
    let mut mirrors: Vec<_> = MirrorState::ALL.into_iter().map(in_state).collect();
    mirrors.extend(HOSTILE.map(hostile_mirror));
    let runs = runs();
    if let Some(good) = mirrors.iter_mut().find(|it| it.summary.name == "good") {
        good.runs = runs.iter().map(|it| it.summary.clone()).take(6).collect();
    }
    mirrors.sort_by(|a, b| a.summary.name.cmp(&b.summary.name));
    let queue = queue();
    FakeService::new(Shown { mirrors, runs, deliveries: deliveries(), queue, ..Shown::default() })
}

/// A mirror with a hostile name, wherever names are shown.
fn hostile_mirror(name: &str) -> MirrorDetail {
    let mut mirror = good(name);
    let long = format!("refs/heads/{}", "ö<b>".repeat(51));
    mirror.refs.push(RefView { name: long, old: None, new: None, refused: Some(name.to_owned()) });
    name.clone_into(&mut mirror.summary.owner);
    mirror.summary.failure = Some(failure(Fault::Refused, Side::Target, name, Some(name)));
    mirror.configuration.push(Setting { key: name.to_owned(), value: name.to_owned() });
    let mut last = run(0xff, name, RunState::Failed, 60);
    last.summary.failure.clone_from(&mirror.summary.failure);
    mirror.runs.push(last.summary);
    mirror
}

/// A run in each state, and a hostile one, the newest first.
fn runs() -> Vec<RunDetail> {
    let states = [
        RunState::Done,
        RunState::Partial,
        RunState::Failed,
        RunState::Interrupted,
        RunState::Running,
        RunState::Queued,
    ];
    let mut runs: Vec<_> = (1_i64..)
        .zip(states)
        .map(|(at, state)| run(u128::try_from(at).unwrap(), "good", state, 7000 - at * 1000))
        .collect();
    runs.reverse();
    let mut hostile = run(0xff, HOSTILE[0], RunState::Failed, 60);
    hostile.summary.failure =
        Some(failure(Fault::Internal, Side::Here, HOSTILE[1], Some(HOSTILE[2])));
    hostile.log.push(LogLine {
        at: ago(61),
        severity: Severity::Error,
        text: HOSTILE[2].to_owned(),
    });
    hostile.refs.push(RefView {
        name: HOSTILE[3].to_owned(),
        old: None,
        new: None,
        refused: Some(HOSTILE[0].to_owned()),
    });
    (hostile.more_refs, hostile.more_lines) = (17, 1);
    runs.push(hostile);
    runs
}

/// A delivery with each verdict, the newest first.
fn deliveries() -> Vec<DeliveryView> {
    let verdicts = [
        (Verdict::Accepted, "push to alice/good"),
        (Verdict::Repeated, "push to alice/good"),
        (Verdict::Ignored, "a ping"),
        (Verdict::Unverified, "the signature is wrong"),
        (Verdict::Malformed, HOSTILE[0]),
        (Verdict::Unmatched, HOSTILE[2]),
    ];
    let mut deliveries: Vec<_> = (1..)
        .zip(verdicts)
        .map(|(number, (verdict, about))| delivery(number, verdict, about))
        .collect();
    deliveries.reverse();
    deliveries
}

fn nodes() -> Vec<NodeView> {
    let node = |name: &str, state, seconds| NodeView {
        id: format!("{seconds:032x}"),
        name: name.to_owned(),
        role: "all".to_owned(),
        version: "0.1.0".to_owned(),
        state,
        here: state == NodeState::Working,
        started: ago(90_000),
        beat: ago(seconds),
        free: (state != NodeState::Lost).then_some(123 << 30),
        gives_caches: state == NodeState::Working,
        runs: (0..seconds)
            .take(12)
            .map(|_| Asked { mirror: "running".to_owned(), run: RunId(5) })
            .collect(),
    };
    vec![
        node(HOSTILE[0], NodeState::Draining, 0),
        node("worker-1", NodeState::Working, 3),
        node("worker-2", NodeState::Lost, 700),
    ]
}

fn queue() -> Vec<QueueEntry> {
    let entry = |mirror: &str, running: bool, due| QueueEntry {
        mirror: mirror.to_owned(),
        run: running.then_some(RunId(5)),
        node: running.then(|| HOSTILE[0].to_owned()),
        running,
        requests: 2,
        due,
    };
    vec![
        entry("running", true, None),
        entry("queued", false, Some(ago(45))),
        entry(HOSTILE[0], false, Some(ago(-30))),
    ]
}

fn in_state(state: MirrorState) -> MirrorDetail {
    let mut mirror = good(state.name());
    let summary = &mut mirror.summary;
    summary.state = state;
    match state {
        MirrorState::Parked => {
            summary.failure = Some(failure(
                Fault::Auth,
                Side::Target,
                "push to github.com: the token is not valid",
                Some("make a new token, and write it to the file that `token_file` names"),
            ));
            (summary.failures, summary.since) = (4, Some(ago(90_000)));
            summary.lag = Some(12);
        }
        MirrorState::Failing => {
            let message = "connect to hg.example.org: timed out";
            summary.failure = Some(failure(Fault::Unavailable, Side::Source, message, None));
            (summary.failures, summary.since) = (1, Some(ago(90)));
            summary.lag = None;
        }
        MirrorState::Partial => {
            let message = "1 ref was refused: protected branch hook declined";
            summary.failure = Some(failure(Fault::Refused, Side::Target, message, None));
        }
        MirrorState::Stale => summary.last_good = Some(ago(400_000)),
        MirrorState::Paused => (summary.paused, summary.since) = (true, Some(ago(3600))),
        MirrorState::Running => {
            (summary.running, summary.progress) = (Some(RunId(5)), Some(CONVERTING));
        }
        MirrorState::Queued | MirrorState::Good => {}
        MirrorState::New => {
            (summary.last_tried, summary.last_good) = (None, None);
            (summary.last_change, summary.lag, summary.due) = (None, None, None);
            summary.target = None;
            mirror.refs.clear();
        }
    }
    mirror
}

//! What was measured, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::run::Spent;

/// What one tool took for one job, over some rounds.
#[derive(Default)]
struct Taken {
    rounds: Vec<Spent>,
    /// Bytes of the result.
    result: u64,
}

/// All of it, in the order of the jobs.
#[derive(Default)]
pub(crate) struct Report {
    jobs: Vec<(String, Vec<(String, Taken)>)>,
    /// A name, what was found, and what it should be.
    findings: Vec<(String, String, String)>,
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Taken {
    fn median(&self, of: impl Fn(&Spent) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }

    fn wall(&self) -> f64 {
        self.median(|spent| spent.wall.as_secs_f64())
    }

    /// The mean: of a short time the kernel only counts how often it was seen.
    #[expect(clippy::cast_precision_loss, reason = "a few rounds")]
    fn cpu(&self) -> f64 {
        let all: f64 = self.rounds.iter().map(|spent| spent.cpu.as_secs_f64()).sum();
        all / self.rounds.len() as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    fn megabytes(&self, of: impl Fn(&Spent) -> u64) -> f64 {
        self.median(|spent| of(spent) as f64 / 1e6)
    }
}

impl Report {
    /// Adds what `tool` took in one round of `job`. `result` are the bytes of what it made.
    pub(crate) fn add(&mut self, job: &str, tool: &str, spent: Spent, result: u64) {
        let at = self.jobs.iter().position(|(name, _)| name == job).unwrap_or_else(|| {
            self.jobs.push((job.to_owned(), Vec::new()));
            self.jobs.len() - 1
        });
        let tools = &mut self.jobs[at].1;
        let at = tools.iter().position(|(name, _)| name == tool).unwrap_or_else(|| {
            tools.push((tool.to_owned(), Taken::default()));
            tools.len() - 1
        });
        let taken = &mut tools[at].1;
        taken.rounds.push(spent);
        taken.result = result;
        eprintln!(
            "{job}, {tool}: {:.3} s, CPU {:.3} s",
            spent.wall.as_secs_f64(),
            spent.cpu.as_secs_f64()
        );
    }

    fn taken(&self, job: &str, tool: &str) -> Option<&Taken> {
        let (_, tools) = self.jobs.iter().find(|(name, _)| name == job)?;
        tools.iter().find(|(name, _)| name == tool).map(|(_, taken)| taken)
    }

    /// The wall time and the CPU time of a tool, in seconds.
    pub(crate) fn seconds(&self, job: &str, tool: &str) -> Option<(f64, f64)> {
        self.taken(job, tool).map(|taken| (taken.wall(), taken.cpu()))
    }

    /// How many times as long `tool` took as `other`: wall time, the median over the rounds, which the
    /// two ran in turn; and CPU time.
    pub(crate) fn times(
        &self,
        (job, tool): (&str, &str),
        other: (&str, &str),
    ) -> Option<(f64, f64)> {
        let (this, that) = (self.taken(job, tool)?, self.taken(other.0, other.1)?);
        let pairs = this.rounds.iter().zip(&that.rounds);
        let wall = pairs.map(|(a, b)| a.wall.as_secs_f64() / b.wall.as_secs_f64());
        Some((median(wall.collect()), this.cpu() / that.cpu()))
    }

    /// How many times as large what `this` made is as what `other` made.
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    pub(crate) fn result_times(&self, this: (&str, &str), other: (&str, &str)) -> Option<f64> {
        let size = |(job, tool)| self.taken(job, tool).map(|taken| taken.result as f64);
        Some(size(this)? / size(other)?)
    }

    /// Something that was found out, and what it should be.
    pub(crate) fn find(&mut self, name: &str, found: String, bar: &str) {
        eprintln!("{name}: {found} ({bar})");
        self.findings.push((name.to_owned(), found, bar.to_owned()));
    }

    /// As Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for (job, tools) in &self.jobs {
            let _ = writeln!(text, "\n| {job} | wall | CPU | memory | written | result | rounds |");
            let _ = writeln!(text, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
            for (tool, taken) in tools {
                let (wall, cpu) = (taken.wall(), taken.cpu());
                let peak = taken.megabytes(|spent| spent.peak);
                let written = taken.megabytes(|spent| spent.written);
                #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
                let result = taken.result as f64 / 1e6;
                let rounds = taken.rounds.len();
                let _ = writeln!(
                    text,
                    "| {tool} | {wall:.3} s | {cpu:.3} s | {peak:.0} MB | {written:.1} MB | {result:.1} MB | {rounds} |"
                );
            }
        }
        if !self.findings.is_empty() {
            let _ = writeln!(text, "\n| what | found | bar |\n| --- | --- | --- |");
        }
        for (name, found, bar) in &self.findings {
            let _ = writeln!(text, "| {name} | {found} | {bar} |");
        }
        text
    }

    /// The same for programs, with each round.
    pub(crate) fn json(&self) -> Value {
        let round = |spent: &Spent| {
            json!({
                "wall": spent.wall.as_secs_f64(),
                "cpu": spent.cpu.as_secs_f64(),
                "peak": spent.peak,
                "written": spent.written,
            })
        };
        let tools = |tools: &[(String, Taken)]| -> BTreeMap<String, Value> {
            let value = |taken: &Taken| {
                let rounds: Vec<_> = taken.rounds.iter().map(round).collect();
                json!({ "rounds": rounds, "result": taken.result })
            };
            tools.iter().map(|(name, taken)| (name.clone(), value(taken))).collect()
        };
        let jobs: BTreeMap<_, _> = self.jobs.iter().map(|(job, of)| (job, tools(of))).collect();
        json!({ "jobs": jobs, "findings": self.findings })
    }
}

//! The thread that has the networks: takes what waits, and searches together for what was asked alike.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::Limits;
use super::request::{Refusal, Request, Translation};
use crate::translate::{Engine, Line, Translator, memory};

/// A request and where its answer goes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) answer: Sender<Answer>,
}

/// What becomes of a request.
pub(super) type Answer = Result<Vec<Translation>, Refusal>;

/// How often a signal is looked for.
const POLL: Duration = Duration::from_millis(100);
/// How long requests that are still being sent are waited for at the end.
const GRACE: Duration = Duration::from_secs(10);
/// Texts that are searched for together, at most, when requests are joined.
const TOGETHER: usize = 1024;

/// Works until nobody can ask any more, or the time after a signal is over.
pub(super) fn until_stopped(
    engine: &mut Engine,
    jobs: &Receiver<Job>,
    limits: Limits,
    stop: &AtomicBool,
) {
    let mut waiting: VecDeque<Job> = VecDeque::new();
    let mut deadline: Option<Instant> = None;
    loop {
        if waiting.is_empty() {
            match jobs.recv_timeout(POLL) {
                Ok(job) => waiting.push_back(job),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        if stop.load(Ordering::Relaxed) {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + GRACE);
            if Instant::now() > deadline {
                return;
            }
        }
        waiting.extend(jobs.try_iter());
        let together = alike(&mut waiting);
        serve(engine, together, limits);
    }
}

/// Takes the first that waits, and all that ask for the same direction and search, as many as go together.
fn alike(waiting: &mut VecDeque<Job>) -> Vec<Job> {
    let Some(first) = waiting.pop_front() else { return Vec::new() };
    let mut texts = first.request.texts.len();
    let mut together = vec![first];
    for job in std::mem::take(waiting) {
        let count = job.request.texts.len();
        let joins = together.first().is_some_and(|first| {
            let (a, b) = (&first.request, &job.request);
            a.from == b.from && a.to == b.to && a.settings == b.settings
        });
        if joins && texts + count <= TOGETHER {
            texts += count;
            together.push(job);
        } else {
            waiting.push_back(job);
        }
    }
    together
}

/// Answers requests of one direction and search.
fn serve(engine: &mut Engine, jobs: Vec<Job>, limits: Limits) {
    let Some(first) = jobs.first() else { return };
    let Request { from, to, settings, .. } = &first.request;
    let found = engine.translator(from, to);
    let translator = match found.and_then(|found| found.check(settings).map(|()| found)) {
        Ok(translator) => translator,
        Err(fault) => {
            let refusal = Refusal::from(fault);
            return jobs.into_iter().for_each(|job| tell(&job, Err(refusal.clone())));
        }
    };
    let (fitting, too_long): (Vec<Job>, Vec<Job>) = jobs
        .into_iter()
        .partition(|job| job.request.texts.iter().all(|text| fits(&translator, text, limits)));
    for job in too_long {
        let message = format!("a text has more than {} pieces", limits.max_pieces);
        tell(&job, Err(Refusal::new(413, "too_long", message)));
    }
    match attempt(&translator, &fitting) {
        Ok(answers) => {
            for (job, answer) in fitting.iter().zip(answers) {
                tell(job, Ok(answer));
            }
        }
        // One of them is too much: each by itself, so that the others are served.
        Err(_) if fitting.len() > 1 => {
            for job in fitting {
                let answer = attempt(&translator, std::slice::from_ref(&job));
                tell(&job, answer.map(|mut answers| answers.pop().unwrap_or_default()));
            }
        }
        Err(refusal) => fitting.iter().for_each(|job| tell(job, Err(refusal.clone()))),
    }
}

fn fits(translator: &Translator, text: &str, limits: Limits) -> bool {
    translator.length(text) <= limits.max_pieces as usize
}

/// All translations of requests, by request.
fn attempt(translator: &Translator, jobs: &[Job]) -> Result<Vec<Vec<Translation>>, Refusal> {
    let Some(first) = jobs.first() else { return Ok(Vec::new()) };
    let settings = &first.request.settings;
    // Numbers count within a request: what is drawn does not depend on what waited with it.
    let of = |job: &'_ Job| (0..).zip(job.request.texts.clone()).collect::<Vec<(u64, String)>>();
    let texts: Vec<(u64, String)> = jobs.iter().flat_map(of).collect();
    let lines: Vec<Line<'_>> =
        texts.iter().map(|(number, source)| Line { number: *number, source, target: "" }).collect();
    let searched = AssertUnwindSafe(|| translator.translate(settings, None, &lines));
    let found = catch_unwind(searched).map_err(|panic| {
        if memory::is_out(panic.as_ref()) {
            Refusal::new(503, "out_of_memory", "memory is too small for this request")
        } else {
            Refusal::new(500, "internal", "the search failed; the server's log has the reason")
        }
    })?;
    let mut found = found.into_iter().map(|found| {
        let mut all = found.iter().map(|found| Translation {
            text: translator.sides().decode(&found.ids),
            score: found.score,
            others: Vec::new(),
        });
        match all.next() {
            Some(best) => Translation { others: all.collect(), ..best },
            None => Translation { text: String::new(), score: 0.0, others: Vec::new() },
        }
    });
    Ok(jobs.iter().map(|job| found.by_ref().take(job.request.texts.len()).collect()).collect())
}

/// Who has gone away is not told.
fn tell(job: &Job, answer: Answer) {
    let _ = job.answer.send(answer);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::translate::Settings;

    fn job(to: &str, beam: u32, texts: usize) -> Job {
        let settings = Settings { beam, ..Settings::default() };
        let (from, to, texts) = ("a".to_owned(), to.to_owned(), vec![String::new(); texts]);
        Job { request: Request { from, to, settings, texts }, answer: mpsc::channel().0 }
    }

    #[test]
    fn what_was_asked_alike_goes_together_and_nobody_waits_for_ever() {
        let mut waiting: VecDeque<Job> =
            [job("b", 4, 2), job("c", 4, 1), job("b", 2, 1), job("b", 4, 3), job("b", 4, TOGETHER)]
                .into();
        let mut taken = Vec::new();
        while !waiting.is_empty() {
            let jobs = alike(&mut waiting);
            let sizes: Vec<usize> = jobs.iter().map(|job| job.request.texts.len()).collect();
            taken.push(sizes);
        }
        assert_eq!(taken, [vec![2, 3], vec![1], vec![1], vec![TOGETHER]]);
    }
}

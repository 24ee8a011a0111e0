//! The thread that has the networks: takes what waits, and searches together for what was asked alike.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Limits;
use super::desk::Place;
use super::request::{Refusal, Request, Text, Translation, Wanted};
use crate::translate::{self, Engine, Line, TranslateError, Translator};

/// A request and where its answer goes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Kept until it is answered, whether or not the client still waits.
    pub(super) place: Place,
}

/// What becomes of a request.
pub(super) type Answer = Result<Found, Refusal>;

/// What was wanted of each text, in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Translations(Vec<Translation>),
    Scores(Vec<f64>),
}

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
        // Nobody waits for the answer any more.
        waiting.retain(|job| !job.answer.is_closed());
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
            (&a.from, &a.to) == (&b.from, &b.to)
                && (&a.settings, &a.wanted) == (&b.settings, &b.wanted)
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
    let found = translator(engine, &first.request);
    let (translator, only) = match found {
        Ok(found) => found,
        Err(refusal) => return jobs.into_iter().for_each(|job| tell(job, Err(refusal.clone()))),
    };
    let mut fitting = Vec::new();
    for job in jobs {
        match fits(&translator, &job.request, limits) {
            Ok(()) => fitting.push(job),
            Err(refusal) => tell(job, Err(refusal)),
        }
    }
    match attempt(&translator, only.as_deref(), &fitting) {
        Ok(answers) => {
            fitting.into_iter().zip(answers).for_each(|(job, answer)| tell(job, Ok(answer)));
        }
        // One of them is too much: each by itself, so that the others are served.
        Err(_) if fitting.len() > 1 => {
            for job in fitting {
                let answer = attempt(&translator, only.as_deref(), std::slice::from_ref(&job));
                let gone = || Refusal::new(500, "internal", "the search gave no answer");
                tell(job, answer.and_then(|mut answers| answers.pop().ok_or_else(gone)));
            }
        }
        Err(refusal) => fitting.into_iter().for_each(|job| tell(job, Err(refusal.clone()))),
    }
}

/// The translator of a request's direction, and the pieces that alone may be used.
fn translator(
    engine: &mut Engine,
    request: &Request,
) -> Result<(Rc<Translator>, Option<Vec<u32>>), Refusal> {
    let found = engine.translator(&request.from, &request.to)?;
    found.check(&request.settings)?;
    let only = match &request.wanted {
        Wanted::Translations { only } => only.as_ref(),
        Wanted::Scores => None,
    };
    let only = only.map(|text| found.sides().pieces(text));
    if only.as_ref().is_some_and(Vec::is_empty) {
        return Err(Refusal::new(400, "bad_request", "`only` has no text"));
    }
    Ok((found, only))
}

/// Refuses texts beyond the limits, and what can't be given to this model.
fn fits(translator: &Translator, request: &Request, limits: Limits) -> Result<(), Refusal> {
    let bad = |message: &str| Err(Refusal::new(400, "bad_request", message));
    let most = limits.max_pieces as usize;
    for Text { source, target } in &request.texts {
        match (target, &request.wanted) {
            (Some(_), _) if translator.sides().continues() => {
                return bad("the model has no encoder: what is given stands in the text itself");
            }
            (None, Wanted::Scores) if !translator.sides().continues() => {
                return bad("missing field `target` or `targets`: what `score` is of");
            }
            _ => {}
        }
        if translator.length(source, target.as_deref().unwrap_or_default()) > most {
            let message = format!("a text has more than {most} pieces");
            return Err(Refusal::new(413, "too_long", message));
        }
    }
    Ok(())
}

/// What requests want, by request.
fn attempt(
    translator: &Translator,
    only: Option<&[u32]>,
    jobs: &[Job],
) -> Result<Vec<Found>, Refusal> {
    let Some(first) = jobs.first() else { return Ok(Vec::new()) };
    let Request { settings, wanted, .. } = &first.request;
    // Numbers count within a request: what is drawn does not depend on what waited with it.
    let line = |(number, text): (u64, &'_ Text)| (number, text.clone());
    let of = |job: &'_ Job| (0..).zip(&job.request.texts).map(line).collect::<Vec<_>>();
    let texts: Vec<(u64, Text)> = jobs.iter().flat_map(of).collect();
    let lines: Vec<Line<'_>> = texts
        .iter()
        .map(|(number, Text { source, target })| Line {
            number: *number,
            source,
            target: target.as_deref().unwrap_or_default(),
        })
        .collect();
    let counts = jobs.iter().map(|job| job.request.texts.len());
    Ok(match wanted {
        Wanted::Translations { .. } => {
            let found = unbroken(|| translator.translate(settings, only, &lines))?;
            let mut found = found.into_iter().map(|found| translation(translator, &found));
            counts.map(|count| Found::Translations(found.by_ref().take(count).collect())).collect()
        }
        Wanted::Scores => {
            let mut found = unbroken(|| translator.score(settings, &lines))?.into_iter();
            counts.map(|count| Found::Scores(found.by_ref().take(count).collect())).collect()
        }
    })
}

/// What is computed; a fault of the server where that panics.
fn unbroken<T>(compute: impl FnOnce() -> Result<T, TranslateError>) -> Result<T, Refusal> {
    let done = catch_unwind(AssertUnwindSafe(compute)).map_err(|_| {
        Refusal::new(500, "internal", "the search failed; the server's log has the reason")
    });
    Ok(done??)
}

/// The best translation of a text, with the others; that of no text has none.
fn translation(translator: &Translator, found: &[translate::Found]) -> Translation {
    let mut all = found.iter().map(|found| Translation {
        text: translator.sides().decode(&found.ids),
        score: found.score,
        others: Vec::new(),
    });
    match all.next() {
        Some(best) => Translation { others: all.collect(), ..best },
        None => Translation { text: String::new(), score: 0.0, others: Vec::new() },
    }
}

/// Who has gone away is not told.
fn tell(job: Job, answer: Answer) {
    let Job { answer: to, place, .. } = job;
    // First, so that who has an answer does not find its place taken.
    drop(place);
    let _ = to.send(answer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::Settings;

    fn job(to: &str, beam: u32, texts: usize) -> Job {
        let settings = Settings { beam, ..Settings::default() };
        let text = Text { source: String::new(), target: None };
        let (from, to, texts) = ("a".to_owned(), to.to_owned(), vec![text; texts]);
        let wanted = Wanted::Translations { only: None };
        let request = Request { from, to, settings, wanted, texts };
        Job { request, answer: oneshot::channel().0, place: Place::of_a_test() }
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

//! A tree of meanings in the words and the order of a language.

use super::language::{Language, Order};
use super::meaning::{Clause, Meaning, NounPhrase, Tense};

/// The sentence, words parted by spaces, a full stop at its end.
pub(super) fn say(language: &Language, clause: &Clause) -> String {
    let mut words = Vec::new();
    say_clause(language, clause, &mut words);
    words.join(" ") + "."
}

fn lookup(words: &[String], meaning: Meaning) -> &str {
    words.get(meaning as usize).map_or("", String::as_str)
}

fn say_clause(language: &Language, clause: &Clause, words: &mut Vec<String>) {
    let subject = noun_phrase(language, &clause.subject, false);
    let object = clause.object.as_ref().map(|object| noun_phrase(language, object, true));
    let object = object.unwrap_or_default();
    let verb = verb_phrase(language, clause);
    let parts = match language.order {
        Order::SubjectVerbObject => [subject, verb, object],
        Order::SubjectObjectVerb => [subject, object, verb],
        Order::VerbSubjectObject => [verb, subject, object],
    };
    words.extend(parts.into_iter().flatten());
    if let Some(content) = &clause.content {
        words.push(language.that.clone());
        say_clause(language, content, words);
    }
}

fn noun_phrase(language: &Language, phrase: &NounPhrase, is_object: bool) -> Vec<String> {
    let mut noun = lookup(&language.nouns, phrase.noun).to_owned();
    if phrase.plural {
        noun += &language.plural;
    }
    if let Some(object) = language.object.as_ref().filter(|_| is_object) {
        noun += object;
    }
    let adjectives = phrase.adjectives.iter().map(|&a| lookup(&language.adjectives, a).to_owned());
    if language.adjective_first {
        adjectives.chain([noun]).collect()
    } else {
        std::iter::once(noun).chain(adjectives).collect()
    }
}

/// Verb, negation and adverb stand together; the adverb is last.
fn verb_phrase(language: &Language, clause: &Clause) -> Vec<String> {
    let mut verb = lookup(&language.verbs, clause.verb).to_owned();
    match clause.tense {
        Tense::Present => {}
        Tense::Past => verb += &language.past,
        Tense::Future => verb += &language.future,
    }
    let mut phrase = vec![verb];
    if clause.negated {
        let at = usize::from(!language.negation_first);
        phrase.insert(at, language.not.clone());
    }
    phrase.extend(clause.adverb.map(|adverb| lookup(&language.adverbs, adverb).to_owned()));
    phrase
}

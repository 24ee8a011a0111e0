//! A path template for many directions: read once, then filled by joining text.
//!
//! What a template says of one language (`{src_lang|iso3}`) is made by [`Templates`] once a language; templates that say more
//! than that are left to it whole.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::template::{TemplateFault, Templates, is_sharded};

/// Each of many codes once, in order.
pub(crate) fn distinct<'c>(codes: impl Iterator<Item = &'c str>) -> BTreeSet<&'c str> {
    // Of a million most were met before, which a set without order knows sooner.
    let mut met = HashSet::new();
    codes.filter(|code| met.insert(*code)).collect()
}

/// A template, ready to be filled.
#[derive(Debug)]
pub struct Directions<'t> {
    templates: &'t Templates,
    template: &'t str,
    /// None: it is filled by [`Templates::direction`].
    pieces: Option<Vec<Piece<'t>>>,
    /// Whether it stands for several files: `{shard}` becomes `*`.
    pub is_sharded: bool,
}

/// A part of a template.
#[derive(Debug)]
enum Piece<'t> {
    Text(&'t str),
    /// A language's code.
    Code(Variable),
    /// An expression of one language, with what it made of languages so far.
    Language(Variable, &'t str, HashMap<String, String>),
    Side(Variable),
    Pair {
        sorted: bool,
    },
    Shard,
}

/// Which language of a direction is meant.
#[derive(Debug, Clone, Copy)]
enum Variable {
    Source,
    Target,
    /// The alphabetically first.
    First,
    Second,
}

impl<'t> Directions<'t> {
    /// Reads a template.
    pub fn new(templates: &'t Templates, template: &'t str) -> Self {
        let (pieces, is_sharded) = (pieces(template), is_sharded(templates, template));
        Self { templates, template, pieces, is_sharded }
    }

    /// The path of a direction, see [`Templates::direction`].
    pub fn fill(&mut self, source: &str, target: &str) -> Result<String, TemplateFault> {
        let Some(pieces) = &mut self.pieces else {
            return self.templates.direction(self.template, source, target);
        };
        let forward = source <= target;
        let (first, second) = if forward { (source, target) } else { (target, source) };
        let meant = |variable: Variable| match variable {
            Variable::Source => source,
            Variable::Target => target,
            Variable::First => first,
            Variable::Second => second,
        };
        let mut path = String::with_capacity(self.template.len() + source.len() + target.len());
        for piece in pieces {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Code(variable) => path.push_str(meant(*variable)),
                Piece::Language(variable, expression, known) => {
                    let language = meant(*variable);
                    if let Some(text) = known.get(language) {
                        path.push_str(text);
                    } else {
                        let text = self.templates.direction(expression, source, target)?;
                        path.push_str(&text);
                        known.insert(language.to_owned(), text);
                    }
                }
                Piece::Side(variable) => {
                    let is_first = matches!(variable, Variable::First) == forward;
                    path.push_str(if is_first { "src" } else { "trg" });
                }
                Piece::Pair { sorted } => {
                    let (left, right) = if *sorted { (first, second) } else { (source, target) };
                    path.extend([left, "-", right]);
                }
                Piece::Shard => path.push('*'),
            }
        }
        Ok(path)
    }
}

/// The parts of a template; none when it has expressions of another kind.
fn pieces(template: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let close = open + rest.get(open..)?.find('}')?;
        pieces.push(Piece::Text(rest.get(..open)?));
        let expression = rest.get(open..=close)?;
        let inner = rest.get(open + 1..close)?;
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '|' | ' ');
        if !inner.chars().all(word) {
            return None;
        }
        let (variable, filters) = inner.split_once('|').unwrap_or((inner, ""));
        let language = |which| match filters {
            "" => Piece::Code(which),
            _ => Piece::Language(which, expression, HashMap::new()),
        };
        pieces.push(match (variable.trim(), filters) {
            ("src_lang", _) => language(Variable::Source),
            ("tgt_lang", _) => language(Variable::Target),
            ("lang_a", _) => language(Variable::First),
            ("lang_b", _) => language(Variable::Second),
            ("side_a", "") => Piece::Side(Variable::First),
            ("side_b", "") => Piece::Side(Variable::Second),
            ("lang_pair", "") => Piece::Pair { sorted: false },
            ("sorted_pair", "") => Piece::Pair { sorted: true },
            ("shard", "") => Piece::Shard,
            _ => return None,
        });
        rest = rest.get(close + 1..)?;
    }
    pieces.push(Piece::Text(rest));
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mmc_syntax::source::Span;

    use super::*;
    use crate::ir::experiment::Language;

    #[test]
    fn paths_are_those_of_the_templates() {
        let language = |code: &str| Language {
            code: code.to_owned(),
            attributes: BTreeMap::new(),
            aliases: BTreeMap::from([("opus".to_owned(), format!("{code}_opus"))]),
            span: Span::default(),
        };
        let templates = Templates::new(&[language("nb"), language("en"), language("de")]);
        for (template, is_fast) in [
            ("a/{src_lang}.{tgt_lang}", true),
            ("{lang_a}-{lang_b}/{side_a}.{side_b}.{lang_pair}/{ sorted_pair }", true),
            ("{shard}/{src_lang|opus|upper}-{tgt_lang | opus}.{lang_a|upper}", true),
            ("{lang_pair|upper}", false),
            ("{src_lang ~ tgt_lang}.{src_lang|replace('n', 'm')}", false),
            ("{nothing}", false),
            ("{src_lang|flores}", true),
        ] {
            let mut directions = Directions::new(&templates, template);
            assert_eq!(directions.pieces.is_some(), is_fast, "{template}");
            for (source, target) in [("nb", "en"), ("en", "nb"), ("de", "nb"), ("nb", "en")] {
                let expected = templates.direction(template, source, target);
                assert_eq!(directions.fill(source, target), expected, "{template}");
            }
        }
    }
}

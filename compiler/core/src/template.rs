//! Path templates: minijinja with `{` and `}` as its variable marks, strict about variables.
//!
//! The variables of a direction are those of MAMMOTH's configuration compiler, so that its templates keep their meaning:
//! `lang_a` is the alphabetically first language, `side_a` names the side of the corpus that holds the *source* language
//! when files are stored once per unordered pair (`src` when the source comes first, else `trg`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use crate::ir::experiment::Language;

/// Variables of templates that are filled for a direction.
pub const DIRECTION_VARIABLES: &[&str] = &[
    "lang_a",
    "lang_b",
    "lang_pair",
    "shard",
    "side_a",
    "side_b",
    "sorted_pair",
    "src_lang",
    "tgt_lang",
];

/// Those of them whose values depend on the order of the alphabet.
pub const SORTED_VARIABLES: &[&str] = &["lang_a", "lang_b", "side_a", "side_b", "sorted_pair"];

/// Variables of templates that are filled for one language.
pub const LANGUAGE_VARIABLES: &[&str] = &["lang"];

/// Filters that map a code to another scheme; `macro`: ISO 639-3 of the macro-language, else of the language itself.
pub const SCHEMES: &[&str] = &["flores", "iso1", "iso3", "macro", "opus"];

/// Filters that templates may use.
pub const FILTERS: &[&str] = &["flores", "iso1", "iso3", "lower", "macro", "opus", "upper"];

/// Why a template can't be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// It can't be read.
    #[error("{0}")]
    Syntax(String),
    /// A variable that does not exist there.
    #[error("there is no variable `{0}` here")]
    Variable(String),
    /// A filter that does not exist.
    #[error("there is no filter `{0}`")]
    Filter(String),
    /// A language without a code in the scheme asked for.
    #[error("`{language}` has no `{scheme}` code")]
    NoCode {
        /// The language's code in the file.
        language: String,
        /// The scheme.
        scheme: String,
    },
}

/// Fills templates for the languages that it was made with.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// Filters know the aliases of these languages.
    pub fn new(languages: &[Language]) -> Self {
        let mut environment = Environment::empty();
        if let Ok(syntax) = SyntaxConfig::builder()
            .variable_delimiters("{", "}")
            .block_delimiters("\u{1}%", "%\u{1}")
            .comment_delimiters("\u{1}#", "#\u{1}")
            .build()
        {
            environment.set_syntax(syntax);
        }
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        environment.add_filter("upper", |word: String| word.to_uppercase());
        environment.add_filter("lower", |word: String| word.to_lowercase());
        let aliases: BTreeMap<String, BTreeMap<String, String>> = languages
            .iter()
            .map(|language| (language.code.clone(), language.aliases.clone()))
            .collect();
        let aliases = Arc::new(aliases);
        for scheme in SCHEMES {
            let aliases = Arc::clone(&aliases);
            environment.add_filter(*scheme, move |code: String| {
                aliases.get(&code).and_then(|known| known.get(*scheme)).cloned().ok_or_else(|| {
                    minijinja::Error::new(ErrorKind::InvalidOperation, no_code(&code, scheme))
                })
            });
        }
        Self { environment }
    }

    /// The variables that a template uses, if it can be read.
    pub fn variables(&self, template: &str) -> Result<BTreeSet<String>, TemplateFault> {
        let parsed =
            self.environment.template_from_str(template).map_err(|e| fault(&e, template))?;
        Ok(parsed.undeclared_variables(false).into_iter().collect())
    }

    /// The path of a direction. `{shard}` becomes `*`, see [`is_sharded`].
    pub fn direction(
        &self,
        template: &str,
        source: &str,
        target: &str,
    ) -> Result<String, TemplateFault> {
        let forward = source <= target;
        let (first, second) = if forward { (source, target) } else { (target, source) };
        let (side_a, side_b) = if forward { ("src", "trg") } else { ("trg", "src") };
        self.render(
            template,
            [
                ("src_lang", source.to_owned()),
                ("tgt_lang", target.to_owned()),
                ("lang_pair", format!("{source}-{target}")),
                ("sorted_pair", format!("{first}-{second}")),
                ("lang_a", first.to_owned()),
                ("lang_b", second.to_owned()),
                ("side_a", side_a.to_owned()),
                ("side_b", side_b.to_owned()),
                ("shard", "*".to_owned()),
            ],
        )
    }

    /// The path of one language.
    pub fn language(&self, template: &str, language: &str) -> Result<String, TemplateFault> {
        self.render(template, [("lang", language.to_owned())])
    }

    /// Fills a template with the variables given.
    pub fn render<const N: usize>(
        &self,
        template: &str,
        variables: [(&'static str, String); N],
    ) -> Result<String, TemplateFault> {
        let scope: BTreeMap<&str, Value> =
            variables.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        self.environment.render_str(template, &scope).map_err(|error| {
            let used = self.variables(template).unwrap_or_default();
            let unknown = used.into_iter().find(|name| !scope.contains_key(name.as_str()));
            unknown.map_or_else(|| fault(&error, template), TemplateFault::Variable)
        })
    }
}

/// Whether a path, or a template of paths, is of lines with tabs between columns: `.tsv`, compressed or not.
pub fn is_table(path: &str) -> bool {
    let plain = [".gz", ".zst"].iter().find_map(|suffix| path.strip_suffix(suffix));
    Path::new(plain.unwrap_or(path)).extension().is_some_and(|suffix| suffix == "tsv")
}

/// Whether a template stands for several files in order: it has `{shard}`, and its rendered form is a pattern for
/// [`crate::world::World::matching`].
pub fn is_sharded(templates: &Templates, template: &str) -> bool {
    templates.variables(template).is_ok_and(|names| names.contains("shard"))
}

fn no_code(code: &str, scheme: &str) -> String {
    format!("{code}\u{1}{scheme}")
}

fn fault(error: &minijinja::Error, template: &str) -> TemplateFault {
    let detail = error.detail().unwrap_or_default();
    if error.kind() == ErrorKind::UnknownFilter {
        // "filter opsu is unknown": the word that the template has behind a bar.
        let name = detail.split_whitespace().find(|word| template.contains(&format!("|{word}")));
        return TemplateFault::Filter(name.unwrap_or(detail).to_owned());
    }
    if let Some((language, scheme)) = detail.split_once('\u{1}') {
        return TemplateFault::NoCode { language: language.to_owned(), scheme: scheme.to_owned() };
    }
    TemplateFault::Syntax(if detail.is_empty() {
        error.kind().to_string()
    } else {
        detail.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use mmc_syntax::source::Span;

    use super::*;

    fn templates() -> Templates {
        let aliases = BTreeMap::from([("opus".to_owned(), "no".to_owned())]);
        Templates::new(&[Language {
            code: "nb".to_owned(),
            attributes: BTreeMap::new(),
            aliases,
            span: Span::default(),
        }])
    }

    #[test]
    fn directions_have_the_variables_of_mammoth() {
        let all =
            "{src_lang} {tgt_lang} {lang_pair} {sorted_pair} {lang_a} {lang_b} {side_a} {side_b}";
        let forward = templates().direction(all, "de", "en").unwrap();
        assert_eq!(forward, "de en de-en de-en de en src trg");
        let backward = templates().direction(all, "en", "de").unwrap();
        assert_eq!(backward, "en de en-de de-en de en trg src");
    }

    #[test]
    fn filters_map_codes() {
        assert_eq!(templates().language("x/{lang|opus}.{lang|upper}", "nb").unwrap(), "x/no.NB");
        assert_eq!(
            templates().language("{lang|iso3}", "nb"),
            Err(TemplateFault::NoCode { language: "nb".into(), scheme: "iso3".into() })
        );
        assert_eq!(
            templates().language("{lang|opsu}", "nb"),
            Err(TemplateFault::Filter("opsu".into()))
        );
    }

    #[test]
    fn unknown_variables_and_bad_syntax_are_faults() {
        assert_eq!(
            templates().language("{src_lang}", "nb"),
            Err(TemplateFault::Variable("src_lang".into()))
        );
        assert!(matches!(templates().language("{lang", "nb"), Err(TemplateFault::Syntax(_))));
        assert!(matches!(templates().language("{%x%}", "nb"), Err(TemplateFault::Syntax(_))));
    }

    #[test]
    fn shards_become_stars_and_plain_text_stays() {
        let templates = templates();
        let path = "a&b/part{shard}.<{src_lang}>";
        assert!(is_sharded(&templates, path));
        assert_eq!(templates.direction(path, "nb", "en").unwrap(), "a&b/part*.<nb>");
        assert!(!is_sharded(&templates, "{src_lang}"));
    }
}

//! The registry of languages: codes to what is known of the language, from the tables of the library.

use std::sync::OnceLock;

const LANGUAGES: &str = include_str!("../../../stdlib/languages.tsv");
const MACRO_LANGUAGES: &str = include_str!("../../../stdlib/macrolanguages.tsv");
const SCRIPTS: &str = include_str!("../../../stdlib/scripts.tsv");

/// Codes that were withdrawn or are not ISO's, with the code of today.
const RETIRED: &[(&str, &str)] = &[
    ("in", "id"),
    ("iw", "he"),
    ("ji", "yi"),
    ("jw", "jv"),
    ("mo", "ro"),
    ("mol", "ron"),
    ("scc", "srp"),
    ("scr", "hrv"),
    ("sh", "hbs"),
];

/// A language of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageRow {
    /// ISO 639-1, if it has one.
    pub iso1: Option<&'static str>,
    /// ISO 639-3.
    pub iso3: &'static str,
    /// ISO 639-3 of the macro-language that it belongs to, or its own when it is one.
    pub macro_language: Option<&'static str>,
    /// FLORES-200, one code a script, the usual script first.
    pub flores: Vec<&'static str>,
    /// OPUS, as most of its corpora spell it.
    pub opus: &'static str,
    /// ISO 15924, the usual one first.
    pub scripts: Vec<&'static str>,
    /// From the stock down to the branch, joined by `/`.
    pub family: &'static str,
    /// English name.
    pub name: &'static str,
}

impl LanguageRow {
    /// Whether it is a macro-language itself (`nor`, `est`).
    pub fn is_macro(&self) -> bool {
        self.macro_language == Some(self.iso3)
    }
}

/// A macro-language whose text is always that of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacroRow {
    /// ISO 639-3.
    pub code: &'static str,
    /// The member that is meant when only the macro-language is named.
    pub means: Option<&'static str>,
    /// English name.
    pub name: &'static str,
}

/// A script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptRow {
    /// ISO 15924.
    pub code: &'static str,
    /// Values of the Unicode property `Script` of its letters; none when Unicode lacks it.
    pub unicode: Vec<&'static str>,
    /// English name.
    pub name: &'static str,
}

/// What a code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The language.
    pub row: &'static LanguageRow,
    /// The script that the code names: `Hant` of `zh-Hant` and `zho_Hant`.
    pub script: Option<&'static str>,
    /// The macro-language that the code names instead of one of its members: `ara`, or `nor` for `no`.
    pub macro_code: Option<&'static str>,
    /// The code of today, when this one was withdrawn.
    pub today: Option<&'static str>,
}

struct Registry {
    rows: Vec<LanguageRow>,
    macros: Vec<MacroRow>,
    scripts: Vec<ScriptRow>,
    /// ISO 639-1, ISO 639-3 and FLORES-200 codes in order, each with its place in `rows`.
    by_code: Vec<(&'static str, usize)>,
}

impl Registry {
    fn row(&self, code: &str) -> Option<&LanguageRow> {
        let found = self.by_code.binary_search_by_key(&code, |(code, _)| *code).ok()?;
        self.by_code.get(found).and_then(|(_, at)| self.rows.get(*at))
    }
}

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let rows: Vec<LanguageRow> =
            cells(LANGUAGES).filter_map(|row| language_row(&row)).collect();
        let mut by_code = Vec::with_capacity(3 * rows.len());
        for (at, row) in rows.iter().enumerate() {
            let codes = row.iso1.into_iter().chain([row.iso3]).chain(row.flores.iter().copied());
            by_code.extend(codes.map(|code| (code, at)));
        }
        by_code.sort_unstable();
        // Most languages have the same code in two schemes.
        by_code.dedup();
        let macros = cells(MACRO_LANGUAGES).filter_map(|row| macro_row(&row)).collect();
        let scripts = cells(SCRIPTS).filter_map(|row| script_row(&row)).collect();
        Registry { rows, macros, scripts, by_code }
    })
}

fn cells(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn some(cell: &'static str) -> Option<&'static str> {
    (cell != "-").then_some(cell)
}

fn listed(cell: &'static str) -> Vec<&'static str> {
    some(cell).map(|cell| cell.split(',').collect()).unwrap_or_default()
}

fn language_row(row: &[&'static str]) -> Option<LanguageRow> {
    let [iso1, iso3, macro_language, flores, opus, scripts, family, name] = *row else {
        return None;
    };
    let macro_language = if macro_language == "*" { Some(iso3) } else { some(macro_language) };
    let (iso1, flores, scripts) = (some(iso1), listed(flores), listed(scripts));
    Some(LanguageRow { iso1, iso3, macro_language, flores, opus, scripts, family, name })
}

fn macro_row(row: &[&'static str]) -> Option<MacroRow> {
    let [code, means, name] = *row else { return None };
    Some(MacroRow { code, means: some(means), name })
}

fn script_row(row: &[&'static str]) -> Option<ScriptRow> {
    let [code, unicode, name] = *row else { return None };
    Some(ScriptRow { code, unicode: listed(unicode), name })
}

/// Each family of a path with the path down to it.
fn down_to_each(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.filter_map(|end| path.get(..end)).map(|down| {
        let (_, last) = down.rsplit_once('/').unwrap_or(("", down));
        (last, down)
    })
}

/// All languages, in order of family path.
pub fn rows() -> &'static [LanguageRow] {
    &registry().rows
}

/// All macro-languages without text of their own, in order of code.
pub fn macro_languages() -> &'static [MacroRow] {
    &registry().macros
}

/// A script by its code.
pub fn script(code: &str) -> Option<&'static ScriptRow> {
    registry().scripts.iter().find(|script| script.code == code)
}

/// Codes of all scripts.
pub fn scripts() -> impl Iterator<Item = &'static str> + Clone {
    registry().scripts.iter().map(|script| script.code)
}

/// The path down to a family: `indo_european/balto_slavic/slavic` of `slavic`.
pub fn family(name: &str) -> Option<&'static str> {
    rows()
        .iter()
        .flat_map(|row| down_to_each(row.family))
        .find(|(last, _)| *last == name)
        .map(|(_, down)| down)
}

/// What a code means: ISO 639-1, ISO 639-3, FLORES-200, a withdrawn code, or one of these with a script or a region behind
/// `-` or `_` (`zh-Hant`, `pt_BR`, `sr-Latn`).
pub fn meaning(code: &str) -> Option<Meaning> {
    let found = registry();
    if let Some(row) = found.row(code) {
        let script = code.split_once('_').and_then(|(_, script)| known_script(script));
        let macro_code = row.macro_language.filter(|_| row.is_macro());
        return Some(Meaning { row, script, macro_code, today: None });
    }
    if let Some(macro_row) = found.macros.iter().find(|row| row.code == code) {
        let row = found.row(macro_row.means?)?;
        return Some(Meaning { row, script: None, macro_code: Some(macro_row.code), today: None });
    }
    if let Some((_, today)) = RETIRED.iter().find(|(old, _)| *old == code) {
        return meaning(today).map(|meaning| Meaning { today: Some(today), ..meaning });
    }
    let (base, tail) = code.split_once(['-', '_'])?;
    let meaning = meaning(base).filter(|_| is_subtags(tail))?;
    let script = tail.split(['-', '_']).find_map(known_script);
    Some(Meaning { script: script.or(meaning.script), ..meaning })
}

/// The code of today of a withdrawn one, also of one that means no single language any more (`sh`).
pub fn today(code: &str) -> Option<&'static str> {
    RETIRED.iter().find(|(old, _)| *old == code).map(|(_, today)| *today)
}

fn known_script(code: &str) -> Option<&'static str> {
    script(code).map(|script| script.code)
}

/// Scripts (`Hant`) and regions (`BR`, `419`), as BCP 47 writes them.
fn is_subtags(tail: &str) -> bool {
    tail.split(['-', '_']).all(|part| {
        let region = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_uppercase())
            || part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        region || known_script(part).is_some()
    })
}

/// The names of a family path, from the stock down.
pub fn families(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// The distance of two family paths: 0 within one branch, 1 between stocks, else the part of the longer path below the last
/// common family.
pub fn family_distance(a: &str, b: &str) -> f64 {
    let common = families(a).zip(families(b)).take_while(|(x, y)| x == y).count();
    let longer = families(a).count().max(families(b).count());
    let count = |number: usize| u32::try_from(number).map_or(f64::INFINITY, f64::from);
    if longer == 0 { 0.0 } else { 1.0 - count(common) / count(longer) }
}

#[cfg(test)]
mod tests;

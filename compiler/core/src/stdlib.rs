//! The library that comes with the compiler: presets written in the language, and a table of languages.

/// A file as `(name, text)`; names are as diagnostics show them.
const FILES: &[(&str, &str)] = &[
    ("<stdlib/clusters/dgx_h200.mmc>", include_str!("../../../stdlib/clusters/dgx_h200.mmc")),
    (
        "<stdlib/clusters/juwels_booster.mmc>",
        include_str!("../../../stdlib/clusters/juwels_booster.mmc"),
    ),
    ("<stdlib/clusters/jupiter.mmc>", include_str!("../../../stdlib/clusters/jupiter.mmc")),
    ("<stdlib/clusters/laptop.mmc>", include_str!("../../../stdlib/clusters/laptop.mmc")),
    ("<stdlib/clusters/leonardo.mmc>", include_str!("../../../stdlib/clusters/leonardo.mmc")),
    ("<stdlib/clusters/lumi_g.mmc>", include_str!("../../../stdlib/clusters/lumi_g.mmc")),
    ("<stdlib/clusters/mahti.mmc>", include_str!("../../../stdlib/clusters/mahti.mmc")),
    ("<stdlib/clusters/puhti.mmc>", include_str!("../../../stdlib/clusters/puhti.mmc")),
    ("<stdlib/clusters/roihu.mmc>", include_str!("../../../stdlib/clusters/roihu.mmc")),
];

const LANGUAGES: &str = include_str!("../../../stdlib/languages.tsv");

/// The text of a library file.
pub fn file(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// What can be imported: `std.clusters.lumi_g` and so on.
pub fn modules() -> impl Iterator<Item = String> {
    FILES.iter().map(|(name, _)| {
        let path = name.trim_start_matches("<stdlib/").trim_end_matches(".mmc>");
        format!("std.{}", path.replace('/', "."))
    })
}

/// A row of the table of languages; `-`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanguageRow {
    /// ISO 639-1.
    pub iso1: &'static str,
    /// ISO 639-3.
    pub iso3: &'static str,
    /// FLORES-200.
    pub flores: &'static str,
    /// Branch of the family.
    pub family: &'static str,
    /// ISO 15924.
    pub script: &'static str,
    /// English name.
    pub name: &'static str,
}

/// The row of a code in any of the three schemes.
pub fn language(code: &str) -> Option<LanguageRow> {
    LANGUAGES.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut cells = line.split('\t');
        let row = LanguageRow {
            iso1: cells.next()?,
            iso3: cells.next()?,
            flores: cells.next()?,
            family: cells.next()?,
            script: cells.next()?,
            name: cells.next()?,
        };
        (code != "-" && [row.iso1, row.iso3, row.flores].contains(&code)).then_some(row)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn languages_are_found_by_any_code() {
        let german = language("de").unwrap();
        assert_eq!((german.iso3, german.family, german.name), ("deu", "germanic", "German"));
        assert_eq!(language("deu"), language("deu_Latn"));
        assert_eq!(language("-"), None);
        assert_eq!(language("xx"), None);
    }

    #[test]
    fn every_row_is_whole_and_no_code_is_there_twice() {
        let rows: Vec<&str> = LANGUAGES.lines().filter(|line| !line.starts_with('#')).collect();
        let mut codes = BTreeSet::new();
        for row in rows {
            let cells: Vec<&str> = row.split('\t').collect();
            assert_eq!(cells.len(), 6, "{row}");
            for code in cells.iter().take(3).filter(|code| **code != "-").collect::<BTreeSet<_>>() {
                assert!(codes.insert(*code), "{code}");
            }
        }
    }

    #[test]
    fn modules_are_called_as_they_are_imported() {
        assert!(modules().any(|module| module == "std.clusters.lumi_g"));
    }
}

//! The library that comes with the compiler: presets written in the language.

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
    ("<stdlib/models/m2m100.mmc>", include_str!("../../../stdlib/models/m2m100.mmc")),
    ("<stdlib/models/mammoth.mmc>", include_str!("../../../stdlib/models/mammoth.mmc")),
    ("<stdlib/recipes/mammoth.mmc>", include_str!("../../../stdlib/recipes/mammoth.mmc")),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_called_as_they_are_imported() {
        assert!(modules().any(|module| module == "std.clusters.lumi_g"));
    }
}

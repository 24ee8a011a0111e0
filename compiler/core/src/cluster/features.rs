//! Features of languages, some unknown, to distances with the number of features that each rests on.
//!
//! The distance of two languages is that of the features known of both (one minus the cosine), drawn towards the distance of
//! their families as if that were [`FAMILY_WEIGHT`] features more: `(n d + n0 f) / (n + n0)`.

use super::distances::Distances;
use super::table::{Row, TableFault, records};
use crate::languages::family_distance;

/// The number of features that the distance of families counts for.
pub const FAMILY_WEIGHT: u32 = 20;

/// Words for a feature that is not known.
const UNKNOWN: &[&str] = &["", "--", "?", "NA", "nan", "NaN", "-1", "-1.0"];

/// Features by language.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureTable {
    /// The languages, in the order of the file.
    pub names: Vec<String>,
    /// Names of the features.
    pub features: Vec<String>,
    rows: Vec<Vec<Option<f64>>>,
}

/// Two languages of which nothing in common is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrelated(pub usize, pub usize);

impl FeatureTable {
    /// Reads `lang,feature,...`, then a row a language. Empty cells, `--`, `?`, `NA`, `nan` and `-1` are unknown.
    pub fn read(text: &str) -> Result<Self, TableFault> {
        let (header, rows) = records(text)?;
        let features: Vec<String> = header.into_iter().skip(1).collect();
        if features.is_empty() {
            return Err(TableFault::new(1, "the header names no feature: `lang,feature,feature`"));
        }
        let mut table = Self { names: Vec::new(), features, rows: Vec::new() };
        for Row { line, cells } in rows {
            let (name, cells) =
                cells.split_first().map_or(("", &[][..]), |(name, cells)| (name.as_str(), cells));
            if cells.len() != table.features.len() {
                let (found, wanted) = (cells.len(), table.features.len());
                let fault = format!("{found} features of `{name}`, not {wanted}");
                return Err(TableFault::new(line, fault));
            }
            if name.is_empty() || table.names.iter().any(|known| known == name) {
                let fault = if name.is_empty() {
                    "a row has no name".to_owned()
                } else {
                    format!("`{name}` is there twice")
                };
                return Err(TableFault::new(line, fault));
            }
            let values =
                cells.iter().map(|cell| value(cell, line, name)).collect::<Result<_, _>>()?;
            table.names.push(name.to_owned());
            table.rows.push(values);
        }
        Ok(table)
    }

    /// One minus the cosine of the features known of both, and how many these are; no distance without any.
    ///
    /// Two languages without a single one of the features are alike; with and without are not.
    pub fn distance(&self, i: usize, j: usize) -> (Option<f64>, u32) {
        let (mut dot, mut square_i, mut square_j, mut known) = (0.0, 0.0, 0.0, 0_u32);
        let rows =
            self.rows.get(i).into_iter().flatten().zip(self.rows.get(j).into_iter().flatten());
        for (x, y) in rows {
            let (Some(x), Some(y)) = (x, y) else { continue };
            dot += x * y;
            square_i += x * x;
            square_j += y * y;
            known += 1;
        }
        let distance = match (square_i > 0.0, square_j > 0.0) {
            (true, true) => (1.0 - dot / (square_i.sqrt() * square_j.sqrt())).max(0.0),
            (false, false) => 0.0,
            _ => 1.0,
        };
        ((known > 0).then_some(distance), known)
    }

    /// The distances of some languages, by their places in `names`, with families where known, and the features behind each.
    pub fn distances(
        &self,
        kept: &[usize],
        families: &[Option<&str>],
    ) -> Result<(Distances, Vec<u32>), Unrelated> {
        let (mut support, mut unrelated) = (Vec::new(), None);
        let distances = Distances::new(kept.len(), |i, j| {
            let place = |at: usize| kept.get(at).copied().unwrap_or(usize::MAX);
            let (distance, known) = self.distance(place(i), place(j));
            support.push(known);
            let family = |at: usize| families.get(at).copied().flatten();
            let between = family(i).zip(family(j)).map(|(a, b)| family_distance(a, b));
            let found = shrunk(distance, known, between);
            if found.is_none() {
                unrelated.get_or_insert(Unrelated(i, j));
            }
            found.unwrap_or(f64::INFINITY)
        });
        unrelated.map_or(Ok((distances, support)), Err)
    }
}

/// A distance of `known` features drawn towards that of families.
fn shrunk(distance: Option<f64>, known: u32, families: Option<f64>) -> Option<f64> {
    let (n, n0) = (f64::from(known), f64::from(FAMILY_WEIGHT));
    match (distance, families) {
        (Some(distance), Some(families)) => Some((n * distance + n0 * families) / (n + n0)),
        (one, other) => one.or(other),
    }
}

fn value(cell: &str, line: u64, name: &str) -> Result<Option<f64>, TableFault> {
    if UNKNOWN.contains(&cell) {
        return Ok(None);
    }
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        _ => Err(TableFault::new(line, format!("`{cell}`, of `{name}`, is no number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "lang,a,b,c\nx,1,0,--\ny,1,1,1\nz,,,0\n";

    #[test]
    fn unknown_features_do_not_count() {
        let table = FeatureTable::read(TEXT).unwrap();
        let (distance, known) = table.distance(0, 1);
        assert_eq!(known, 2);
        assert!((distance.unwrap() - (1.0 - 0.5_f64.sqrt())).abs() < 1e-12);
        assert_eq!(table.distance(0, 2), (None, 0));
        assert_eq!(table.distance(1, 2), (Some(1.0), 1));
    }

    #[test]
    fn families_stand_in_for_what_is_not_known() {
        let table = FeatureTable::read(TEXT).unwrap();
        let families = [Some("p/q"), Some("p/r"), Some("s")];
        let (distances, support) = table.distances(&[0, 1, 2], &families).unwrap();
        assert_eq!(support, [2, 0, 1]);
        let typological = 1.0 - 0.5_f64.sqrt();
        let expected = (2.0 * typological + 20.0 * 0.5) / 22.0;
        assert!((distances.get(0, 1) - expected).abs() < 1e-12);
        assert!((distances.get(0, 2) - 1.0).abs() < 1e-12, "the family alone");
        assert_eq!(table.distances(&[0, 2], &[None, None]), Err(Unrelated(0, 1)));
    }

    #[test]
    fn odd_rows_are_refused() {
        let fault = |text| FeatureTable::read(text).unwrap_err().to_string();
        assert_eq!(fault("lang,a\nx,1,2\n"), "line 2: 2 features of `x`, not 1");
        assert_eq!(fault("lang,a\nx,1\nx,1\n"), "line 3: `x` is there twice");
        assert_eq!(fault("lang,a\nx,one\n"), "line 2: `one`, of `x`, is no number");
        assert_eq!(fault("lang\n"), "line 1: the header names no feature: `lang,feature,feature`");
    }
}

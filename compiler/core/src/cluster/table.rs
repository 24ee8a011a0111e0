//! Text of a distance file to a table of distances between named languages.
//!
//! Two forms are told apart by their header. A square: `lang,de,en`, then a row `de,0,0.3` a language, in the order of the
//! header. A list: `a,b,distance`, then a row `de,en,0.3` a pair; each pair once is enough.

use std::collections::BTreeMap;
use std::fmt;

use super::distances::Distances;

/// The last word of the header that tells a list from a square.
const LIST: &str = "distance";
/// Distances of one pair in both directions may differ by this much: sums in another order.
const SAME: f64 = 1e-9;

/// Distances between named languages, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct DistanceTable {
    /// The languages, each once, in the order of the file.
    pub names: Vec<String>,
    /// Row by row; as in the file also where the two directions of a pair differ.
    cells: Vec<f64>,
}

/// Why a text is no table of distances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct TableFault {
    /// From 1.
    pub line: u64,
    /// In words.
    pub fault: String,
}

impl TableFault {
    pub(super) fn new(line: u64, fault: impl fmt::Display) -> Self {
        Self { line, fault: fault.to_string() }
    }
}

impl DistanceTable {
    /// Reads a distance file.
    pub fn read(text: &str) -> Result<Self, TableFault> {
        let (header, rows) = records(text)?;
        let is_list = header.len() == 3 && header.last().is_some_and(|word| word == LIST);
        if is_list { list(&rows) } else { square(&header, &rows) }
    }

    /// The distance that the file gives from one language to another, by their places in `names`.
    pub fn cell(&self, from: usize, to: usize) -> f64 {
        self.cells.get(from * self.names.len() + to).copied().unwrap_or(f64::INFINITY)
    }

    /// The distances of some of the languages, by their places in `names`: of two directions of a pair the one from the
    /// language that comes first in `kept`.
    pub fn distances(&self, kept: &[usize]) -> Distances {
        let place = |at: usize| kept.get(at).copied().unwrap_or(usize::MAX);
        Distances::new(kept.len(), |i, j| self.cell(place(i), place(j)))
    }

    /// What no distance does: differ between the directions of a pair, or not be 0 between a language and itself.
    pub fn oddity(&self) -> Option<String> {
        let pairs = self.names.iter().enumerate();
        let mut odd = pairs.flat_map(|(i, from)| {
            self.names.iter().enumerate().take(i + 1).map(move |(j, to)| ((i, from), (j, to)))
        });
        odd.find_map(|((i, from), (j, to))| {
            let (forth, back) = (self.cell(i, j), self.cell(j, i));
            if i == j {
                return (forth.abs() > SAME)
                    .then(|| format!("`{from}` has a distance of {forth} to itself"));
            }
            ((forth - back).abs() > SAME * forth.abs().max(1.0))
                .then(|| format!("`{to}` to `{from}` is {back}, but `{from}` to `{to}` is {forth}"))
        })
    }
}

/// A row with its line.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
}

/// Header and rows of comma-separated values. A cell's surrounding space does not count, nor do empty lines.
pub(super) fn records(text: &str) -> Result<(Vec<String>, Vec<Row>), TableFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|fault| {
            TableFault::new(fault.position().map_or(1, csv::Position::line), fault)
        })?;
        let line = lines.of(record.position());
        rows.push(Row { line, cells: record.iter().map(str::to_owned).collect() });
    }
    if rows.is_empty() {
        return Err(TableFault::new(1, "the file is empty"));
    }
    Ok((rows.remove(0).cells, rows))
}

/// Lines of records, whose positions the reader gives before the empty lines that it skips.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.and_then(|position| usize::try_from(position.byte()).ok());
        let start = start.unwrap_or(self.at).max(self.at);
        while let Some(byte) = self.text.get(self.at) {
            if self.at >= start && !matches!(byte, b'\n' | b'\r') {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

fn square(header: &[String], rows: &[Row]) -> Result<DistanceTable, TableFault> {
    let names: Vec<String> = header.iter().skip(1).cloned().collect();
    check_names(&names)?;
    let mut cells = Vec::with_capacity(names.len() * names.len());
    for (at, row) in rows.iter().enumerate() {
        let Some(name) = names.get(at) else {
            let fault =
                format!("{} rows for the {} languages of the header", rows.len(), names.len());
            return Err(TableFault::new(row.line, fault));
        };
        let first = row.cells.first().map_or("", String::as_str);
        if first != name {
            let fault = format!("row of `{first}`, where the header's order wants `{name}`");
            return Err(TableFault::new(row.line, fault));
        }
        if row.cells.len() != header.len() {
            let (found, wanted) = (row.cells.len() - 1, names.len());
            let fault = format!("{found} distances in the row of `{name}`, not {wanted}");
            return Err(TableFault::new(row.line, fault));
        }
        for (cell, to) in row.cells.iter().skip(1).zip(&names) {
            cells.push(distance(cell, row.line, name, to)?);
        }
    }
    if rows.len() < names.len() {
        let line = rows.last().map_or(1, |row| row.line);
        let missing = names.get(rows.len()).map_or("", String::as_str);
        return Err(TableFault::new(line, format!("the row of `{missing}` is missing")));
    }
    Ok(DistanceTable { names, cells })
}

fn check_names(names: &[String]) -> Result<(), TableFault> {
    if names.is_empty() {
        let fault = "the header names no language: `lang,de,en` or `a,b,distance`";
        return Err(TableFault::new(1, fault));
    }
    let mut seen = std::collections::BTreeSet::new();
    match names.iter().find(|name| name.is_empty() || !seen.insert(name.as_str())) {
        Some(name) if name.is_empty() => {
            Err(TableFault::new(1, "a language of the header has no name"))
        }
        Some(name) => Err(TableFault::new(1, format!("`{name}` is twice in the header"))),
        None => Ok(()),
    }
}

/// A list may lack a pair's other direction and the distances of languages to themselves.
fn list(rows: &[Row]) -> Result<DistanceTable, TableFault> {
    let mut names: Vec<String> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for row in rows {
        let [a, b, cell] = row.cells.as_slice() else {
            let fault = format!(
                "{} cells instead of a language, a language and a distance",
                row.cells.len()
            );
            return Err(TableFault::new(row.line, fault));
        };
        let [from, to] = [a, b].map(|name| {
            *places.entry(name).or_insert_with(|| {
                names.push(name.clone());
                names.len() - 1
            })
        });
        if found.insert((from, to), distance(cell, row.line, a, b)?).is_some() {
            return Err(TableFault::new(row.line, format!("`{a}` to `{b}` is there twice")));
        }
    }
    let last = rows.last().map_or(1, |row| row.line);
    let mut cells = Vec::with_capacity(names.len() * names.len());
    for (i, from) in names.iter().enumerate() {
        for (j, to) in names.iter().enumerate() {
            let given = found.get(&(i, j)).or_else(|| found.get(&(j, i)));
            let given = given.copied().or((i == j).then_some(0.0));
            cells.push(given.ok_or_else(|| {
                TableFault::new(last, format!("no distance between `{from}` and `{to}`"))
            })?);
        }
    }
    if names.is_empty() {
        return Err(TableFault::new(1, "no pair after the header"));
    }
    Ok(DistanceTable { names, cells })
}

fn distance(cell: &str, line: u64, from: &str, to: &str) -> Result<f64, TableFault> {
    let number: f64 = cell.parse().map_err(|_| {
        TableFault::new(line, format!("`{cell}`, from `{from}` to `{to}`, is no number"))
    })?;
    if number.is_finite() && number >= 0.0 {
        return Ok(number);
    }
    let fault = format!("{cell}, from `{from}` to `{to}`: distances are finite and not negative");
    Err(TableFault::new(line, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        DistanceTable::read(text).unwrap_err().to_string()
    }

    #[test]
    fn both_forms_say_the_same() {
        let square = DistanceTable::read("lang,a,b,c\na,0,0.5,1\nb,0.5,0,2\nc,1,2,0\n").unwrap();
        let list = DistanceTable::read("a,b,distance\na,b,0.5\nc,a,1\nb,c,2").unwrap();
        assert_eq!(square.names, ["a", "b", "c"]);
        assert_eq!(square.oddity(), None);
        let of = |table: &DistanceTable, names: [&str; 3]| {
            let places = names.map(|name| table.names.iter().position(|n| n == name).unwrap());
            table.distances(&places)
        };
        assert_eq!(of(&square, ["c", "a", "b"]), of(&list, ["c", "a", "b"]));
    }

    #[test]
    fn odd_files_are_refused_with_their_line() {
        assert_eq!(fault(""), "line 1: the file is empty");
        assert_eq!(fault("lang,a,a\n"), "line 1: `a` is twice in the header");
        assert_eq!(
            fault("lang,a,b\nb,0,1\n"),
            "line 2: row of `b`, where the header's order wants `a`"
        );
        assert_eq!(fault("lang,a,b\na,0,1\n"), "line 2: the row of `b` is missing");
        assert_eq!(fault("lang,a,b\na,0,1\nb,1\n"), "line 3: 1 distances in the row of `b`, not 2");
        assert_eq!(fault("lang,a\n\na,x\n"), "line 3: `x`, from `a` to `a`, is no number");
        assert!(fault("lang,a\na,nan\n").contains("finite"));
        assert!(fault("lang,a,b\na,0,-1\nb,-1,0\n").contains("not negative"));
        assert_eq!(
            fault("a,b,distance\nx,y,1\nx,z,1\n"),
            "line 3: no distance between `y` and `z`"
        );
        assert_eq!(fault("a,b,distance\nx,y,1\nx,y,1\n"), "line 3: `x` to `y` is there twice");
        assert_eq!(
            fault("a,b,distance\nx,y\n"),
            "line 2: 2 cells instead of a language, a language and a distance"
        );
    }

    #[test]
    fn odd_distances_are_told() {
        let table = DistanceTable::read("lang,a,b\na,0,1\nb,2,0\n").unwrap();
        assert_eq!(table.oddity().unwrap(), "`a` to `b` is 1, but `b` to `a` is 2");
        let table = DistanceTable::read("lang,a\na,3\n").unwrap();
        assert_eq!(table.oddity().unwrap(), "`a` has a distance of 3 to itself");
        let same = DistanceTable::read("a,b,distance\nx,x,0\nx,y,1\ny,x,1\n").unwrap();
        assert_eq!(same.oddity(), None);
    }
}

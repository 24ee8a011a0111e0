//! Patterns of paths -> the paths that exist. On a cluster's file system asking for a million paths takes minutes, so a folder
//! in which more than one name is wanted is listed once instead.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cores;

/// What the system was asked for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Folders listed.
    pub(crate) folders: AtomicU64,
    /// Paths asked for one by one.
    pub(crate) paths: AtomicU64,
}

/// A pattern's number, and what is left of it below a folder.
type Rest<'p> = (usize, &'p str);

/// A folder's names.
enum Names {
    /// All of them, each with whether it is a folder.
    Listed(BTreeMap<String, bool>),
    /// It was not listed, or may not be: every name has to be asked for.
    Unknown,
    /// There is no such folder.
    None,
}

/// For each pattern, whose `*` stands for anything but `/`: the paths that fit it, in byte order. A path that is a folder
/// does not fit a pattern with `*`.
pub(crate) fn matching<P: AsRef<str>>(patterns: &[P], asked: &Asked) -> Vec<Vec<String>> {
    let rows: Vec<Rest<'_>> = patterns.iter().map(AsRef::as_ref).enumerate().collect();
    let (rooted, local): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, pattern)| pattern.starts_with('/'));
    let rooted = rooted.into_iter().map(|(at, pattern)| (at, pattern.trim_start_matches('/')));
    let mut found = below("/", rooted.collect(), asked);
    found.extend(below("", local, asked));
    let mut paths = vec![Vec::new(); patterns.len()];
    for (at, path) in found {
        if let Some(list) = paths.get_mut(at) {
            list.push(path);
        }
    }
    for list in &mut paths {
        list.sort_unstable();
    }
    paths
}

/// What exists below a folder (empty, or ending in `/`).
fn below(folder: &str, rows: Vec<Rest<'_>>, asked: &Asked) -> Vec<(usize, String)> {
    let start = |rest: &'_ str| rest.find('/').unwrap_or(rest.len());
    let mut names = rows.iter().filter_map(|(_, rest)| rest.get(..start(rest)));
    let first = names.next().unwrap_or_default();
    let is_listed = first.contains('*') || names.any(|name| name != first);
    let names = if is_listed { list(folder, asked) } else { Names::Unknown };
    if matches!(names, Names::None) {
        return Vec::new();
    }
    let mut by_name: BTreeMap<&str, Vec<(usize, Option<&str>)>> = BTreeMap::new();
    for (at, rest) in rows {
        let (name, rest) = match rest.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (rest, None),
        };
        by_name.entry(name).or_default().push((at, rest));
    }
    let fitting = |(name, rows): (_, Vec<_>)| named(folder, name, &rows, &names, asked);
    cores::each(by_name.into_iter().collect(), fitting).concat()
}

/// What exists below the names of a folder that fit one segment.
fn named(
    folder: &str,
    segment: &str,
    rows: &[(usize, Option<&str>)],
    names: &Names,
    asked: &Asked,
) -> Vec<(usize, String)> {
    let is_pattern = segment.contains('*');
    let fitting: Vec<(&str, bool)> = match names {
        Names::None => return Vec::new(),
        // `.` and `..` are in no list.
        Names::Listed(names) if is_pattern => names
            .iter()
            .filter(|(name, _)| mmc_core::index::fits(segment, name))
            .map(|(name, is_folder)| (name.as_str(), *is_folder))
            .collect(),
        Names::Listed(names) if !matches!(segment, "" | "." | "..") => {
            names.get(segment).map(|is_folder| (segment, *is_folder)).into_iter().collect()
        }
        Names::Listed(_) | Names::Unknown if is_pattern => return Vec::new(),
        Names::Listed(_) | Names::Unknown => vec![(segment, false)],
    };
    let mut found = Vec::new();
    for (name, is_folder) in fitting {
        let path = format!("{folder}{name}");
        let ends = rows.iter().filter(|(_, rest)| rest.is_none());
        let exists = match names {
            Names::Listed(_) => !(is_pattern && is_folder),
            Names::Unknown | Names::None => ends.clone().next().is_some() && exists(&path, asked),
        };
        if exists {
            found.extend(ends.map(|(at, _)| (*at, path.clone())));
        }
        let deeper: Vec<Rest<'_>> =
            rows.iter().filter_map(|(at, rest)| Some((*at, (*rest)?))).collect();
        if !deeper.is_empty() {
            found.extend(below(&format!("{path}/"), deeper, asked));
        }
    }
    found
}

fn list(folder: &str, asked: &Asked) -> Names {
    asked.folders.fetch_add(1, Ordering::Relaxed);
    match fs::read_dir(if folder.is_empty() { "." } else { folder }) {
        Ok(entries) => Names::Listed(
            entries
                .flatten()
                .filter_map(|entry| {
                    let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                    Some((entry.file_name().into_string().ok()?, is_folder))
                })
                .collect(),
        ),
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Names::None
        }
        Err(_) => Names::Unknown,
    }
}

/// Whether something is there, or at least can't be said not to be.
fn exists(path: &str, asked: &Asked) -> bool {
    asked.paths.fetch_add(1, Ordering::Relaxed);
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(cause) => !matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in paths {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn folders_are_listed_once_and_paths_are_not_asked_for() {
        let folder = made(&["de-en/train.src", "de-en/train.trg", "fr-nl/train.src"]);
        let root = folder.path().to_str().unwrap();
        let languages: Vec<String> =
            (0..40).map(|at| format!("l{at}")).chain(["de", "en", "fr"].map(Into::into)).collect();
        let mut patterns = Vec::new();
        for source in &languages {
            for target in languages.iter().filter(|target| *target > source) {
                patterns.extend(
                    ["src", "trg"].map(|side| format!("{root}/{source}-{target}/train.{side}")),
                );
            }
        }
        let asked = Asked::default();
        let found = matching(&patterns, &asked);
        assert_eq!(found.iter().flatten().count(), 2);
        // The root, and of nine hundred folders the one that is there.
        assert_eq!((asked.folders.into_inner(), asked.paths.into_inner()), (2, 0));
    }

    #[test]
    fn a_lonely_path_is_asked_for_without_listing_its_folders() {
        let folder = made(&["a/b/c"]);
        let path = format!("{}/a/b/c", folder.path().to_str().unwrap());
        let asked = Asked::default();
        assert_eq!(matching(&[&path], &asked), [vec![path.clone()]]);
        assert_eq!((asked.folders.into_inner(), asked.paths.into_inner()), (0, 1));
        assert!(matching(&[format!("{path}x")], &Asked::default())[0].is_empty());
        assert!(matching(&[format!("{path}/x")], &Asked::default())[0].is_empty());
    }

    #[test]
    fn patterns_find_files_in_byte_order() {
        let folder = made(&["b/2.de", "b/1.de", "a/1.de", "a/x.en", "a/c.de/1.de"]);
        let root = folder.path().to_str().unwrap();
        let patterns =
            [format!("{root}/*/*.de"), format!("{root}/a/../b/*.de"), format!("{root}/./a/x.en")];
        let found = matching(&patterns, &Asked::default());
        let names: Vec<Vec<&str>> = found
            .iter()
            .map(|list| list.iter().filter_map(|path| path.strip_prefix(root)).collect())
            .collect();
        assert_eq!(names[0], ["/a/1.de", "/b/1.de", "/b/2.de"]);
        assert_eq!(names[1], ["/a/../b/1.de", "/a/../b/2.de"]);
        assert_eq!(names[2], ["/./a/x.en"]);
    }
}

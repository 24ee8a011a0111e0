//! Slurm's host lists, `nid[001-003,7],gpu2` -> names in order.

/// At most so many names: a longer list is a mistake.
const MOST_HOSTS: usize = 1 << 20;

/// Why a list can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostlistError {
    /// A bracket has no partner.
    #[error("`{0}` has a bracket without its partner")]
    Bracket(String),
    /// A range is not two numbers, smaller first.
    #[error("`{0}` is no range of numbers")]
    Range(String),
    /// More than [`MOST_HOSTS`].
    #[error("the list names more than {MOST_HOSTS} hosts")]
    TooLong,
}

/// The names of a list, in its order. Several brackets in a name multiply, the last one fastest.
pub fn expand(list: &str) -> Result<Vec<String>, HostlistError> {
    let mut hosts = Vec::new();
    for item in split_outside_brackets(list)? {
        hosts.extend(expand_item(item)?);
        if hosts.len() > MOST_HOSTS {
            return Err(HostlistError::TooLong);
        }
    }
    Ok(hosts)
}

fn split_outside_brackets(list: &str) -> Result<Vec<&str>, HostlistError> {
    let mut items = Vec::new();
    let (mut inside, mut start) = (false, 0);
    for (at, c) in list.char_indices() {
        match (c, inside) {
            ('[', false) => inside = true,
            (']', true) => inside = false,
            ('[', true) | (']', false) => return Err(HostlistError::Bracket(list.to_owned())),
            (',', false) => {
                items.extend(list.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(HostlistError::Bracket(list.to_owned()));
    }
    items.extend(list.get(start..));
    items.retain(|item| !item.trim().is_empty());
    Ok(items)
}

fn expand_item(item: &str) -> Result<Vec<String>, HostlistError> {
    let Some((prefix, rest)) = item.trim().split_once('[') else {
        return Ok(vec![item.trim().to_owned()]);
    };
    let (ranges, suffix) =
        rest.split_once(']').ok_or_else(|| HostlistError::Bracket(item.to_owned()))?;
    let suffixes = expand_item(suffix)?;
    let mut hosts = Vec::new();
    for range in ranges.split(',') {
        for number in numbers(range)? {
            hosts.extend(suffixes.iter().map(|suffix| format!("{prefix}{number}{suffix}")));
            if hosts.len() > MOST_HOSTS {
                return Err(HostlistError::TooLong);
            }
        }
    }
    Ok(hosts)
}

/// The numbers of `007-010`, with their leading zeros.
fn numbers(range: &str) -> Result<Vec<String>, HostlistError> {
    let fault = || HostlistError::Range(range.to_owned());
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let width = first.len();
    let parse = |digits: &str| digits.trim().parse::<u64>().map_err(|_| fault());
    let (from, to) = (parse(first)?, parse(last)?);
    if from > to {
        return Err(fault());
    }
    if to - from >= MOST_HOSTS as u64 {
        return Err(HostlistError::TooLong);
    }
    Ok((from..=to).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::{HostlistError, expand};

    #[test]
    fn lists_expand_in_order() {
        for (list, hosts) in [
            ("localhost", vec!["localhost"]),
            ("n[1-2]", vec!["n1", "n2"]),
            ("nid[001234-001236,001300]", vec!["nid001234", "nid001235", "nid001236", "nid001300"]),
            ("a,b[08-10],c", vec!["a", "b08", "b09", "b10", "c"]),
            ("x[1-2]y", vec!["x1y", "x2y"]),
            ("r[1-2]n[3,5]", vec!["r1n3", "r1n5", "r2n3", "r2n5"]),
            ("", vec![]),
        ] {
            assert_eq!(expand(list).unwrap(), hosts, "{list}");
        }
    }

    #[test]
    fn broken_lists_are_refused() {
        for list in ["n[1-2", "n1]", "n[[1]]", "n[b-a]", "n[3-1]", "n[]"] {
            assert!(expand(list).is_err(), "{list}");
        }
        assert_eq!(expand("n[1-99999999]"), Err(HostlistError::TooLong));
    }
}

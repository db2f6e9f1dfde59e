//! Names that a mistyped one may have meant.

use super::rows;
use crate::{ServiceTable, Transport};

/// How many are told: more than that is a list, and no hint.
const MOST: usize = 3;
/// Below this many bytes nearly every name is near.
const SHORTEST: usize = 3;
/// From here on two slips are forgiven, below it one.
const LONG: usize = 6;
/// Longer than any name (RFC 6335 section 5.1 allows 15; the table's older ones are longer).
const LONGEST: usize = 32;

impl ServiceTable {
    /// The names of services of these transports that are nearest to `name`, the best known first:
    /// at most three, all equally near, and none where nothing is near.
    ///
    /// Near is one slip, in six bytes and more two: a letter too many, too few, another one, or two
    /// that changed places.
    ///
    /// ```
    /// use ports_core::{ServiceTable, Transport};
    ///
    /// assert_eq!(ServiceTable.similar_names("postgersql", &[Transport::Tcp]), ["postgresql"]);
    /// assert!(ServiceTable.similar_names("no-such-thing", &Transport::ALL).is_empty());
    /// ```
    pub fn similar_names(self, name: &str, transports: &[Transport]) -> Vec<&'static str> {
        if !(SHORTEST..=LONGEST).contains(&name.len()) {
            return Vec::new();
        }
        let mut nearest = if name.len() < LONG { 1 } else { 2 };
        let mut found: Vec<&'static str> = Vec::new();
        for candidate in rows::names() {
            let Some(distance) = distance(name, candidate, nearest) else { continue };
            if !transports.iter().any(|t| self.by_name_for(candidate, *t).next().is_some()) {
                continue;
            }
            if distance < nearest {
                nearest = distance;
                found.clear();
            }
            found.push(candidate);
        }
        // Stable: names that nobody ranks stay in the table's order.
        found.sort_by_cached_key(|candidate| self.rank(candidate, transports));
        found.truncate(MOST);
        found
    }

    /// The best place of a name's ports in the ranking.
    fn rank(self, name: &str, transports: &[Transport]) -> usize {
        let rank = |transport: &Transport| {
            let ranking = self.top(*transport);
            let place = |port| ranking.iter().position(|ranked| *ranked == port);
            self.by_name_for(name, *transport).filter_map(|service| place(service.port)).min()
        };
        transports.iter().filter_map(rank).min().unwrap_or(usize::MAX)
    }
}

/// How many slips make one of the other, in any case: optimal string alignment, by bytes. `None` above
/// `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > most || b.len() > LONGEST {
        return None;
    }
    let same = |i: usize, j: usize| a[i].eq_ignore_ascii_case(&b[j]);
    let mut rows = [[0; LONGEST + 1]; 3];
    for (j, cell) in rows[1].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 0..a.len() {
        let [before, above, row] = &mut rows;
        row[0] = i + 1;
        for j in 0..b.len() {
            let mut cell =
                (above[j] + usize::from(!same(i, j))).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && same(i, j - 1) && same(i - 1, j) {
                cell = cell.min(before[j - 1] + 1);
            }
            row[j + 1] = cell;
        }
        rows.rotate_left(1);
    }
    Some(rows[1][b.len()]).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, expected) in [
            ("https", "https", Some(0)),
            ("HTTPS", "https", Some(0)),
            ("htps", "https", Some(1)),
            ("httpss", "https", Some(1)),
            ("htpts", "https", Some(1)),
            ("hxxps", "https", Some(2)),
            ("", "ab", Some(2)),
            ("ssh", "https", None),
            ("abc", "xyz", None),
        ] {
            assert_eq!(distance(a, b, 2), expected, "{a} {b}");
            assert_eq!(distance(b, a, 2), expected, "{b} {a}");
        }
    }

    #[test]
    fn the_best_known_of_the_nearest_comes_first() {
        let tcp = [Transport::Tcp];
        assert_eq!(ServiceTable.similar_names("htps", &tcp)[0], "https");
        assert_eq!(ServiceTable.similar_names("Postgres-ql", &tcp), ["postgresql"]);
        assert_eq!(ServiceTable.similar_names("mysq", &tcp)[0], "mysql");
        assert!(ServiceTable.similar_names("htps", &tcp).len() <= MOST);
        // Of the transports that are asked for, and of nothing too short or too long to say.
        assert!(!ServiceTable.similar_names("syslgo", &tcp).contains(&"syslog"));
        assert!(ServiceTable.similar_names("syslgo", &Transport::ALL).contains(&"syslog"));
        for text in ["", "x", "ab", &"x".repeat(LONGEST), &"x".repeat(1000)] {
            assert!(ServiceTable.similar_names(text, &Transport::ALL).is_empty(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_few_or_none(text in ".{0,40}") {
            proptest::prop_assert!(ServiceTable.similar_names(&text, &Transport::ALL).len() <= MOST);
        }
    }
}

//! What is said at the end of clients that may be many: of the first few one by one, then of all in sum.

/// How many are said one by one: a screen that a user still reads, and far less than what waits for a
/// slow reader of standard error.
const FEW: usize = 8;

/// The notes: one for each of the first few, and where there are more, one for all of them.
pub(in crate::commands) fn few<T>(
    all: &[T],
    one: impl FnMut(&T) -> String,
    sum: impl FnOnce(&[T]) -> String,
) -> Vec<String> {
    let mut notes: Vec<_> = all.iter().take(FEW).map(one).collect();
    if all.len() > FEW {
        notes.push(sum(all));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(count: u64) -> Vec<String> {
        let all: Vec<_> = (1..=count).collect();
        few(&all, |one| format!("one of {one}"), |all| format!("all {}", all.iter().sum::<u64>()))
    }

    #[test]
    fn few_are_said_one_by_one() {
        assert_eq!(notes(0), [""; 0]);
        assert_eq!(notes(2), ["one of 1", "one of 2"]);
        assert_eq!(notes(FEW as u64).len(), FEW);
    }

    #[test]
    fn of_many_the_sum_is_of_all() {
        let notes = notes(10_000);
        assert_eq!(notes.len(), FEW + 1);
        assert_eq!((&*notes[FEW - 1], &*notes[FEW]), ("one of 8", "all 50005000"));
    }
}

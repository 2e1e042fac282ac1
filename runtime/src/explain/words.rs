//! Turns of phrase.

use steadfast_core::Timestamp;

/// `in 3.2 s`, or `now` for what is due.
pub(super) fn until(now: Timestamp, moment: Timestamp) -> String {
    let left = moment.since(now);
    if left.is_zero() { String::from("now") } else { format!("in {}", tenths(left.as_millis())) }
}

/// `3.2 s`.
fn tenths(millis: u64) -> String {
    // Never `0.0`: what is not over takes a moment yet.
    let tenths = millis.div_ceil(100).max(1);
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// `a, b and c`.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let Some(last) = items.pop() else { return String::from("nobody") };
    if items.is_empty() { last } else { format!("{} and {last}", items.join(", ")) }
}

/// `1 task`, `2 tasks`.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases() {
        let at = Timestamp::from_micros;
        assert_eq!(until(at(0), at(3_200_000)), "in 3.2 s");
        assert_eq!(until(at(0), at(1)), "in 0.1 s");
        assert_eq!(until(at(5), at(5)), "now");
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
        assert_eq!(list(["a"]), "a");
        assert_eq!(count(1, "task"), "1 task");
        assert_eq!(count(0, "task"), "0 tasks");
    }
}

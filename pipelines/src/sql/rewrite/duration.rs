//! Durations as Spark writes them.

/// A Spark duration such as `5 minutes` or `1 hour 30 minutes`, in microseconds.
pub(super) fn duration_us(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.strip_prefix(&["interval"]).unwrap_or(&words);
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return None;
    }
    let mut total = 0i64;
    for pair in words.chunks(2) {
        let unit: i64 = match pair[1].to_lowercase().trim_end_matches('s') {
            "microsecond" => 1,
            "millisecond" => 1_000,
            "second" => 1_000_000,
            "minute" => 60_000_000,
            "hour" => 3_600_000_000,
            "day" => 86_400_000_000,
            "week" => 604_800_000_000,
            _ => return None,
        };
        total = total.checked_add(pair[0].parse::<i64>().ok()?.checked_mul(unit)?)?;
    }
    (total > 0).then_some(total)
}

//! Numbers for people.

use std::time::Duration;

/// A count: with separators up to ten thousand, then with one digit after the point: `9,876`, `12.3 k`, `1.2 M`.
pub fn human_count(count: u64) -> String {
    if count < 1000 {
        return count.to_string();
    }
    if count < 10_000 {
        return format!("{},{:03}", count / 1000, count % 1000);
    }
    let mut tenths = count.saturating_add(50) / 100;
    for unit in ["k", "M", "G"] {
        if tenths < 10_000 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths = (tenths + 500) / 1000;
    }
    format!("{}.{} T", tenths / 10, tenths % 10)
}

/// A time: `8.4 s`, `2:05`, `1:02:05`.
pub fn human_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts around each change of unit.
    #[test]
    fn counts() {
        let shown = |n| human_count(n);
        assert_eq!(shown(0), "0");
        assert_eq!(shown(999), "999");
        assert_eq!(shown(1000), "1,000");
        assert_eq!(shown(9_999), "9,999");
        assert_eq!(shown(10_000), "10.0 k");
        assert_eq!(shown(12_345), "12.3 k");
        assert_eq!(shown(999_949), "999.9 k");
        assert_eq!(shown(999_950), "1.0 M");
        assert_eq!(shown(1_234_567), "1.2 M");
        assert_eq!(shown(999_950_000), "1.0 G");
        assert_eq!(shown(1_500_000_000_000), "1.5 T");
        assert_eq!(shown(u64::MAX), "18446744.1 T");
    }

    /// Times around each change of form.
    #[test]
    fn times() {
        let shown = |ms| human_duration(Duration::from_millis(ms));
        assert_eq!(shown(0), "0.0 s");
        assert_eq!(shown(8_449), "8.4 s");
        assert_eq!(shown(59_999), "59.9 s");
        assert_eq!(shown(60_000), "1:00");
        assert_eq!(shown(3_599_000), "59:59");
        assert_eq!(shown(3_725_000), "1:02:05");
    }
}

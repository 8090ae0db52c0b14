//! Values with units, as `500 ms`, `7 days`, `64 MiB`. A number without its unit is an error: nobody can tell what it says.

use std::time::Duration;

/// Units of time with their length in microseconds.
const TIME_UNITS: [(&[&str], u64); 7] = [
    (&["us", "microsecond", "microseconds"], 1),
    (&["ms", "millisecond", "milliseconds"], 1_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000_000),
    (&["h", "hour", "hours"], 3_600_000_000),
    (&["d", "day", "days"], 86_400_000_000),
    (&["w", "week", "weeks"], 604_800_000_000),
];

/// Units of size with their length in bytes.
const SIZE_UNITS: [(&[&str], u64); 9] = [
    (&["b", "byte", "bytes"], 1),
    (&["kb"], 1_000),
    (&["kib"], 1 << 10),
    (&["mb"], 1_000_000),
    (&["mib"], 1 << 20),
    (&["gb"], 1_000_000_000),
    (&["gib"], 1 << 30),
    (&["tb"], 1_000_000_000_000),
    (&["tib"], 1 << 40),
];

/// Reads a duration, as `500 ms`, `10 seconds`, `1 hour 30 minutes`.
///
/// # Errors
/// What is wrong with the text, and what to write instead: no number, no unit, an unknown unit, too large.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let micros = parse(text, &TIME_UNITS, "a duration", "500 ms, 10 seconds or 7 days", "seconds")?;
    Ok(Duration::from_micros(micros))
}

/// Reads a size in bytes, as `64 MiB` or `1 GB`.
///
/// # Errors
/// What is wrong with the text, and what to write instead: no number, no unit, an unknown unit, too large.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse(text, &SIZE_UNITS, "a size", "64 MiB or 1 GB", "MiB")
}

/// Adds up `number unit` pairs; `what`, `examples` and `usual` are for the messages.
fn parse(text: &str, units: &[(&[&str], u64)], what: &str, examples: &str, usual: &str) -> Result<u64, String> {
    let mut rest = text.trim();
    let mut total = 0u64;
    if rest.is_empty() {
        return Err(format!("\"{text}\" is not {what}; write it as {examples}"));
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
        let number: String = rest[..digits].chars().filter(|c| *c != '_').collect();
        let after = rest[digits..].trim_start();
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let unit = after[..letters].to_lowercase();
        if number.is_empty() || after.starts_with('.') {
            return Err(format!("\"{text}\" is not {what}; write whole numbers with a unit, as {examples}"));
        }
        if unit.is_empty() {
            return Err(format!("\"{text}\" has no unit; write it as \"{number} {usual}\" (or {examples})"));
        }
        let Some((_, scale)) = units.iter().find(|(names, _)| names.contains(&unit.as_str())) else {
            let known: Vec<&str> = units.iter().map(|(names, _)| names[0]).collect();
            return Err(format!(
                "\"{}\" in \"{text}\" is not a unit of {what}; the units are {}",
                &after[..letters],
                known.join(", ")
            ));
        };
        let amount = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*scale));
        total =
            amount.and_then(|n| total.checked_add(n)).ok_or_else(|| format!("\"{text}\" is too large for {what}"))?;
        rest = after[letters..].trim_start();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every unit has its length, with and without a space, and parts add up.
    #[test]
    fn durations() {
        let ms = |text| parse_duration(text).unwrap().as_millis();
        assert_eq!(ms("500 ms"), 500);
        assert_eq!(ms("500ms"), 500);
        assert_eq!(ms("10 seconds"), 10_000);
        assert_eq!(ms("1 minute"), 60_000);
        assert_eq!(ms("7 Days"), 7 * 86_400_000);
        assert_eq!(ms("1 hour 30 minutes"), 90 * 60_000);
        assert_eq!(ms("2 weeks"), 14 * 86_400_000);
    }

    /// Decimal and binary units differ.
    #[test]
    fn sizes() {
        assert_eq!(parse_size("64 MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1 GB"), Ok(1_000_000_000));
        assert_eq!(parse_size("1GiB"), Ok(1 << 30));
        assert_eq!(parse_size("10 bytes"), Ok(10));
    }

    /// Each fault says what to write.
    #[test]
    fn faults_say_the_way_out() {
        let no_unit = parse_duration("10").unwrap_err();
        assert!(no_unit.contains("has no unit") && no_unit.contains("10 seconds"), "{no_unit}");
        let unknown = parse_duration("3 fortnights").unwrap_err();
        assert!(unknown.contains("\"fortnights\"") && unknown.contains("us, ms, s"), "{unknown}");
        for text in ["", "soon", "1.5 s", "-1 s", "ms"] {
            assert!(parse_duration(text).unwrap_err().contains("is not a duration"), "{text}");
        }
        assert!(parse_size("99999999999 TiB").unwrap_err().contains("too large"));
        assert!(parse_size("512").unwrap_err().contains("512 MiB"));
    }
}

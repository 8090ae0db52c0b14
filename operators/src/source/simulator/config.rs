//! The configuration of a site: eventsim's files, unchanged.

use serde_json::Value;

use super::calendar::midnight_ms;
use super::chain::Chain;
use super::error::SimulatorError;
use super::field::Section;
use super::random::Alias;
use super::rhythm::Rhythm;

const EXAMPLE: &str = include_str!("configs/example-config.json");
const GUITAR: &str = include_str!("configs/Guitar-config.json");

const DAY_S: f64 = 86_400.0;

/// The fields of a configuration. `upgrades` and `downgrades` are accepted and mean nothing, as in eventsim.
const FIELDS: [&str; 24] = [
    "seed",
    "alpha",
    "beta",
    "damping",
    "weekend-damping",
    "weekend-damping-offset",
    "weekend-damping-scale",
    "session-gap",
    "churned-state",
    "show-user-details",
    "levels",
    "auths",
    "new-session",
    "new-user-auth",
    "new-user-level",
    "upgrades",
    "downgrades",
    "transitions",
    "start-date",
    "end-date",
    "n-users",
    "first-user-id",
    "growth-rate",
    "tag",
];

/// How the users of a site behave, as read from one of eventsim's configuration files.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    pub(super) seed: u64,
    /// Mean seconds between two page views, over all users.
    pub(super) alpha_s: f64,
    /// Mean seconds between two sessions, over all users.
    pub(super) beta_s: f64,
    pub(super) rhythm: Rhythm,
    pub(super) chain: Chain,
    /// What initial users are: an index into `starts`, drawn by weight.
    pub(super) initial: Alias,
    /// Indices of the chain's session starts, for `initial`.
    pub(super) initial_starts: Vec<usize>,
    /// The chain's session start of users who come later; `None` when the configuration has none for them.
    pub(super) newcomer_start: Option<usize>,
    pub(super) first_user_id: u64,
    pub(super) tag: Option<String>,
    pub(super) users: Option<u32>,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
    pub(super) growth_rate: Option<f64>,
}

impl SimulatorConfig {
    /// Reads a configuration file of eventsim.
    ///
    /// # Errors
    /// [`SimulatorError::NotJson`], or [`SimulatorError::Config`] with the path of the field that is missing, unknown,
    /// of the wrong type, out of range, or at odds with the others.
    pub fn from_json(text: &str) -> Result<Self, SimulatorError> {
        let value: Value = serde_json::from_str(text).map_err(|error| SimulatorError::NotJson(error.to_string()))?;
        let root = Section::new("", &value)?;
        root.only(&FIELDS)?;
        let chain = Chain::from_config(&root)?;
        let (initial, initial_starts) = initial_users(&root, &chain)?;
        let newcomer_auth = root.optional_text("new-user-auth")?;
        let (auth, level) = (newcomer_auth.unwrap_or("Guest"), root.optional_text("new-user-level")?.unwrap_or("free"));
        let newcomer_start = chain.start_of(auth, level);
        if newcomer_auth.is_some() && newcomer_start.is_none() {
            return Err(root.error("new-session", no_start("new users", auth, level)));
        }
        Ok(Self {
            seed: root.optional_number("seed", 0.0, 9e15)?.unwrap_or(0.0) as u64,
            alpha_s: root.optional_number("alpha", 0.001, 1e9)?.unwrap_or(60.0),
            beta_s: root.optional_number("beta", 0.001, 1e12)?.unwrap_or(3.0 * DAY_S),
            rhythm: rhythm(&root)?,
            initial,
            initial_starts,
            newcomer_start,
            first_user_id: root.optional_number("first-user-id", 0.0, 2e9)?.unwrap_or(1.0) as u64,
            tag: root.optional_text("tag")?.map(str::to_owned),
            users: root.optional_number("n-users", 1.0, 1e9)?.map(|n| n as u32),
            start_ms: date(&root, "start-date")?,
            end_ms: date(&root, "end-date")?,
            growth_rate: root.optional_number("growth-rate", 0.0, 1e6)?,
            chain,
        })
    }

    /// eventsim's example configuration, which the stack to replace uses: short sessions, mostly of songs.
    pub fn example() -> Self {
        Self::from_json(EXAMPLE).expect("the embedded example configuration is tested")
    }

    /// eventsim's guitar configuration: long sessions with adverts, thumbs, friends and playlists.
    pub fn guitar() -> Self {
        Self::from_json(GUITAR).expect("the embedded guitar configuration is tested")
    }
}

fn rhythm(root: &Section<'_>) -> Result<Rhythm, SimulatorError> {
    Ok(Rhythm {
        damping: root.optional_number("damping", 0.0, 1.0)?.unwrap_or(0.0625),
        weekend_damping: root.optional_number("weekend-damping", 0.0, 1.0)?.unwrap_or(0.5),
        weekend_offset_minutes: root.optional_number("weekend-damping-offset", 0.0, 1440.0)?.unwrap_or(6.0),
        weekend_scale_minutes: root.optional_number("weekend-damping-scale", 1.0, 1440.0)?.unwrap_or(6.0),
        session_gap_s: root.optional_number("session-gap", 0.0, 1e9)?.unwrap_or(1800.0) as i64,
    })
}

/// Every pair of `auths` and `levels` with a weight, and the chain's session start for it.
fn initial_users(root: &Section<'_>, chain: &Chain) -> Result<(Alias, Vec<usize>), SimulatorError> {
    let weighted = |list: &str, name: &str| -> Result<Vec<(String, f64)>, SimulatorError> {
        let mut found = Vec::new();
        for item in root.list(list)? {
            let weight = item.number("weight", 0.0, f64::MAX)?;
            if weight > 0.0 {
                found.push((item.text(name)?.to_owned(), weight));
            }
        }
        if found.is_empty() { Err(root.error(list, "has no entry with a weight above 0")) } else { Ok(found) }
    };
    let (auths, levels) = (weighted("auths", "auth")?, weighted("levels", "level")?);
    let (mut starts, mut weights) = (Vec::new(), Vec::new());
    for (auth, auth_weight) in &auths {
        for (level, level_weight) in &levels {
            let start = chain
                .start_of(auth, level)
                .ok_or_else(|| root.error("new-session", no_start("initial users", auth, level)))?;
            starts.push(start);
            weights.push(auth_weight * level_weight);
        }
    }
    let alias =
        Alias::new(&weights).ok_or_else(|| root.error("auths", "and levels have weights that are too large"))?;
    Ok((alias, starts))
}

pub(super) fn no_start(who: &str, auth: &str, level: &str) -> String {
    format!("has no entry with a weight for auth \"{auth}\" and level \"{level}\", in which {who} can be; add one")
}

/// A date like `2024-01-31` or `2024-01-31T12:30:00`, in UTC, as milliseconds since 1970.
fn date(root: &Section<'_>, name: &str) -> Result<Option<i64>, SimulatorError> {
    let Some(text) = root.optional_text(name)? else { return Ok(None) };
    let wrong = || root.error(name, format!("is \"{text}\"; it must be like 2024-01-31 or 2024-01-31T12:30:00 (UTC)"));
    let parts: Vec<i64> = text
        .split(['-', 'T', ' ', ':'])
        .map(|part| part.parse::<u32>().map(i64::from))
        .collect::<Result<_, _>>()
        .map_err(|_| wrong())?;
    let (year, month, day) = match parts[..] {
        [year, month @ 1..=12, day @ 1..=31, ..] => (year, month, day),
        _ => return Err(wrong()),
    };
    let time_ms = match parts[3..] {
        [] => 0,
        [hour @ 0..=23, minute @ 0..=59] => (hour * 60 + minute) * 60_000,
        [hour @ 0..=23, minute @ 0..=59, second @ 0..=59] => ((hour * 60 + minute) * 60 + second) * 1000,
        _ => return Err(wrong()),
    };
    Ok(Some(midnight_ms(year, month, day) + time_ms))
}

//! What a run of the simulator is asked for, beyond the site's configuration.

use super::calendar::midnight_ms;
use super::config::SimulatorConfig;
use super::error::SimulatorError;

/// Users are numbered by `u32`.
const USERS_MAX: usize = 100_000_000;

/// Shares of the records that are spoilt on purpose. All shares zero: none.
///
/// Faults come from a chance of their own, so that the events below them stay the same with and without faults.
/// A record has one of `duplicate`, `late` and `malformed` at most.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Share of the records that come a second time, byte for byte, up to a minute of event time later.
    pub duplicate: f64,
    /// Share of the records that are held back.
    pub late: f64,
    /// How long (in event time) they are held back at most, in milliseconds.
    pub late_by_max_ms: i64,
    /// Share of the records before which a broken copy comes. The good record follows, so that nothing is lost.
    pub malformed: f64,
    /// Share of the songs heard, of those with letters outside of ASCII, whose text is read as Latin-1 once or twice,
    /// in the listen and in the page view.
    pub mojibake: f64,
}

impl Faults {
    /// No fault at all? How late records may be says nothing while none is late.
    pub fn is_none(&self) -> bool {
        Self { late_by_max_ms: 0, ..*self } == Self::default()
    }

    fn check(&self) -> Result<(), SimulatorError> {
        let shares = [
            ("faults.duplicate", self.duplicate),
            ("faults.late", self.late),
            ("faults.malformed", self.malformed),
            ("faults.mojibake", self.mojibake),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(SimulatorError::option(name, format!("is {share}; it must be a share from 0 to 1")));
            }
        }
        let sum = self.duplicate + self.late + self.malformed;
        if sum > 1.0 {
            let problem = format!("and faults.duplicate and faults.malformed add up to {sum}, not to 1 or less");
            return Err(SimulatorError::option("faults.late", problem));
        }
        if self.late_by_max_ms < 0 || (self.late > 0.0 && self.late_by_max_ms == 0) {
            let problem = format!("is {}; late records need 1 or more", self.late_by_max_ms);
            return Err(SimulatorError::option("faults.late_by_max_ms", problem));
        }
        Ok(())
    }
}

/// What one run is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The same seed gives the same bytes. `None`: the configuration's seed.
    pub seed: Option<u64>,
    /// Users at the start.
    pub users: usize,
    /// Event time at which the records begin, in milliseconds since 1970, UTC.
    pub start_ms: i64,
    /// Event time at which they end (not included). `None`: they never do, as long as there are users.
    pub end_ms: Option<i64>,
    /// New users in a year, as a share of the users that there are.
    pub growth_rate: f64,
    /// Users who leave in a year, as a share of the users that there are (a rate: 1.0 leaves `1/e` of them).
    pub attrition_rate: f64,
    /// Number of records over all four streams, not counting what faults add, after which the run ends. It ends with
    /// the page event that reaches the number, so that no event is torn: there may be up to three records more.
    pub events_max: Option<u64>,
    /// Faults on purpose.
    pub faults: Faults,
    /// Give each record the session's number as its key, so that a session stays in one partition.
    pub keyed: bool,
    /// A text that is put into every record that shows its user. `None`: the configuration's.
    pub tag: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: None,
            users: 1_000,
            start_ms: midnight_ms(2025, 1, 1),
            end_ms: None,
            growth_rate: 0.0,
            attrition_rate: 0.0,
            events_max: None,
            faults: Faults::default(),
            keyed: false,
            tag: None,
        }
    }
}

impl Options {
    /// The defaults, with what the configuration says about seed, users, dates, growth and tag.
    pub fn from_config(config: &SimulatorConfig) -> Self {
        let default = Self::default();
        Self {
            seed: Some(config.seed),
            users: config.users.map_or(default.users, |users| users as usize),
            start_ms: config.start_ms.unwrap_or(default.start_ms),
            end_ms: config.end_ms,
            growth_rate: config.growth_rate.unwrap_or(default.growth_rate),
            tag: config.tag.clone(),
            ..default
        }
    }

    pub(super) fn check(&self) -> Result<(), SimulatorError> {
        if !(1..=USERS_MAX).contains(&self.users) {
            let problem = format!("is {}; it must be from 1 to {USERS_MAX}", self.users);
            return Err(SimulatorError::option("users", problem));
        }
        if let Some(end_ms) = self.end_ms.filter(|end_ms| *end_ms <= self.start_ms) {
            let problem = format!("is {end_ms}; it must be after the start, {}", self.start_ms);
            return Err(SimulatorError::option("end", problem));
        }
        if self.events_max == Some(0) {
            return Err(SimulatorError::option("events", "is 0; it must be 1 or more"));
        }
        // Far enough from the ends of an i64 that adding years of milliseconds cannot pass them.
        if !(-(1i64 << 50)..1 << 50).contains(&self.start_ms) {
            return Err(SimulatorError::option("start", format!("is {}; it is not a date", self.start_ms)));
        }
        for (name, rate) in [("growth_rate", self.growth_rate), ("attrition_rate", self.attrition_rate)] {
            if !(0.0..=1e6).contains(&rate) {
                return Err(SimulatorError::option(name, format!("is {rate}; it must be 0 or more")));
            }
        }
        self.faults.check()
    }
}

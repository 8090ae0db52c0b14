//! The pages of the site and the chances to go from one to another: a Markov chain.

use std::collections::HashMap;

use super::config::no_start;
use super::error::SimulatorError;
use super::field::Section;
use super::json::{push_i64, push_text};
use super::random::{Alias, Random};

/// A rest of probability below this is rounding, not a way out of the site.
const ROUNDING: f64 = 1e-9;

/// The number of states is held by `u16` in each user.
const STATES_MAX: usize = 60_000;

/// What a user sees and is at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    page: String,
    auth: String,
    method: String,
    status: i64,
    level: String,
}

/// One state with what has to be known of it for each event, worked out once.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// Where to go next; `None` when the session always ends here. The last index of the table is the end.
    next: Option<Alias>,
    destinations: Vec<u16>,
    /// Where the next session of a user begins who ends in this state.
    restart: Option<usize>,
    /// `,"page":..,"auth":..,"method":..,"status":..,"level":..,"itemInSession":`
    pub(super) page_view: Vec<u8>,
    /// `,"auth":..,"level":..,"itemInSession":`
    pub(super) auth_level: Vec<u8>,
    /// `,"level":..,"itemInSession":`
    pub(super) level: Vec<u8>,
    pub(super) is_song: bool,
    pub(super) is_login: bool,
    pub(super) is_redirect: bool,
    pub(super) is_status_change: bool,
    pub(super) is_logged_in: bool,
    pub(super) is_churned: bool,
    pub(super) shows_user: bool,
}

#[derive(Debug, Clone)]
struct Start {
    auth: String,
    level: String,
    states: Vec<u16>,
    weights: Vec<f64>,
    draw: Option<Alias>,
}

/// All states, and how sessions begin.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    states: Vec<State>,
    starts: Vec<Start>,
}

impl Chain {
    pub(super) fn from_config(root: &Section<'_>) -> Result<Self, SimulatorError> {
        let shown = shown_auths(root)?;
        let churned = root.optional_text("churned-state")?;
        let (keys, ways) = transitions(root)?;
        let starts = session_starts(root, &keys)?;
        let mut chain = Self { states: Vec::with_capacity(keys.len()), starts };
        let mut by_number: Vec<_> = keys.into_iter().collect();
        by_number.sort_by_key(|(_, number)| *number);
        for ((key, _), ways) in by_number.into_iter().zip(ways) {
            let shows_user = *shown.get(&key.auth).ok_or_else(|| {
                root.error(
                    "show-user-details",
                    format!("says nothing of auth \"{}\", which page \"{}\" has", key.auth, key.page),
                )
            })?;
            chain.push(root, key, ways, churned, shows_user)?;
        }
        Ok(chain)
    }

    fn push(
        &mut self,
        root: &Section<'_>,
        key: Key,
        ways: Vec<(u16, f64)>,
        churned: Option<&str>,
        shows_user: bool,
    ) -> Result<(), SimulatorError> {
        let (page, auth, level) = (&key.page, &key.auth, &key.level);
        let total: f64 = ways.iter().map(|way| way.1).sum();
        if total > 1.0 + ROUNDING {
            let problem = format!(
                "out of page \"{page}\" (auth \"{auth}\", level \"{level}\") add up to {total}, not to 1 or less"
            );
            return Err(root.error("transitions", problem));
        }
        let leave = if 1.0 - total < ROUNDING { 0.0 } else { 1.0 - total };
        let is_churned = churned == Some(auth.as_str());
        let restart = self.start_of(auth, level);
        if leave > 0.0 && !is_churned && restart.is_none() {
            return Err(
                root.error("new-session", no_start(&format!("users who leave from page \"{page}\""), auth, level))
            );
        }
        let weights: Vec<f64> = ways.iter().map(|way| way.1).chain([leave]).collect();
        let texts = fragments(&key);
        self.states.push(State {
            next: if ways.is_empty() { None } else { Alias::new(&weights) },
            destinations: ways.iter().map(|way| way.0).collect(),
            restart,
            page_view: texts[0].clone(),
            auth_level: texts[1].clone(),
            level: texts[2].clone(),
            is_song: page == "NextSong",
            is_login: page == "Login",
            is_redirect: (300..400).contains(&key.status),
            is_status_change: page == "Submit Upgrade" || page == "Submit Downgrade",
            is_logged_in: auth == "Logged In",
            is_churned,
            shows_user,
        });
        Ok(())
    }

    pub(super) fn state(&self, number: u16) -> &State {
        &self.states[usize::from(number)]
    }

    /// The state after this one; `None` when the session ends.
    pub(super) fn next(&self, number: u16, random: &mut Random) -> Option<u16> {
        let state = self.state(number);
        let drawn = state.next.as_ref()?.draw(random);
        state.destinations.get(drawn).copied()
    }

    /// How sessions begin for a user who is `auth` and has `level`; `None` when the configuration does not say.
    pub(super) fn start_of(&self, auth: &str, level: &str) -> Option<usize> {
        self.starts.iter().position(|start| start.draw.is_some() && start.auth == auth && start.level == level)
    }

    /// How the session after one that ended in this state begins.
    pub(super) fn restart_of(&self, number: u16) -> Option<usize> {
        self.state(number).restart
    }

    /// The first state of a new session.
    pub(super) fn begin(&self, start: usize, random: &mut Random) -> u16 {
        let start = &self.starts[start];
        start.states[start.draw.as_ref().map_or(0, |draw| draw.draw(random))]
    }
}

fn key_of(section: &Section<'_>) -> Result<Key, SimulatorError> {
    Ok(Key {
        page: section.text("page")?.to_owned(),
        auth: section.text("auth")?.to_owned(),
        method: section.text("method")?.to_owned(),
        status: section.number("status", 100.0, 999.0)? as i64,
        level: section.text("level")?.to_owned(),
    })
}

type Ways = Vec<Vec<(u16, f64)>>;

/// Numbers the states in order of their first appearance, and lists the ways out of each.
fn transitions(root: &Section<'_>) -> Result<(HashMap<Key, u16>, Ways), SimulatorError> {
    let mut numbers: HashMap<Key, u16> = HashMap::new();
    let mut ways: Ways = Vec::new();
    for transition in root.list("transitions")? {
        let p = transition.number("p", 0.0, 1.0)?;
        let mut ends = [0u16; 2];
        for (end, name) in ends.iter_mut().zip(["source", "dest"]) {
            let next = ways.len();
            if next >= STATES_MAX {
                return Err(root.error("transitions", format!("has more than {STATES_MAX} states")));
            }
            *end = *numbers.entry(key_of(&transition.section(name)?)?).or_insert(next as u16);
            if usize::from(*end) == next {
                ways.push(Vec::new());
            }
        }
        if p > 0.0 {
            ways[usize::from(ends[0])].push((ends[1], p));
        }
    }
    Ok((numbers, ways))
}

fn shown_auths(root: &Section<'_>) -> Result<HashMap<String, bool>, SimulatorError> {
    root.list("show-user-details")?.iter().map(|item| Ok((item.text("auth")?.to_owned(), item.flag("show")?))).collect()
}

fn session_starts(root: &Section<'_>, states: &HashMap<Key, u16>) -> Result<Vec<Start>, SimulatorError> {
    let mut starts: Vec<Start> = Vec::new();
    for item in root.list("new-session")? {
        let (key, weight) = (key_of(&item)?, item.number("weight", 0.0, 1e12)?);
        let Some(&state) = states.get(&key) else {
            return Err(item.error("page", format!("is \"{}\" in a state that no transition has", key.page)));
        };
        let same = |start: &Start| start.auth == key.auth && start.level == key.level;
        let at = starts.iter().position(same).unwrap_or_else(|| {
            let (auth, level) = (key.auth.clone(), key.level.clone());
            starts.push(Start { auth, level, states: Vec::new(), weights: Vec::new(), draw: None });
            starts.len() - 1
        });
        starts[at].states.push(state);
        starts[at].weights.push(weight);
    }
    for start in &mut starts {
        start.draw = Alias::new(&start.weights);
    }
    Ok(starts)
}

/// The parts of the records that depend on the state only: page view, listen and status change, auth.
fn fragments(key: &Key) -> [Vec<u8>; 3] {
    let mut texts = [Vec::new(), Vec::new(), Vec::new()];
    let field = |out: &mut Vec<u8>, name: &str, text: &str| {
        out.extend_from_slice(name.as_bytes());
        push_text(out, text);
    };
    field(&mut texts[0], ",\"page\":", &key.page);
    field(&mut texts[0], ",\"auth\":", &key.auth);
    field(&mut texts[0], ",\"method\":", &key.method);
    texts[0].extend_from_slice(b",\"status\":");
    push_i64(&mut texts[0], key.status);
    field(&mut texts[1], ",\"auth\":", &key.auth);
    for text in &mut texts {
        field(text, ",\"level\":", &key.level);
        text.extend_from_slice(b",\"itemInSession\":");
    }
    texts
}

//! One user: which page is seen when, session after session.

use super::catalog::Catalog;
use super::chain::Chain;
use super::math::exp;
use super::people::People;
use super::random::Random;
use super::rhythm::Rhythm;

/// How long before the start of the records the users' lives begin, so that some are in the middle of a session.
const WARM_UP_MS: i64 = 86_400_000;
pub(super) const YEAR_MS: f64 = 365.25 * 86_400_000.0;
/// Users at the start registered this long ago, in the mean...
const REGISTERED_MEAN_MS: f64 = YEAR_MS / 2.0;
/// ... and at most.
const REGISTERED_MAX_MS: f64 = YEAR_MS * 5.0;

/// What all users share.
#[derive(Debug)]
pub(super) struct World {
    pub(super) chain: Chain,
    pub(super) rhythm: Rhythm,
    pub(super) catalog: &'static Catalog,
    pub(super) people: People,
    pub(super) alpha_s: f64,
    pub(super) beta_s: f64,
    /// Users who leave, per millisecond.
    pub(super) attrition_per_ms: f64,
}

/// A user and the next page event, which is at `next_ms` in `state`.
#[derive(Debug)]
pub(super) struct User {
    pub(super) next_ms: i64,
    song_end_ms: i64,
    gap_mean_s: f64,
    session_mean_s: f64,
    /// The session's number; 0 until its first event is written.
    pub(super) session: u64,
    /// Events of this session that were written.
    pub(super) item: u32,
    pub(super) song: Option<u32>,
    pub(super) state: u16,
    /// The page before was "Login". Redirects do not count as pages here, so it lingers over them.
    pub(super) after_login: bool,
    device_len: u16,
    /// The device block and, after it, the user block.
    blocks: Box<[u8]>,
}

/// Is the user still there after a step?
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Stays,
    Leaves,
}

impl User {
    /// A user who is there from the start, at a random point of life. `None` when the user left before `start_ms`.
    pub(super) fn settled(world: &World, id: u64, start: usize, start_ms: i64, random: &mut Random) -> Option<Self> {
        let registered_ms = random.exponential(REGISTERED_MEAN_MS).min(REGISTERED_MAX_MS) as i64;
        let mut user = Self::new(world, id, start_ms - registered_ms, random);
        let life_ms = start_ms - WARM_UP_MS - i64::from(random.below(1000));
        let first_ms = world.rhythm.next_session_ms(life_ms, user.session_mean_s, random);
        user.begin(world, start, first_ms, random);
        while user.next_ms < start_ms {
            if user.step(world, random) == Step::Leaves {
                return None;
            }
        }
        Some(user)
    }

    /// A user who comes for the first time at `now_ms`.
    pub(super) fn newcomer(world: &World, id: u64, start: usize, now_ms: i64, random: &mut Random) -> Self {
        let mut user = Self::new(world, id, now_ms, random);
        user.begin(world, start, now_ms, random);
        user
    }

    fn new(world: &World, id: u64, registration_ms: i64, random: &mut Random) -> Self {
        let mut blocks = Vec::with_capacity(384);
        world.people.push_device(&mut blocks, random);
        let device_len = blocks.len() as u16;
        world.people.push_user(&mut blocks, id, registration_ms, random);
        Self {
            next_ms: 0,
            song_end_ms: 0,
            gap_mean_s: world.alpha_s * random.log_normal(),
            session_mean_s: world.beta_s * random.log_normal(),
            session: 0,
            item: 0,
            song: None,
            state: 0,
            after_login: false,
            device_len,
            blocks: blocks.into_boxed_slice(),
        }
    }

    /// The blocks of a record: the device's and, when the state shows it, the user's.
    pub(super) fn blocks(&self, with_user: bool) -> &[u8] {
        if with_user { &self.blocks } else { &self.blocks[..usize::from(self.device_len)] }
    }

    /// Goes on to the next page event: in this session, or in the next one.
    pub(super) fn step(&mut self, world: &World, random: &mut Random) -> Step {
        match world.chain.next(self.state, random) {
            Some(next) => {
                self.go_to(world, next, random);
                Step::Stays
            }
            None => self.end_session(world, random),
        }
    }

    fn go_to(&mut self, world: &World, next: u16, random: &mut Random) {
        let state = world.chain.state(next);
        if state.is_redirect {
            self.next_ms += 1000;
        } else {
            self.after_login = world.chain.state(self.state).is_login;
            if state.is_song && self.song.is_some() && self.next_ms < self.song_end_ms {
                self.next_ms = self.song_end_ms;
            } else {
                let gap_s = random.exponential(self.gap_mean_s) as i64;
                self.next_ms = self.next_ms.saturating_add(gap_s.saturating_mul(1000));
            }
            if state.is_song {
                self.play(world, random);
            }
        }
        self.state = next;
        self.item += u32::from(self.session != 0);
    }

    fn end_session(&mut self, world: &World, random: &mut Random) -> Step {
        let (Some(start), false) = (world.chain.restart_of(self.state), world.chain.state(self.state).is_churned)
        else {
            return Step::Leaves;
        };
        let next_ms = world.rhythm.next_session_ms(self.next_ms, self.session_mean_s, random);
        let away_ms = (next_ms - self.next_ms) as f64;
        if world.attrition_per_ms > 0.0 && random.chance(1.0 - exp(-world.attrition_per_ms * away_ms)) {
            return Step::Leaves;
        }
        self.begin(world, start, next_ms, random);
        Step::Stays
    }

    fn begin(&mut self, world: &World, start: usize, at_ms: i64, random: &mut Random) {
        self.next_ms = at_ms;
        self.session = 0;
        self.item = 0;
        self.song = None;
        self.after_login = false;
        self.state = world.chain.begin(start, random);
        if world.chain.state(self.state).is_song {
            self.play(world, random);
        }
    }

    fn play(&mut self, world: &World, random: &mut Random) {
        let song = world.catalog.next(self.song, random);
        self.song = Some(song);
        self.song_end_ms = self.next_ms.saturating_add(i64::from(world.catalog.song(song).duration_s) * 1000);
    }
}

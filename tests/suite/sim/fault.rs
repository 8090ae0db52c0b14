//! What may go wrong at a step of the protocol.

use super::random::Random;

/// What goes wrong at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Nothing,
    /// An error, and nothing has happened.
    Refused,
    /// It has happened, and the answer is an error.
    AnswerLost,
    /// The process ends before it happens.
    CrashBefore,
    /// The process ends when it has happened.
    CrashAfter,
}

/// A step's fate: how often its future says "not yet", before and after it happens, and what goes wrong.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    pub fault: Fault,
    pub polls_before: u64,
    pub polls_after: u64,
}

/// How often things go wrong, out of a thousand steps; or at which step exactly.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub refused: u64,
    pub answer_lost: u64,
    pub crash: u64,
    pub delayed: u64,
    /// The only step at which something goes wrong, counted from 0 over the whole scenario.
    pub at: Option<(u64, Fault)>,
}

/// Longest simulated wait, in polls.
const POLLS_MAX: u64 = 12;

impl Faults {
    /// Nothing goes wrong, and nothing waits.
    pub const NONE: Faults = Faults { refused: 0, answer_lost: 0, crash: 0, delayed: 0, at: None };

    /// What the seed says: calm worlds and stormy ones.
    pub fn of(random: &mut Random) -> Faults {
        let refused = random.pick(&[0, 1, 3, 8]);
        let answer_lost = random.pick(&[0, 1, 3, 8]);
        Faults {
            refused,
            answer_lost,
            crash: random.pick(&[0, 1, 3, 10]),
            delayed: random.pick(&[50, 300, 600]),
            at: None,
        }
    }

    /// The fate of step `number`.
    pub fn draw(&self, random: &mut Random, number: u64) -> Fate {
        let mut polls = |times| if random.per_mille(times) { 1 + random.below(POLLS_MAX) } else { 0 };
        let (polls_before, polls_after) = (polls(self.delayed), polls(self.delayed));
        let fault = match self.at {
            Some((at, fault)) => {
                if at == number {
                    fault
                } else {
                    Fault::Nothing
                }
            }
            None => self.draw_fault(random),
        };
        Fate { fault, polls_before, polls_after }
    }

    fn draw_fault(&self, random: &mut Random) -> Fault {
        let drawn = random.below(1000);
        let half = self.crash / 2;
        let ways = [
            (half, Fault::CrashBefore),
            (self.crash - half, Fault::CrashAfter),
            (self.refused, Fault::Refused),
            (self.answer_lost, Fault::AnswerLost),
        ];
        let mut below = 0;
        for (times, fault) in ways {
            below += times;
            if drawn < below {
                return fault;
            }
        }
        Fault::Nothing
    }
}

//! What the tests of the whole share: the real servers, and the readers that check their answers.

pub mod services;

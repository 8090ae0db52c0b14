//! stub
use super::{SimulatorConfig, Options, Pace};
use std::sync::Arc;
use sluice_engine::{Result, Source, SourceContext, Polled, Position, Error};
/// x
#[derive(Clone)]
pub struct SimulatorSourceConfig { /// x
pub config: SimulatorConfig, /// x
pub options: Options, /// x
pub pace: Pace, /// x
pub partitions: u32 }
/// x
pub struct SharedSimulator;
impl SharedSimulator { /// x
pub fn new(_c: SimulatorSourceConfig) -> Result<Arc<Self>> { Err(Error::bug("stub")) } }
/// x
pub struct SimulatorSource;
impl SimulatorSource { /// x
pub fn new(_s: Arc<SharedSimulator>, _t: &str, _c: SourceContext) -> Result<Self> { Err(Error::bug("stub")) } }
impl Source for SimulatorSource { fn open(&mut self, _: &Position) -> Result<()> { Ok(()) } fn poll(&mut self, _: usize, _: usize) -> Result<Polled> { Ok(Polled::End) } fn position(&self) -> Position { Position::default() } }

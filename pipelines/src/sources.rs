//! What `sluice.yml` says of sources, as the parts that read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_engine::{Error, Result, Source, SourceContext};
use sluice_operators::source::file::{FileConfig, FileSource};
use sluice_operators::source::kafka::{CreateTopic, KafkaConfig, KafkaConnection, KafkaSource, LostOffsets};
use sluice_operators::source::simulator::{SharedSimulator, SimulatorSource};

use crate::compile::Stream;
use crate::project::{FileStreams, Kafka, Project, SourceSettings};

mod simulated;

pub use simulated::{LATE_BY_MAX_MS, load_config, moment, simulator_config};

/// Partitions of a topic that is made because it is missing.
const CREATED_PARTITIONS: u32 = 4;

/// Makes a source for each worker.
pub type SourceFactory = Box<dyn Fn(&SourceContext) -> Result<Box<dyn Source>> + Send + Sync>;

/// The sources of a project. All streams of one simulator share it.
pub struct Sources<'a> {
    project: &'a Project,
    simulators: BTreeMap<String, Arc<SharedSimulator>>,
}

impl<'a> Sources<'a> {
    /// Prepares the project's sources.
    ///
    /// # Errors
    /// `Config` when a simulator's configuration is wrong.
    pub fn of(project: &'a Project) -> Result<Self> {
        let mut simulators = BTreeMap::new();
        for (name, settings) in &project.settings.sources {
            if let SourceSettings::Simulator(settings) = settings {
                let config = simulator_config(settings, &project.root)?;
                simulators.insert(name.clone(), SharedSimulator::new(config)?);
            }
        }
        Ok(Self { project, simulators })
    }

    /// How many streams come from Kafka; at least one.
    fn kafka_streams(&self) -> u64 {
        let settings = &self.project.settings.sources;
        let from_kafka = |source: &str| matches!(settings.get(source), Some(SourceSettings::Kafka(_)));
        let tables = self.project.sources.iter().filter(|s| from_kafka(&s.source));
        tables.count().max(1) as u64
    }

    /// What reads a stream.
    ///
    /// # Errors
    /// `Config` when `sluice.yml` does not say where the stream comes from.
    pub fn factory(&self, stream: &Stream) -> Result<SourceFactory> {
        let settings = self.project.settings.sources.get(&stream.source).ok_or_else(|| {
            Error::config(format!(
                "sluice.yml does not say where source {:?} comes from; add it under sources",
                stream.source
            ))
        })?;
        let topic = stream.topic.clone();
        Ok(match settings {
            SourceSettings::Kafka(kafka) => {
                let config = kafka_config(kafka, &stream.source, &topic, &self.project.name);
                let share = self.project.settings.run.memory_bytes / KAFKA_SHARE / self.kafka_streams();
                Box::new(move |c| {
                    let (least, most) = KAFKA_CLIENT_BYTES;
                    let memory_bytes = (share / c.workers as u64).clamp(least, most) as usize;
                    Ok(Box::new(KafkaSource::new(KafkaConfig { memory_bytes, ..config.clone() }, c.clone())) as _)
                })
            }
            SourceSettings::FileStreams(files) => {
                let config = file_config(self.project, stream, files);
                Box::new(move |c| Ok(Box::new(FileSource::new(config.clone(), c.clone())) as _))
            }
            SourceSettings::Simulator(_) => {
                let shared = self.simulators.get(&stream.source).cloned();
                let shared = shared.ok_or_else(|| Error::bug("a simulator was not prepared"))?;
                Box::new(move |c| Ok(Box::new(SimulatorSource::new(shared.clone(), &topic, c.clone())?) as _))
            }
        })
    }
}

/// What records that wait in Kafka's clients may take of `run.memory`: one part in so many.
const KAFKA_SHARE: u64 = 8;
/// Bytes that one client (a stream on a worker) gets at least, to be fast enough, and at most.
const KAFKA_CLIENT_BYTES: (u64, u64) = (4 << 20, 32 << 20);

/// How a stream that lies in files is read.
pub fn file_config(project: &Project, stream: &Stream, files: &FileStreams) -> FileConfig {
    let path = project.root.join(&files.path).to_string_lossy().into_owned();
    let mut config = FileConfig::new(path, stream.topic.clone());
    config.settings = format!("sources.{}.files", stream.source);
    config
}

/// How a topic of a Kafka source is read.
pub fn kafka_config(kafka: &Kafka, source: &str, topic: &str, pipeline: &str) -> KafkaConfig {
    let mut config = KafkaConfig::new(kafka.brokers.clone(), topic);
    config.connection = connection(kafka, source);
    config.group_id = Some(format!("sluice-{pipeline}"));
    config.on_lost_offsets = if kafka.skip_lost_offsets { LostOffsets::Earliest } else { LostOffsets::Fail };
    config.create = kafka.create.then_some(CreateTopic { partitions: CREATED_PARTITIONS, replication_factor: None });
    config
}

/// How a Kafka source's cluster is reached.
fn connection(kafka: &Kafka, source: &str) -> KafkaConnection {
    let mut connection = KafkaConnection::new(kafka.brokers.clone());
    connection.options = kafka.options.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect();
    connection.settings = format!("sources.{source}.kafka");
    connection
}

//! What can be done to the program and to the servers.

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, and a start at once.
    KillProgram,
    /// SIGKILL, and a start some seconds later.
    KillKafka,
    KillNameNode,
    KillDataNode,
    KillClickHouse,
    /// SIGSTOP, and SIGCONT some seconds later.
    FreezeKafka,
    FreezeNameNode,
    FreezeDataNode,
    FreezeClickHouse,
}

impl Fault {
    pub const ALL: [Fault; 9] = [
        Fault::KillProgram,
        Fault::KillKafka,
        Fault::KillNameNode,
        Fault::KillDataNode,
        Fault::KillClickHouse,
        Fault::FreezeKafka,
        Fault::FreezeNameNode,
        Fault::FreezeDataNode,
        Fault::FreezeClickHouse,
    ];

    /// Those of the test command.
    pub const SHORT: [Fault; 5] =
        [Fault::KillProgram, Fault::KillKafka, Fault::KillNameNode, Fault::FreezeDataNode, Fault::KillClickHouse];

    pub fn text(self) -> &'static str {
        match self {
            Fault::KillProgram => "sluice killed",
            Fault::KillKafka => "Kafka killed",
            Fault::KillNameNode => "NameNode killed",
            Fault::KillDataNode => "a DataNode of two killed",
            Fault::KillClickHouse => "ClickHouse killed",
            Fault::FreezeKafka => "Kafka frozen",
            Fault::FreezeNameNode => "NameNode frozen",
            Fault::FreezeDataNode => "a DataNode of two frozen",
            Fault::FreezeClickHouse => "ClickHouse frozen",
        }
    }

    /// Words that the program says of a server that is away for some seconds; none where it need not notice.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Fault::KillKafka => Some("kafka"),
            Fault::KillNameNode => Some("hdfs://"),
            Fault::KillClickHouse => Some("clickhouse"),
            _ => None,
        }
    }
}

//! A Kafka broker to measure with: as the tests', but with a JVM that may compile as it likes, and without their haste.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// How long it may take to answer.
const STARTUP_DEADLINE_S: u64 = 120;
/// Any will do, for the node is alone.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// The broker is the child of a small shell that waits for the end of its input, so that it ends with this process however
/// that ends. Arguments: the folder to remove afterwards or "", the command and its arguments.
const WATCHER: &str = r#"
trap : HUP INT TERM
folder=$1; shift
"$@" </dev/null &
server=$!
read -r _
kill -s KILL $server
wait $server
[ -z "$folder" ] || rm -rf "$folder"
"#;

/// A broker with no topics; gone when dropped.
pub struct Broker {
    watcher: Child,
    address: String,
}

impl Broker {
    /// Starts one with its data in `folder`, which goes with it unless it is to be kept. Returns when it takes connections.
    ///
    /// # Errors
    /// When Kafka or Java is not installed, or it does not come up.
    pub fn start(folder: &Path, keep: bool) -> anyhow::Result<Broker> {
        fs::create_dir_all(folder).with_context(|| format!("folder {} cannot be made", folder.display()))?;
        let (port, controller_port) = (free_port()?, free_port()?);
        let properties = folder.join("server.properties");
        fs::write(&properties, settings(port, controller_port, &folder.join("data")))?;
        let libs = installed()?.join("libs/*");
        let java = |program: &[&str]| {
            let mut words = vec!["java".to_owned(), "-Xmx1g".into(), "-Dlog4j2.level=WARN".into(), "-cp".into()];
            words.push(libs.to_string_lossy().into_owned());
            words.extend(program.iter().map(|word| (*word).to_owned()));
            words.push(properties.to_string_lossy().into_owned());
            words
        };
        let log = File::create(folder.join("kafka.log"))?;
        let format = java(&["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]);
        let mut formatter = Command::new(&format[0]);
        formatter.args(&format[1..]).current_dir(folder).stdout(log.try_clone()?).stderr(log.try_clone()?);
        let formatted = formatter.status().context("java cannot be started; run tests/setup")?;
        let log_file = folder.join("kafka.log");
        ensure!(formatted.success(), "kafka cannot format its storage; see {}", log_file.display());
        let mut watcher = Command::new("/bin/sh");
        watcher.args(["-c", WATCHER, "watcher"]).arg(if keep { Path::new("") } else { folder });
        watcher.args(java(&["kafka.Kafka"])).current_dir(folder);
        let watcher = watcher.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut broker = Broker { watcher, address: format!("{}:{port}", Ipv4Addr::LOCALHOST) };
        broker.wait(port, &log_file)?;
        Ok(broker)
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn wait(&mut self, port: u16, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(STARTUP_DEADLINE_S);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let told = || fs::read_to_string(log).unwrap_or_default();
            ensure!(Instant::now() < deadline, "kafka does not answer after {STARTUP_DEADLINE_S} s:\n{}", told());
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // The watcher reads the end of its input, kills the broker and ends.
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// Where `tests/setup` has put it.
fn installed() -> anyhow::Result<PathBuf> {
    let cache = match (env::var_os("SLUICE_CACHE"), env::var_os("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => PathBuf::from(home).join(".cache/sluice"),
        (None, None) => anyhow::bail!("environment variable HOME is not set; set SLUICE_CACHE to a folder"),
    };
    let kafka = cache.join("services/kafka");
    ensure!(
        kafka.join(".version").is_file(),
        "kafka is not in {}; run tests/setup, or name a broker with --brokers",
        kafka.display()
    );
    Ok(kafka)
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

fn settings(port: u16, controller_port: u16, data: &Path) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
",
        data.display()
    )
}

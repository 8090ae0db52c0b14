//! An HDFS cluster: a NameNode and DataNodes, each a process of its own.

use std::sync::OnceLock;

use anyhow::{Context, bail, ensure};

use super::home::Home;
use super::http;
use super::process::{Process, run_to_end};
use super::{ports, start_with_free_ports, wait_until};
use crate::cache;

/// More replicas than this are of no use to a test.
const REPLICATION_MAX: usize = 2;

/// How often a DataNode is asked while it stumbles over its own connections to a NameNode that was restarted.
const DATANODE_TRIES_MAX: u32 = 5;

const NAMENODE: &str = "org.apache.hadoop.hdfs.server.namenode.NameNode";
const DATANODE: &str = "org.apache.hadoop.hdfs.server.datanode.DataNode";

/// A real cluster.
pub struct Hdfs {
    namenode: Process,
    datanodes: Vec<Process>,
    port: u16,
    http_port: u16,
    /// Each DataNode's three ports: data, RPC, HTTP.
    datanode_ports: Vec<[u16; 3]>,
    home: Home,
}

impl Hdfs {
    /// Starts an empty cluster; returns when all its DataNodes are known. Take two DataNodes where the time of a file's
    /// close matters: with one, most closes take half a second.
    ///
    /// # Errors
    /// When it is not installed, or does not start: with the tail of the log.
    pub fn start(datanodes: usize) -> anyhow::Result<Hdfs> {
        start_with_free_ports(|| {
            let home = Home::new("hdfs")?;
            let (port, http_port) = (ports::free()?, ports::free()?);
            write_settings(&home, port, http_port, datanodes.min(REPLICATION_MAX))?;
            run_to_end(&home, &java(&[NAMENODE, "-format", "-force", "-nonInteractive"])?)?;
            let mut datanode_ports = Vec::new();
            for _ in 0..datanodes {
                datanode_ports.push([ports::free()?, ports::free()?, ports::free()?]);
            }
            let namenode = spawn_namenode(&home)?;
            let mut hdfs = Hdfs { namenode, datanodes: Vec::new(), port, http_port, datanode_ports, home };
            for node in 0..datanodes {
                hdfs.datanodes.push(hdfs.spawn_datanode(node)?);
            }
            hdfs.wait_until_ready()?;
            Ok(hdfs)
        })
    }

    /// One cluster of two DataNodes for all tests of this process that only need folders of their own; started by the
    /// first.
    ///
    /// # Errors
    /// As `start`; the same error for each caller.
    pub fn shared() -> anyhow::Result<&'static Hdfs> {
        static SHARED: OnceLock<Result<Hdfs, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Hdfs::start(2).map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// `hdfs://127.0.0.1:port`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("hdfs://127.0.0.1:{}", self.port)
    }

    /// Kills the NameNode (SIGKILL).
    pub fn kill_namenode(&mut self) {
        self.namenode.kill();
    }

    /// Starts the NameNode again with its data, at the same address; returns when it knows all running DataNodes.
    ///
    /// # Errors
    /// When it does not start: with the tail of its log.
    pub fn restart_namenode(&mut self) -> anyhow::Result<()> {
        self.namenode.kill();
        self.namenode = spawn_namenode(&self.home)?;
        self.wait_until_ready()
    }

    /// Freezes the NameNode (SIGSTOP): its connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it has ended.
    pub fn stop_namenode(&self) -> anyhow::Result<()> {
        self.namenode.stop()
    }

    /// Lets it go on after `stop_namenode`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cont_namenode(&self) -> anyhow::Result<()> {
        self.namenode.cont()
    }

    /// Kills DataNode `node`, counted from 0 (SIGKILL). The NameNode sends writers to it for 12 s more.
    pub fn kill_datanode(&mut self, node: usize) {
        self.datanodes[node].kill();
    }

    /// Starts DataNode `node` again with its data, at the same address; returns when the NameNode knows it.
    ///
    /// # Errors
    /// When it does not start: with the tail of its log.
    pub fn restart_datanode(&mut self, node: usize) -> anyhow::Result<()> {
        self.datanodes[node].kill();
        self.datanodes[node] = self.spawn_datanode(node)?;
        self.wait_until_ready()
    }

    /// Freezes DataNode `node` (SIGSTOP).
    ///
    /// # Errors
    /// When it has ended.
    pub fn stop_datanode(&self, node: usize) -> anyhow::Result<()> {
        self.datanodes[node].stop()
    }

    /// Lets it go on after `stop_datanode`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cont_datanode(&self, node: usize) -> anyhow::Result<()> {
        self.datanodes[node].cont()
    }

    /// Writes a file (over an older one) through WebHDFS, so not with the client under test. `path` begins with a slash.
    ///
    /// # Errors
    /// When the cluster refuses or cannot be reached.
    pub fn put(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let answer = self.at_datanode("PUT", path, "op=CREATE&overwrite=true", content)?;
        ensure!(answer.status == 201, "hdfs file {path} was not written: {}", text(&answer));
        Ok(())
    }

    /// Reads a file through WebHDFS.
    ///
    /// # Errors
    /// When there is none, or the cluster cannot be reached.
    pub fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.at_datanode("GET", path, "op=OPEN", &[])?;
        ensure!(answer.status == 200, "hdfs file {path} was not read: {}", text(&answer));
        Ok(answer.body)
    }

    /// What a DataNode answers to a request for a file's bytes. It keeps its own connections to the NameNode, and finds
    /// out only by using one that the NameNode was restarted: then it is asked again.
    fn at_datanode(&self, method: &str, path: &str, operation: &str, body: &[u8]) -> anyhow::Result<http::Response> {
        let (address, target) = self.redirected(method, path, operation)?;
        for _ in 0..DATANODE_TRIES_MAX {
            let answer = http::request(method, &address, &target, &[], body)?;
            if answer.status != 403 || !text(&answer).contains("EOFException") {
                return Ok(answer);
            }
        }
        bail!("hdfs file {path}: the datanode did not reach the namenode {DATANODE_TRIES_MAX} times")
    }

    /// The names in a folder, sorted, through WebHDFS.
    ///
    /// # Errors
    /// When there is none, or the cluster cannot be reached.
    pub fn list(&self, path: &str) -> anyhow::Result<Vec<String>> {
        let answer = http::request("GET", &self.http_address(), &target(path, "op=LISTSTATUS"), &[], &[])?;
        ensure!(answer.status == 200, "hdfs folder {path} was not listed: {}", text(&answer));
        let status: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let entries = status["FileStatuses"]["FileStatus"].as_array().context("no FileStatus in the answer")?;
        let mut names: Vec<_> =
            entries.iter().filter_map(|entry| entry["pathSuffix"].as_str()).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// Where the NameNode sends a request for a file's bytes: a DataNode's address and the request's target there.
    fn redirected(&self, method: &str, path: &str, operation: &str) -> anyhow::Result<(String, String)> {
        let answer = http::request(method, &self.http_address(), &target(path, operation), &[], &[])?;
        let refused = || format!("hdfs file {path}: {operation} was refused: {}", text(&answer));
        let location = answer.location.as_deref().with_context(refused)?;
        let (address, target) =
            location.strip_prefix("http://").and_then(|rest| rest.split_once('/')).with_context(refused)?;
        Ok((address.to_owned(), format!("/{target}")))
    }

    fn http_address(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }

    fn spawn_datanode(&self, node: usize) -> anyhow::Result<Process> {
        let [data, rpc, http] = self.datanode_ports[node];
        let folder = self.home.path().join(format!("datanode{node}"));
        let settings = [
            format!("dfs.datanode.data.dir=file://{}", folder.display()),
            format!("dfs.datanode.address=127.0.0.1:{data}"),
            format!("dfs.datanode.ipc.address=127.0.0.1:{rpc}"),
            format!("dfs.datanode.http.address=127.0.0.1:{http}"),
        ];
        let mut words = vec![DATANODE];
        words.extend(settings.iter().flat_map(|setting| ["-D", setting.as_str()]));
        Process::start(&format!("datanode{node}"), &self.home, &java(&words)?)
    }

    /// Waits until the NameNode is out of safe mode and all running DataNodes have registered with it.
    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let running: Vec<_> = (0..self.datanodes.len()).filter(|node| !self.datanodes[*node].ended()).collect();
        let address = self.http_address();
        let ready = || is_operational(&address, running.len()) == Some(true);
        wait_until(&self.namenode, ready).with_context(|| {
            let tails = self.datanodes.iter().map(|node| format!("{}: {}", node.name(), node.log_tail()));
            tails.collect::<Vec<_>>().join("\n")
        })?;
        // The NameNode counts a DataNode that was killed as live for a while, so each is asked itself.
        for node in running {
            let address = format!("127.0.0.1:{}", self.datanode_ports[node][2]);
            wait_until(&self.datanodes[node], || is_registered(&address) == Some(true))?;
        }
        Ok(())
    }
}

/// Whether the NameNode is out of safe mode and knows at least `datanodes` live DataNodes; none when it does not say.
fn is_operational(address: &str, datanodes: usize) -> Option<bool> {
    // Not the bean FSNamesystem, which the NameNode renews every 10 s only.
    let state = bean(address, "NameNode,name=FSNamesystemState")?;
    let live = usize::try_from(state["NumLiveDataNodes"].as_u64()?).ok()?;
    Some(live >= datanodes && state["FSState"] == "Operational")
}

/// Whether a DataNode serves the NameNode; none when it does not say.
fn is_registered(address: &str) -> Option<bool> {
    let info = bean(address, "DataNode,name=DataNodeInfo")?;
    Some(info["BPServiceActorInfo"].as_str()?.contains(r#""ActorState":"RUNNING""#))
}

fn bean(address: &str, name: &str) -> Option<serde_json::Value> {
    let answer = http::request("GET", address, &format!("/jmx?qry=Hadoop:service={name}"), &[], &[]).ok()?;
    let mut beans: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    // A server that has only begun to start answers with no beans.
    Some(beans["beans"].get_mut(0)?.take())
}

fn target(path: &str, operation: &str) -> String {
    format!("/webhdfs/v1{path}?{operation}")
}

fn text(answer: &http::Response) -> String {
    format!("status {}, {}", answer.status, String::from_utf8_lossy(&answer.body))
}

fn spawn_namenode(home: &Home) -> anyhow::Result<Process> {
    Process::start("namenode", home, &java(&[NAMENODE])?)
}

/// The command line that runs one of Hadoop's programs with the cluster's settings.
fn java(program: &[&str]) -> anyhow::Result<Vec<String>> {
    let installed = cache::service("hdfs")?;
    let class_path = format!("conf:{0}/web:{0}/libs/*", installed.display());
    let opened = ["java.lang", "java.nio", "sun.nio.ch", "java.net", "java.io", "java.util"];
    let mut words = vec!["java".to_owned()];
    words.extend(opened.map(|module| format!("--add-opens=java.base/{module}=ALL-UNNAMED")));
    let options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true", "-cp"];
    words.extend(options.map(str::to_owned));
    words.push(class_path);
    words.extend(program.iter().map(|word| (*word).to_owned()));
    Ok(words)
}

/// The cluster's settings: what makes closes quick is `num-committed-allowed`, and what makes a dead DataNode known
/// after 12 s, not after 10 minutes, the two heartbeat settings.
fn write_settings(home: &Home, port: u16, http_port: u16, replication: usize) -> anyhow::Result<()> {
    let folder = home.path().display();
    let core = [("fs.defaultFS", format!("hdfs://127.0.0.1:{port}")), ("hadoop.tmp.dir", format!("{folder}/tmp"))];
    let hdfs = [
        ("dfs.replication", replication.to_string()),
        ("dfs.namenode.name.dir", format!("file://{folder}/namenode")),
        ("dfs.namenode.rpc-address", format!("127.0.0.1:{port}")),
        ("dfs.namenode.http-address", format!("127.0.0.1:{http_port}")),
        ("dfs.namenode.file.close.num-committed-allowed", "1".to_owned()),
        ("dfs.namenode.safemode.extension", "0".to_owned()),
        ("dfs.namenode.heartbeat.recheck-interval", "1000".to_owned()),
        ("dfs.heartbeat.interval", "1".to_owned()),
        ("dfs.permissions.enabled", "false".to_owned()),
        ("dfs.datanode.hostname", "127.0.0.1".to_owned()),
    ];
    home.write("conf/core-site.xml", &xml(&core))?;
    home.write("conf/hdfs-site.xml", &xml(&hdfs))?;
    let log = "log4j.rootLogger=WARN,c\nlog4j.appender.c=org.apache.log4j.ConsoleAppender\n\
               log4j.appender.c.layout=org.apache.log4j.SimpleLayout\n";
    home.write("conf/log4j.properties", log)
}

fn xml(settings: &[(&str, String)]) -> String {
    let property =
        |(name, value): &(&str, String)| format!("<property><name>{name}</name><value>{value}</value></property>\n");
    format!("<configuration>\n{}</configuration>\n", settings.iter().map(property).collect::<String>())
}

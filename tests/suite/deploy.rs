//! What `deploy/` says of ports, paths, variables, commands, images and users is what the binary and the project say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use sluice_tests::sluice_binary;
use sluice_tests::tidy::tree::root;

const COMPOSE: &str = "deploy/compose.yaml";
const DOCKERFILE: &str = "deploy/Dockerfile";
const UNIT: &str = "deploy/sluice.service";
const SETTINGS: &str = "pipelines/music/sluice.yml";

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

fn yaml(path: &str) -> anyhow::Result<Json> {
    let mut value: serde_norway::Value =
        serde_norway::from_str(&read(path)?).with_context(|| format!("{path} is no YAML"))?;
    // Twice: what `<<` brings may have a `<<` of its own, which one call leaves.
    value.apply_merge()?;
    value.apply_merge()?;
    Ok(serde_json::to_value(value)?)
}

fn services() -> anyhow::Result<BTreeMap<String, Json>> {
    let compose = yaml(COMPOSE)?;
    let services = compose["services"].as_object().context("compose.yaml has no services")?;
    Ok(services.clone().into_iter().collect())
}

/// The services that run our own image.
fn our_services() -> anyhow::Result<BTreeMap<String, Json>> {
    let mut services = services()?;
    services.retain(|_, service| service["image"].as_str().is_some_and(|image| image.starts_with("sluice:")));
    assert!(services.contains_key("sluice"), "compose.yaml has no service \"sluice\" with an image \"sluice:...\"");
    Ok(services)
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

fn environment(service: &Json) -> BTreeMap<String, String> {
    let pairs = service["environment"].as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// One instruction of the Dockerfile, its lines joined.
struct Instruction {
    name: String,
    rest: String,
}

fn dockerfile() -> anyhow::Result<Vec<Instruction>> {
    let (text, mut whole, mut instructions) = (read(DOCKERFILE)?, String::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(begin) = line.strip_suffix('\\') {
            whole.push_str(begin);
            continue;
        }
        whole.push_str(line);
        let (name, rest) = whole.split_once(' ').with_context(|| format!("{DOCKERFILE}: \"{whole}\" says nothing"))?;
        instructions.push(Instruction { name: name.to_owned(), rest: rest.trim().to_owned() });
        whole.clear();
    }
    Ok(instructions)
}

fn of<'a>(instructions: &'a [Instruction], name: &str) -> Vec<&'a str> {
    instructions.iter().filter(|one| one.name == name).map(|one| one.rest.as_str()).collect()
}

/// The image's variables (`ENV A=1 B=2`).
fn image_environment(instructions: &[Instruction]) -> BTreeMap<String, String> {
    let words = of(instructions, "ENV").into_iter().flat_map(str::split_whitespace);
    words.filter_map(|word| word.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The unit's settings, in order.
fn unit() -> anyhow::Result<Vec<(String, String)>> {
    let text = read(UNIT)?;
    let lines = text.lines().filter(|line| !line.starts_with(['#', '[']));
    Ok(lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

fn set_in<'a>(unit: &'a [(String, String)], key: &str) -> Vec<&'a str> {
    unit.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
}

/// The names of the variables in a text: `${NAME...}`.
fn variables(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    text.split("${").skip(1).map(name).collect()
}

/// `512 MiB`, `1g`, `1G` in bytes.
fn bytes(text: &str) -> anyhow::Result<u64> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let power = match text[digits.len()..].trim().to_lowercase().as_str() {
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        unit => bail!("\"{text}\" has the unit \"{unit}\", which this test does not know"),
    };
    Ok(digits.parse::<u64>()? << power)
}

/// The admin server's port is one in the project, the image, its health check and the compose file.
#[test]
fn admin_port_is_the_same_everywhere() -> anyhow::Result<()> {
    let settings = yaml(SETTINGS)?;
    let listen = settings["admin"]["listen"].as_str().context("sluice.yml sets no admin.listen")?;
    let (_, port) = listen.trim_end_matches('}').rsplit_once(':').context("admin.listen has no port")?;
    let image = dockerfile()?;
    assert_eq!(of(&image, "EXPOSE"), [port], "EXPOSE of the Dockerfile is not admin.listen's port");
    let health = of(&image, "HEALTHCHECK").join(" ");
    assert!(health.contains(&format!("/dev/tcp/127.0.0.1/{port} ")), "HEALTHCHECK asks another port: {health}");
    let all = format!("0.0.0.0:{port}");
    let in_image = image_environment(&image);
    assert_eq!(in_image.get("ADMIN_LISTEN"), Some(&all), "a container that listens on its loopback can't be published");
    let sluice = &our_services()?["sluice"];
    assert_eq!(environment(sluice).get("ADMIN_LISTEN"), Some(&all), "ADMIN_LISTEN of compose.yaml");
    let published = format!("127.0.0.1:{port}:{port}");
    assert_eq!(texts(&sluice["ports"]), [published], "what compose.yaml publishes of sluice");
    Ok(())
}

/// Nothing of the stack is reached from other machines, and no two services want the same port.
#[test]
fn ports_are_published_on_this_machine_only() -> anyhow::Result<()> {
    let mut taken = BTreeSet::new();
    for (name, service) in services()? {
        for published in texts(&service["ports"]) {
            let parts: Vec<_> = published.split(':').collect();
            assert_eq!(parts.len(), 3, "{name} publishes {published}; write 127.0.0.1:PORT:PORT");
            assert_eq!(parts[0], "127.0.0.1", "{name} publishes {published} to the network; write 127.0.0.1:PORT:PORT");
            assert!(taken.insert(parts[1].to_owned()), "{name} publishes port {}, which is taken", parts[1]);
        }
        assert_ne!(service["network_mode"], "host", "{name} has the machine's network, so its ports are not held back");
    }
    assert!(taken.len() >= 4, "only {taken:?} is published: the test does not find the ports");
    Ok(())
}

/// Every image has a version, and the Rust that builds is the one of `rust-toolchain.toml`.
#[test]
fn images_have_versions() -> anyhow::Result<()> {
    let file = dockerfile()?;
    let mut images = BTreeSet::new();
    let mut stages = BTreeSet::new();
    for from in of(&file, "FROM") {
        let words: Vec<_> = from.split_whitespace().collect();
        if !stages.contains(words[0]) {
            images.insert(words[0].to_owned());
        }
        stages.extend(words.last().copied());
    }
    for (name, service) in services()? {
        let image =
            service["image"].as_str().with_context(|| format!("service {name} of compose.yaml has no image"))?;
        images.insert(image.to_owned());
    }
    for image in &images {
        let (_, tag) = image.rsplit_once(':').with_context(|| format!("image {image} has no version"))?;
        assert!(tag != "latest" && !tag.contains('/'), "image {image} is another one each day; name a version");
    }
    let toolchain = read("rust-toolchain.toml")?;
    let channel = toolchain.lines().find(|line| line.starts_with("channel")).and_then(|line| line.split('"').nth(1));
    let channel = channel.context("rust-toolchain.toml has no channel")?;
    let rust = format!("rust:{channel}-slim-bookworm");
    assert!(images.contains(&rust), "the Dockerfile builds with another Rust than {rust}: {images:?}");
    let pinned = image_environment(&file);
    assert_eq!(pinned.get("RUSTUP_TOOLCHAIN").map(String::as_str), Some(channel), "RUSTUP_TOOLCHAIN of the Dockerfile");
    Ok(())
}

/// A variable that a deployment sets is one that `sluice.yml` takes; and the compose file sets all of them.
#[test]
fn environment_is_what_the_project_takes() -> anyhow::Result<()> {
    let taken = variables(&read(SETTINGS)?);
    let composed: BTreeSet<_> = environment(&our_services()?["sluice"]).into_keys().collect();
    assert_eq!(composed, taken, "left: what compose.yaml sets for sluice; right: what sluice.yml takes as ${{NAME}}");
    let mut image = image_environment(&dockerfile()?);
    image.remove("RUSTUP_TOOLCHAIN");
    let image: BTreeSet<_> = image.into_keys().collect();
    assert!(image.is_subset(&taken), "the Dockerfile sets {image:?}; sluice.yml takes {taken:?}");
    let unit = unit()?;
    let set = set_in(&unit, "Environment").into_iter().filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
    let set: BTreeSet<_> = set.collect();
    assert!(!set.is_empty() && set.is_subset(&taken), "the unit sets {set:?}; sluice.yml takes {taken:?}");
    Ok(())
}

/// No password is in the tree: each comes from `.env`, which must be filled, is described by the example, and is ignored.
#[test]
fn passwords_come_from_outside() -> anyhow::Result<()> {
    let mut secrets = 0;
    for (name, service) in services()? {
        for (variable, value) in environment(&service) {
            if ["PASSWORD", "SECRET", "TOKEN"].iter().any(|word| variable.contains(word)) {
                assert!(value.starts_with("${") && value.contains(":?"), "{name}: {variable} is not ${{NAME:?...}}");
                secrets += 1;
            }
        }
    }
    assert!(secrets >= 3, "only {secrets} passwords are found in compose.yaml");
    let example = read("deploy/.env.example")?;
    let lines = example.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let lines: Vec<_> = lines.collect();
    for (name, value) in &lines {
        assert!(value.is_empty(), ".env.example gives {name} a value, which somebody will keep");
    }
    let described: BTreeSet<_> = lines.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(described, variables(&read(COMPOSE)?), "left: .env.example; right: what compose.yaml takes from it");
    assert!(read("deploy/.gitignore")?.lines().any(|line| line == ".env"), "git does not ignore deploy/.env");
    Ok(())
}

/// Sluice never runs as root, and the lake on HDFS belongs to the user that the image runs as.
#[test]
fn nobody_is_root() -> anyhow::Result<()> {
    let file = dockerfile()?;
    let users = of(&file, "USER");
    let [user] = users[..] else { bail!("the Dockerfile changes its user: {users:?}") };
    assert!(!["root", "0"].contains(&user), "the image runs as {user}");
    let made = of(&file, "RUN").into_iter().find(|run| run.contains("useradd")).context("no useradd")?;
    assert!(
        made.contains("--uid 10001") && made.contains(user),
        "the image's user is not made with a fixed id: {made}"
    );
    for (name, service) in services()? {
        // New volumes belong to root, so somebody who is root must give them away.
        let allowed = service["entrypoint"][0] == "chown";
        assert!(allowed || service["user"].is_null(), "{name} changes its image's user to {}", service["user"]);
        assert_ne!(service["privileged"], true, "{name} is privileged");
    }
    for (name, service) in our_services()? {
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name} keeps capabilities");
        assert_eq!(service["read_only"], true, "{name} can write to its image");
    }
    let lake = texts(&services()?["lake"]["command"]).join(" ");
    assert!(lake.contains(&format!("-chown {user} /lake")), "the lake's owner is not {user}: {lake}");
    let unit = unit()?;
    assert_eq!(set_in(&unit, "User"), ["sluice"], "User of the unit");
    assert_eq!(set_in(&unit, "NoNewPrivileges"), ["yes"], "NoNewPrivileges of the unit");
    assert_eq!(set_in(&unit, "ProtectSystem"), ["strict"], "ProtectSystem of the unit");
    Ok(())
}

/// Every command line of sluice in `deploy/`: where it stands, and its words after the binary.
fn command_lines() -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut lines = Vec::new();
    for command in of(&dockerfile()?, "CMD") {
        lines.push((DOCKERFILE.to_owned(), serde_json::from_str(command)?));
    }
    for (name, service) in our_services()? {
        lines.push((format!("{COMPOSE}, {name}"), texts(&service["command"])));
    }
    for command in set_in(&unit()?, "ExecStart") {
        lines.push((UNIT.to_owned(), words(command).split_off(1)));
    }
    for line in read("deploy/image")?.lines() {
        if let Some((_, demo)) = line.split_once("\"$tag\" demo ") {
            lines.push(("deploy/image".to_owned(), words(&format!("demo {demo}"))));
        }
    }
    for line in read("deploy/README.md")?.lines() {
        if let Some(command) = line.trim().strip_prefix("sluice ") {
            let command = command.split(" # ").next().unwrap_or_default();
            lines.push(("deploy/README.md".to_owned(), words(command)));
        }
    }
    assert!(lines.len() >= 5, "only {} command lines are found in deploy/", lines.len());
    Ok(lines)
}

fn sluice(arguments: &[&str]) -> anyhow::Result<Output> {
    let binary: PathBuf = sluice_binary().expect("the binary is built");
    let output = Command::new(&binary).args(arguments).output();
    output.with_context(|| format!("cannot start {}", binary.display()))
}

/// Every subcommand and option that `deploy/` uses is one of the binary's.
#[test]
fn commands_are_the_binarys() -> anyhow::Result<()> {
    for (place, line) in command_lines()? {
        let [command, arguments @ ..] = &line[..] else { bail!("{place}: a command line without a command") };
        let output = sluice(&[command.as_str(), "--help"])?;
        assert!(output.status.success(), "{place}: sluice has no command \"{command}\"");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        let known: BTreeSet<_> = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
        for option in arguments.iter().filter(|word| word.starts_with("--")) {
            assert!(known.contains(option.as_str()), "{place}: \"sluice {command}\" has no option {option}");
        }
    }
    Ok(())
}

/// What no new start can heal ends with the status that the unit does not start again.
#[test]
fn wrong_project_is_not_started_again() -> anyhow::Result<()> {
    let unit = unit()?;
    assert_eq!(set_in(&unit, "Restart"), ["on-failure"], "Restart of the unit");
    let prevented = set_in(&unit, "RestartPreventExitStatus");
    let empty = tempfile::tempdir()?;
    let output = sluice(&["run", "--project", &empty.path().display().to_string()])?;
    let status = output.status.code().map(|code| code.to_string());
    assert_eq!(
        status.as_deref(),
        prevented.first().copied(),
        "left: of a folder that is no project; right: the unit's"
    );
    Ok(())
}

/// The topics that the stack makes are the streams of the project.
#[test]
fn topics_are_the_projects_streams() -> anyhow::Result<()> {
    let sources = yaml("pipelines/music/models/sources.yml")?;
    let tables = sources["sources"].as_array().into_iter().flatten();
    let tables = tables.filter_map(|source| source["tables"].as_array()).flatten();
    let streams = tables.filter_map(|table| Some(table["meta"]["stream"]["topic"].as_str()?.to_owned()));
    let streams: BTreeSet<_> = streams.collect();
    let script = texts(&services()?["topics"]["command"]).join(" ");
    let list = script.split_once("for topic in ").and_then(|(_, rest)| rest.split_once(';'));
    let (list, _) = list.with_context(|| format!("the service topics has no list: {script}"))?;
    let made: BTreeSet<_> = list.split_whitespace().map(str::to_owned).collect();
    assert_eq!(made, streams, "left: topics in compose.yaml; right: topics in models/sources.yml");
    Ok(())
}

/// What a service mounts, as (host, container).
fn mounts(service: &Json) -> Vec<(String, String)> {
    let volumes = texts(&service["volumes"]).into_iter();
    let pair = |volume: String| {
        let mut parts = volume.split(':');
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    volumes.filter_map(pair).collect()
}

/// Folders that are mounted are in the tree, volumes are declared and used, and what sluice is told to read is there.
#[test]
fn mounts_lead_to_what_is_there() -> anyhow::Result<()> {
    let mut used = BTreeSet::new();
    for (name, service) in services()? {
        for (host, _) in mounts(&service) {
            if host.starts_with('.') {
                assert!(root().join("deploy").join(&host).exists(), "{name} mounts {host}, which is not in the tree");
            } else {
                used.insert(host);
            }
        }
    }
    let compose = yaml(COMPOSE)?;
    let declared: BTreeSet<_> =
        compose["volumes"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    assert_eq!(used, declared, "left: volumes that services mount; right: volumes that compose.yaml declares");
    let mut files = 0;
    for (name, service) in our_services()? {
        let command = texts(&service["command"]);
        for pair in command.windows(2).filter(|pair| ["--project", "--config"].contains(&pair[0].as_str())) {
            let mount = mounts(&service).into_iter().find(|(_, inside)| pair[1].starts_with(inside.as_str()));
            let (host, inside) = mount.with_context(|| format!("{name}: nothing is mounted at {}", pair[1]))?;
            let mut file = root().join("deploy").join(host).join(pair[1][inside.len()..].trim_start_matches('/'));
            if pair[0] == "--project" {
                file.push("sluice.yml");
            }
            assert!(file.is_file(), "{name}: {} {} leads to {}, which is not there", pair[0], pair[1], file.display());
            files += 1;
        }
    }
    assert_eq!(files, 2, "the project of sluice and the configuration of the simulator");
    Ok(())
}

/// Tables go to what is kept: the image's volume, and the folder that the unit may write to.
#[test]
fn lakes_are_kept() -> anyhow::Result<()> {
    let file = dockerfile()?;
    let lake = image_environment(&file).remove("LAKE").context("the image sets no LAKE")?;
    let volume = of(&file, "VOLUME").join(" ");
    assert!(lake.starts_with(&format!("{volume}/")), "the image's LAKE {lake} is not on its volume {volume}");
    let unit = unit()?;
    let writable = set_in(&unit, "ReadWritePaths").join(" ");
    let lake = set_in(&unit, "Environment").into_iter().find_map(|pair| pair.strip_prefix("LAKE="));
    let lake = lake.context("the unit sets no LAKE")?;
    assert!(lake.starts_with(&format!("{writable}/")), "the unit's LAKE {lake} is not in ReadWritePaths={writable}");
    Ok(())
}

/// Every service has a memory limit and a restart policy, and sluice's limit leaves room above its own budget.
#[test]
fn services_are_limited() -> anyhow::Result<()> {
    for (name, service) in services()? {
        let limit = service["mem_limit"].as_str().with_context(|| format!("{name} has no mem_limit"))?;
        assert!(bytes(limit)? > 0, "{name} has no memory");
        assert!(service["restart"].is_string(), "{name} has no restart policy");
        if service["restart"] == "unless-stopped" {
            assert!(service["healthcheck"]["test"].is_array(), "{name} runs for ever and has no healthcheck");
        }
    }
    let settings = yaml(SETTINGS)?;
    let budget = bytes(settings["run"]["memory"].as_str().context("sluice.yml sets no run.memory")?)?;
    let sluice = &our_services()?["sluice"];
    let in_compose = bytes(sluice["mem_limit"].as_str().context("sluice has no mem_limit")?)?;
    assert!(in_compose >= 2 * budget, "mem_limit of sluice is less than twice run.memory");
    let unit = unit()?;
    let in_unit = bytes(set_in(&unit, "MemoryMax").first().context("the unit has no MemoryMax")?)?;
    assert_eq!(in_unit, in_compose, "left: MemoryMax of the unit; right: mem_limit of sluice");
    let patience = set_in(&unit, "TimeoutStopSec").join(" ") + "s";
    assert_eq!(sluice["stop_grace_period"], patience.as_str(), "compose.yaml and the unit wait differently for a stop");
    Ok(())
}

/// Services wait for what can come to pass: a healthy one has a healthcheck, a completed one is not started again.
#[test]
fn services_wait_for_what_can_happen() -> anyhow::Result<()> {
    let (services, mut waits) = (services()?, 0);
    for (name, service) in &services {
        for (other, wait) in service["depends_on"].as_object().into_iter().flatten() {
            let awaited =
                services.get(other).with_context(|| format!("{name} waits for {other}, which is no service"))?;
            match wait["condition"].as_str().unwrap_or_default() {
                "service_started" => {}
                "service_healthy" => {
                    let healthy = awaited["healthcheck"]["test"].is_array();
                    assert!(healthy, "{name} waits until {other} is healthy, which has no healthcheck");
                }
                "service_completed_successfully" => {
                    let ends = awaited["restart"] == "no" || awaited["restart"] == "on-failure";
                    assert!(ends, "{name} waits for the end of {other}, which is started again for ever");
                }
                condition => bail!("{name} waits for {other} to be \"{condition}\""),
            }
            waits += 1;
        }
    }
    assert!(waits >= 8, "only {waits} dependencies are found");
    Ok(())
}

/// The script that builds the image is correct bash.
#[test]
fn image_script_parses() -> anyhow::Result<()> {
    let output = Command::new("bash").arg("-n").arg(root().join("deploy/image")).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

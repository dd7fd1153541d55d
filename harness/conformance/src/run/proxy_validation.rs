//! Has Envoy check each configuration before it is deployed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::process::Command;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use harness_core::model::digest::sha256;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::{PROXY_CONTAINER, Stack};
use harness_environment::RunFolder;

/// How many lines of Envoy's output an error shows.
const LAST_LINES: usize = 4;

/// Remembers which configurations Envoy has accepted.
#[derive(Debug)]
pub struct ProxyValidator {
    // Private keys are written into it: what a killed harness leaves there must be found by the next sweep.
    folder: RunFolder,
    verdicts: Mutex<BTreeMap<String, CachedValidation>>,
}

/// Envoy's verdict on one configuration, once it has one.
type CachedValidation = Arc<OnceCell<Result<(), InvalidProxyConfig>>>;

/// A configuration that Envoy does not accept.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Envoy does not accept the rendered configuration {path} ({exit}):\n{last_lines}")]
pub struct InvalidProxyConfig {
    /// The rendered configuration.
    pub path: Utf8PathBuf,
    /// How Envoy ended.
    pub exit: String,
    /// Its last lines.
    pub last_lines: String,
    /// Whether Envoy said so, or nothing was heard of it.
    pub by: RefusedBy,
}

/// Who does not accept a configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusedBy {
    /// Envoy read it and refused it: the configuration is at fault.
    Envoy,
    /// Envoy was not run or gave no answer: nothing is known of the configuration.
    Machine,
}

impl InvalidProxyConfig {
    /// Returns whether the configuration is at fault.
    pub fn is_envoys(&self) -> bool {
        self.by == RefusedBy::Envoy
    }
}

impl ProxyValidator {
    /// Starts with nothing accepted. Files that Envoy reads are written into `folder`.
    pub fn new(folder: RunFolder) -> Self {
        Self {
            folder,
            verdicts: Mutex::default(),
        }
    }

    /// Lets Envoy check the configuration of a stack, once per text. The rendered file is left in `folder` when it is refused.
    pub async fn validate(
        &self,
        envoy: &Utf8Path,
        stack: &Stack,
        folder: &Utf8Path,
        within: TimeSpan,
    ) -> Result<(), InvalidProxyConfig> {
        let config = stack.proxy_config().unwrap_or_default();
        let digest = sha256(config.as_bytes());
        let cell = self
            .verdicts
            .lock()
            .await
            .entry(digest.clone())
            .or_default()
            .clone();
        let path = folder.join(format!("envoy-{}.yaml", &digest[..12]));
        cell.get_or_init(|| self.check(envoy, stack, config, path, within))
            .await
            .clone()
    }

    async fn check(
        &self,
        envoy: &Utf8Path,
        stack: &Stack,
        config: &str,
        path: Utf8PathBuf,
        within: TimeSpan,
    ) -> Result<(), InvalidProxyConfig> {
        let invalid = |exit: String, last_lines: String| InvalidProxyConfig {
            path: path.clone(),
            exit,
            last_lines,
            by: RefusedBy::Machine,
        };
        let room = tempfile::tempdir_in(self.folder.path())
            .map_err(|error| invalid("not run".into(), error.to_string()))?;
        let file = Utf8Path::from_path(room.path())
            .ok_or_else(|| invalid("not run".into(), "the folder's name is not UTF-8".into()))
            .and_then(|room| {
                write_files(stack, config, room)
                    .map_err(|error| invalid("not run".into(), error.to_string()))
            })?;
        let command = Command::new(envoy)
            .arg0(self.folder.process_name("proxy-check"))
            .args(["--mode", "validate", "--disable-hot-restart", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = match timeout(within.as_duration(), command).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(invalid("not run".into(), error.to_string())),
            Err(_) => return Err(invalid(format!("no answer within {within}"), String::new())),
        };
        if output.status.success() {
            return Ok(());
        }
        let kept = path
            .parent()
            .map_or(Ok(()), fs_err::create_dir_all)
            .and_then(|()| fs_err::write(&path, config));
        kept.map_err(|error| invalid(output.status.to_string(), error.to_string()))?;
        let last_lines = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = last_lines.lines().collect();
        let start = lines.len().saturating_sub(LAST_LINES);
        Err(InvalidProxyConfig {
            by: RefusedBy::Envoy,
            ..invalid(output.status.to_string(), lines[start..].join("\n"))
        })
    }
}

/// Writes the configuration beside the files that the proxy has in the pod, and lets it name them where they are now: Envoy refuses
/// a configuration whose certificates it cannot read.
fn write_files(stack: &Stack, config: &str, room: &Utf8Path) -> std::io::Result<Utf8PathBuf> {
    let mut config = config.to_owned();
    let proxy = stack.container(PROXY_CONTAINER);
    let mounted = proxy
        .into_iter()
        .flat_map(|proxy| stack.mounted_secrets(proxy));
    for (number, (folder, files)) in mounted.enumerate() {
        let copy = room.join(number.to_string());
        fs_err::create_dir(&copy)?;
        for (name, content) in files {
            fs_err::write(copy.join(name), content.reveal())?;
        }
        config = config.replace(&format!("{folder}/"), &format!("{copy}/"));
    }
    let file = room.join("envoy.yaml");
    fs_err::write(&file, config)?;
    Ok(file)
}

//! The way to a cluster's API, and what its server says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8PathBuf;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::EnvironmentFault;
use crate::kube::api::client::{Clients, make_clients};
use crate::kube::api::fault::ask;
use harness_core::model::causes::chain;

/// How long the kubeconfig's credentials may take: a command that gives them may ask the user to log in.
const LOGGED_IN_WITHIN: Duration = Duration::from_mins(3);

/// Where a cluster's address and credentials are.
#[derive(Clone, Debug)]
pub(in crate::kube) enum KubeconfigSource {
    /// A context of the user's kubeconfig; the current one when none is named.
    Context(Option<String>),
    /// A file that holds this one cluster.
    File(Utf8PathBuf),
}

/// A cluster that has answered.
#[derive(Clone)]
pub(in crate::kube) struct ApiConnection {
    pub client: Client,
    /// Asks once. The other asks again by itself where the API says that it is busy, and so hides that an eviction was refused.
    pub asks_once: Client,
    /// What the API calls itself: `v1.20.2`.
    pub version: String,
    pub release: Release,
    /// The address, for the report.
    pub server: String,
}

impl std::fmt::Debug for ApiConnection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("server", &self.server)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl ApiConnection {
    /// Opens the way to a cluster and asks for its version.
    pub(in crate::kube) async fn open(source: &KubeconfigSource) -> Result<Self, EnvironmentFault> {
        Self::to(read_context(source).await?.config, LOGGED_IN_WITHIN).await
    }

    /// Opens the way to a cluster of which the address is known, and asks for its version. The credentials may take this long.
    pub(in crate::kube) async fn to(
        config: Config,
        logged_in_within: Duration,
    ) -> Result<Self, EnvironmentFault> {
        let server = config.cluster_url.to_string();
        let Clients { client, asks_once } = make_clients(config, logged_in_within).await?;
        let action = format!("ask the Kubernetes API at {server} for its version");
        let version = ask(&action, client.apiserver_version()).await?;
        Ok(Self {
            client,
            asks_once,
            release: Release::of(
                leading_number(&version.major),
                leading_number(&version.minor),
            ),
            version: version.git_version,
            server,
        })
    }

    /// Returns what a report says of the cluster.
    pub(in crate::kube) fn facts(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("kubernetes".to_owned(), self.version.clone()),
            ("api server".to_owned(), self.server.clone()),
        ])
    }
}

/// Major and minor version of Kubernetes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::kube) struct Release(u32, u32);

impl Release {
    /// Takes the two numbers.
    pub(in crate::kube) const fn of(major: u32, minor: u32) -> Self {
        Self(major, minor)
    }

    /// Returns whether it is this release of Kubernetes 1, or a later one.
    pub(in crate::kube) fn is_at_least(self, minor: u32) -> bool {
        self >= Self(1, minor)
    }
}

/// A context of a kubeconfig, of which the cluster has not been asked anything yet.
pub(in crate::kube) struct ContextConfig {
    /// Its name; empty where the file has one cluster and names no context.
    pub name: String,
    pub config: Config,
}

/// Reads which cluster a context means.
pub(in crate::kube) async fn read_context(
    source: &KubeconfigSource,
) -> Result<ContextConfig, EnvironmentFault> {
    let (kubeconfig, context) = match source {
        KubeconfigSource::Context(context) => (Kubeconfig::read(), context.clone()),
        KubeconfigSource::File(path) => (Kubeconfig::read_from(path), None),
    };
    let unusable = |error: &dyn std::error::Error| {
        EnvironmentFault::Cluster {
        action: "use the kubeconfig".into(),
        detail: chain(error).join(": "),
        hint: Some(
            "`kubectl config get-contexts` lists the contexts; `--context NAME` chooses one, KUBECONFIG another file"
                .into(),
        ),
    }
    };
    let kubeconfig = kubeconfig.map_err(|error| unusable(&error))?;
    let name = context
        .clone()
        .or_else(|| kubeconfig.current_context.clone());
    let options = KubeConfigOptions {
        context,
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| unusable(&error))?;
    Ok(ContextConfig {
        name: name.unwrap_or_default(),
        config,
    })
}

/// Reads `20` and, as some clouds write it, `20+`.
fn leading_number(text: &str) -> u32 {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clouds_plus_is_no_part_of_the_version() {
        assert_eq!(leading_number("27+"), 27);
        assert_eq!(leading_number("20"), 20);
        assert_eq!(leading_number(""), 0);
    }
}

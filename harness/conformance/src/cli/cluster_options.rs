//! Options of a run in a cluster.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::error::CliError;
use super::options::ExecutableOptions;
use crate::catalogue::configuration::ConfigurationFile;
use crate::report::record::PlaceRecord;
use crate::run::place::{KubernetesPlace, Place};
use crate::run::setup_error::SetupError;
use harness_artifacts::image::ImageRole;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::image_digest::ImageDigest;
use harness_core::model::pull_policy::PullPolicy;
use harness_environment::kube::{
    ClusterChoice, ClusterNodes, ClusterTool, ImageChoice, ImageDelivery, ImageNames, Keeping,
    LeaseFolder, LoadCommand, MOST_NODES, PullSecretName, RegistryPrefix,
};

/// Where the pods run, and which images in which way.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Clusters")]
pub(super) struct ClusterOptions {
    /// Where the pods run. Default: local.
    #[arg(long, value_parser = environment_parser())]
    environment: Option<EnvironmentKind>,

    /// With `--environment existing`: the context of the kubeconfig. Default: the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// With `kind` and `k3d`: the image of the cluster's nodes, which chooses the version of Kubernetes. Default: the newest that
    /// Docker already has, else the tool's own choice.
    #[arg(long, value_name = "IMAGE")]
    node_image: Option<String>,

    /// With `kind` and `k3d`: how many nodes the cluster has, each of which takes pods. Default: 1, or those of the cluster of `conformance up`.
    #[arg(long, value_name = "N", value_parser = nodes_parser())]
    nodes: Option<u8>,

    /// Leave everything that was made in the cluster, for inspection. A cluster that was made is removed by `conformance down --kept`.
    #[arg(long)]
    keep: bool,

    /// The agent's image, in place of one that is made of the executable.
    #[arg(long, value_name = "IMAGE")]
    agent_image: Option<String>,

    /// Envoy's image, in place of one that is made of the executable.
    #[arg(long, value_name = "IMAGE")]
    envoy_image: Option<String>,

    /// The application's image, in place of one that is made of the executable.
    #[arg(long, value_name = "IMAGE")]
    app_image: Option<String>,

    /// The image of this program, in place of one that is made of it.
    #[arg(long, value_name = "IMAGE")]
    driver_image: Option<String>,

    /// With `existing`: the command that loads an image's archive into the cluster, as in `ctr -n k8s.io images import {archive}`.
    /// It is split as a shell splits, and no shell reads it.
    #[arg(long, value_name = "COMMAND", conflicts_with = "registry")]
    image_load: Option<LoadCommand>,

    /// With `existing`: push the images there, as in `registry.example.com/team`, for the nodes to pull. Credentials are read from the
    /// configuration of Docker's client. Without TLS for a registry of this machine alone.
    #[arg(long, value_name = "PREFIX")]
    registry: Option<RegistryPrefix>,

    /// When the kubelet asks a registry for the run's images: `Always`, `IfNotPresent` or `Never`. Default: `IfNotPresent`.
    #[arg(long, value_name = "POLICY", value_parser = parse_pull_policy)]
    pull_policy: Option<PullPolicy>,

    /// A secret with credentials of a registry, NAME or NAMESPACE/NAME, that is copied into the namespaces of the run.
    #[arg(long, value_name = "SECRET")]
    pull_secret: Option<PullSecretName>,

    /// Fail where the containers of a role run another image: `agent=sha256:…`, and so with `proxy`, `application`, `driver`.
    #[arg(long, value_name = "ROLE=DIGEST", value_parser = parse_expected_digest)]
    expect_digest: Vec<(ImageRole, ImageDigest)>,
}

/// Parses the name of an environment; the help has what each is.
pub(super) fn environment_parser() -> impl TypedValueParser<Value = EnvironmentKind> {
    let help = |kind| match kind {
        EnvironmentKind::Existing => {
            "A cluster of yours, by the kubeconfig; only namespaces that the run makes are touched"
        }
        EnvironmentKind::K3d => {
            "A cluster that k3d makes for the run, or the one of `conformance up --environment k3d`"
        }
        EnvironmentKind::Kind => {
            "A cluster that kind makes for the run, or the one of `conformance up`"
        }
        EnvironmentKind::Local => "Namespaces of this machine; the kubelet's rules are rehearsed",
    };
    let values =
        EnvironmentKind::ALL.map(|kind| PossibleValue::new(kind.as_str()).help(help(kind)));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<EnvironmentKind>())
}

/// Parses how many nodes a cluster is made of.
pub(super) fn nodes_parser() -> impl TypedValueParser<Value = u8> {
    clap::value_parser!(u8).range(1..=i64::from(MOST_NODES))
}

fn parse_pull_policy(text: &str) -> Result<PullPolicy, String> {
    let mut policies = PullPolicy::ALL.into_iter();
    policies
        .find(|policy| policy.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("`{text}` is not Always, IfNotPresent or Never"))
}

fn parse_expected_digest(text: &str) -> Result<(ImageRole, ImageDigest), String> {
    let (role, digest) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not ROLE=DIGEST"))?;
    let role = ImageRole::from_str(role, false)
        .map_err(|_| format!("`{role}` is not agent, application, driver or proxy"))?;
    let digest: ImageDigest = digest
        .parse()
        .map_err(|error: harness_core::model::image_digest::InvalidDigest| error.to_string())?;
    Ok((role, digest))
}

impl ClusterOptions {
    /// Returns these options, and those of an earlier run where no environment is named.
    pub(super) fn or_as_in(&self, earlier: Option<&PlaceRecord>) -> Self {
        let (None, Some(earlier)) = (self.environment, earlier) else {
            return self.clone();
        };
        let named = |own: &Option<String>, role: ImageRole| {
            own.clone().or_else(|| earlier.images.get(&role).cloned())
        };
        let mut expected: Vec<(ImageRole, ImageDigest)> = earlier
            .expected_digests
            .iter()
            .map(|(role, digest)| (*role, digest.clone()))
            .collect();
        expected.extend(self.expect_digest.iter().cloned());
        let names_a_way = self.image_load.is_some() || self.registry.is_some();
        let parsed = |text: &Option<String>| text.as_ref().filter(|_| !names_a_way).cloned();
        Self {
            environment: Some(earlier.environment),
            context: self.context.clone().or_else(|| earlier.context.clone()),
            node_image: self
                .node_image
                .clone()
                .or_else(|| earlier.node_image.clone()),
            nodes: self.nodes.or(earlier.nodes),
            // What is kept is kept once: a replay is asked for it again.
            keep: self.keep,
            agent_image: named(&self.agent_image, ImageRole::Agent),
            envoy_image: named(&self.envoy_image, ImageRole::Proxy),
            app_image: named(&self.app_image, ImageRole::Application),
            driver_image: named(&self.driver_image, ImageRole::Driver),
            image_load: self
                .image_load
                .clone()
                .or_else(|| parsed(&earlier.image_load)?.parse().ok()),
            registry: self
                .registry
                .clone()
                .or_else(|| parsed(&earlier.registry)?.parse().ok()),
            pull_policy: self.pull_policy.or(earlier.pull_policy),
            pull_secret: self
                .pull_secret
                .clone()
                .or_else(|| earlier.pull_secret.as_ref()?.parse().ok()),
            expect_digest: expected,
        }
    }

    /// Returns these options, and those of the configuration where nothing else is said. An image that the configuration names is for the
    /// environment that it names.
    pub(super) fn or_as_configured(&self, configured: &ConfigurationFile) -> Self {
        let environment = self.environment.or(configured.environment);
        let in_cluster = !matches!(environment, None | Some(EnvironmentKind::Local));
        let image = |own: &Option<String>, other: &Option<String>| {
            own.clone().or_else(|| other.clone().filter(|_| in_cluster))
        };
        Self {
            environment,
            agent_image: image(&self.agent_image, &configured.agent.image),
            app_image: image(&self.app_image, &configured.application.image),
            ..self.clone()
        }
    }

    /// Names the agent's image; returns the one that was named before.
    pub(super) fn set_agent_image(&mut self, image: String) -> Option<String> {
        self.agent_image.replace(image)
    }

    /// Returns whether the image of Envoy is named.
    pub(super) const fn names_envoy(&self) -> bool {
        self.envoy_image.is_some()
    }

    /// Returns the environment that is meant.
    pub(super) fn environment(&self) -> EnvironmentKind {
        self.environment.unwrap_or(EnvironmentKind::Local)
    }

    /// Returns where the pods run.
    ///
    /// # Errors
    ///
    /// When an option is given that the environment does not carry out.
    pub(super) fn place(&self) -> Result<Place, CliError> {
        let environment = self.environment();
        self.refuse_what_does_nothing(environment)?;
        let made = |tool| ClusterChoice::Made {
            tool,
            nodes: ClusterNodes {
                image: self.node_image.clone(),
                count: self.nodes,
            },
        };
        let cluster = match environment {
            EnvironmentKind::Local => return Ok(Place::Local),
            EnvironmentKind::Existing => ClusterChoice::Existing {
                context: self.context.clone(),
            },
            EnvironmentKind::K3d => made(ClusterTool::K3d),
            EnvironmentKind::Kind => made(ClusterTool::Kind),
        };
        let delivery = match (&self.image_load, &self.registry) {
            (Some(command), _) => ImageDelivery::Command(command.clone()),
            (None, Some(prefix)) => ImageDelivery::Registry(prefix.clone()),
            (None, None) => ImageDelivery::None,
        };
        Ok(Place::Kubernetes(KubernetesPlace {
            cluster,
            images: ImageChoice {
                named: self.named(),
                delivery,
                pull_policy: self.pull_policy.unwrap_or(PullPolicy::IfNotPresent),
                pull_secret: self.pull_secret.clone(),
                expected_digests: self.expect_digest.iter().cloned().collect(),
            },
            keeping: if self.keep {
                Keeping::Keep
            } else {
                Keeping::Remove
            },
        }))
    }

    /// Refuses options that would change nothing: a verdict would be taken for one on what they name.
    fn refuse_what_does_nothing(&self, environment: EnvironmentKind) -> Result<(), CliError> {
        const CLUSTERS: &[EnvironmentKind] = &[
            EnvironmentKind::Kind,
            EnvironmentKind::K3d,
            EnvironmentKind::Existing,
        ];
        const MADE: &[EnvironmentKind] = &[EnvironmentKind::Kind, EnvironmentKind::K3d];
        const EXISTING: &[EnvironmentKind] = &[EnvironmentKind::Existing];
        let options = [
            ("--agent-image", self.agent_image.is_some(), CLUSTERS),
            ("--app-image", self.app_image.is_some(), CLUSTERS),
            ("--context", self.context.is_some(), EXISTING),
            ("--driver-image", self.driver_image.is_some(), CLUSTERS),
            ("--envoy-image", self.envoy_image.is_some(), CLUSTERS),
            ("--expect-digest", !self.expect_digest.is_empty(), CLUSTERS),
            ("--image-load", self.image_load.is_some(), EXISTING),
            ("--keep", self.keep, CLUSTERS),
            ("--node-image", self.node_image.is_some(), MADE),
            ("--nodes", self.nodes.is_some(), MADE),
            ("--pull-policy", self.pull_policy.is_some(), CLUSTERS),
            ("--pull-secret", self.pull_secret.is_some(), CLUSTERS),
            ("--registry", self.registry.is_some(), EXISTING),
        ];
        for (option, is_given, fit) in options {
            if is_given && !fit.contains(&environment) {
                return Err(CliError::UnfitOption {
                    option,
                    environment,
                    fit,
                });
            }
        }
        let loads = [
            ("--image-load", self.image_load.is_some()),
            ("--registry", self.registry.is_some()),
        ];
        for (option, is_given) in loads {
            if is_given && self.named().missing().is_empty() {
                return Err(CliError::IdleOption {
                    option,
                    because: "every image is named, so that none is made",
                });
            }
        }
        Ok(())
    }

    /// Refuses executables beside the images that take their place in a cluster.
    ///
    /// # Errors
    ///
    /// When both are given for the same role.
    pub(super) fn refuse_executables_beside_images(
        &self,
        executables: &ExecutableOptions,
    ) -> Result<(), CliError> {
        let pairs = [
            (
                "--agent-binary",
                executables.agent_binary.is_some() && self.agent_image.is_some(),
                "`--agent-image` names what runs",
            ),
            (
                "--app-binary",
                executables.app_binary.is_some() && self.app_image.is_some(),
                "`--app-image` names what runs",
            ),
        ];
        match pairs
            .into_iter()
            .find(|(_, are_both_given, _)| *are_both_given)
        {
            Some((option, _, because)) => Err(CliError::IdleOption { option, because }),
            None => Ok(()),
        }
    }

    fn named(&self) -> ImageNames {
        let images = [
            (ImageRole::Agent, &self.agent_image),
            (ImageRole::Application, &self.app_image),
            (ImageRole::Driver, &self.driver_image),
            (ImageRole::Proxy, &self.envoy_image),
        ];
        images
            .into_iter()
            .filter_map(|(role, name)| Some((role, name.as_ref()?)))
            .fold(ImageNames::default(), |names, (role, name)| {
                names.with(role, name)
            })
    }
}

/// Refuses to make a cluster for each of many runs: that would take longer than their scenarios.
///
/// # Errors
///
/// When the place is a cluster that would be made, and none is kept.
pub(super) fn refuse_a_cluster_for_each_run(place: &Place) -> Result<(), CliError> {
    let Place::Kubernetes(KubernetesPlace {
        cluster: ClusterChoice::Made { tool, .. },
        ..
    }) = place
    else {
        return Ok(());
    };
    let leases = LeaseFolder::of_user().map_err(SetupError::from)?;
    match leases.for_runs(*tool).map_err(SetupError::from)? {
        Some(_) => Ok(()),
        None => Err(CliError::NoKeptCluster { tool: tool.name() }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Debug, Parser)]
    struct TestOptions {
        #[command(flatten)]
        options: ClusterOptions,
    }

    fn options(arguments: &[&str]) -> ClusterOptions {
        let words = std::iter::once("test").chain(arguments.iter().copied());
        TestOptions::try_parse_from(words).expect("valid").options
    }

    #[test]
    fn a_replay_has_the_place_of_the_earlier_run_unless_it_names_one() {
        let digest = format!("agent=sha256:{}", "0".repeat(64));
        let first = options(&[
            "--environment",
            "existing",
            "--context",
            "c",
            "--agent-image",
            "own/agent:1",
            "--image-load",
            "load 'a b' {archive}",
            "--pull-policy",
            "Never",
            "--pull-secret",
            "team/registry",
            "--expect-digest",
            &digest,
        ]);
        let record = first.place().expect("fits").record();
        let again = options(&[]).or_as_in(record.as_ref());
        assert_eq!(again.place().expect("fits").record(), record);
        let elsewhere = options(&["--environment", "local"]).or_as_in(record.as_ref());
        assert_eq!(elsewhere.place().expect("fits").record(), None);
    }

    #[rstest]
    #[case(&["--environment", "kind", "--registry", "localhost:5000"], "--registry")]
    #[case(&["--environment", "k3d", "--image-load", "load {archive}"], "--image-load")]
    #[case(&["--environment", "existing", "--node-image", "node:1"], "--node-image")]
    #[case(&["--environment", "kind", "--context", "c"], "--context")]
    #[case(&["--agent-image", "agent:1"], "--agent-image")]
    #[case(&["--envoy-image", "envoy:1"], "--envoy-image")]
    #[case(&["--app-image", "app:1"], "--app-image")]
    #[case(&["--driver-image", "driver:1"], "--driver-image")]
    #[case(&["--context", "c"], "--context")]
    #[case(&["--keep"], "--keep")]
    #[case(&["--node-image", "node:1"], "--node-image")]
    #[case(&["--nodes", "2"], "--nodes")]
    #[case(&["--environment", "existing", "--nodes", "2"], "--nodes")]
    #[case(&["--pull-policy", "Never"], "--pull-policy")]
    #[case(&["--pull-secret", "team/registry"], "--pull-secret")]
    #[case(&["--registry", "localhost:5000"], "--registry")]
    #[case(&["--image-load", "load {archive}"], "--image-load")]
    #[case(
        &["--environment", "existing", "--registry", "localhost:5000", "--agent-image", "a", "--app-image", "b", "--envoy-image", "c", "--driver-image", "d"],
        "--registry"
    )]
    fn an_option_that_would_be_passed_over_is_refused(
        #[case] arguments: &[&str],
        #[case] option: &str,
    ) {
        let error = options(arguments).place().expect_err("it does not fit");
        assert!(error.to_string().contains(option), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[rstest]
    #[case("agent")]
    #[case("agent=sha256:0")]
    #[case("envoy=sha256:0000000000000000000000000000000000000000000000000000000000000000")]
    fn a_digest_without_a_role_or_of_another_form_is_refused(#[case] text: &str) {
        assert!(parse_expected_digest(text).is_err());
    }
}

//! What a run judged, and where: agent, application, Envoy and harness by version and digest, and the environment.

use schemars::JsonSchema;
use serde::Serialize;

use super::record::RunRecord;
use super::untrusted::{bounded, harmless};
use harness_artifacts::executable::Identity;
use harness_artifacts::image::ImageRole;
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::feature::Feature;
use harness_core::model::image_use::ImageUse;
use harness_core::model::kubelet::Kubelet;

/// The longest text that a subject says of itself, in characters.
const TEXT_LIMIT: usize = 200;
/// The fact of a cluster that is its version.
const KUBERNETES: &str = "kubernetes";

/// What was judged, and where.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judged {
    /// The agent first; what the record does not name is left out.
    pub subjects: Vec<Subject>,
    /// Where the pods ran.
    pub environment: EnvironmentKind,
    /// Whose probes, hooks and signals the run saw.
    pub kubelet: Kubelet,
    /// The version of Kubernetes; none without a cluster.
    pub kubernetes: Option<String>,
    /// The way out of its pod that the agent had: `none`, `host` or the address of a proxy. In a cluster it is `none` whatever the network.
    pub agent_egress: AgentEgress,
}

/// One thing that took part.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Subject {
    /// `agent`, `application`, `envoy` or `harness`.
    pub role: String,
    /// What ran: an executable's file name, or the name of an image as the pods gave it.
    pub name: String,
    /// Whether an executable ran or a container image.
    pub form: Form,
    /// What the executable says to `--version`; none where it does not answer, and where an image was named, whose executable is not known.
    pub version: Option<String>,
    /// `sha256:` and 64 hexadecimal digits: of the executable, or of the images as the cluster reported them. Empty where no pod has run yet.
    pub digests: Vec<RanDigest>,
    /// Whether it is the agent that stands in for a WAF: a verdict on it says nothing about any product.
    pub reference_stub: bool,
}

/// In which form something ran.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// An executable of this machine.
    Executable,
    /// A container image.
    Image,
}

/// One digest that ran.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RanDigest {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// The number of pods that ran it; none where executables are not counted by pod.
    pub pods: Option<u64>,
}

/// Returns what a run judged. In a cluster the images are what ran, and the executables of this machine are only named where no image has
/// their role.
pub fn judged(record: &RunRecord) -> Judged {
    let roles = [
        ("agent", ImageRole::Agent),
        ("application", ImageRole::Application),
        ("envoy", ImageRole::Proxy),
        ("harness", ImageRole::Driver),
    ];
    Judged {
        subjects: roles
            .into_iter()
            .filter_map(|(role, image)| subject(record, role, image))
            .collect(),
        environment: record.environment.name,
        kubelet: record.environment.kubelet,
        kubernetes: record
            .environment
            .facts
            .get(KUBERNETES)
            .map(|version| text(version)),
        agent_egress: record.options.agent_egress.clone(),
    }
}

fn subject(record: &RunRecord, role: &str, image: ImageRole) -> Option<Subject> {
    match (record.environment.name, image) {
        // The harness judges from this machine, also where its driver runs in a cluster.
        (_, ImageRole::Driver) | (EnvironmentKind::Local, _) => executable(record, role),
        (EnvironmentKind::Existing | EnvironmentKind::K3d | EnvironmentKind::Kind, _) => {
            image_of(record, role, image)
        }
    }
}

fn executable(record: &RunRecord, role: &str) -> Option<Subject> {
    let identity = record.subjects.get(role)?;
    Some(Subject {
        role: role.into(),
        name: text(
            identity
                .path
                .file_name()
                .unwrap_or_else(|| identity.path.as_str()),
        ),
        form: Form::Executable,
        version: version_of(identity),
        digests: vec![RanDigest {
            digest: format!("sha256:{}", identity.sha256),
            pods: None,
        }],
        reference_stub: is_reference_stub(record, role),
    })
}

/// Returns what an executable says of its version, without its path, which Envoy begins with and which is of this machine alone.
fn version_of(identity: &Identity) -> Option<String> {
    let version = identity.version.as_deref()?;
    let without_path = version.strip_prefix(identity.path.as_str());
    let version = without_path.map_or(version, |rest| {
        let rest = rest.trim_start();
        rest.strip_prefix("version:").unwrap_or(rest).trim_start()
    });
    Some(text(version))
}

fn image_of(record: &RunRecord, role: &str, image: ImageRole) -> Option<Subject> {
    let used = record.environment.images.get(&image.to_string());
    let name = used.map(|used| used.name.as_str()).or_else(|| {
        let fact = format!("image of the {image}");
        record.environment.facts.get(&fact).map(String::as_str)
    })?;
    let place = record.options.place.as_ref();
    let is_named = place.is_some_and(|place| place.images.contains_key(&image));
    // An image that the harness made holds the executable that it found here; what a named image holds is not known.
    let identity = record.subjects.get(role).filter(|_| !is_named);
    Some(Subject {
        role: role.into(),
        name: text(name),
        form: Form::Image,
        version: identity.and_then(version_of),
        digests: used.map(digests).unwrap_or_default(),
        reference_stub: is_reference_stub(record, role),
    })
}

fn digests(used: &ImageUse) -> Vec<RanDigest> {
    used.digests
        .iter()
        .map(|(digest, pods)| RanDigest {
            digest: digest.to_string(),
            pods: Some(*pods),
        })
        .collect()
}

/// The set-up asks the agent that runs, also the one of a named image, and only the reference stub has this feature.
fn is_reference_stub(record: &RunRecord, role: &str) -> bool {
    role == "agent"
        && record
            .environment
            .features
            .contains(&Feature::AgentFaultInjection)
}

fn text(text: &str) -> String {
    harmless(&bounded(text, TEXT_LIMIT)).replace('\n', " ")
}

impl Judged {
    /// Returns a name and a line of text for each subject and for the environment, in the order in which a reader wants them.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let subjects = self.subjects.iter();
        let mut pairs: Vec<(String, String)> = subjects
            .map(|subject| (subject.role.clone(), subject.to_string()))
            .collect();
        pairs.push(("environment".into(), self.place()));
        pairs
    }

    /// Returns whether the agent is the reference stub.
    pub fn is_about_the_reference_stub(&self) -> bool {
        self.subjects.iter().any(|subject| subject.reference_stub)
    }

    fn place(&self) -> String {
        let kubernetes = match &self.kubernetes {
            Some(version) => format!(", Kubernetes {version}"),
            None => String::new(),
        };
        let kubelet = match self.kubelet {
            Kubelet::Real => "a real kubelet",
            Kubelet::Rehearsed => "lifecycle rehearsed, not by a real kubelet",
        };
        let egress = match &self.agent_egress {
            AgentEgress::None => String::new(),
            AgentEgress::Host => ", the agent had a way out by the host".into(),
            AgentEgress::Proxy(address) => format!(", the agent had a way out by {address}"),
        };
        format!("{}{kubernetes}, {kubelet}{egress}", self.environment)
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.form {
            Form::Executable => formatter.write_str(&self.name)?,
            Form::Image => write!(formatter, "image {}", self.name)?,
        }
        if self.reference_stub {
            formatter.write_str(" (the reference stub)")?;
        }
        match &self.version {
            Some(version) => write!(formatter, ", version {version}")?,
            None => formatter.write_str(", version unknown")?,
        }
        if self.digests.is_empty() {
            formatter.write_str(", no digest was reported")?;
        }
        for ran in &self.digests {
            write!(formatter, ", {}", ran.digest)?;
            match ran.pods {
                None => {}
                Some(1) => formatter.write_str(" in 1 pod")?,
                Some(pods) => write!(formatter, " in {pods} pods")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_records::{identity, in_a_cluster, place_with_agent_image, record};
    use harness_core::model::image_use::ImagesInUse;

    fn agent_of(record: &RunRecord) -> Subject {
        judged(record).subjects.remove(0)
    }

    #[test]
    fn in_local_the_executables_are_what_ran() {
        let mut record = record(Vec::new());
        record
            .environment
            .features
            .insert(Feature::AgentFaultInjection);
        let agent = agent_of(&record);
        let digest = format!("sha256:{}", "ab".repeat(32));
        assert_eq!(
            agent.to_string(),
            format!("agent-stub (the reference stub), version agent-stub 0.1.0, {digest}")
        );
        let pairs = judged(&record).pairs();
        let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["agent", "application", "envoy", "harness", "environment"]
        );
        assert!(pairs[4].1.contains("not by a real kubelet"), "{pairs:?}");
    }

    #[test]
    fn the_version_that_envoy_says_of_itself_has_no_path_of_this_machine() {
        let mut record = record(Vec::new());
        let version = "/bin/envoy  version: 9e55/1.40.0/Clean";
        let envoy = identity("envoy", Some(version));
        record.subjects.insert("envoy".into(), envoy);
        let shown = judged(&record).subjects[2].version.clone();
        assert_eq!(shown.as_deref(), Some("9e55/1.40.0/Clean"));
    }

    #[test]
    fn in_a_cluster_a_named_image_is_what_ran_and_not_the_executable_of_this_machine() {
        let mut record = in_a_cluster(record(Vec::new()));
        record.options.place = Some(place_with_agent_image("registry.example.com/agent:1"));
        let digest = format!("sha256:{}", "0f".repeat(32));
        let used = ImageUse {
            name: "registry.example.com/agent:1".into(),
            expected: Vec::new(),
            digests: [(digest.parse().expect("a digest"), 3)].into(),
        };
        record.environment.images = ImagesInUse::from([("agent".into(), used)]);
        let agent = agent_of(&record);
        assert_eq!(
            agent.to_string(),
            format!("image registry.example.com/agent:1, version unknown, {digest} in 3 pods")
        );
        assert!(!agent.to_string().contains("abab"), "{agent}");
        let place = &judged(&record).pairs().pop().expect("the environment").1;
        assert_eq!(place, "kind, Kubernetes v1.34.0, a real kubelet");
    }

    #[test]
    fn an_agent_that_was_given_a_way_out_is_said_to_have_had_one() {
        let place = |egress: &str| {
            let mut record = record(Vec::new());
            record.options.agent_egress = egress.parse().expect("valid");
            judged(&record).pairs().pop().expect("the environment").1
        };
        assert!(!place("none").contains("agent"), "{}", place("none"));
        assert!(
            place("host").ends_with(", the agent had a way out by the host"),
            "{}",
            place("host")
        );
        assert!(
            place("http://proxy:3128").ends_with(" a way out by http://proxy:3128"),
            "{}",
            place("http://proxy:3128")
        );
    }

    #[test]
    fn an_image_that_no_pod_has_run_has_no_digest() {
        let mut record = in_a_cluster(record(Vec::new()));
        let fact = ("image of the agent".to_owned(), "agent:1".to_owned());
        record.environment.facts.extend([fact]);
        assert_eq!(
            agent_of(&record).to_string(),
            "image agent:1, version agent-stub 0.1.0, no digest was reported"
        );
    }

    #[test]
    fn what_a_subject_says_of_itself_is_bounded_and_written_out() {
        let mut record = record(Vec::new());
        let version = format!("1\u{1b}[31m\n{}", "x".repeat(1_000_000));
        record
            .subjects
            .insert("agent".into(), identity("agent", Some(&version)));
        let shown = agent_of(&record).to_string();
        assert!(shown.len() < 2_000, "{}", shown.len());
        assert!(!shown.contains(['\u{1b}', '\n']), "{shown}");
    }
}

//! What a parser cannot check in a scenario file: names, combinations, references to payloads. Whether what it deploys is there and fit is
//! asked where it is selected (`run/fitness.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;

use super::scenario::Scenario;
use crate::procedure::interface::CheckContext;
use crate::procedure::registry::{SECTIONS, ScenarioFile, Section};
use harness_core::model::complaints::Complaints;
use harness_core::model::container::{AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER};
use harness_core::model::corpora::Corpora;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::feature::Feature;
use harness_core::model::located::{Located, Position};
use harness_core::model::pod_security::PodSecurity;
use harness_core::model::project::Project;
use harness_core::model::stack_settings::{AgentPlace, ContainerSettings, ProbeSettings};
use harness_core::model::terminating_endpoints::TerminatingEndpoints;
use harness_core::model::validate_requests::is_plain_name;

/// The most agents behind a Service.
const MOST_AGENTS: u32 = 4;

/// What the checks of one scenario file need to see.
pub(super) struct Context<'a> {
    pub(super) corpora: &'a Corpora,
    pub(super) file: &'a Utf8Path,
    pub(super) text: &'a Arc<str>,
}

/// Checks a scenario file and returns its one procedure.
pub(super) fn scenario(
    context: &Context<'_>,
    spec: &ScenarioFile,
    list: &mut Vec<Diagnostic>,
) -> Option<Section> {
    let before = list.len();
    let mut complaints = Complaints {
        file: context.file,
        text: context.text,
        list,
    };
    check_names(context, spec, &mut complaints);
    let procedure = only_procedure(spec, &mut complaints)?;
    let around = CheckContext {
        corpora: context.corpora,
        stack: &spec.stack,
        section: procedure.position,
    };
    procedure.check(&around, &mut complaints);
    check_needs(spec, &procedure, &mut complaints);
    (complaints.list.len() == before).then_some(procedure)
}

/// Complains about names and ids that more than one scenario has.
pub(super) fn unique(scenarios: &[Scenario], list: &mut Vec<Diagnostic>) {
    let name = |scenario: &Scenario| (scenario.name.to_string(), Position::default());
    let id = |scenario: &Scenario| (scenario.spec.id.value.clone(), scenario.spec.id.position);
    let file = "rename the file, or put it into another group";
    let suffix = "add a suffix that says what is different, as in `A02-sqli`";
    unique_by("name", name, file, scenarios, list);
    unique_by("id", id, suffix, scenarios, list);
}

fn unique_by(
    what: &str,
    value_of: impl Fn(&Scenario) -> (String, Position),
    hint: &str,
    scenarios: &[Scenario],
    list: &mut Vec<Diagnostic>,
) {
    let mut seen: BTreeMap<String, &Scenario> = BTreeMap::new();
    for scenario in scenarios {
        let (value, position) = value_of(scenario);
        let message = format!("the {what} `{value}` is taken by");
        if let Some(first) = seen.insert(value, scenario) {
            let text: Arc<str> = scenario.text.as_str().into();
            let mut complaints = Complaints {
                file: &scenario.file,
                text: &text,
                list,
            };
            complaints.add(position, format!("{message} {}", first.file), hint);
        }
    }
}

/// Complains about a file that lies beside the folders of groups.
pub(super) fn without_a_group(project: &Project, path: &Utf8Path) -> Diagnostic {
    Diagnostic {
        file: project.shown(path),
        text: "".into(),
        position: Position::default(),
        message: "the file would not be read: it lies in no group's folder".into(),
        label: String::new(),
        hint: Some(
            "move it into a folder below `scenarios`; the folder's name is the group".into(),
        ),
    }
}

fn check_names(context: &Context<'_>, spec: &ScenarioFile, complaints: &mut Complaints<'_>) {
    let group = context.file.parent().and_then(Utf8Path::file_name);
    for (what, name) in [("group", group), ("scenario", context.file.file_stem())] {
        if !name.is_some_and(is_plain_name) {
            complaints.add(
                Position::default(),
                format!(
                    "`{}` cannot be the name of a {what}",
                    name.unwrap_or_default()
                ),
                "pods are named after it: up to 64 lower-case letters, digits and hyphens",
            );
        }
    }
    if !is_catalogue_id(&spec.id) {
        complaints.add(
            spec.id.position,
            format!("`{}` is not an id", *spec.id),
            "write a letter and two digits, and a suffix where needed: `A02`, `A02-sqli`",
        );
    }
    for variable in &spec.stack.agent_env_removed {
        if spec.stack.agent_env.contains_key(variable.as_str()) {
            complaints.add(
                variable.position,
                format!("`{}` is both set and removed", **variable),
                "keep one of the two",
            );
        }
    }
    if let Some(folder) = &spec.stack.certificates_at
        && !Utf8Path::new(folder.as_str()).is_absolute()
    {
        complaints.add(
            folder.position,
            format!("`{}` is not an absolute path", **folder),
            "write the folder in the containers, as `/etc/conformance/tls`",
        );
    }
    if let Some(grace) = &spec.stack.grace_period
        && grace.as_duration().subsec_nanos() != 0
    {
        complaints.add(
            grace.position,
            "a grace period is whole seconds",
            "Kubernetes counts terminationGracePeriodSeconds in seconds",
        );
    }
    if let Some(order) = &spec.stack.start_order {
        check_start_order(order, complaints);
    }
    for settings in [
        &spec.stack.agent,
        &spec.stack.front_proxy,
        &spec.stack.application,
    ] {
        check_container(settings, complaints);
        let probes = [&settings.startup_probe, &settings.readiness_probe];
        for probe in probes.into_iter().flatten() {
            check_probe(probe, complaints);
        }
    }
}

/// Complains of settings that not every environment carries out, where the scenario does not say that it needs them.
fn check_needs(spec: &ScenarioFile, procedure: &Section, complaints: &mut Complaints<'_>) {
    let mut needs: Vec<(Position, Feature)> = Vec::new();
    if let Some(security) = &spec.stack.pod_security {
        needs.push((security.position, Feature::RunAsUser));
        match **security {
            PodSecurity::Restricted => needs.push((security.position, Feature::SeccompProfile)),
            PodSecurity::Unprivileged => {}
        }
    }
    let limits = [
        &spec.stack.agent.memory_limit,
        &spec.stack.front_proxy.memory_limit,
        &spec.stack.application.memory_limit,
    ];
    let limits = limits.into_iter().flatten();
    needs.extend(limits.map(|limit| (limit.position, Feature::MemoryLimits)));
    match *spec.stack.agent_place {
        AgentPlace::Service => {
            needs.push((spec.stack.agent_place.position, Feature::AgentService));
        }
        AgentPlace::Main | AgentPlace::NativeSidecar => {
            if let Some(replicas) = &spec.stack.agent_replicas {
                complaints.add(
                    replicas.position,
                    "only agents behind a Service can be several",
                    "write `agent-place: service`, or take `agent-replicas:` out",
                );
            }
        }
    }
    if let Some(replicas) = &spec.stack.agent_replicas
        && !(1..=MOST_AGENTS).contains(&**replicas)
    {
        complaints.add(
            replicas.position,
            format!("there cannot be {} agents", **replicas),
            format!("write a number from 1 to {MOST_AGENTS}"),
        );
    }
    if let Some(standard) = &spec.stack.namespace_enforces {
        needs.push((standard.position, Feature::PodSecurityAdmission));
    }
    let of_procedure = procedure.features().iter();
    needs.extend(of_procedure.map(|feature| (procedure.position, *feature)));
    for (position, feature) in needs {
        if !spec.features.contains(&feature) {
            complaints.add(
                position,
                format!("the scenario does not say that it needs `{feature}`"),
                format!("add `{feature}` to `features:`: not every environment can carry this out"),
            );
        }
    }
    let kinds = [TerminatingEndpoints::Unused, TerminatingEndpoints::Used]
        .map(TerminatingEndpoints::feature);
    if kinds.iter().all(|kind| spec.features.contains(kind)) {
        complaints.add(
            procedure.position,
            format!("no Service does both `{}` and `{}`", kinds[0], kinds[1]),
            "keep one of the two in `features:`, or neither where it does not matter",
        );
    }
}

fn check_probe(probe: &Located<ProbeSettings>, complaints: &mut Complaints<'_>) {
    if probe.period.as_duration().subsec_nanos() != 0
        || probe.period.as_duration().is_zero()
        || probe.failure_threshold < 1
        || kinds_of(probe) != 1
    {
        complaints.add(
            probe.position,
            "a probe has one of `http-get`, `exec`, `tcp-socket` and `grpc`, and a period of whole seconds, at least 1s, and a failure threshold of at least 1",
            "Kubernetes refuses anything else",
        );
    }
}

fn check_container(settings: &ContainerSettings, complaints: &mut Complaints<'_>) {
    if let Some(sleep) = &settings.pre_stop_sleep
        && (sleep.as_duration().subsec_nanos() != 0 || settings.pre_stop_exec.is_some())
    {
        complaints.add(
            sleep.position,
            "a preStop pause is whole seconds and stands alone",
            "Kubernetes takes one hook, and counts `preStop.sleep` in seconds",
        );
    }
}

fn check_start_order(order: &Located<Vec<String>>, complaints: &mut Complaints<'_>) {
    let mut sorted: Vec<&str> = order.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut known = [PROXY_CONTAINER, APPLICATION_CONTAINER, AGENT_CONTAINER];
    known.sort_unstable();
    if sorted != known {
        complaints.add(
            order.position,
            "`start-order` does not name every container once",
            format!("the containers: {}", known.join(", ")),
        );
    }
}

fn kinds_of(probe: &ProbeSettings) -> usize {
    [
        probe.http_get.is_some(),
        probe.exec.is_some(),
        probe.tcp_socket.is_some(),
        probe.grpc.is_some(),
    ]
    .into_iter()
    .filter(|given| *given)
    .count()
}

fn is_catalogue_id(text: &str) -> bool {
    let (base, suffix) = match text.split_once('-') {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (text, None),
    };
    let base = base.as_bytes();
    base.len() == 3
        && base[0].is_ascii_uppercase()
        && base[1..].iter().all(u8::is_ascii_digit)
        && suffix.is_none_or(is_plain_name)
}

fn only_procedure(spec: &ScenarioFile, complaints: &mut Complaints<'_>) -> Option<Section> {
    let mut given = spec.sections();
    match given.as_slice() {
        [] => {
            complaints.add(
                spec.id.position,
                "the scenario does nothing and expects nothing",
                format!("add one of {}", SECTIONS.join(", ")),
            );
            None
        }
        [_] => given.pop(),
        [first, second, ..] => {
            complaints.add(
                second.position,
                format!("`{}` stands beside `{}`", second.name, first.name),
                "a scenario has one procedure; make two files",
            );
            None
        }
    }
}

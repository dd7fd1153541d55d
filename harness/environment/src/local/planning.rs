//! Turns a stack into the plan of one pod, and refuses what would not be carried out.

use std::collections::BTreeSet;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use k8s_openapi::api::core::v1::{Container, PodSpec};
use nix::unistd::geteuid;

use super::expansion::expand;
use super::image_table::ImageTable;
use super::kubelet::{ContainerRole, ContainerRules, PodRules, RestartPolicy};
use super::plan::{
    ContainerPlan, MountPlan, PodPlan, ProcessCredentials, RootAccess, VolumeContent, VolumePlan,
};
use super::pod_terms::{LONGEST_HOST_NAME, POD_IP, is_label, not_carried_out};
use super::{probe_rules, supported, variables, volume_plans};
use crate::EnvironmentFault;
use harness_artifacts::image::without_tag;
use harness_core::model::identity::PodName;
use harness_core::stack::Stack;

const SERVICE_IP: &str = "10.96.0.1";

/// Not the port of the pod: a proxy that listens on every address would take the Service's
/// connections itself, ready or not.
const SERVICE_PORT: u16 = 80;
const TARGET_PORT: u16 = 8000;

const DEFAULT_GRACE_SECONDS: i64 = 30;

/// What root keeps: what containerd gives to a container, without making device nodes.
const KEPT_CAPABILITIES: [(&str, u32); 13] = [
    ("CHOWN", 0),
    ("DAC_OVERRIDE", 1),
    ("FOWNER", 3),
    ("FSETID", 4),
    ("KILL", 5),
    ("SETGID", 6),
    ("SETUID", 7),
    ("SETPCAP", 8),
    ("NET_BIND_SERVICE", 10),
    ("NET_RAW", 13),
    ("SYS_CHROOT", 18),
    ("AUDIT_WRITE", 29),
    ("SETFCAP", 31),
];

/// What the harness itself may do on this machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Privileges {
    /// It is root; containers can be other users.
    Root,
    /// It is not; its pods live in user namespaces that know one user.
    User,
}

impl Privileges {
    pub(super) fn of_this_process() -> Self {
        if geteuid().is_root() {
            Self::Root
        } else {
            Self::User
        }
    }
}

impl fmt::Display for Privileges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Root => "root",
            Self::User => "user namespace",
        })
    }
}

/// Makes the plan. `folder` is for the pod's short-lived files.
pub(super) fn plan(
    name: &PodName,
    stack: &Stack,
    folder: &Utf8Path,
    images: &ImageTable,
    privileges: Privileges,
) -> Result<PodPlan, EnvironmentFault> {
    let pod = &stack.pod;
    if let Some(refusal) = supported::refusals(pod).into_iter().next() {
        return Err(refusal);
    }
    if stack.agents.is_some() {
        return Err(EnvironmentFault::NotCarriedOut {
            path: None,
            what: "agents in pods of their own".into(),
        });
    }
    let host_name = host_name(name);
    let volumes = volume_plans::volumes(stack)?;
    let mut containers = Vec::new();
    let mut rules = Vec::new();
    for template in templates(pod) {
        let container = template.container;
        template.check_identity()?;
        let variables = variables::resolve(stack, container, &host_name);
        containers.push(template.container_plan(images, &volumes, variables, privileges)?);
        rules.push(template.rules()?);
    }
    let grace = pod
        .termination_grace_period_seconds
        .unwrap_or(DEFAULT_GRACE_SECONDS);
    Ok(PodPlan {
        host_name,
        pod_ip: POD_IP.into(),
        service_ip: SERVICE_IP.into(),
        service_port: SERVICE_PORT,
        target_port: TARGET_PORT,
        folder: folder.into(),
        volumes: volumes.plans,
        containers,
        rules: PodRules {
            containers: rules,
            restart_policy: restart_policy(pod)?,
            grace: std::time::Duration::from_secs(u64::try_from(grace).unwrap_or(0)),
        },
        terminating_endpoints: stack.terminating_endpoints,
        way_out_of: None,
    })
}

/// Returns every reason for which the pod of a stack would not be carried out: what [`plan`] refuses first, and all that it would refuse
/// then. `has_image` says whether an image has an executable.
pub(super) fn refusals(
    stack: &Stack,
    has_image: &dyn Fn(&str) -> bool,
    privileges: Privileges,
) -> Vec<EnvironmentFault> {
    let pod = &stack.pod;
    let mut refusals = supported::refusals(pod);
    let (volumes, of_volumes) = volume_plans::planned(stack);
    refusals.extend(of_volumes);
    refusals.extend(restart_policy(pod).err());
    for template in templates(pod) {
        refusals.extend(template.check_identity().err());
        let image = template.container.image.as_deref().unwrap_or_default();
        if !has_image(without_tag(image)) {
            refusals.push(template.image_missing());
        }
        refusals.extend(template.working_folder().err());
        refusals.extend(template.credentials(privileges).err());
        let mounts = template.mounts(&volumes.plans);
        refusals.extend(mounts.filter_map(Result::err));
        refusals.extend(template.rules().err());
    }
    // A value that is not carried out is refused as a field, as a part of the plan, and with what it is a part of.
    let fields: Vec<String> = refusals
        .iter()
        .filter_map(|refusal| refusal.field().map(str::to_owned))
        .collect();
    let has_refused_part = |field: &str| {
        let mut rests = fields.iter().filter_map(|other| other.strip_prefix(field));
        rests.any(|rest| rest.starts_with(['.', '[']))
    };
    let mut seen = BTreeSet::new();
    refusals.retain(|refusal| {
        let field = refusal.field();
        field.is_none_or(|field| !has_refused_part(field) && seen.insert(field.to_owned()))
    });
    refusals
}

/// Returns the containers of a pod, native sidecars first.
fn templates(pod: &PodSpec) -> impl Iterator<Item = Template<'_>> {
    let sidecars = pod.init_containers.iter().flatten().enumerate();
    let sidecars = sidecars.map(|(position, container)| {
        let path = format!("initContainers[{position}]");
        (ContainerRole::Sidecar, path, container)
    });
    let mains = pod.containers.iter().enumerate();
    let mains = mains.map(|(position, container)| {
        let path = format!("containers[{position}]");
        (ContainerRole::Main, path, container)
    });
    sidecars
        .chain(mains)
        .map(move |(role, path, container)| Template {
            pod,
            container,
            path,
            role,
        })
}

/// Returns whether an absolute path means the same wherever it is read: no `..`, no `.`.
fn is_plain(path: &Utf8Path) -> bool {
    path.is_absolute()
        && path
            .as_str()
            .split('/')
            .all(|part| part != ".." && part != ".")
}

/// One container of a pod template.
struct Template<'a> {
    pod: &'a PodSpec,
    container: &'a Container,
    path: String,
    role: ContainerRole,
}

impl Template<'_> {
    fn refuse(&self, field: &str, value: &dyn fmt::Display) -> EnvironmentFault {
        not_carried_out(&format!("{}.{field}", self.path), value)
    }

    /// Refuses a container that is of no kind that is carried out, or whose name is none.
    fn check_identity(&self) -> Result<(), EnvironmentFault> {
        let is_sidecar = self.role == ContainerRole::Sidecar;
        if is_sidecar && self.container.restart_policy.as_deref() != Some("Always") {
            return Err(self.refuse("restartPolicy", &"not Always"));
        }
        if !is_label(&self.container.name) {
            return Err(self.refuse("name", &self.container.name));
        }
        Ok(())
    }

    fn container_plan(
        &self,
        images: &ImageTable,
        volumes: &volume_plans::Volumes,
        variables: Result<variables::Resolved, String>,
        privileges: Privileges,
    ) -> Result<ContainerPlan, EnvironmentFault> {
        let executable = self.executable(images)?;
        let command = self.command(&executable, variables.as_ref().ok());
        let context = self.container.security_context.as_ref();
        let root = match context.and_then(|context| context.read_only_root_filesystem) {
            Some(true) => RootAccess::ReadOnly,
            Some(false) | None => RootAccess::Writable,
        };
        let working_folder = self.working_folder()?;
        let (credentials, refusal) = self.credentials(privileges)?;
        let variables = match (volumes.missing_for(self.container), refusal) {
            (Some(reason), _) | (None, Some(reason)) => Err(reason),
            (None, None) => variables.map(|resolved| resolved.process(credentials.user)),
        };
        Ok(ContainerPlan {
            executable,
            command,
            variables,
            working_folder,
            root,
            mounts: self.mounts(&volumes.plans).collect::<Result<_, _>>()?,
            credentials,
        })
    }

    fn working_folder(&self) -> Result<String, EnvironmentFault> {
        let working_folder = self.container.working_dir.clone().unwrap_or("/".into());
        if is_plain(Utf8Path::new(&working_folder)) {
            Ok(working_folder)
        } else {
            Err(self.refuse("workingDir", &working_folder))
        }
    }

    fn image_missing(&self) -> EnvironmentFault {
        EnvironmentFault::ImageMissing {
            path: format!("{}.image", self.path),
            container: self.container.name.clone(),
            image: self.container.image.clone().unwrap_or_default(),
        }
    }

    fn executable(&self, images: &ImageTable) -> Result<Utf8PathBuf, EnvironmentFault> {
        let image = self.container.image.as_deref().unwrap_or_default();
        images
            .executables
            .get(without_tag(image))
            // Not canonical: some programs go by the name under which they are run.
            .and_then(|path| camino::absolute_utf8(path).ok())
            .filter(|path| path.is_file())
            .ok_or_else(|| self.image_missing())
    }

    fn command(
        &self,
        executable: &Utf8Path,
        variables: Option<&variables::Resolved>,
    ) -> Vec<String> {
        let expand = |text: &String| {
            expand(text, |name| {
                variables.and_then(|variables| variables.template_value(name))
            })
        };
        let own = |words: &Option<Vec<String>>| -> Vec<String> {
            words.iter().flatten().map(expand).collect()
        };
        let mut command = own(&self.container.command);
        if command.is_empty() {
            let file_name = executable.file_name().unwrap_or("program");
            command.push(format!("/app/{file_name}"));
        }
        command.extend(own(&self.container.args));
        command
    }

    fn mounts<'b>(
        &'b self,
        volumes: &'b [VolumePlan],
    ) -> impl Iterator<Item = Result<MountPlan, EnvironmentFault>> + 'b {
        let mounts = self.container.volume_mounts.iter().flatten().enumerate();
        mounts.map(|(position, mount)| {
            let field = |name: &str| format!("volumeMounts[{position}].{name}");
            let path = Utf8Path::new(&mount.mount_path);
            let is_reserved = ["/dev", "/proc", "/app"]
                .iter()
                .any(|own| path.starts_with(own));
            if !is_plain(path) || path == "/" || is_reserved {
                return Err(self.refuse(&field("mountPath"), &mount.mount_path));
            }
            let volume = volumes
                .iter()
                .position(|volume| volume.name == mount.name)
                .ok_or_else(|| self.refuse(&field("name"), &mount.name))?;
            let content_is_fixed = matches!(volumes[volume].content, VolumeContent::Files(_));
            let access = if content_is_fixed || mount.read_only == Some(true) {
                RootAccess::ReadOnly
            } else {
                RootAccess::Writable
            };
            Ok(MountPlan {
                volume,
                // Without a trailing slash, as the kernel lists it.
                path: path.components().collect::<Utf8PathBuf>().into_string(),
                access,
            })
        })
    }

    /// Returns who the container is and, where the kubelet would refuse to start it, why.
    fn credentials(
        &self,
        privileges: Privileges,
    ) -> Result<(ProcessCredentials, Option<String>), EnvironmentFault> {
        let own = self.container.security_context.as_ref();
        let pod = self.pod.security_context.as_ref();
        let user = own
            .and_then(|context| context.run_as_user)
            .or(pod.and_then(|context| context.run_as_user));
        let group = own
            .and_then(|context| context.run_as_group)
            .or(pod.and_then(|context| context.run_as_group));
        let must_not_be_root = own
            .and_then(|context| context.run_as_non_root)
            .or(pod.and_then(|context| context.run_as_non_root));
        let number = |field: &str, number: Option<i64>| match (number, privileges) {
            (None, _) | (Some(0), Privileges::User) => Ok(None),
            (Some(number), Privileges::Root) => u32::try_from(number)
                .map(Some)
                .map_err(|_| self.refuse(field, &number)),
            (Some(number), Privileges::User) => Err(self.refuse(
                field,
                &format_args!("{number} (a harness that is not root has one user only)"),
            )),
        };
        let user = number("securityContext.runAsUser", user)?;
        let group = number("securityContext.runAsGroup", group)?;
        let refusal = (must_not_be_root == Some(true) && user.unwrap_or(0) == 0)
            .then(|| "container has runAsNonRoot and image will run as root".to_owned());
        let dropped: Vec<&str> = own
            .and_then(|context| context.capabilities.as_ref())
            .and_then(|capabilities| capabilities.drop.as_ref())
            .into_iter()
            .flatten()
            .map(|name| name.strip_prefix("CAP_").unwrap_or(name))
            .collect();
        let capabilities = KEPT_CAPABILITIES
            .iter()
            .filter(|(name, _)| !dropped.contains(&"ALL") && !dropped.contains(name))
            .map(|(_, number)| *number)
            .collect();
        let credentials = ProcessCredentials {
            user,
            group,
            capabilities,
        };
        Ok((credentials, refusal))
    }

    fn rules(&self) -> Result<ContainerRules, EnvironmentFault> {
        let ports = self.container.ports.as_deref().unwrap_or_default();
        let reader = probe_rules::Reader {
            path: &self.path,
            ports,
        };
        let container = self.container;
        Ok(ContainerRules {
            name: container.name.clone(),
            role: self.role,
            startup: reader.probe("startupProbe", container.startup_probe.as_ref())?,
            readiness: reader.probe("readinessProbe", container.readiness_probe.as_ref())?,
            liveness: reader.probe("livenessProbe", container.liveness_probe.as_ref())?,
            pre_stop: container
                .lifecycle
                .as_ref()
                .and_then(|lifecycle| lifecycle.pre_stop.as_ref())
                .map(|hook| reader.hook(hook))
                .transpose()?,
        })
    }
}

fn restart_policy(pod: &PodSpec) -> Result<RestartPolicy, EnvironmentFault> {
    match pod.restart_policy.as_deref() {
        None | Some("Always") => Ok(RestartPolicy::Always),
        Some("OnFailure") => Ok(RestartPolicy::OnFailure),
        Some("Never") => Ok(RestartPolicy::Never),
        Some(other) => Err(not_carried_out("restartPolicy", &other)),
    }
}

fn host_name(name: &PodName) -> String {
    let text: String = name
        .to_string()
        .to_ascii_lowercase()
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .take(LONGEST_HOST_NAME)
        .collect();
    text.trim_matches('-').to_owned()
}

#[cfg(test)]
#[path = "planning_tests.rs"]
mod tests;

//! The volumes of a pod template: what is in them, and what is missing.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path};
use k8s_openapi::api::core::v1::{Container, EmptyDirVolumeSource, KeyToPath, Volume};

use super::plan::{VolumeContent, VolumeFile, VolumePlan};
use super::pod_terms::{is_label, not_carried_out};
use crate::EnvironmentFault;
use harness_core::stack::Stack;

/// What an `emptyDir` without a limit can hold: a runaway writer must not take the machine along.
const DEFAULT_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

const DEFAULT_MODE: u32 = 0o644;

/// The pod's volumes.
pub(super) struct Volumes {
    /// What is made.
    pub plans: Vec<VolumePlan>,
    /// By volume name, why the kubelet could not make it.
    missing: BTreeMap<String, String>,
}

impl Volumes {
    /// Returns why the container cannot start; none when all its volumes can be made.
    pub(super) fn missing_for(&self, container: &Container) -> Option<String> {
        container
            .volume_mounts
            .iter()
            .flatten()
            .find_map(|mount| self.missing.get(&mount.name).cloned())
    }
}

/// Plans the volumes of a stack.
pub(super) fn volumes(stack: &Stack) -> Result<Volumes, EnvironmentFault> {
    let (volumes, refusals) = planned(stack);
    refusals.into_iter().next().map_or(Ok(volumes), Err)
}

/// Plans the volumes of a stack, and refuses those that would not be carried out; nothing is in the plan of such a one.
pub(super) fn planned(stack: &Stack) -> (Volumes, Vec<EnvironmentFault>) {
    let mut volumes = Volumes {
        plans: Vec::new(),
        missing: BTreeMap::new(),
    };
    let mut refusals = Vec::new();
    for (position, volume) in stack.pod.volumes.iter().flatten().enumerate() {
        let path = format!("volumes[{position}]");
        if !is_label(&volume.name) {
            refusals.push(not_carried_out(&format!("{path}.name"), &volume.name));
        }
        let content = match content(stack, volume, &path) {
            Ok(Ok(content)) => content,
            Ok(Err(reason)) => {
                volumes.missing.insert(volume.name.clone(), reason);
                VolumeContent::Files(Vec::new())
            }
            Err(refusal) => {
                refusals.push(refusal);
                VolumeContent::Files(Vec::new())
            }
        };
        volumes.plans.push(VolumePlan {
            name: volume.name.clone(),
            content,
        });
    }
    (volumes, refusals)
}

/// Returns what is in a volume or, inside, what of it does not exist.
fn content(
    stack: &Stack,
    volume: &Volume,
    path: &str,
) -> Result<Result<VolumeContent, String>, EnvironmentFault> {
    if let Some(source) = &volume.empty_dir {
        return empty(source, path).map(Ok);
    }
    if let Some(source) = &volume.config_map {
        let selection = Selection {
            what: format!("configmap \"{}\"", source.name),
            items: source.items.as_deref(),
            default_mode: source.default_mode,
            is_optional: source.optional == Some(true),
            path: format!("{path}.configMap"),
        };
        let values = stack.config_maps.get(&source.name);
        return selection.files(values, Clone::clone);
    }
    if let Some(source) = &volume.secret {
        let name = source.secret_name.clone().unwrap_or_default();
        let selection = Selection {
            what: format!("secret \"{name}\""),
            items: source.items.as_deref(),
            default_mode: source.default_mode,
            is_optional: source.optional == Some(true),
            path: format!("{path}.secret"),
        };
        let values = stack.secrets.get(&name);
        return selection.files(values, |value| value.reveal().to_owned());
    }
    Err(not_carried_out(
        path,
        &format_args!("{} without a source", volume.name),
    ))
}

fn empty(source: &EmptyDirVolumeSource, path: &str) -> Result<VolumeContent, EnvironmentFault> {
    let limit_bytes = match &source.size_limit {
        None => DEFAULT_LIMIT_BYTES,
        Some(limit) => bytes(&limit.0)
            .ok_or_else(|| not_carried_out(&format!("{path}.emptyDir.sizeLimit"), &limit.0))?,
    };
    Ok(VolumeContent::Empty { limit_bytes })
}

/// Which keys of a config map or secret become files.
struct Selection<'a> {
    what: String,
    items: Option<&'a [KeyToPath]>,
    default_mode: Option<i32>,
    is_optional: bool,
    path: String,
}

impl Selection<'_> {
    fn files<V>(
        &self,
        values: Option<&BTreeMap<String, V>>,
        reveal: impl Fn(&V) -> String,
    ) -> Result<Result<VolumeContent, String>, EnvironmentFault> {
        let Some(values) = values else {
            return Ok(if self.is_optional {
                Ok(VolumeContent::Files(Vec::new()))
            } else {
                Err(format!("{} not found", self.what))
            });
        };
        let default_mode = self.mode("defaultMode", self.default_mode)?;
        let mut files = Vec::new();
        let Some(items) = self.items else {
            for (key, value) in values {
                files.push(self.file(key, reveal(value), default_mode)?);
            }
            return Ok(Ok(VolumeContent::Files(files)));
        };
        for item in items {
            let mode = match item.mode {
                None => default_mode,
                mode @ Some(_) => self.mode("items[].mode", mode)?,
            };
            match values.get(&item.key) {
                Some(value) => files.push(self.file(&item.path, reveal(value), mode)?),
                None if self.is_optional => {}
                None => {
                    return Ok(Err(format!(
                        "{} references non-existent key: {}",
                        self.what, item.key
                    )));
                }
            }
        }
        Ok(Ok(VolumeContent::Files(files)))
    }

    fn file(&self, path: &str, content: String, mode: u32) -> Result<VolumeFile, EnvironmentFault> {
        let is_plain = !path.is_empty()
            && Utf8Path::new(path)
                .components()
                .all(|component| matches!(component, Utf8Component::Normal(_)));
        if !is_plain {
            return Err(not_carried_out(
                &format!("{}.items[].path", self.path),
                &path,
            ));
        }
        Ok(VolumeFile {
            path: path.to_owned(),
            content,
            mode,
        })
    }

    fn mode(&self, field: &str, mode: Option<i32>) -> Result<u32, EnvironmentFault> {
        match mode {
            None => Ok(DEFAULT_MODE),
            Some(mode) => u32::try_from(mode)
                .ok()
                .filter(|mode| *mode <= 0o777)
                .ok_or_else(|| not_carried_out(&format!("{}.{field}", self.path), &mode)),
        }
    }
}

/// Reads a Kubernetes quantity of bytes: `64Mi`, `1G`, `1048576`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit());
    let (number, suffix) = text.split_at(digits.unwrap_or(text.len()));
    let factor: u64 = match suffix {
        "" => 1,
        "k" => 1000,
        "M" => 1000 * 1000,
        "G" => 1000 * 1000 * 1000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    // A tmpfs of size zero has no bound at all.
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(factor)
        .filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("64Mi", Some(64 * 1024 * 1024))]
    #[case("1G", Some(1_000_000_000))]
    #[case("4096", Some(4096))]
    #[case("0", None)]
    #[case("1.5Gi", None)]
    #[case("lots", None)]
    #[case("99999999999999999999", None)]
    fn a_size_limit_is_read_as_kubernetes_writes_it(
        #[case] text: &str,
        #[case] expected: Option<u64>,
    ) {
        assert_eq!(bytes(text), expected);
    }
}

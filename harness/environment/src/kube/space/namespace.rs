//! A namespace that a run has made: how it is known again, and how it is removed.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, DeleteParams, Preconditions};

use crate::EnvironmentFault;
use crate::kube::api::fault::{ask_patiently, is_absent};
use crate::kube::api::labels::{OWNER_ANNOTATION, PURPOSE_ANNOTATION, RUN_LABEL};

/// A namespace that this run has made: only such a one is ever removed, and no other one of its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::kube) struct RunNamespace {
    pub name: String,
    uid: String,
}

impl RunNamespace {
    /// Takes a namespace as the API has it; none where it has no identity.
    pub(in crate::kube) fn of(metadata: ObjectMeta) -> Option<Self> {
        Some(Self {
            name: metadata.name?,
            uid: metadata.uid?,
        })
    }
}

/// Asks for the removal of a namespace; one that is gone already is removed.
pub(super) async fn delete_namespace(
    client: &Client,
    namespace: &RunNamespace,
) -> Result<(), EnvironmentFault> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let RunNamespace { name, uid } = namespace;
    let parameters = DeleteParams::background().preconditions(Preconditions {
        uid: Some(uid.clone()),
        ..Preconditions::default()
    });
    let action = format!("remove the namespace `{name}`");
    ask_patiently(&action, |_| {
        let (namespaces, parameters) = (&namespaces, &parameters);
        async move {
            match namespaces.delete(name, parameters).await {
                Ok(_) => Ok(()),
                Err(error) if is_absent(&error) => Ok(()),
                // It is on its way out already, or what has its name now is another one.
                Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
                Err(error) => Err(error),
            }
        }
    })
    .await
}

/// Returns whether a namespace is the one that this process wanted to make: of the same run, owner and purpose.
pub(super) fn is_the_same(there: &ObjectMeta, wanted: &ObjectMeta) -> bool {
    let run = |metadata: &ObjectMeta| metadata.labels.as_ref()?.get(RUN_LABEL).cloned();
    let annotated =
        |metadata: &ObjectMeta, name: &str| metadata.annotations.as_ref()?.get(name).cloned();
    run(there).is_some()
        && run(there) == run(wanted)
        && [OWNER_ANNOTATION, PURPOSE_ANNOTATION]
            .iter()
            .all(|name| annotated(there, name) == annotated(wanted, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::api::objects;
    use crate::kube::api::ownership::Owner;
    use harness_core::model::identity::RunId;

    #[test]
    fn a_namespace_without_identity_is_never_this_runs() {
        let mut metadata = ObjectMeta {
            name: Some("n".into()),
            ..ObjectMeta::default()
        };
        assert_eq!(RunNamespace::of(metadata.clone()), None);
        metadata.uid = Some("u".into());
        assert!(RunNamespace::of(metadata).is_some_and(|own| own.name == "n"));
    }

    #[test]
    fn a_namespace_of_another_owner_is_not_the_same() {
        let run: RunId = "abc123".parse().expect("valid");
        let owner = Owner::this_process();
        let wanted = objects::namespace("n", &run, "p", Some(&owner), None).metadata;
        assert!(is_the_same(&wanted.clone(), &wanted));
        let other = Owner::of_an_ended_process();
        let others = objects::namespace("n", &run, "p", Some(&other), None).metadata;
        assert!(!is_the_same(&others, &wanted));
        assert!(!is_the_same(&ObjectMeta::default(), &ObjectMeta::default()));
    }
}

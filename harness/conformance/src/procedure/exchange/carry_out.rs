//! Carries an exchange out: requests are sent to a pod that stands, and each is judged.

use super::requests::{Sending, judge_sent};
use super::working::check_deployment;
use crate::procedure::interface::CarryOut;
use crate::procedure::pods::OnePod;
use async_trait::async_trait;

use super::nameless::{is_nameless, judge_nameless};
use crate::procedure::ProcedureResults;
use crate::procedure::agent_log::judge_log;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::ClientSecurity;
use crate::procedure::exchange::ConnectionChoice;
use crate::procedure::exchange::ExchangeSpec;
use crate::procedure::exchange::Precondition;
use crate::procedure::expected::{
    Expected, requests_of_cases, requests_of_corpus, requests_of_payloads,
};
use crate::procedure::observations::observe_cases;

#[async_trait]
impl CarryOut<OnePod> for ExchangeSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        let spec = self;
        check_deployment(deployment, &spec.lint, results);
        match spec.after {
            Precondition::Enforcing => deployment.await_ready_and_enforcing().await?,
            Precondition::Ready => deployment.await_ready().await?,
        }
        let mut requests = requests_of_cases(&spec.cases, deployment)?;
        if let Some(used) = &spec.payloads {
            requests.extend(requests_of_payloads(used, deployment)?);
        }
        if let Some(used) = &spec.corpus {
            requests.extend(requests_of_corpus(used, deployment)?);
        }
        let (nameless, named): (Vec<Expected>, Vec<Expected>) = requests
            .into_iter()
            .partition(|request| is_nameless(&request.expect));
        if !named.is_empty() {
            let sending = match spec.connection {
                ConnectionChoice::Separate => Sending::Concurrently,
                ConnectionChoice::Shared => Sending::OneConnection,
            };
            judge_sent(
                sending,
                spec.security
                    .as_ref()
                    .map_or(ClientSecurity::Cleartext, |security| **security),
                named,
                spec.access_log,
                deployment,
                results,
            )
            .await?;
        }
        for request in nameless {
            judge_nameless(request, deployment, results).await?;
        }
        observe_cases(&spec.cases, results);
        judge_log(&spec.says, deployment, results).await
    }
}

//! Carries an exchange out: requests are sent to a pod that stands, and each is judged.

use async_trait::async_trait;

use super::nameless::{is_nameless, judge_nameless};
use super::requests::{Sending, judge_sent};
use super::working::check_deployment;
use crate::procedure::ProcedureResults;
use crate::procedure::agent_log::judge_log;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::{ClientSecurity, ConnectionChoice, ExchangeSpec, Precondition};
use crate::procedure::expected::{
    Expected, requests_of_cases, requests_of_corpus, requests_of_payloads,
};
use crate::procedure::interface::CarryOut;
use crate::procedure::observations::observe_cases;
use crate::procedure::pods::OnePod;
use crate::procedure::waits::usual_canary;
use harness_verdict::judge::enforcement::SignOfRules;

#[async_trait]
impl CarryOut<OnePod> for ExchangeSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        check_deployment(deployment, &self.lint, results);
        let sign = match self.after {
            Precondition::Enforcing => Some(SignOfRules::Denied),
            Precondition::Tagging => Some(SignOfRules::Tagged),
            Precondition::Ready => None,
        };
        match (sign, &self.canary) {
            (None, _) => deployment.await_ready().await?,
            (Some(sign), Some(canary)) => {
                deployment
                    .await_ready_and_inspecting(canary, sign, results)
                    .await?;
            }
            (Some(sign), None) => {
                deployment
                    .await_ready_and_inspecting(&usual_canary(), sign, results)
                    .await?;
            }
        }
        let mut requests = requests_of_cases(&self.cases, deployment)?;
        if let Some(used) = &self.payloads {
            requests.extend(requests_of_payloads(used, deployment)?);
        }
        if let Some(used) = &self.corpus {
            requests.extend(requests_of_corpus(used, deployment)?);
        }
        let (nameless, named): (Vec<Expected>, Vec<Expected>) = requests
            .into_iter()
            .partition(|request| is_nameless(&request.expect));
        if !named.is_empty() {
            let sending = match self.connection {
                ConnectionChoice::Separate => Sending::Concurrently,
                ConnectionChoice::Shared => Sending::OneConnection,
            };
            judge_sent(
                sending,
                self.security
                    .as_ref()
                    .map_or(ClientSecurity::Cleartext, |security| **security),
                named,
                self.access_log,
                deployment,
                results,
            )
            .await?;
        }
        for request in nameless {
            judge_nameless(request, deployment, results).await?;
        }
        observe_cases(&self.cases, results);
        judge_log(&self.says, deployment, results).await
    }
}

//! What `contract` is as a procedure: its checks, what it asserts, what it needs.

use super::assertions::assertion_of_call;
use super::specification::ContractSpec;
use super::validation::{check_agent_address, check_cases_of_contract};
use crate::procedure::interface::{CheckContext, Procedure, Requirement};
use harness_core::model::complaints::Complaints;

impl Procedure for ContractSpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_cases_of_contract(self, context.section, complaints);
        check_agent_address(context.stack, context.section, complaints);
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "over {}, an attack is blocked and its twin allowed, first and last",
            self.connection
        )];
        lines.extend(self.cases.iter().map(assertion_of_call));
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }
}

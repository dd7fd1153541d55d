//! An agent that answers encoded Checks in this thread: decoding, decision and encoding as in the service, without its sockets.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agent_stub::context::Contexts;
use agent_stub::decision::Verdict;
use agent_stub::rules::Rules;
use agent_stub::service::{Authorizer, Decisions};
use agent_stub::settings::{Arguments, Settings, Switch};
use agent_stub::statsd::Statsd;
use clap::Parser as _;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization as _;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use prost::Message as _;
use tonic::{Code, Request};

use super::classes::Class;

/// Answers Checks with its rules loaded, in the mode that blocks, without data log and `StatsD`.
#[derive(Debug)]
pub(crate) struct Agent(Authorizer);

impl Agent {
    /// Loads its rules.
    pub(crate) fn start() -> Self {
        let arguments = [
            "agent-stub",
            "--accesskeyid=id",
            "--envoy-grpc-address=127.0.0.1:9999",
        ];
        let arguments = Arguments::try_parse_from(arguments).expect("known flags");
        let settings = Settings::from_arguments(&arguments, Some("secret")).expect("complete");
        let (loader, _, rules) = Rules::loading(settings.policy.clone());
        loader.finish();
        let contexts = Arc::new(Contexts::new(Duration::from_secs(10), Switch::Off));
        let statsd = Arc::new(Statsd::disabled());
        let decisions = Decisions::new(&settings, rules, contexts, None, statsd);
        Self(Authorizer::new(&settings, decisions))
    }

    /// Makes sure that what is measured is the decision that the class is named for.
    pub(crate) fn prove(&self, class: &Class) {
        let answer =
            CheckResponse::decode(self.answer(&class.check).as_slice()).expect("an answer");
        let code = match class.verdict {
            Verdict::Allow => Code::Ok,
            Verdict::Block => Code::PermissionDenied,
        };
        let decided = answer.status.map(|status| Code::from(status.code));
        assert_eq!(decided, Some(code), "{}", class.name);
    }

    /// Returns the encoded answer to an encoded Check.
    pub(crate) fn answer(&self, check: &[u8]) -> Vec<u8> {
        let check = CheckRequest::decode(check).expect("a Check");
        let answering = pin!(self.0.check(Request::new(check)));
        // Nothing in a decision waits, so no runtime is needed, whose work would be counted too.
        match answering.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.expect("an answer").get_ref().encode_to_vec(),
            Poll::Pending => panic!("a decision waits for something"),
        }
    }
}

//! Answers of a mutant that say something else than was decided.

use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use tonic::{Code, Status};

use crate::decision::{
    OWN_PREFIX, REQUEST_ID_HEADER, TAGS_HEADER, WAF_RESPONSE_HEADER, append_header, set_header,
};
use crate::mutant::fault_hooks::{FaultHooks, MutantState};
use crate::mutant::files::secret_key;
use crate::mutant::named::Mutant;
use crate::mutant::table::{Answer, Files};

impl FaultHooks {
    /// Returns the id of a request, for which a fresh one was made.
    pub fn request_id(&self, fresh: String) -> String {
        match self.mutant() {
            Some(Mutant::Answer(Answer::RepeatsRequestIds)) => "0".repeat(24),
            Some(Mutant::Answer(Answer::RepeatsEveryTenthId)) => {
                let number = MutantState::next(&self.state().others);
                let last = &mut self.state().remembered().request_id;
                let id = last
                    .take()
                    .filter(|_| number.is_multiple_of(10))
                    .unwrap_or(fresh);
                last.insert(id).clone()
            }
            Some(_) | None => fresh,
        }
    }

    /// Changes an answer on its way out.
    ///
    /// # Errors
    ///
    /// The call fails in place of an answer.
    pub fn alter(&self, mut response: CheckResponse) -> Result<CheckResponse, Status> {
        match (self.mutant(), &mut response.http_response) {
            (
                Some(Mutant::Answer(Answer::DeniesByFailing)),
                Some(HttpResponse::DeniedResponse(_)),
            ) => {
                return Err(Status::permission_denied("blocked"));
            }
            (
                Some(Mutant::Answer(Answer::DeniesWithoutResponse)),
                Some(HttpResponse::DeniedResponse(_)),
            ) => response.http_response = None,
            (
                Some(Mutant::Answer(Answer::DeniesWithStatusOk)),
                Some(HttpResponse::DeniedResponse(_)),
            ) => {
                if let Some(status) = &mut response.status {
                    status.code = Code::Ok.into();
                }
            }
            (Some(Mutant::Answer(answer)), Some(HttpResponse::DeniedResponse(denied))) => {
                answer.alter_denial(denied);
            }
            (Some(Mutant::Answer(answer)), Some(HttpResponse::OkResponse(ok))) => {
                answer.alter_leave(ok);
            }
            (Some(Mutant::Files(Files::KeyInAnswers)), Some(HttpResponse::OkResponse(ok))) => {
                ok.headers.push(set_header("x-sigsci-key", &secret_key()));
            }
            (Some(_) | None, _) => {}
        }
        Ok(response)
    }
}

impl Answer {
    fn alter_denial(self, denied: &mut DeniedHttpResponse) {
        let other = |denied: &DeniedHttpResponse| match &denied.status {
            Some(status) if status.code == 403 => 406,
            Some(_) | None => 403,
        };
        match self {
            Self::LeaksHeaders => denied.headers.push(set_header(WAF_RESPONSE_HEADER, "406")),
            Self::NoBody => denied.body.clear(),
            Self::NoLocation => remove(&mut denied.headers, "location"),
            Self::WrongBlockCode => {
                denied.status = Some(HttpStatus {
                    code: other(denied),
                });
            }
            Self::WrongContentType => {
                set_where_set(&mut denied.headers, "content-type", "image/png");
            }
            Self::WrongLocation => set_where_set(&mut denied.headers, "location", "/"),
            Self::AppendsHeaders
            | Self::ContradictsItself
            | Self::DeniesByFailing
            | Self::DeniesWithStatusOk
            | Self::DeniesWithoutResponse
            | Self::DoublesHeaders
            | Self::KeepsForgedHeaders
            | Self::NoRequestId
            | Self::NoTags
            | Self::NoWafResponse
            | Self::RemovesCookies
            | Self::RepeatsEveryTenthId
            | Self::RepeatsRequestIds => {}
        }
    }

    fn alter_leave(self, ok: &mut OkHttpResponse) {
        match self {
            Self::AppendsHeaders => ok.headers.iter_mut().for_each(append_if_own),
            Self::ContradictsItself => {
                set_where_set(&mut ok.headers, WAF_RESPONSE_HEADER, "406");
            }
            Self::DoublesHeaders => {
                let mut again = ok.headers.clone();
                again.iter_mut().for_each(append_if_own);
                ok.headers.extend(again);
            }
            Self::KeepsForgedHeaders => ok
                .headers_to_remove
                .retain(|name| !name.starts_with(OWN_PREFIX)),
            Self::NoRequestId => remove(&mut ok.headers, REQUEST_ID_HEADER),
            Self::NoTags => remove(&mut ok.headers, TAGS_HEADER),
            Self::NoWafResponse => remove(&mut ok.headers, WAF_RESPONSE_HEADER),
            Self::RemovesCookies => ok.headers_to_remove.push("cookie".into()),
            Self::DeniesByFailing
            | Self::DeniesWithStatusOk
            | Self::DeniesWithoutResponse
            | Self::LeaksHeaders
            | Self::NoBody
            | Self::NoLocation
            | Self::RepeatsEveryTenthId
            | Self::RepeatsRequestIds
            | Self::WrongBlockCode
            | Self::WrongContentType
            | Self::WrongLocation => {}
        }
    }
}

fn is_named(option: &HeaderValueOption, name: &str) -> bool {
    option
        .header
        .as_ref()
        .is_some_and(|header| header.key == name)
}

fn remove(headers: &mut Vec<HeaderValueOption>, name: &str) {
    headers.retain(|option| !is_named(option, name));
}

fn set_where_set(headers: &mut [HeaderValueOption], name: &str, value: &str) {
    for option in headers.iter_mut().filter(|option| is_named(option, name)) {
        *option = set_header(name, value);
    }
}

fn append_if_own(option: &mut HeaderValueOption) {
    let sets = option.append_action == i32::from(HeaderAppendAction::OverwriteIfExistsOrAdd);
    if let Some(header) = option
        .header
        .clone()
        .filter(|header| sets && header.key.starts_with(OWN_PREFIX))
    {
        *option = append_header(&header.key, &header.value);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::decision::{allow, block};
    use crate::exchange::CheckedRequest;
    use crate::settings::{BlockAnswer, ForwardedRequest};

    fn redirect() -> CheckResponse {
        let url = Some("https://example.com/".into());
        block(&BlockAnswer::from_texts("302", None, None, url).expect("complete"))
    }

    fn leave() -> CheckResponse {
        let request = CheckedRequest {
            headers: vec![("x-sigsci-tags".into(), "FORGED".into())],
            ..CheckedRequest::default()
        };
        allow(&request, "id", &[], &ForwardedRequest::default())
    }

    fn altered(answer: Answer, response: CheckResponse) -> Result<CheckResponse, Status> {
        FaultHooks::of(Some(Mutant::Answer(answer))).alter(response)
    }

    fn changes(response: &CheckResponse) -> Vec<&'static str> {
        Answer::ALL
            .iter()
            .filter(|answer| {
                altered(**answer, response.clone()).map_or(true, |changed| changed != *response)
            })
            .map(|answer| answer.name())
            .collect()
    }

    #[test]
    fn a_denial_is_altered_by_those_mutants_that_say_so() {
        assert_eq!(
            changes(&redirect()),
            [
                "denies-by-grpc-status",
                "denies-without-response",
                "denies-with-status-ok",
                "leaks-headers-to-client",
                "no-block-body",
                "no-location",
                "wrong-block-code",
                "wrong-block-content-type",
                "wrong-location",
            ]
        );
    }

    #[test]
    fn leave_to_go_on_is_altered_by_those_mutants_that_say_so() {
        assert_eq!(
            changes(&leave()),
            [
                "appends-to-forged-headers",
                "contradicts-itself-in-headers",
                "doubles-headers",
                "keeps-forged-headers",
                "no-request-id-header",
                "no-waf-response-header",
                "removes-cookies",
            ]
        );
    }

    #[test]
    fn an_agent_that_is_no_mutant_alters_nothing() {
        for response in [redirect(), leave()] {
            let same = FaultHooks::default()
                .alter(response.clone())
                .expect("an answer");
            assert_eq!(same, response);
        }
    }

    #[rstest]
    #[case(Answer::RepeatsRequestIds, 1)]
    #[case(Answer::RepeatsEveryTenthId, 27)]
    #[case(Answer::NoBody, 30)]
    fn so_many_ids_of_thirty_differ(#[case] answer: Answer, #[case] different: usize) {
        let fault_hooks = FaultHooks::of(Some(Mutant::Answer(answer)));
        let ids: std::collections::BTreeSet<String> = (0..30)
            .map(|number| fault_hooks.request_id(number.to_string()))
            .collect();
        assert_eq!(ids.len(), different);
    }
}

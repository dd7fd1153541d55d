//! From texts to settings, for the settings that only this agent has.

use crate::settings::Arguments;
use crate::settings::block_answer::BlockAnswer;
use crate::settings::error::SettingsError;
use crate::settings::header_list::{parse_header_list, parse_names};
use crate::settings::policy::{Mode, Policy};
use crate::settings::stub_arguments::StubArguments;
use crate::settings::validated::{
    Access, AccessLogFaults, AddressElement, Blocking, Faults, ForwardedRequest, Switch, Threshold,
};
use crate::settings::validation::{boolean, list, positive_span, written};

pub(super) fn policy(arguments: &Arguments) -> Result<Policy, SettingsError> {
    let stub = &arguments.stub;
    let mode = Mode::parse(&stub.stub_mode).ok_or_else(|| SettingsError::Mode {
        text: stub.stub_mode.clone(),
    })?;
    Ok(Policy {
        mode,
        block_answer: BlockAnswer::from_texts(
            &stub.stub_block_code,
            written(stub.stub_block_body.clone()),
            written(stub.stub_block_content_type.clone()),
            written(stub.stub_redirect_url.clone()),
        )?,
    })
}

pub(super) fn access(access_key: &str, arguments: &Arguments) -> Access {
    match &arguments.stub.stub_rejected_accesskeyid {
        Some(rejected) if rejected.trim() == access_key => Access::Rejected,
        Some(_) | None => Access::Accepted,
    }
}

pub(super) fn blocking(stub: &StubArguments) -> Result<Blocking, SettingsError> {
    let threshold = Threshold {
        signals: number("STUB_THRESHOLD", &stub.stub_threshold, 1, 10_000)?,
        interval: positive_span("STUB_THRESHOLD_INTERVAL", &stub.stub_threshold_interval)?,
        flag_duration: positive_span("STUB_FLAG_DURATION", &stub.stub_flag_duration)?,
    };
    match stub.stub_blocking.trim() {
        "immediate" => Ok(Blocking::Immediate),
        "threshold" => Ok(Blocking::Threshold(threshold)),
        text => Err(SettingsError::Blocking { text: text.into() }),
    }
}

pub(super) fn element(text: &str) -> Result<AddressElement, SettingsError> {
    Ok(match number("STUB_TRUSTED_HOPS", text, 0, 16)? {
        0 => AddressElement::First,
        hops => AddressElement::FromEnd(hops as usize),
    })
}

pub(super) fn access_log(text: &str) -> Result<AccessLogFaults, SettingsError> {
    let refused = || SettingsError::AccessLog { text: text.into() };
    match text.trim().split_once('=') {
        None => match text.trim() {
            "serve" => Ok(AccessLogFaults::Serve),
            "refuse" => Ok(AccessLogFaults::Refuse),
            "stall" => Ok(AccessLogFaults::Stall),
            _ => Err(refused()),
        },
        Some(("break", count)) => count
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .map(AccessLogFaults::Break)
            .ok_or_else(refused),
        Some(_) => Err(refused()),
    }
}

pub(super) fn faults(stub: &StubArguments) -> Result<Faults, SettingsError> {
    let status = number("STUB_GRPC_STATUS", &stub.stub_grpc_status, 0, 16)?;
    let default_status = i32::try_from(status).expect("0 to 16 fits");
    Ok(if boolean("STUB_FAULTS", &stub.stub_faults)? {
        Faults::OnDemand { default_status }
    } else {
        Faults::Never
    })
}

pub(super) fn switch(is_on: bool) -> Switch {
    if is_on { Switch::On } else { Switch::Off }
}

fn number(variable: &'static str, text: &str, least: u32, most: u32) -> Result<u32, SettingsError> {
    text.trim()
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| SettingsError::Number {
            variable,
            text: text.into(),
            least,
            most,
        })
}

pub(super) fn forwarded(arguments: &Arguments) -> Result<ForwardedRequest, SettingsError> {
    Ok(ForwardedRequest {
        set_headers: list(
            "SIGSCI_CUSTOM_REQUEST_HEADERS",
            arguments.custom_request_headers.as_deref(),
            parse_header_list,
        )?,
        append_headers: list(
            "STUB_APPEND_REQUEST_HEADERS",
            arguments.stub.stub_append_request_headers.as_deref(),
            parse_header_list,
        )?,
        remove_headers: list(
            "STUB_REMOVE_REQUEST_HEADERS",
            arguments.stub.stub_remove_request_headers.as_deref(),
            parse_names,
        )?,
        set_query: list(
            "STUB_SET_QUERY",
            arguments.stub.stub_set_query.as_deref(),
            parse_header_list,
        )?,
        remove_query: list(
            "STUB_REMOVE_QUERY",
            arguments.stub.stub_remove_query.as_deref(),
            parse_names,
        )?,
    })
}

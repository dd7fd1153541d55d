//! From texts to settings: each is parsed, and those that belong together are checked together.

use std::path::PathBuf;
use std::time::Duration;

use crate::mutant::{FaultHooks, Mutant};
use crate::settings::Arguments;
use crate::settings::address::{address, grpc_address_of, rpc_address};
use crate::settings::error::SettingsError;
use crate::settings::header_list::HeaderListError;
use crate::settings::span::parse_span;
use crate::settings::stub_validation::{
    access, access_log, blocking, element, faults, forwarded, policy, switch,
};
use crate::settings::validated::{
    ClientAddressSource, DataLogTarget, MetadataQuestion, RulesDelay, Settings, Timings, TlsFiles,
};

impl Settings {
    /// Validates the texts. `secret_key` is the value of `SIGSCI_SECRETACCESSKEY`; only its presence matters here.
    ///
    /// # Errors
    ///
    /// A required setting is missing, or one is malformed or contradicts another.
    pub fn from_arguments(
        arguments: &Arguments,
        secret_key: Option<&str>,
    ) -> Result<Self, SettingsError> {
        let mutant = written(arguments.stub.stub_mutant.clone())
            .map(|name| Mutant::named(name.trim()))
            .transpose()?;
        let fault_hooks = FaultHooks::of(mutant);
        let access_key = require_key(
            "SIGSCI_ACCESSKEYID",
            arguments.accesskeyid.as_deref(),
            &fault_hooks,
        )?;
        require_key("SIGSCI_SECRETACCESSKEY", secret_key, &fault_hooks)?;
        let grpc_address = require(
            "SIGSCI_ENVOY_GRPC_ADDRESS",
            arguments.envoy_grpc_address.as_deref(),
        )?;
        let data_log = written(arguments.waf_data_log.clone());
        let logs_all = boolean("SIGSCI_WAF_DATA_LOG_ALL", &arguments.waf_data_log_all)?;
        Ok(Self {
            grpc_address: grpc_address_of(grpc_address)?,
            tls: tls_files(
                written(arguments.envoy_grpc_cert.clone()),
                written(arguments.envoy_grpc_key.clone()),
            )?,
            longest_message: size(
                "STUB_GRPC_MAX_MESSAGE_BYTES",
                &arguments.stub.stub_grpc_max_message_bytes,
            )?,
            rpc_address: rpc_address(require("SIGSCI_RPC_ADDRESS", Some(&arguments.rpc_address))?)?,
            cache_directory: require("SIGSCI_SHARED_CACHE_DIR", Some(&arguments.shared_cache_dir))?
                .into(),
            startup_probe_listener: written(arguments.startup_probe_listener.clone())
                .map(|text| address("SIGSCI_STARTUP_PROBE_LISTENER", &text))
                .transpose()?,
            startup_probe_file: written(arguments.startup_probe_filepath.clone())
                .map(PathBuf::from),
            data_log: data_log.map(|path| DataLogTarget {
                path: path.into(),
                logs_all,
            }),
            statsd_address: written(arguments.statsd_address.clone())
                .map(|text| address("SIGSCI_STATSD_ADDRESS", &text))
                .transpose()?,
            policy: policy(arguments)?,
            rules_file: written(arguments.stub.stub_rules_file.clone()).map(PathBuf::from),
            access: access(access_key, arguments),
            access_log: access_log(&arguments.stub.stub_access_log)?,
            blocking: blocking(&arguments.stub)?,
            anomalies: switch(boolean(
                "STUB_ANOMALY_SIGNALS",
                &arguments.stub.stub_anomaly_signals,
            )?),
            faults: faults(&arguments.stub)?,
            metadata: written(arguments.stub.stub_metadata_address.clone())
                .map(|text| {
                    Ok::<_, SettingsError>(MetadataQuestion {
                        address: address("STUB_METADATA_ADDRESS", &text)?,
                        patience: positive_span(
                            "STUB_METADATA_TIMEOUT",
                            &arguments.stub.stub_metadata_timeout,
                        )?,
                    })
                })
                .transpose()?,
            fault_hooks,
            forwarded: forwarded(arguments)?,
            client_address: ClientAddressSource {
                header: arguments.client_ip_header.trim().to_ascii_lowercase(),
                element: element(&arguments.stub.stub_trusted_hops)?,
            },
            timings: timings(arguments)?,
            expects_response_data: boolean(
                "SIGSCI_ENVOY_EXPECT_RESPONSE_DATA",
                &arguments.envoy_expect_response_data,
            )?,
        })
    }
}

pub(super) fn written(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn require<'text>(
    variable: &'static str,
    text: Option<&'text str>,
) -> Result<&'text str, SettingsError> {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .ok_or(SettingsError::Missing { variable })
}

fn require_key<'text>(
    variable: &'static str,
    text: Option<&'text str>,
    fault_hooks: &FaultHooks,
) -> Result<&'text str, SettingsError> {
    match require(variable, text) {
        Err(_) if fault_hooks.starts_without_keys() => Ok(""),
        key => key,
    }
}

fn tls_files(
    certificate: Option<String>,
    key: Option<String>,
) -> Result<Option<TlsFiles>, SettingsError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
            certificate: certificate.into(),
            key: key.into(),
        })),
        (Some(_), None) => Err(SettingsError::HalfIdentity {
            present: "SIGSCI_ENVOY_GRPC_CERT",
        }),
        (None, Some(_)) => Err(SettingsError::HalfIdentity {
            present: "SIGSCI_ENVOY_GRPC_KEY",
        }),
        (None, None) => Ok(None),
    }
}

pub(super) fn boolean(variable: &'static str, text: &str) -> Result<bool, SettingsError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(true),
        "" | "0" | "false" => Ok(false),
        _ => Err(SettingsError::Boolean {
            variable,
            text: text.into(),
        }),
    }
}

fn size(variable: &'static str, text: &str) -> Result<usize, SettingsError> {
    text.trim()
        .parse()
        .ok()
        .filter(|bytes| (1024..=64 * 1024 * 1024).contains(bytes))
        .ok_or_else(|| SettingsError::Size {
            variable,
            text: text.into(),
        })
}

pub(super) fn list<Item>(
    variable: &'static str,
    text: Option<&str>,
    parse: fn(&str) -> Result<Vec<Item>, HeaderListError>,
) -> Result<Vec<Item>, SettingsError> {
    parse(text.unwrap_or_default()).map_err(|source| SettingsError::List { variable, source })
}

fn timings(arguments: &Arguments) -> Result<Timings, SettingsError> {
    let rules_delay = match arguments.stub.stub_rules_delay.trim() {
        "never" => RulesDelay::Never,
        text => RulesDelay::After(span("STUB_RULES_DELAY", text)?),
    };
    Ok(Timings {
        context_expiration: positive_span(
            "SIGSCI_CONTEXT_EXPIRATION",
            &arguments.context_expiration,
        )?,
        cleaner_interval: positive_span("SIGSCI_CLEANER_INTERVAL", &arguments.cleaner_interval)?,
        start_delay: span("STUB_START_DELAY", &arguments.stub.stub_start_delay)?,
        rules_delay,
        rules_reload_delay: span(
            "STUB_RULES_RELOAD_DELAY",
            &arguments.stub.stub_rules_reload_delay,
        )?,
        decision_delay: span("STUB_DECISION_DELAY", &arguments.stub.stub_decision_delay)?,
    })
}

pub(super) fn span(variable: &'static str, text: &str) -> Result<Duration, SettingsError> {
    parse_span(text).map_err(|source| SettingsError::Span { variable, source })
}

pub(super) fn positive_span(variable: &'static str, text: &str) -> Result<Duration, SettingsError> {
    let span = span(variable, text)?;
    if span.is_zero() {
        Err(SettingsError::ZeroSpan { variable })
    } else {
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;

    use super::*;
    use crate::settings::{ListenAddress, SocketTarget};

    fn settings(flags: &[&str]) -> Result<Settings, SettingsError> {
        let required = [
            "agent-stub",
            "--accesskeyid=id",
            "--envoy-grpc-address=localhost:9999",
        ];
        let arguments =
            Arguments::try_parse_from(required.iter().chain(flags)).expect("known flags");
        Settings::from_arguments(&arguments, Some("key"))
    }

    #[test]
    fn the_defaults_are_the_vendors() {
        let settings = settings(&[]).expect("complete");
        assert_eq!(
            settings.grpc_address,
            SocketTarget::Tcp(ListenAddress {
                host: "localhost".into(),
                port: 9999
            })
        );
        assert_eq!(
            settings.rpc_address,
            SocketTarget::Unix("/sigsci/tmp/sigsci.sock".into())
        );
        assert_eq!(settings.cache_directory, PathBuf::from("/sigsci/tmp/cache"));
        assert_eq!(settings.timings.context_expiration, Duration::from_secs(10));
        assert_eq!(settings.policy.block_answer.code, 406);
        assert_eq!(settings.client_address.header, "x-forwarded-for");
        assert!(!settings.expects_response_data);
    }

    #[rstest]
    #[case(None)]
    #[case(Some(""))]
    #[case(Some("  "))]
    fn a_missing_secret_key_is_named(#[case] key: Option<&str>) {
        let arguments =
            Arguments::try_parse_from(["agent-stub", "--accesskeyid=id"]).expect("known flags");
        assert_eq!(
            Settings::from_arguments(&arguments, key).expect_err("no key"),
            SettingsError::Missing {
                variable: "SIGSCI_SECRETACCESSKEY"
            }
        );
    }

    #[rstest]
    #[case("--envoy-grpc-address=9999")]
    #[case("--envoy-grpc-address=::1:9999")]
    #[case("--envoy-grpc-address=localhost:99999")]
    #[case("--envoy-grpc-cert=/a.pem")]
    #[case("--envoy-grpc-key=/a.pem")]
    #[case("--envoy-expect-response-data=maybe")]
    #[case("--context-expiration=0")]
    #[case("--cleaner-interval=soon")]
    #[case("--stub-mode=BLOCKING")]
    #[case("--stub-block-code=200")]
    #[case("--stub-block-code=302")]
    #[case("--stub-rules-delay=sometimes")]
    #[case("--custom-request-headers=novalue")]
    #[case("--stub-grpc-max-message-bytes=0")]
    #[case("--stub-access-log=break=0")]
    #[case("--stub-access-log=later")]
    #[case("--stub-blocking=later")]
    #[case("--stub-blocking=threshold --stub-threshold=0")]
    #[case("--stub-blocking=threshold --stub-threshold=10001")]
    #[case("--stub-blocking=threshold --stub-threshold-interval=0")]
    #[case("--stub-blocking=threshold --stub-flag-duration=0")]
    #[case("--stub-threshold=0")]
    #[case("--stub-trusted-hops=-1")]
    #[case("--stub-trusted-hops=17")]
    #[case("--stub-anomaly-signals=some")]
    #[case("--stub-faults=many")]
    #[case("--stub-grpc-status=17")]
    #[case("--stub-rules-reload-delay=later")]
    #[case("--envoy-grpc-address=unix:relative.sock")]
    fn a_bad_setting_is_refused(#[case] flag: &str) {
        let flags: Vec<&str> = flag.split(' ').collect();
        if flag.starts_with("--envoy-grpc-address") {
            let arguments = Arguments::try_parse_from(["agent-stub", "--accesskeyid=id", flag])
                .expect("known flag");
            assert!(
                Settings::from_arguments(&arguments, Some("key")).is_err(),
                "{flag}"
            );
        } else {
            assert!(settings(&flags).is_err(), "{flag}");
        }
    }

    #[test]
    fn booleans_may_be_written_as_numbers_or_words() {
        for (text, expected) in [
            ("1", true),
            ("true", true),
            ("0", false),
            ("false", false),
            ("", false),
        ] {
            let settings =
                settings(&[&format!("--envoy-expect-response-data={text}")]).expect("valid");
            assert_eq!(settings.expects_response_data, expected, "{text}");
        }
    }
}

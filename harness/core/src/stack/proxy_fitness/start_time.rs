//! Whether a format of the access log's start time is one that the suite reads.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// Returns whether `%START_TIME…%` comes to a point in time. A format of directives that are Envoy's own is taken on trust.
pub(super) fn is_readable(command: &str) -> bool {
    let format = command
        .split_once('(')
        .and_then(|(_, rest)| rest.rsplit_once(')'))
        .map(|(format, _)| format);
    let Some(format) = format else {
        // Without a format it is RFC 3339.
        return true;
    };
    let example = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    match strtime::format(format, &example) {
        Ok(text) => text.parse::<Timestamp>().is_ok(),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("%START_TIME%", true)]
    #[case("%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%", true)]
    #[case("%START_TIME(%FT%TZ)%", true)]
    #[case("%START_TIME(%FT%T%z)%", true)]
    #[case("%START_TIME(%s)%", false)]
    #[case("%START_TIME(%d/%b/%Y %T)%", false)]
    fn a_format_is_read_where_it_is_a_point_in_time(#[case] command: &str, #[case] readable: bool) {
        assert_eq!(is_readable(command), readable);
    }
}

//! The names of the mutants, by family, with what is wrong about each.
//!
//! A family holds what is wrong in one part of the agent, and is carried out in one file of its name.

/// Makes a family's enumeration, the list of its members, and for each its name and what is wrong.
macro_rules! family {
    ($(#[$document:meta])* $family:ident { $($member:ident $name:literal $wrong:literal,)* }) => {
        $(#[$document])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $family {
            $(#[doc = concat!("`", $name, "`: ", $wrong, ".")] $member,)*
        }

        impl $family {
            /// All members, in the order in which they are listed.
            pub(super) const ALL: &[Self] = &[$(Self::$member,)*];

            /// Returns the name.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$member => $name,)* }
            }

            /// Says in one line what is wrong.
            pub(super) const fn wrong(self) -> &'static str {
                match self { $(Self::$member => $wrong,)* }
            }
        }
    };
}

family! {
    /// A part of a request that is not inspected.
    Sight {
        BodiesOverAKibibyte "ignores-body-after-1-kib" "inspects the first 1024 bytes of a body only",
        CapitalContentTypes "ignores-body-of-capital-content-type" "does not inspect a body whose content type is written with capitals",
        CompressedBodies "ignores-compressed-body" "does not inspect a body with a content-encoding",
        ContentTypeParameters "ignores-body-of-content-type-with-parameter" "does not inspect a body whose content type has a parameter",
        EveryBody "ignores-body" "does not inspect bodies",
        Escapes "misses-unicode-escapes" "does not undo escapes such as \\u003c in bodies and targets",
        FullBodies "ignores-body-of-8-kib" "takes a body that fills the window of 8192 bytes for one that is too long, and does not inspect it",
        HeaderList "ignores-header-list" "does not read `header_map`",
        HeaderMap "ignores-header-map" "does not read `headers`",
        Http10 "ignores-http10" "does not inspect requests of HTTP/1.0",
        Http2 "ignores-http2" "does not inspect requests of HTTP/2",
        LaterHeaderCopies "ignores-all-but-first-header-copy" "inspects the first copy of a repeated header only",
        LaterHeaders "ignores-header-after-64" "inspects the first 64 headers only",
        LaterParameters "ignores-all-but-first-parameter" "inspects the first of several parameters of one name only",
        EarlierHeaderCopies "ignores-all-but-last-header-copy" "inspects the last copy of a repeated header only",
        EarlierParameters "ignores-all-but-last-parameter" "inspects the last of several parameters of one name only",
        LongTargets "ignores-target-after-4-kib" "inspects the first 4096 bytes of path and query only",
        MethodPut "ignores-method-put" "does not inspect requests with the method PUT",
        Multipart "ignores-content-type-multipart" "does not inspect forms with files",
        RareMethods "ignores-rare-methods" "inspects requests with a method of RFC 9110 only",
        PartialBodies "ignores-half-of-partial-body" "inspects the first half only of a body that Envoy cut short",
        RawBody "ignores-raw-body" "does not read `raw_body`",
        StaticFiles "ignores-static-files" "does not inspect requests for a path that ends as the name of a picture, script or style sheet does",
        SelfExempted "obeys-no-inspection-header" "does not inspect a request whose client says `x-sigsci-no-inspection: true`",
        TextBody "ignores-text-body" "does not read `body`",
        Upgrades "ignores-upgrades" "does not inspect requests for an upgrade, such as WebSocket handshakes",
    }
}

family! {
    /// What is made of the findings.
    Detection {
        Base64 "misses-base64" "misses attacks in base64",
        BlocksApostrophes "blocks-apostrophes" "takes an apostrophe in path or query for SQL injection",
        BlocksBinary "blocks-binary-bodies" "takes a body that is not text for an attack",
        BlocksBodiesOver4Kib "blocks-bodies-over-4-kib" "takes a body of more than 4096 bytes for an attack",
        BlocksRareMethods "blocks-rare-methods" "takes a method other than GET, HEAD and POST for an attack",
        BlocksSqlWords "blocks-sql-words" "takes the words union and select in path or query for SQL injection",
        DoubleEncoding "misses-double-encoding" "misses attacks that are percent-encoded twice",
        Entities "misses-numeric-entities" "misses attacks behind numeric character references",
        NamesOfFields "misses-names" "misses attacks in the names of parameters and fields",
        WrongPosition "reports-wrong-position" "reports every signal at the position QUERYSTRING",
        WrongSignal "calls-sqli-xss" "calls SQL injection XSS",
    }
}

family! {
    /// What is remembered of earlier requests.
    Memory {
        AllSendersAreOne "counts-clients-as-one" "counts the attacks of all addresses as those of one",
        FlagsTooLate "flags-one-attack-late" "needs one attack signal more than the threshold",
        FlagsTooLong "remembers-flags-too-long" "remembers a flagged address ten times as long as it should",
        FlagsTooShort "forgets-flags-early" "remembers a flagged address a tenth as long as it should",
        FirstCheckOfConnections "inspects-first-request-of-connection-only" "does not inspect the second and later requests of a client's connection",
        StopsAfter100Checks "stops-enforcing-after-100-checks" "inspects nothing after its first hundred checks",
        VerdictsByPath "caches-verdicts-by-path" "gives each request the verdict of the first one for the same path, whoever sent it",
    }
}

family! {
    /// What is done with signals, and when that changes.
    Policy {
        BlocksInLogMode "blocks-in-log-mode" "blocks although it should only tag",
        DropsRulesWithoutSource "drops-rules-without-source" "inspects nothing from the moment on that the source of its rules cannot be read",
        IgnoresReloads "ignores-reloads" "keeps the rules that it started with",
        InspectsNothingWhileReloading "gap-in-reload" "inspects nothing for half a second while it loads new rules",
        ReturnsToFirstRules "returns-to-first-rules" "goes back to the rules of its start when new ones cannot be read",
        StaleCache "serves-from-stale-cache" "starts with the rules that an earlier run left in its cache, whatever their source says, and says that they are loaded",
    }
}

family! {
    /// What the answer to a check says.
    Answer {
        AppendsHeaders "appends-to-forged-headers" "adds its own headers to those that a client forged, in place of setting them over those",
        ContradictsItself "contradicts-itself-in-headers" "marks an allowed request as blocked towards the application",
        DeniesByFailing "denies-by-grpc-status" "denies by failing the call with PERMISSION_DENIED",
        DeniesWithoutResponse "denies-without-response" "denies without an HTTP response, so that the proxy chooses status and body",
        DeniesWithStatusOk "denies-with-status-ok" "denies with the gRPC status OK in the answer",
        DoublesHeaders "doubles-headers" "sends each of its headers to the application twice",
        KeepsForgedHeaders "keeps-forged-headers" "does not remove headers that a client forged in its name",
        LeaksHeaders "leaks-headers-to-client" "sends its own headers to a blocked client",
        NoBody "no-block-body" "blocks without a body",
        NoLocation "no-location" "redirects without a location",
        NoRequestId "no-request-id-header" "does not send its request id to the application",
        NoTags "no-tags-header" "does not send the tags to the application",
        NoWafResponse "no-waf-response-header" "does not send its response code to the application",
        RemovesCookies "removes-cookies" "removes the client's cookies from an allowed request",
        RepeatsEveryTenthId "repeats-every-tenth-request-id" "gives every tenth request the id of the one before",
        RepeatsRequestIds "repeats-request-ids" "gives every request the same id",
        WrongBlockCode "wrong-block-code" "blocks with another status than configured, and logs the configured one",
        WrongContentType "wrong-block-content-type" "says of each block page that it is a picture",
        WrongLocation "wrong-location" "redirects to another location than configured",
    }
}

family! {
    /// Whether and when a check is answered.
    Call {
        DiesOfChecksWithoutRequest "dies-of-checks-without-request" "ends when a check has no HTTP request",
        DiesOfOddBytes "dies-of-odd-bytes" "ends when a header or a body has bytes that are not UTF-8",
        FailsEvery200th "fails-every-200th-check" "fails one check in two hundred",
        FailsWithTenWaiting "fails-checks-while-ten-wait" "fails checks while ten requests wait for their response data",
        HangsAfter100Checks "hangs-after-100-checks" "answers no check after its first hundred",
        KeepsPlaces "keeps-places-of-cancelled-checks" "decides a hundred checks at a time, and one that its caller gave up keeps its place",
        Late "answers-late" "answers each check six seconds later",
        LateEvery50th "answers-every-50th-late" "answers every fiftieth check six seconds later",
        LimitIsAMebibyte "rejects-at-1-mib" "takes messages of up to 1 MiB in place of the limit that was set",
        LimitIsOff "rejects-at-limit" "refuses messages of exactly the longest length",
        MixesUpAnswers "mixes-up-answers" "gives a check that comes while others are under way the answer of one of those",
        TakesAnyLength "takes-messages-of-any-length" "takes messages of any length in place of the limit that was set",
        TenAtATime "serves-ten-at-a-time" "fails checks while ten others are under way",
    }
}

family! {
    /// What becomes of the response data.
    Report {
        CreditsOldest "credits-oldest" "gives each response to the request that has waited longest",
        CreditsStrangers "credits-strangers" "gives the response of an unknown request to one that waits",
        DropsEverySecond "drops-every-second-entry" "drops every second access-log entry",
        EndsStreams "ends-streams-after-3-messages" "ends each access-log stream after three messages",
        ExpectsUnasked "expects-response-data-unasked" "waits for response data although the settings say that there is none",
        ForgetsBlocked "forgets-blocked-requests" "drops the access-log entries of requests that it blocked",
        ForgetsWithStream "forgets-requests-with-stream" "forgets the requests that wait for their response data when an access-log stream ends, and those until the next one opens",
        IgnoresExpiration "ignores-context-expiration" "waits for response data a hundred times as long as configured",
        Late "takes-entries-late" "takes each access-log message twelve seconds late",
        OneBehind "takes-entries-one-message-late" "takes each access-log message only when the next one is there",
        OneOfEachBatch "takes-first-entry-of-batch-only" "takes the first entry of each access-log message only",
        OneStream "takes-one-stream-at-a-time" "refuses an access-log stream while another one is open",
        SaysOk "says-every-response-is-200" "says of every response that its status is 200",
        WantsIdentifier "wants-identifier-in-each-message" "ends an access-log stream whose later messages have no identifier",
    }
}

family! {
    /// What the data log says.
    Record {
        BreaksLines "breaks-every-20th-line" "leaves out the second half of every twentieth line of the data log",
        DoublesLines "doubles-log-lines" "writes every line of the data log twice",
        LosesEvery20th "loses-every-20th-line" "leaves out every twentieth line of the data log",
        MakesUpResponses "makes-up-missing-responses" "logs the status 200 for a response that was not reported to it",
        OtherCode "logs-other-code" "logs another response code than it answered",
        OtherId "logs-other-request-id" "logs another request id than it sent",
        OtherPath "logs-other-path" "logs the path / for every request",
        OtherSignals "logs-other-signals" "logs the signal TRAVERSAL in place of those that it raised",
        TwoFaced "twofaced" "contradicts each line of the data log by a second one two seconds later",
    }
}

family! {
    /// How the agent starts.
    Start {
        AnswersProbeOnly "answers-probe-only" "answers the startup probe at once and checks never",
        FailsBeforeRules "fails-checks-before-rules" "fails checks until its rules are loaded, although a quick start is documented",
        Flaps "probe-flaps" "answers the startup probe with 200 and 503 in turn once the rules are loaded",
        HangsAfterRestart "hangs-after-restart" "answers no check when an earlier run has left its cache",
        IgnoresCertificate "ignores-certificate" "speaks plaintext although it was given a certificate",
        InspectsNothingAtFirst "inspects-nothing-at-first" "inspects nothing for two seconds from its first check on, with its rules loaded",
        ListensLate "listens-late" "opens the gRPC listener three seconds after it says that it is ready",
        NeverHealthy "never-healthy" "says of its services that they do not serve",
        NeverReady "probe-never-ready" "never says that it is ready",
        ReadyBeforeRules "probe-ready-before-rules" "answers the startup probe with 200 before the rules are loaded",
        ServesKeylessAtFirst "serves-keyless-for-4-seconds" "starts without keys and refuses that four seconds later",
        SilentOfRejectedKey "silent-about-rejected-key" "does not say that its access key is rejected",
        SilentOfVariables "silent-about-unknown-variables" "does not name the variables that it does not know",
        StaleSocket "refuses-stale-socket" "does not start where a killed agent left its socket behind",
        StartsWithoutKeys "starts-without-keys" "starts without keys",
        WaitsForMetadata "waits-long-for-metadata" "waits fifteen seconds for the metadata service, whatever is configured",
        WritesProbeFileEarly "probe-file-early" "writes the startup probe's file before the rules are loaded",
    }
}

family! {
    /// How the agent stops.
    Stop {
        DropsChecks "drops-checks-on-term" "fails the checks that are under way on TERM in place of finishing them",
        ExitsAtOnce "exits-at-once" "exits at once on TERM",
        FailsAtEnd "exits-non-zero" "exits with 3 after an orderly stop",
        HangsInPreStop "hangs-in-pre-stop" "answers no check while a preStop hook runs",
        IgnoresTerm "ignores-term" "does not stop on TERM",
        InspectsNothingInPreStop "ignores-attacks-in-pre-stop" "inspects nothing while a preStop hook runs",
        LosesWaitingRecords "loses-waiting-records" "does not write out what still waits for response data when it stops",
        NeverEnds "never-ends" "closes its listeners on TERM and does not exit",
    }
}

family! {
    /// What is written where.
    Files {
        FillsVolume "fills-volume" "writes 64 KiB beside its cache at each check",
        IgnoresCacheDirectory "ignores-shared-cache-dir" "keeps its cache in /sigsci/tmp/cache whatever is configured",
        KeyInAnswers "key-in-answers" "sends its secret key to the application in a header",
        KeyInLog "key-in-log" "logs its secret key when it starts",
        KeyWorldReadable "key-world-readable" "leaves its secret key in its cache, readable for everybody",
        NeedsWritableRoot "needs-writable-root" "does not start where it cannot write into /var/tmp",
        SilentOfPath "silent-about-path" "ends without naming the path that it cannot write to",
        StartsWithoutVolume "starts-without-its-volume" "starts although it cannot write what it keeps",
        WritesOutside "writes-outside-volume" "writes into /var/tmp where it can",
    }
}

family! {
    /// What is used up.
    Resource {
        BurnsCore "burns-core" "keeps a core busy at all times",
        LeaksDescriptors "leaks-connections" "opens a socket at each check and never closes it",
        LeaksMemory "leaks-memory" "keeps 256 KiB more at each check",
        SlowsDown "slows-with-uptime" "takes a millisecond longer for each check that it has answered",
    }
}

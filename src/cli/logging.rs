//! The log on stderr, and the spans of a build that exports them.
//!
//! Spans are for collectors: log lines say what they are about themselves, and do not repeat it.

use tracing::Metadata;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use super::{Globals, LogFormat};

/// What must be ended with the process.
pub(super) struct Logging {
    #[cfg(feature = "otlp")]
    exporter: Option<super::otlp::Exporter>,
}

pub(super) fn start(globals: &Globals, is_service: bool) -> Logging {
    let level = match (globals.quiet, globals.verbose) {
        (true, _) => "error",
        (false, 0) if is_service => "warn,outreachd=info",
        (false, 0) => "warn",
        (false, 1) => "info,outreachd=debug",
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_env("OUTREACHD_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let ansi = !globals.no_color && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_target(false);
    let lines = match globals.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let log = registry().with(lines.with_filter(filter.and(filter_fn(is_event))));

    // A second subscriber (a test that calls this twice) changes nothing.
    #[cfg(feature = "otlp")]
    let logging = {
        let exporter = wanted().then(super::otlp::Exporter::start).transpose();
        let layer = exporter.as_ref().ok().and_then(|exporter| Some(exporter.as_ref()?.layer()));
        let _ = log.with(layer).try_init();
        let exporter = exporter.inspect_err(|error| tracing::warn!(%error, "no spans are exported"));
        Logging { exporter: exporter.ok().flatten() }
    };
    #[cfg(not(feature = "otlp"))]
    let logging = {
        let _ = log.try_init();
        if wanted() {
            tracing::warn!(
                "the environment names a collector of spans, and this build exports none: build it with `--features otlp`"
            );
        }
        Logging {}
    };
    logging
}

fn is_event(what: &Metadata<'_>) -> bool {
    what.is_event()
}

impl Logging {
    /// Sends what is left, for a moment at most.
    #[cfg_attr(
        not(feature = "otlp"),
        expect(clippy::unused_self, reason = "there is something to end with `otlp`")
    )]
    pub(super) fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = self.exporter {
            exporter.end();
        }
    }
}

/// Whether the environment names a collector, as OpenTelemetry has it.
fn wanted() -> bool {
    let value = |name: &str| std::env::var(name).unwrap_or_default();
    let named = |name| !value(name).is_empty();
    (named("OTEL_EXPORTER_OTLP_ENDPOINT") || named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        && !value("OTEL_SDK_DISABLED").eq_ignore_ascii_case("true")
}

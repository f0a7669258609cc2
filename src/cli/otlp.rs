//! Spans to an OpenTelemetry collector, by OTLP over HTTP. All settings are those of OpenTelemetry's environment.
//!
//! Sent by a thread of its own out of a queue with a bound: a collector that is away costs spans and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter as Otlp};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// What the last spans are waited for when the process ends.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

const NAME: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Sends spans until it is ended.
pub(super) struct Exporter(SdkTracerProvider);

impl Exporter {
    pub(super) fn start() -> Result<Self, ExporterBuildError> {
        // A second installation fails and changes nothing: one process, one provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = Remarked { to: Otlp::builder().with_http().build()?, is_away: AtomicBool::new(false) };
        let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", VERSION));
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(NAME);
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self(provider))
    }

    /// Takes our own spans, and what the log says within them.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let scope = InstrumentationScope::builder(NAME).with_version(VERSION).build();
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer_with_scope(scope))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(NAME, LevelFilter::INFO))
    }

    pub(super) fn end(self) {
        // Who is away has been told of.
        let _ = self.0.shutdown_with_timeout(LAST_PATIENCE);
    }
}

/// Tells once when spans begin to be lost, and once when they arrive again.
#[derive(Debug)]
struct Remarked {
    to: Otlp,
    is_away: AtomicBool,
}

impl SpanExporter for Remarked {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.to.export(batch).await;
        match (self.is_away.swap(result.is_err(), Ordering::Relaxed), &result) {
            (false, Err(_)) => warn!("the collector does not take spans: they are lost until it does"),
            (true, Ok(())) => info!("the collector takes spans again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.to.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.to.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.to.set_resource(resource);
    }
}

//! Snapshots for Prometheus, in the `OpenMetrics` text format.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::counters::Counters;
use crate::distribution::Distribution;
use crate::error_kind::ErrorKind;
use crate::snapshot::{Group, Snapshot};

/// The content type a server of [`prometheus_text`] declares (`OpenMetrics` 1.0.0).
pub const PROMETHEUS_CONTENT_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The snapshot as `OpenMetrics` text, for a Prometheus server to scrape.
///
/// All names begin with `ports_socket_`; the labels are `transport`, `role`, and where it applies
/// `direction` (`in`, `out`) or `kind`. Times are in seconds. Take it of a whole snapshot, not of a
/// delta: counters may not go back.
#[expect(clippy::missing_panics_doc, reason = "it does not panic")]
pub fn prometheus_text(snapshot: &Snapshot) -> String {
    let mut registry = Registry::with_prefix("ports_socket");
    registry.register_collector(Box::new(Metrics(snapshot.clone())));
    let mut text = String::new();
    #[expect(clippy::expect_used, reason = "only a writer can fail, and a String takes any text")]
    encode(&mut text, &registry).expect("a String takes any text");
    text
}

#[derive(Debug)]
struct Metrics(Snapshot);

type Label = (&'static str, &'static str);
type Labels = Vec<Label>;

/// Name, unit, help, and for each counted direction its label and its field.
struct CounterFamily {
    name: &'static str,
    unit: Option<Unit>,
    help: &'static str,
    series: &'static [Series],
}

type Series = (Option<Label>, fn(&Counters) -> u64);

const IN: Option<Label> = Some(("direction", "in"));
const OUT: Option<Label> = Some(("direction", "out"));

const COUNTERS: [CounterFamily; 6] = [
    CounterFamily {
        name: "opened",
        unit: None,
        help: "Sockets opened",
        series: &[(None, |counters| counters.opened)],
    },
    CounterFamily {
        name: "closed",
        unit: None,
        help: "Sockets closed",
        series: &[(None, |counters| counters.closed)],
    },
    CounterFamily {
        name: "transferred",
        unit: Some(Unit::Bytes),
        help: "Bytes received and sent",
        series: &[(IN, |counters| counters.bytes_received), (OUT, |counters| counters.bytes_sent)],
    },
    CounterFamily {
        name: "messages",
        unit: None,
        help: "Messages received and sent",
        series: &[
            (IN, |counters| counters.messages_received),
            (OUT, |counters| counters.messages_sent),
        ],
    },
    CounterFamily {
        name: "dropped_messages",
        unit: None,
        help: "Messages dropped by the kernel before they were read, or accepted for sending and given up",
        series: &[
            (IN, |counters| counters.dropped_received),
            (OUT, |counters| counters.dropped_messages),
        ],
    },
    CounterFamily {
        name: "dropped",
        unit: Some(Unit::Bytes),
        help: "Bytes that came when nobody was to read them any more, or accepted for sending and given up",
        series: &[
            (IN, |counters| counters.discarded_bytes),
            (OUT, |counters| counters.dropped_bytes),
        ],
    },
];

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Self(snapshot) = self;
        let mut active =
            encoder.encode_descriptor("active", "Sockets open now", None, MetricType::Gauge)?;
        for group in &snapshot.groups {
            let value = ConstGauge::new(i64::try_from(group.counters.active).unwrap_or(i64::MAX));
            value.encode(active.encode_family(&labels(group, None))?)?;
        }
        for family in &COUNTERS {
            let CounterFamily { name, unit, help, series } = family;
            let mut metric =
                encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
            for group in &snapshot.groups {
                for (label, read) in *series {
                    counter(&mut metric, &labels(group, *label), read(&group.counters))?;
                }
            }
        }
        let mut errors =
            encoder.encode_descriptor("errors", "Errors by kind", None, MetricType::Counter)?;
        for group in &snapshot.groups {
            // All kinds, also those that did not occur: a series that starts at 1 has no rate.
            for &kind in ErrorKind::ALL {
                let labels = labels(group, Some(("kind", kind.name())));
                counter(&mut errors, &labels, group.counters.errors.count(kind))?;
            }
        }
        histograms(&mut encoder, "connect", "Time to connect", snapshot, |group| {
            &group.connect_time
        })?;
        histograms(&mut encoder, "duration", "Time from open to close", snapshot, |group| {
            &group.duration
        })?;
        let overwritten = encoder.encode_descriptor(
            "history_overwritten",
            "History entries overwritten by later ones",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(snapshot.history_overwritten).encode(overwritten)
    }
}

fn labels(group: &Group, further: Option<Label>) -> Labels {
    let mut labels = vec![("transport", group.transport.name()), ("role", group.role.name())];
    labels.extend(further);
    labels
}

fn counter(metric: &mut MetricEncoder<'_>, labels: &Labels, value: u64) -> Result<(), fmt::Error> {
    ConstCounter::new(value).encode(metric.encode_family(labels)?)
}

fn histograms(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    snapshot: &Snapshot,
    read: fn(&Group) -> &Distribution,
) -> Result<(), fmt::Error> {
    let mut metric =
        encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for group in &snapshot.groups {
        let distribution = read(group);
        if distribution.count() == 0 {
            continue;
        }
        // Of a snapshot that was read, the buckets may hold more than there is.
        let mut left = distribution.count();
        let mut buckets: Vec<(f64, u64)> = distribution
            .buckets()
            .map(|(bound, count)| {
                let count = count.min(left);
                left -= count;
                (bound.as_secs_f64(), count)
            })
            .collect();
        buckets.push((f64::INFINITY, left));
        metric.encode_family(&labels(group, None))?.encode_histogram::<Labels>(
            distribution.sum().as_secs_f64(),
            distribution.count(),
            &buckets,
            None,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

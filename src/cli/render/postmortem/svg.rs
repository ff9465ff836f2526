//! The drawing: for each node the VIP, what Redis was, its checks, and the role; outages and two primaries as bands.

use std::collections::BTreeSet;
use std::io::Write;

use super::document::{between, milliseconds, relative};
use super::html::escaped;
use crate::postmortem::{Lane, LaneKind, Node, Postmortem, Span};

/// All lengths are in units of the drawing, which is scaled to the page.
const WIDTH: f64 = 1_000.0;
const LABELS: f64 = 120.0;
const ROW: f64 = 20.0;
const BAR: f64 = 16.0;
const HEAD: f64 = 34.0;
const NODE_GAP: f64 = 24.0;
const AXIS: f64 = 26.0;
/// A letter in a bar is about so wide.
const LETTER: f64 = 6.3;
/// What is shorter is drawn so wide: it happened.
const LEAST: f64 = 1.2;
/// About so many marks stand on the axis.
const TICKS: i64 = 8;

struct Drawing {
    from_us: i64,
    to_us: i64,
    height: f64,
}

impl Drawing {
    fn x(&self, at_us: i64) -> f64 {
        let at = at_us.clamp(self.from_us, self.to_us) - self.from_us;
        let whole = (self.to_us - self.from_us).max(1);
        LABELS + (WIDTH - LABELS) * at as f64 / whole as f64
    }
}

/// Draws what lies between two moments.
pub(super) fn write(
    told: &Postmortem,
    from_us: i64,
    to_us: i64,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let rows: usize = told.nodes.iter().map(|node| node.lanes.len()).sum();
    let nodes = told.nodes.len() as f64;
    let drawing = Drawing {
        from_us,
        to_us,
        height: HEAD + rows as f64 * ROW + nodes * NODE_GAP + AXIS,
    };
    writeln!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
        drawing.height,
        escaped("What each node was in, over time")
    )?;
    axis(told, &drawing, out)?;
    let mut y = HEAD;
    for node in &told.nodes {
        y = lanes(node, &drawing, y, out)?;
    }
    let outages = told.outages.as_deref().unwrap_or_default();
    bands(outages, "outage", 12.0, &drawing, out)?;
    bands(&told.doubles, "double", 26.0, &drawing, out)?;
    marks(told, &drawing, out)?;
    writeln!(out, "</svg>")?;
    Ok(())
}

fn axis(told: &Postmortem, drawing: &Drawing, out: &mut dyn Write) -> anyhow::Result<()> {
    let step = step((drawing.to_us - drawing.from_us) / TICKS);
    let bottom = drawing.height - AXIS;
    let mut at = (drawing.from_us - told.began_us).div_euclid(step) * step + told.began_us;
    while at <= drawing.to_us {
        if at >= drawing.from_us {
            let x = drawing.x(at);
            let said = relative(at - told.began_us);
            // Below its line, but for the last one, which would leave the drawing.
            let (place, anchor) = match x + said.len() as f64 * LETTER > WIDTH {
                true => (WIDTH, "end"),
                false => (x, "middle"),
            };
            writeln!(
                out,
                "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{HEAD}\" y2=\"{bottom}\"/>\
                 <text x=\"{place:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{said}</text>",
                bottom + 16.0,
            )?;
        }
        at += step;
    }
    Ok(())
}

/// 1, 2 or 5 times a power of ten, in microseconds, at least a millisecond.
fn step(about: i64) -> i64 {
    let mut step = 1_000;
    while step < about {
        for factor in [2, 5, 10] {
            if step * factor >= about {
                return step * factor;
            }
        }
        step *= 10;
    }
    step
}

fn lanes(node: &Node, drawing: &Drawing, mut y: f64, out: &mut dyn Write) -> anyhow::Result<f64> {
    writeln!(
        out,
        "<text x=\"0\" y=\"{:.1}\" font-weight=\"600\">{}</text>",
        y + NODE_GAP - 8.0,
        escaped(&node.name)
    )?;
    y += NODE_GAP;
    for lane in &node.lanes {
        writeln!(
            out,
            "<text x=\"8\" y=\"{:.1}\">{}</text>",
            y + 12.0,
            label(lane.kind)
        )?;
        // Where many are too short to be seen, one for each kind and place stands for them.
        let mut drawn = BTreeSet::new();
        for span in &lane.spans {
            let x = drawing.x(span.from_us);
            let is_short = drawing.x(span.to_us) - x < LEAST;
            if !is_short || drawn.insert((&span.what, (x / LEAST) as u64)) {
                bar(lane, span, drawing, y, out)?;
            }
        }
        y += ROW;
    }
    Ok(y)
}

fn label(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Vip => "VIP",
        LaneKind::Redis => "Redis",
        LaneKind::Checks => "checks",
        LaneKind::Role => "role",
    }
}

fn bar(
    lane: &Lane,
    span: &Span,
    drawing: &Drawing,
    y: f64,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if span.to_us < drawing.from_us || span.from_us > drawing.to_us {
        return Ok(());
    }
    let (x, end) = (drawing.x(span.from_us), drawing.x(span.to_us));
    let width = (end - x).max(LEAST);
    let class = match lane.kind {
        LaneKind::Vip => "vip-here",
        _ => span.what.as_str(),
    };
    writeln!(
        out,
        "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\"><title>{} {}: {:.3} s</title></rect>",
        escaped(class),
        label(lane.kind),
        escaped(&span.what),
        (span.to_us - span.from_us) as f64 / 1e6
    )?;
    if span.what.len() as f64 * LETTER + 6.0 < width {
        writeln!(
            out,
            "<text class=\"in\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 4.0,
            y + 12.0,
            escaped(&span.what)
        )?;
    }
    Ok(())
}

fn bands(
    spans: &[Span],
    class: &str,
    text_y: f64,
    drawing: &Drawing,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let bottom = drawing.height - AXIS - HEAD;
    // The longest is labelled first. Where two labels would lie on each other, the rectangle of the shorter one says it.
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort_by_key(|span| span.from_us - span.to_us);
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for span in spans {
        if span.to_us < drawing.from_us || span.from_us > drawing.to_us {
            continue;
        }
        let (x, end) = (drawing.x(span.from_us), drawing.x(span.to_us));
        let width = (end - x).max(LEAST);
        let took = milliseconds(between(span.from_us, span.to_us));
        let said = format!("{}: {took}", span.what);
        writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{HEAD}\" width=\"{width:.1}\" height=\"{bottom:.1}\"><title>{said}</title></rect>"
        )?;
        let length = said.len() as f64 * LETTER;
        let at = x.min(WIDTH - length);
        if taken
            .iter()
            .all(|(from, to)| at > *to || at + length < *from)
        {
            writeln!(
                out,
                "<text class=\"band\" x=\"{at:.1}\" y=\"{text_y}\">{said}</text>"
            )?;
            taken.push((at - 8.0, at + length + 8.0));
        }
    }
    Ok(())
}

/// A mark above the role of a node wherever that was decided anew.
fn marks(told: &Postmortem, drawing: &Drawing, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut bottom = HEAD;
    for node in &told.nodes {
        bottom += NODE_GAP + node.lanes.len() as f64 * ROW;
        let y = bottom - 4.0;
        for moment in told
            .moments
            .iter()
            .filter(|moment| moment.node == node.name)
        {
            let Some((from, to)) = &moment.change else {
                continue;
            };
            if !(drawing.from_us..=drawing.to_us).contains(&moment.at_us) {
                continue;
            }
            let x = drawing.x(moment.at_us);
            let why = moment.because.as_deref().unwrap_or(&moment.what);
            writeln!(
                out,
                "<path class=\"mark\" d=\"M{x:.1} {y:.1}l-3.5 6h7z\"><title>{}</title></path>",
                escaped(&format!("{from} -> {to}: {why}"))
            )?;
        }
    }
    Ok(())
}

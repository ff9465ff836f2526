//! The page of a postmortem in a real browser, Chromium without a screen: it says nothing on the console, fits a phone, is
//! printed on few pages, and shows what it must show.

#![allow(clippy::unwrap_used)] // a test: what fails is shown

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rha::{machine, model};
use serde_json::Value;

#[allow(dead_code)]
#[path = "../src/views/fixture.rs"]
mod fixture;
#[path = "common/host.rs"]
mod host;

use fixture::Story;
use host::Host;
use model::vrrp::VrrpState;

/// In CSS pixels: as wide as a small phone, and as a screen.
const PHONE: u32 = 360;
const SCREEN: u32 = 1_280;

/// What a browser says of a page.
struct Seen {
    /// What it was asked for.
    measured: Value,
    /// What the page, or the browser about it, said on the console.
    console: Vec<String>,
}

/// Chromium, once, on a file in `dir`.
fn chromium(dir: &Path, file: &Path, asked: &[&str]) -> (String, String) {
    let output = Command::new("chromium")
        .args("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run".split(' '))
        .args(
            "--disable-background-networking --disable-component-update --disable-sync".split(' '),
        )
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .args(["--enable-logging=stderr", "--virtual-time-budget=5000"])
        .args(asked)
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{err}");
    (out, err)
}

/// The page in a frame so wide, and what `script` says of its `window`.
fn seen(html: &str, width: u32, script: &str) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let quoted = html.replace('&', "&amp;").replace('"', "&quot;");
    let page = format!(
        "<!DOCTYPE html><meta charset=\"utf-8\">\
         <iframe id=\"page\" width=\"{width}\" height=\"800\" srcdoc=\"{quoted}\"></iframe>\
         <pre id=\"seen\"></pre><script>onload = () => {{\
         const measure = (window, document) => {script};\
         const frame = page.contentWindow;\
         seen.textContent = JSON.stringify(measure(frame, frame.document)); }}</script>"
    );
    let file = dir.path().join("page.html");
    fs::write(&file, page).unwrap();
    let (dom, log) = chromium(dir.path(), &file, &["--window-size=1400,900", "--dump-dom"]);
    let (_, found) = dom.rsplit_once("<pre id=\"seen\">").unwrap();
    let (found, _) = found.split_once("</pre>").unwrap();
    let found = found.replace("&quot;", "\"").replace("&amp;", "&");
    let console = log.lines().filter(|line| line.contains("CONSOLE"));
    Seen {
        measured: serde_json::from_str(&found).unwrap_or_else(|e| panic!("{e}: {found:?} {log}")),
        console: console.map(str::to_owned).collect(),
    }
}

/// Pages of paper.
fn printed(html: &str) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let (file, pdf) = (dir.path().join("page.html"), dir.path().join("page.pdf"));
    fs::write(&file, html).unwrap();
    let to = format!("--print-to-pdf={}", pdf.display());
    chromium(dir.path(), &file, &[&to]);
    let pdf = fs::read(pdf).unwrap();
    let pdf = String::from_utf8_lossy(&pdf);
    pdf.matches("/Type /Page").count() - pdf.matches("/Type /Pages").count()
}

const MEASURE: &str = "({
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    bands: [...document.querySelectorAll('svg rect.double')].filter(r => r.getBoundingClientRect().width > 1).length,
    outages: document.querySelectorAll('svg rect.outage').length,
    nodes: new Set([...document.querySelectorAll('svg text[font-weight]')].map(t => t.textContent)).size,
    outside_drawing: [...document.querySelectorAll('svg text')].filter(t => t.getBBox().x < 0 || t.getBBox().x + t.getBBox().width > 1001).map(t => t.textContent + ' ' + t.getBBox().x),
    rows: document.querySelectorAll('tbody tr').length,
    outside: document.querySelectorAll('script, link:not([rel=icon]), img, iframe, object').length,
    title: document.title,
})";

fn recording(name: &str) -> [PathBuf; 2] {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    ["lvs1.rha", "lvs2.rha"].map(|node| dir.join(name).join(node))
}

/// The page of the recording's incident, of both nodes.
fn page_of(name: &str) -> String {
    let [one, other] = recording(name);
    let output = Command::new(env!("CARGO_BIN_EXE_rha"))
        .args(["postmortem", "--output", "html", "--bundle"])
        .args([&one, Path::new("--with"), &other])
        .env("TZ", "UTC")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The page of the only incident of a story.
fn page_told(story: &Story) -> String {
    let host = Host::of(&story.records, 1);
    let (exit, page, err) = host.rha("postmortem --output html");
    assert_eq!(exit, Some(0), "{err}");
    page
}

/// On a phone and on a screen; what was measured on the screen.
fn looks_right(name: &str, html: &str) -> Value {
    let mut measured = Value::Null;
    for width in [PHONE, SCREEN] {
        let seen = seen(html, width, MEASURE);
        assert_eq!(seen.console, [""; 0], "{name}, {width} px");
        measured = seen.measured;
        assert_eq!(measured["overflow"], 0, "{name}, {width} px: {measured}");
        assert_eq!(
            measured["outside_drawing"],
            Value::Array(vec![]),
            "{name}, {width} px: {measured}"
        );
        assert_eq!(measured["outside"], 0, "{name}, {width} px: {measured}");
    }
    measured
}

#[test]
#[ignore = "needs chromium"]
fn the_browser_tells_what_is_wrong_with_a_page() {
    let wrong =
        "<div style=\"width: 2000px\">wide</div><script>console.error('oh'); none.such()</script>";
    let seen = seen(wrong, PHONE, MEASURE);
    assert_eq!(seen.console.len(), 2, "{:?}", seen.console);
    assert!(seen.measured["overflow"].as_i64() > Some(1_000));
}

#[test]
#[ignore = "needs chromium"]
fn two_primaries_are_seen_at_a_glance() {
    let html = page_of("partition-both-written");
    let seen = looks_right("partition", &html);
    // In the whole, and near.
    assert_eq!(
        (&seen["nodes"], &seen["bands"]),
        (&2.into(), &2.into()),
        "{seen}"
    );
    assert!(seen["title"].as_str().unwrap().contains("redis"), "{seen}");
    let pages = printed(&html);
    assert!((1..=8).contains(&pages), "{pages} pages");
}

#[test]
#[ignore = "needs chromium"]
fn every_recording_makes_a_page() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    for entry in fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let seen = looks_right(&name, &page_of(&name));
        assert_eq!(seen["nodes"], 2, "{name}: {seen}");
        assert!(seen["rows"].as_u64() > Some(5), "{name}: {seen}");
    }
}

#[test]
#[ignore = "needs chromium"]
fn an_incident_of_one_record_makes_a_page() {
    let mut story = Story::default();
    story.start(true);
    story.lead();
    story.notify(VrrpState::Fault);
    let seen = looks_right("short", &page_told(&story));
    assert_eq!(seen["nodes"], 1, "{seen}");
}

/// A Redis that comes and goes for a day: thousands of records in one incident.
#[test]
#[ignore = "needs chromium"]
fn a_huge_incident_makes_a_page() {
    let mut story = Story::default();
    story.start(true);
    story.lead();
    story.notify(VrrpState::Fault);
    for _ in 0..3_000 {
        story.check(fixture::failed(model::redis::Grade::Refused, 90));
        story.check(fixture::master(0));
    }
    let html = page_told(&story);
    assert!(html.len() < 1 << 20, "{} bytes", html.len());
    let seen = looks_right("huge", &html);
    assert_eq!(seen["nodes"], 1, "{seen}");
    let pages = printed(&html);
    assert!(pages <= 60, "{pages} pages");
}

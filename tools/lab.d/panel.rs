//! The demo's picture of the world: a few lines that stay at the bottom of a terminal while the story scrolls
//! above them. Without a terminal it is printed where the story asks for it.

use std::io::{IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use anstyle::Style;
use rha::cli::render::{Cell, Columns};

use crate::client::Writing;
use crate::clock::now;
use crate::host::Host;
use crate::report::{BOLD, DIM, GREEN, RED, YELLOW, say, styled};
use crate::world::World;

const FRAME: Duration = Duration::from_millis(100);
/// Time to read a sentence.
const READING: Duration = Duration::from_millis(1800);

/// The picture.
pub struct Panel {
    live: bool,
    drawn: usize,
    writes: u64,
}

impl Panel {
    /// Live on a terminal that moves its cursor, else printed on demand.
    pub fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            live: terminal && !dumb,
            drawn: 0,
            writes: 0,
        }
    }

    /// A line of the story, above the picture.
    pub fn tell(&mut self, line: &str) {
        self.erase();
        say(line);
    }

    /// One frame, where the picture is live.
    pub fn frame(&mut self, world: &World, client: Option<&Writing>) {
        if let Some(client) = client {
            self.writes = client.progress();
        }
        if self.live {
            let lines = self.lines(world);
            self.erase();
            // A terminal that is too narrow cuts lines off and wraps none (DECAWM): a line is a row, which is what
            // `erase` counts. In one piece, so that nobody is left with a terminal that does not wrap.
            say(format_args!("\x1b[?7l{}\x1b[?7h", lines.join("\n")));
            self.drawn = lines.len();
            sleep(FRAME);
        }
    }

    /// Lets the reader read so many sentences, or prints the picture once for one who is not there.
    pub fn pause(&mut self, world: &World, client: Option<&Writing>, sentences: u32) {
        let end = now() + READING * sentences;
        while self.live && now() < end {
            self.frame(world, client);
        }
        if !self.live {
            self.frame(world, client);
            for line in self.lines(world) {
                say(line);
            }
        }
    }

    /// Takes the picture away: the story is over.
    pub fn erase(&mut self) {
        if self.drawn > 0 {
            let mut out = anstream::stdout();
            // Up to the picture's first line, and clear to the end of the screen (ECMA-48 CUU, ED).
            let _ = write!(out, "\x1b[{}A\x1b[J", self.drawn);
            let _ = out.flush();
            self.drawn = 0;
        }
    }

    fn lines(&self, world: &World) -> Vec<String> {
        let mut lines = vec![String::new()];
        lines.extend(table(world));
        lines.push(format!(
            "  {}  writes to {}, {} acknowledged",
            styled(BOLD, "client"),
            world.plan.vip_redis(),
            self.writes
        ));
        lines.push(String::new());
        lines
    }
}

const TITLES: [&str; 7] = [
    "host", "address", "VIP", "role", "Redis", "epoch", "eligible",
];
/// Nothing moves while the picture is live, and 80 columns hold it.
const WIDTHS: [usize; 7] = [4, 15, 3, 9, 18, 5, 8];
const EPOCH: usize = 5;

/// Every host in a line, with a line of titles above.
pub fn table(world: &World) -> Vec<String> {
    let columns = Columns::of(WIDTHS.to_vec()).right(EPOCH);
    let titles = TITLES.map(|title| Cell::styled(title, DIM)).to_vec();
    let hosts = world.hosts.iter().map(|host| row(host, world));
    let rows = std::iter::once(titles).chain(hosts);
    rows.map(|row| {
        let mut line = b"  ".to_vec();
        // A vector takes everything.
        let _ = columns.write(&mut line, &row);
        String::from_utf8_lossy(&line).into_owned()
    })
    .collect()
}

/// Who has the VIP, what rha has decided, what Redis is.
fn row(host: &Host, world: &World) -> Vec<Cell> {
    let vip = match host.holds(world.plan.vip()) {
        Ok(true) => Cell::styled("VIP", GREEN.bold()),
        _ => Cell::styled(" -", DIM),
    };
    let redis = match host.info() {
        Ok(info) => Cell::from(match info.get("role") {
            "master" => format!("master, {} online", info.slaves_online()),
            _ => format!("replica, link {}", info.get("master_link_status")),
        }),
        Err(_) => Cell::styled("down", RED),
    };
    let (role, epoch, eligible) = host.status().map_or_else(
        |_| ("?".to_owned(), 0, false),
        |status| (status.role().to_owned(), status.epoch(), status.eligible()),
    );
    let style = role_style(&role);
    vec![
        Cell::styled(host.name.as_str(), BOLD),
        Cell::from(host.address.to_string()),
        vip,
        Cell::styled(role, style),
        redis,
        Cell::from(epoch.to_string()),
        Cell::from(if eligible { "yes" } else { "no" }),
    ]
}

fn role_style(role: &str) -> Style {
    match role {
        "primary" => GREEN.bold(),
        "replica" => Style::new(),
        "fault" | "held" | "fenced" | "?" => RED,
        _ => YELLOW,
    }
}
